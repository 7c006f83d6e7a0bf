"""PriorBox in ONNX: a constant, or computed where the sizes are free; both as PyTorch has it."""

import numpy as np
import pytest
import torch

import caffegen
from caffegen import onnx_bridge
from caffegen.pytorch import build
from tests.onnx_bridge.golden_case import run
from tests.pytorch.one_layer import net_text

PARAMS = [
    pytest.param("min_size: 30", id="one square"),
    pytest.param("min_size: 30 min_size: 45 max_size: 60 max_size: 90 aspect_ratio: 2", id="many"),
    pytest.param("min_size: 35.84 aspect_ratio: 2 aspect_ratio: 3 clip: true", id="cut, clipped"),
    pytest.param("min_size: 30 flip: false aspect_ratio: 2 offset: 0.25 step: 8", id="one step"),
    pytest.param("min_size: 30 step_h: 8 step_w: 6.5", id="two steps"),
    pytest.param("min_size: 30 img_h: 90 img_w: 70", id="image given"),
    pytest.param(
        "min_size: 30 variance: 0.1 variance: 0.2 variance: 0.3 variance: 0.4", id="variances"
    ),
]


def net(text, cells=(3, 5), image=(60, 80)):
    shapes = [(2, 4, *cells), (2, 3, *image)]
    return caffegen.loads(net_text("PriorBox", shapes, f"prior_box_param {{ {text} }}"))


def expected(text, *shapes):
    with torch.no_grad():
        return build(net(text))(*map(torch.zeros, shapes))["top"].numpy()


@pytest.mark.parametrize("opset", [13, 17, 26])
@pytest.mark.parametrize("text", PARAMS)
def test_fixed_sizes_are_a_constant(text, opset):
    model = onnx_bridge.to_model(net(text), opset=opset)
    assert [node.op_type for node in model.graph.node] == ["Identity"]
    shapes = (2, 4, 3, 5), (2, 3, 60, 80)
    found = run(
        model, {name: np.zeros(s, np.float32) for name, s in zip("ab", shapes, strict=True)}
    )
    np.testing.assert_allclose(found["top"], expected(text, *shapes), 1e-5, 1e-6)


@pytest.mark.parametrize("opset", [13, 17, 26])
@pytest.mark.parametrize("text", PARAMS)
def test_free_sizes(text, opset):
    free = net(text, cells=(3, 5), image=(3, 5))
    model = onnx_bridge.to_model(free, dynamic_size=True, opset=opset)
    # the sizes of all inputs that are alike are one
    shapes = (2, 4, 6, 7), (2, 3, 6, 7)
    found = run(
        model, {name: np.zeros(s, np.float32) for name, s in zip("ab", shapes, strict=True)}
    )
    np.testing.assert_allclose(found["top"], expected(text, *shapes), 1e-5, 1e-5)
