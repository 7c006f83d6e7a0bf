"""SmoothL1Loss and its kin in ONNX, as PyTorch has them."""

import numpy as np
import pytest
import torch

import caffegen
from caffegen import onnx_bridge
from caffegen.pytorch import build
from tests.onnx_bridge.golden_case import run
from tests.pytorch.one_layer import net_text

SHAPE = (3, 4, 2, 5)


def check(kind, shapes, text, tops=("top",), *, opset=17, inputs=None, **options):
    net = caffegen.loads(net_text(kind, shapes, text, tops=tops))
    rng = np.random.default_rng(3)
    if inputs is None:
        inputs = [rng.standard_normal(shape, np.float32) * 2 for shape in shapes]
    model = onnx_bridge.to_model(net, opset=opset, **options)
    found = run(model, dict(zip("abcd", inputs, strict=False)))
    with torch.no_grad():
        expected = build(net)(*map(torch.from_numpy, inputs))
    assert set(found) == set(tops)
    for top in tops:
        np.testing.assert_allclose(found[top], expected[top].numpy(), 1e-5, 1e-6)


@pytest.mark.parametrize("opset", [13, 18, 26])
@pytest.mark.parametrize(
    ("number", "text"),
    [
        pytest.param(2, "", id="plain"),
        pytest.param(2, "smooth_l1_loss_param { sigma: 3 }", id="sigma"),
        pytest.param(3, "", id="inside weights"),
        pytest.param(4, "smooth_l1_loss_param { sigma: 2 }", id="both weights"),
        pytest.param(3, "smoothl1_param { turn_point: 2.5 }", id="turn point"),
    ],
)
def test_smooth_l1_loss(number, text, opset):
    check("SmoothL1Loss", [SHAPE] * number, f"loss_weight: 1 {text}", opset=opset)


def test_blobs_of_other_axes():
    check("SmoothL1Loss", [(3, 4, 1, 1), (3, 4), (3, 4, 1)], "loss_weight: 1")


@pytest.mark.parametrize("opset", [13, 18, 26])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 5 }",
        "loss_param { normalization: BATCH_SIZE }",
        "loss_param { normalization: NONE }",
    ],
    ids=["valid", "fixed", "batch", "none"],
)
@pytest.mark.parametrize("shapes", [[SHAPE] * 3, [SHAPE] * 2, [(3, 4)] * 2], ids=str)
def test_smooth_l1_loss_ohem(shapes, text, opset):
    check("SmoothL1LossOHEM", shapes, text, ("loss", "each"), opset=opset)


@pytest.mark.parametrize("opset", [13, 18, 26])
@pytest.mark.parametrize(
    "text", ["", "ignore_label: 2", "normalization: PRE_FIXED pre_fixed_normalizer: 5"]
)
@pytest.mark.parametrize("shapes", [[(6, 4), (6,)], [(2, 4, 3), (2, 3)]], ids=str)
def test_softmax_with_loss_ohem(shapes, text, opset):
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 4, shapes[1]).astype(np.float32)
    inputs = [rng.standard_normal(shapes[0], np.float32), labels]
    weights = "loss_weight: 1 loss_weight: 0 loss_weight: 0"
    body = f"{weights} loss_param {{ {text} }}"
    tops = ("loss", "prob", "each")
    check("SoftmaxWithLossOHEM", shapes, body, tops, opset=opset, inputs=inputs)


@pytest.mark.parametrize(
    ("kind", "shapes", "text", "tops", "reason"),
    [
        pytest.param(
            "BoxAnnotatorOHEM", [(6, 5), (6,), (6,), (6, 4)],
            "box_annotator_ohem_param { roi_per_img: 2 }", ("labels", "weights"),
            "it picks the hardest boxes to train on, and a model to be run does not train",
            id="choice",
        ),
        pytest.param(
            "MultiBoxLoss", [(1, 8), (1, 6), (1, 2, 8), (1, 1, 3, 8)],
            "multibox_loss_param { num_classes: 3 }", ("loss",),
            "it matches priors with boxes and picks examples to train on, and a model to be run "
            "has neither; convert the deploy net", id="multibox",
        ),
    ],
)  # fmt: skip
def test_what_serves_training_alone_is_refused(kind, shapes, text, tops, reason):
    net = caffegen.loads(net_text(kind, shapes, text, tops=tops))
    with pytest.raises(onnx_bridge.Refusal) as caught:
        onnx_bridge.to_model(net)
    assert str(caught.value) == f"layer `layer` ({kind}) has no ONNX form: {reason}"
