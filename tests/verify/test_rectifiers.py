"""The forks' activations: PyTorch, onnxruntime and OpenCV against their formulas."""

import numpy as np
import pytest

from tests.verify.fork_case import Case, close

SHAPE = (2, 3, 4, 5)


def relu6(x, slope=0.0):
    return np.minimum(np.maximum(x, 0) + slope * np.minimum(x, 0), 6)


def mish(x):
    return x * np.tanh(np.log1p(np.exp(x)))


def hard_swish(x):
    return x * np.clip(x + 3, 0, 6) / 6


def selu(x, scale=1.05070102214813, alpha=1.67326319217681):
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


@pytest.mark.parametrize(
    ("kind", "body", "formula", "opencv"),
    [
        pytest.param("ReLU6", "", relu6, "caffe", id="ReLU6"),
        # OpenCV's ReLU6 has no slope
        pytest.param(
            "ReLU6", "relu6_param { negative_slope: 0.5 }", lambda x: relu6(x, 0.5), "onnx",
            id="ReLU6, leaky",
        ),
        pytest.param(
            "ReLU6", "relu6_param { negative_slope: -2 }", lambda x: relu6(x, -2), "onnx",
            id="ReLU6, a slope below 0",
        ),
        pytest.param("Mish", "", mish, "caffe", id="Mish"),
        pytest.param("HardSwish", "", hard_swish, "caffe", id="HardSwish"),
        pytest.param(
            "HardSigmoid", "", lambda x: np.clip(0.2 * x + 0.5, 0, 1), "caffe", id="HardSigmoid"
        ),
        pytest.param(
            "HardSigmoid", "hard_sigmoid_param { alpha: 0.5 beta: 0.25 }",
            lambda x: np.clip(0.5 * x + 0.25, 0, 1), "onnx", id="HardSigmoid, another line",
        ),
        pytest.param(
            "HardSigmoid", "hard_sigmoid_param { alpha: 0.16666667 }",
            lambda x: np.clip(x / 6 + 0.5, 0, 1), "onnx", id="HardSigmoid, torch.nn's line",
        ),
        # OpenCV spells it Selu
        pytest.param("SeLu", "", selu, "onnx", id="SeLu"),
        pytest.param(
            "SeLu", "selu_param { lambda: 2 alpha: 0.5 }", lambda x: selu(x, 2, 0.5), "onnx",
            id="SeLu, other constants",
        ),
        pytest.param(
            "CReLU", "", lambda x: np.maximum(np.concatenate([x, -x], 1), 0), "onnx", id="CReLU"
        ),
        pytest.param(
            "CReLU", "crelu_param { concat_axis: -1 negative_slope: 0.5 }",
            lambda x: np.maximum((y := np.concatenate([x, -x], 3)), 0) + 0.5 * np.minimum(y, 0),
            "onnx", id="CReLU, leaky, on the last axis",
        ),
        pytest.param("SpatialDropout", "", lambda x: x, "onnx", id="SpatialDropout"),
    ],
)  # fmt: skip
def test_formula(kind, body, formula, opencv, tmp_path):
    case = Case(kind, [SHAPE], body)
    expected = formula(case.inputs[0])
    case.check(expected)
    found = case.opencv(tmp_path) if opencv == "caffe" else case.opencv_of_onnx(tmp_path)[0]
    close(found, expected)


@pytest.mark.parametrize("shape", [(7,), (2, 3), (2, 3, 4), (1, 2, 2, 2, 2)], ids=str)
@pytest.mark.parametrize(
    ("kind", "formula"), [("ReLU6", relu6), ("Mish", mish), ("HardSwish", hard_swish)]
)
def test_any_rank(kind, formula, shape):
    case = Case(kind, [shape])
    case.check(formula(case.inputs[0]))


def test_hard_swish_before_opset_14():
    case = Case("HardSwish", [SHAPE])
    (found,) = case.onnxruntime(opset=13)
    close(found, hard_swish(case.inputs[0]))


def test_crelu_by_parts_is_the_same(tmp_path):
    """C.ReLU as PVANet writes it, with layers that every Caffe has; OpenCV runs that."""
    whole = Case("CReLU", [SHAPE])
    parts = (
        'layer { name: "a" type: "Input" top: "a" input_param { shape { '
        + " ".join(f"dim: {size}" for size in SHAPE)
        + ' } } } layer { name: "neg" type: "Power" bottom: "a" top: "neg" power_param { scale: -1 } }'
        ' layer { name: "both" type: "Concat" bottom: "a" bottom: "neg" top: "both" }'
        ' layer { name: "layer" type: "ReLU" bottom: "both" top: "top" }'
    )
    close(whole.opencv(tmp_path, parts), whole.torch()[0])


def enet(phase="TEST", p="0.2"):
    parameters = "{\\'phase\\': \\'" + phase + "\\', \\'p\\': \\'" + p + "\\'}"
    return (
        'python_param { module: "spatial_dropout" layer: "SpatialDropoutLayer" '
        f'param_str: "{parameters}" }}'
    )


def test_the_dropout_of_enet_scales_in_test_too():
    case = Case("Python", [SHAPE], enet())
    case.check(case.inputs[0] / 0.8)


@pytest.mark.parametrize(
    ("kind", "body", "phase"),
    [("SpatialDropout", "", "TRAIN"), ("Python", enet("TRAIN", "0.5"), "TEST")],
    ids=["intel", "ENet"],
)
def test_dropout_in_training_drops_whole_channels(kind, body, phase):
    case = Case(kind, [(8, 16, 3, 3)], body, phase=phase)
    case.feeds["a"] = np.ones((8, 16, 3, 3), np.float32)
    import torch

    from caffegen.pytorch import build

    torch.manual_seed(0)
    module = build(case.net)
    (dropped,) = module(torch.ones(8, 16, 3, 3)).values()
    for found in (dropped.detach().numpy(), case.onnxruntime()[0]):
        rows = found.reshape(128, 9)
        assert (rows == rows[:, :1]).all()
        assert set(np.unique(rows)) == {0.0, 2.0}
        assert 30 < (rows[:, 0] == 0).sum() < 98
