"""Reduction and Softmax: the ops that stand for them, and sizes that are free."""

import numpy as np
import pytest

import caffegen
from caffegen import onnx_bridge
from tests.onnx_bridge.golden_case import run

OPSETS = (13, 17, 18, 26)


def written(shape, text, **options):
    """The model of one layer from `x` to `y`."""
    dims = " ".join(f"dim: {size}" for size in shape)
    net = caffegen.loads(
        f"""
        layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}
        layer {{ name: "l" bottom: "x" top: "y" {text} }}
        """
    )
    return onnx_bridge.to_model(net, **options)


def ops(model):
    return [node.op_type for node in model.graph.node]


def values(*shape):
    return np.random.default_rng(3).standard_normal(shape, np.float32)


REDUCTIONS = {
    "SUM": ("ReduceSum", lambda x: x.sum((1, 2))),
    "MEAN": ("ReduceMean", lambda x: x.mean((1, 2))),
    "ASUM": ("ReduceL1", lambda x: np.abs(x).sum((1, 2))),
    "SUMSQ": ("ReduceSumSquare", lambda x: (x * x).sum((1, 2))),
}


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("operation", REDUCTIONS)
def test_reduction(operation, opset):
    op, reference = REDUCTIONS[operation]
    text = f'type: "Reduction" reduction_param {{ operation: {operation} axis: 1 coeff: -0.5 }}'
    model = written((2, 3, 4), text, opset=opset)
    assert ops(model) == [op, "Mul"]
    x = values(2, 3, 4)
    np.testing.assert_allclose(run(model, {"x": x})["y"], -0.5 * reference(x), 1e-5)


def test_reduction_without_a_factor_is_one_node():
    model = written((2, 3), 'type: "Reduction"')
    (node,) = model.graph.node
    assert (node.name, list(node.output)) == ("l", ["y"])
    assert run(model, {"x": np.ones((2, 3), np.float32)})["y"].shape == ()


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_mean_over_a_free_batch(axis):
    text = f'type: "Reduction" reduction_param {{ operation: MEAN axis: {axis} }}'
    model = written((2, 3), text, dynamic_batch=True)
    x = values(7, 3)
    axes = (0, 1) if axis == 0 else (1,)
    np.testing.assert_allclose(run(model, {"x": x})["y"], x.mean(axes), 1e-5)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("axis", [None, 0, 2, -2])
def test_softmax(axis, opset):
    param = "" if axis is None else f"softmax_param {{ axis: {axis} }}"
    model = written((2, 3, 4), f'type: "Softmax" {param}', opset=opset)
    assert ops(model) == ["Softmax"]
    x = values(2, 3, 4)
    expected = np.exp(x.astype(float))
    expected /= expected.sum(1 if axis is None else axis, keepdims=True)
    np.testing.assert_allclose(run(model, {"x": x})["y"], expected, 1e-5)
