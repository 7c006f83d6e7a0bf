"""Parameter, and the refusal of Python."""

import numpy as np
import pytest

import caffegen
from caffegen import onnx_bridge
from tests.onnx_bridge.golden_case import run

PARAMETER = """
layer { name: "p" type: "Parameter" top: "y" parameter_param { shape { dim: 2 dim: 3 } } }
"""
PYTHON = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }
layer { name: "l" type: "Python" bottom: "x" top: "y"
  python_param { module: "mine.layers" layer: "Fold" } }
layer { name: "s" type: "Softmax" bottom: "x" top: "z" }
"""


def test_parameter_is_its_weight():
    value = np.arange(6, dtype=np.float32).reshape(2, 3)
    model = onnx_bridge.to_model(caffegen.loads(PARAMETER, {"p": [value]}))
    np.testing.assert_array_equal(run(model, {})["y"], value)
    assert [tensor.name for tensor in model.graph.initializer] == ["p.value"]


def test_python_is_refused():
    with pytest.raises(onnx_bridge.Refusal) as caught:
        onnx_bridge.to_model(caffegen.loads(PYTHON))
    assert str(caught.value) == (
        "layer `l` (Python) has no ONNX form: what it computes stands in the class "
        "`Fold` of the Python module `mine.layers`, which is never run here"
    )


def test_python_that_no_output_needs():
    model = onnx_bridge.to_model(caffegen.loads(PYTHON), outputs=["z"])
    assert [node.op_type for node in model.graph.node] == ["Softmax"]
