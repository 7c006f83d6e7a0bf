"""The forks' layers in ONNX: the ops that they take, and sizes left free."""

import numpy as np
import pytest
import torch

from caffegen import onnx_bridge
from caffegen.errors import CaffegenError
from caffegen.pytorch import build
from tests.onnx_bridge.golden_case import run
from tests.verify.fork_case import CLOSE, Case

SHAPE = (2, 4, 6, 8)
CONV = "convolution_param { num_output: 4 kernel_size: 3 group: 4 weight_filler { type: 'msra' } }"


def ops(kind, body="", shapes=(SHAPE,), **options):
    """The ops of a layer's nodes."""
    model = onnx_bridge.to_model(Case(kind, list(shapes), body, **options).net)
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("Permute", "permute_param { order: 2 }", ["Transpose"]),
        ("Permute", "permute_param { order: 0 }", ["Identity"]),
        ("ShuffleChannel", "shuffle_channel_param { group: 2 }", ["Reshape", "Transpose", "Reshape"]),
        ("ReLU6", "", ["Clip"]),
        ("Mish", "", ["Softplus", "Tanh", "Mul"]),
        ("HardSwish", "", ["HardSwish"]),
        ("HardSigmoid", "", ["HardSigmoid"]),
        ("SeLu", "", ["Selu"]),
        ("CReLU", "", ["Neg", "Concat", "Relu"]),
        ("Reorg", "reorg_param { stride: 2 }", ["Reshape", "SpaceToDepth", "Reshape"]),
        ("Reorg", "reorg_param { stride: 2 reverse: true }", ["DepthToSpace"]),
        ("Padding", "padding_param { pad: 1 }", ["Pad"]),
        ("Padding", "padding_param { pad_end: -1 }", ["Slice"]),
        ("Flip", "", ["Slice"]),
        ("DepthwiseConvolution", CONV, ["Conv"]),
        ("ConvolutionDepthwise", CONV, ["Conv"]),
        ("BN", "bn_param { bn_mode: INFERENCE }", ["Mul", "Add"]),
        ("SpatialDropout", "", ["Identity"]),
        (
            "Normalize", "norm_param { across_spatial: false }",
            ["Mul", "ReduceSum", "Add", "Sqrt", "Div", "Mul"],
        ),
    ],
)  # fmt: skip
def test_ops(kind, body, expected):
    assert ops(kind, body) == expected


def test_ops_of_several_bottoms():
    assert ops("Axpy", "", [(2, 4, 1, 1), SHAPE, SHAPE]) == ["Mul", "Add"]
    assert ops("Axpy", "", [(2, 4), SHAPE, SHAPE]) == ["Reshape", "Mul", "Add"]
    assert ops("MatMul", "", [(3, 4), (4, 5)]) == ["MatMul"]


@pytest.mark.parametrize("dialect", ["yjxiong", "happynear"])
def test_stored_statistics_are_one_op(dialect):
    assert ops("BN", "bn_param { eps: 0.1 }", dialect=dialect) == ["BatchNormalization"]


@pytest.mark.parametrize(
    ("kind", "shapes", "body"),
    [
        pytest.param("Permute", [SHAPE], "permute_param { order: 2 }", id="Permute"),
        pytest.param(
            "ShuffleChannel", [SHAPE], "shuffle_channel_param { group: 2 }", id="ShuffleChannel"
        ),
        pytest.param("ReLU6", [SHAPE], "relu6_param { negative_slope: 0.5 }", id="ReLU6"),
        pytest.param("CReLU", [SHAPE], "", id="CReLU"),
        pytest.param("Flip", [SHAPE], "flip_param { flip_height: true }", id="Flip"),
        pytest.param("Padding", [SHAPE], "padding_param { pad_t: 1 pad_r: 2 }", id="Padding"),
        pytest.param("Padding", [SHAPE], "padding_param { pad_beg: -1 pad_end: -1 }", id="cut"),
        pytest.param("Reorg", [SHAPE], "reorg_param { stride: 2 reverse: true }", id="Reorg"),
        pytest.param("Axpy", [(2, 4), SHAPE, SHAPE], "", id="Axpy"),
        pytest.param("Normalize", [SHAPE], "norm_param { channel_shared: false }", id="Normalize"),
        pytest.param("L2Norm", [SHAPE], "l2norm_param { }", id="L2Norm"),
        pytest.param("BN", [SHAPE], "bn_param { bn_mode: INFERENCE }", id="BN for inference"),
        pytest.param("BN", [SHAPE], "bn_param { bn_mode: LEARN }", id="BN that learns"),
        pytest.param("DepthwiseConvolution", [SHAPE], CONV, id="depthwise"),
    ],
)
def test_free_batch_and_size(kind, shapes, body):
    case = Case(kind, shapes, body)
    model = onnx_bridge.to_model(case.net, dynamic_batch=True, dynamic_size=True)
    generator = np.random.default_rng(1)
    feeds = {
        name: generator.standard_normal(
            (3, shape[1], *(size if size == 1 else size + 4 for size in shape[2:]))
        ).astype(np.float32)
        for name, shape in zip("abc", shapes, strict=False)
    }
    module = build(case.net).eval()
    with torch.no_grad():
        expected = module(**{name: torch.from_numpy(value) for name, value in feeds.items()})
    found = run(model, feeds)
    np.testing.assert_allclose(found["top"], expected["top"].numpy(), **CLOSE)


def test_reorg_needs_its_size():
    case = Case("Reorg", [SHAPE], "reorg_param { stride: 2 }")
    onnx_bridge.to_model(case.net, dynamic_batch=True)
    with pytest.raises(CaffegenError) as refusal:
        onnx_bridge.to_model(case.net, dynamic_size=True)
    assert "its values are read in other axes first" in str(refusal.value)


@pytest.mark.parametrize("opset", [13, 18, 21])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("HardSwish", ""), ("Mish", ""), ("Padding", "padding_param { pad: 1 }"),
        ("Normalize", "norm_param { }"), ("BN", "bn_param { bn_mode: LEARN }"), ("Flip", ""),
        ("L2Norm", "l2norm_param { }"), ("Reorg", "reorg_param { stride: 2 }"),
    ],
)  # fmt: skip
def test_opsets(kind, body, opset):
    case = Case(kind, [SHAPE], body)
    (found,) = case.onnxruntime(opset=opset)
    np.testing.assert_allclose(found, case.torch()[0], **CLOSE)
