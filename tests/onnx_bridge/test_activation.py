"""Dropout written for training: onnxruntime really drops, on whatever the layer reads."""

import numpy as np
import onnxruntime
import pytest

from caffegen import loads, onnx_bridge
from caffegen.errors import CaffegenError
from tests.onnx_bridge.golden_case import run

ONES = np.ones((8, 16, 5, 5), np.float32)
INPUT = (
    'layer { name: "a" type: "Input" top: "a" '
    "input_param { shape { dim: 8 dim: 16 dim: 5 dim: 5 } } }\n"
)
# its bottom is computed: an ONNX Dropout behind such a value is taken away by onnxruntime
PLUS_ONE = 'layer { name: "b" type: "Power" bottom: "a" top: "b" power_param { shift: 1 } }\n'


def dropout(bottom, top, param):
    return (
        f'layer {{ name: "{top}" type: "Dropout" bottom: "{bottom}" top: "{top}" '
        f"dropout_param {{ {param} }} }}\n"
    )


@pytest.mark.parametrize("bottom", ["a", "b"])
@pytest.mark.parametrize(
    ("param", "kept"),
    [
        pytest.param("dropout_ratio: 0.25", 4 / 3, id="scaled"),
        pytest.param("dropout_ratio: 0.25 scale_train: false", 1.0, id="not scaled"),
    ],
)
def test_dropout_in_training_drops(bottom, param, kept):
    text = INPUT + (PLUS_ONE if bottom == "b" else "") + dropout(bottom, "d", param)
    model = onnx_bridge.to_model(loads(text, phase="TRAIN"))
    found = run(model, {"a": ONES})["d"]
    value = 2.0 if bottom == "b" else 1.0
    there = found != 0
    np.testing.assert_allclose(found[there], kept * value, rtol=1e-6)
    # 3200 values, of which 800 are dropped, give or take five deviations of 24
    assert 680 < (~there).sum() < 920


@pytest.mark.parametrize("opset", [13, 21, 22, 26])
def test_every_dropout_and_every_run_draws_anew(opset):
    half = "dropout_ratio: 0.5"
    text = INPUT + PLUS_ONE + dropout("b", "c", half) + dropout("b", "d", half)
    model = onnx_bridge.to_model(loads(text, phase="TRAIN"), opset=opset)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    first, second, again = (*session.run(["c", "d"], {"a": ONES}), *session.run(["c"], {"a": ONES}))
    assert len({found.tobytes() for found in (first, second, again)}) == 3


def test_a_dropout_of_nothing_keeps_all():
    text = INPUT + PLUS_ONE + dropout("b", "d", "dropout_ratio: 0")
    found = run(onnx_bridge.to_model(loads(text, phase="TRAIN")), {"a": ONES})["d"]
    np.testing.assert_array_equal(found, ONES + 1)


def test_a_dropout_of_everything_is_refused():
    net = loads(INPUT + dropout("a", "d", "dropout_ratio: 1"), phase="TRAIN")
    with pytest.raises(CaffegenError, match="`dropout_ratio` is 1; what is kept is divided by"):
        onnx_bridge.to_model(net)
