"""Every golden layer case of the TEST phase, and every golden net, through onnxruntime."""

import json

import numpy as np
import onnx
import pytest

from caffegen import onnx_bridge
from caffegen.errors import CaffegenError
from caffegen.loader import load
from tests.onnx_bridge.golden_case import GOLDEN, arrays, index, run, run_case
from tests.pytorch.golden_case import close_to_caffe, in_double

# the oldest opset, the default, and the newest that onnxruntime runs
OPSETS = (13, 17, 26)
NETS = json.loads((GOLDEN / "nets" / "nets.json").read_text(encoding="utf-8"))


def cases():
    found = []
    for case in index():
        marks = []
        if not case.expected():
            continue
        if case.case.get("shape_only"):
            marks.append(pytest.mark.skip(reason="Caffe sets this net up and can't run it"))
        elif case.case.get("random"):
            marks.append(pytest.mark.skip(reason="random: its properties are tested by family"))
        found.append(pytest.param(case, id=case.id, marks=marks))
    return found


# cases whose quirk is followed: -FLT_MAX for a window outside, and no k within a channel
FOLLOWED = {"Pooling-max_empty_window", "LRN-within_k"}


@pytest.mark.parametrize("case", cases())
def test_layer(case):
    found = run_case(case)
    compare(case, found)


def compare(case, found):
    expected = case.expected()
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].shape == array.shape, name
        if "output" not in case.quirk or case.id in FOLLOWED:
            np.testing.assert_allclose(found[name], array, err_msg=name, **case.tolerance)


@pytest.mark.parametrize("opset", [opset for opset in OPSETS if opset != 17])
@pytest.mark.parametrize("case", cases())
def test_layer_by_opset(case, opset):
    compare(case, run_case(case, opset=opset))


@pytest.mark.parametrize("entry", NETS, ids=lambda entry: entry["name"])
def test_net(entry):
    name = entry["name"]
    net = load(GOLDEN / f"nets/{name}.prototxt", GOLDEN / f"nets/{name}.caffemodel")
    values = arrays(f"nets/{name}.npz")
    feeds = {key[3:]: array for key, array in values.items() if key.startswith("in/")}
    inner = {key[5:]: array for key, array in values.items() if key.startswith("blob/")}
    outer = {key[4:]: array for key, array in values.items() if key.startswith("out/")}
    found = run(onnx_bridge.to_model(net, outputs=[*outer, *inner]), feeds)
    for blob, array in outer.items():
        np.testing.assert_allclose(found[blob], array, 1e-4, 1e-5, err_msg=blob)
    exact = in_double(net, feeds, inner)
    for blob, array in inner.items():
        close_to_caffe(found[blob], array, exact[blob], blob)


def by_id(wanted):
    return [pytest.param(case, id=case.id) for case in index() if wanted(case)]


@pytest.mark.parametrize("case", by_id(lambda case: case.case.get("shape_only")))
def test_what_caffe_cannot_run(case):
    if case.case["type"] == "Pooling":
        with pytest.raises(onnx_bridge.Refusal, match="its top is empty"):
            onnx_bridge.to_model(case.net())
        return
    model = onnx_bridge.to_model(case.net())
    onnx.checker.check_model(model, True)
    for output in model.graph.output:
        dims = [dim.dim_value for dim in output.type.tensor_type.shape.dim]
        assert dims == case.case["blobs"][output.name]


@pytest.mark.parametrize("case", by_id(lambda case: "(automatic)" in case.case["blobs"]))
def test_a_loss_without_a_top_is_an_output(case):
    found = run(onnx_bridge.to_model(case.net()), case.feeds())
    np.testing.assert_allclose(found["(automatic)"], case.case["total_loss"], 1e-4)


@pytest.mark.parametrize("case", by_id(lambda case: case.case["type"] == "Silence"))
def test_a_net_without_outputs_says_so(case):
    with pytest.raises(CaffegenError, match="the net has no output blob, and an ONNX model has"):
        onnx_bridge.to_model(case.net())
