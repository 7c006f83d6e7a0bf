"""Runtimes side by side: agreement is told, and so is the first difference."""

import os
import sys

import numpy as np
import pytest

from caffegen import CaffegenError, load, loads, verify
from caffegen.verify import seeded_inputs
from caffegen.verify.compare import _difference
from caffegen.verify.runtimes import CannotRun, Outcome, _Runtime
from caffegen.zoo import resnet
from tests.conftest import GOLDEN

NET = """name: "tiny"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "tanh" type: "TanH" bottom: "conv" top: "tanh" }
layer { name: "ip" type: "InnerProduct" bottom: "tanh" top: "ip"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
"""


@pytest.fixture(scope="module")
def net():
    from caffegen.analysis.fill import fill_params

    bare = loads(NET)
    return loads(NET, fill_params(bare.graph, 0))


def test_three_runtimes_agree(net):
    report = verify.compare(net)
    assert report.ok
    assert report.compared == ("torch", "onnxruntime", "opencv")
    assert {row.blob for row in report.rows} == {"conv", "tanh", "ip"}
    assert report.first_difference is None
    assert 0 <= report.largest.relative <= 1e-4


def broken_runtime(net, blob):
    """A runtime that gives wrong values from one blob on, as a wrong layer would."""

    def run(job):
        from caffegen.verify.runtimes.by_torch import run as right

        blobs = right(job).blobs
        names = list(net.graph.final)
        for name in names[names.index(blob) :]:
            blobs[name] = blobs[name] + 0.01
        return Outcome(blobs)

    return _Runtime(lambda: "1", run)


def test_the_first_blob_that_differs_is_named(net, monkeypatch):
    compare = sys.modules["caffegen.verify.compare"]

    real = compare.runtime
    monkeypatch.setattr(
        compare,
        "runtime",
        lambda name: broken_runtime(net, "tanh") if name == "opencv" else real(name),
    )
    report = verify.compare(net, ("torch", "opencv"))
    assert not report.ok
    assert report.first_difference.blob == "tanh"
    assert report.first_difference.layer == "tanh"
    assert {row.blob for row in report.rows if not row.equal} == {"tanh", "ip"}
    document = report.to_json()
    assert document["ok"] is False
    assert document["first_difference"] == "tanh"


def test_a_runtime_that_can_not_run_the_net_says_why(net, monkeypatch):
    compare = sys.modules["caffegen.verify.compare"]

    def refuse(job):
        raise CannotRun("no such layer")

    real = compare.runtime
    monkeypatch.setattr(
        compare,
        "runtime",
        lambda name: _Runtime(lambda: "9", refuse) if name == "opencv" else real(name),
    )
    report = verify.compare(net)
    assert report.ok
    assert report.compared == ("torch", "onnxruntime")
    assert [run.note for run in report.runtimes if not run.ran] == ["no such layer"]
    assert not verify.compare(net, ("torch", "opencv")).ok


def test_an_unknown_runtime_is_refused(net):
    with pytest.raises(CaffegenError, match="no runtime `caffe2`; there are torch, onnxruntime"):
        verify.compare(net, ("caffe2",))


def test_cuda_that_is_not_there_is_said(net):
    import torch

    if torch.cuda.is_available():
        assert verify.compare(net, device="cuda").ok
        return
    with pytest.raises(CaffegenError, match="the device `cuda` is not there: PyTorch finds no GPU"):
        verify.compare(net, device="cuda")


def test_a_device_that_nobody_has_is_one_sentence(net):
    with pytest.raises(CaffegenError, match="`abacus` names no device"):
        verify.compare(net, device="abacus")


def test_a_seed_below_0_is_refused(net):
    with pytest.raises(CaffegenError, match="the seed is -1; a seed is not below 0"):
        verify.compare(net, seed=-1)
    with pytest.raises(CaffegenError, match="the seed is -1; a seed is not below 0"):
        loads(NET).fill(-1)


def test_a_later_opencv_is_noted_unless_it_is_asked_for(net, monkeypatch):
    """Its version 5 has no Caffe importer."""
    import cv2

    monkeypatch.delattr(cv2.dnn, "readNetFromCaffe")
    report = verify.compare(net)
    assert report.ok
    assert report.compared == ("torch", "onnxruntime")
    assert "has no Caffe importer; install a version 4" in report.runtimes[2].note
    with pytest.raises(CannotRun, match="install a version 4"):
        verify.compare(net, ("torch", "opencv"))


def test_a_learned_blob_is_compared():
    """It is a parameter of the PyTorch module, which has a gradient."""
    text = (
        NET
        + """
        layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: 2 dim: 5 } } }
        layer { name: "sum" type: "Eltwise" bottom: "ip" bottom: "p" top: "sum" }
    """
    )
    net = loads(text)
    net.fill(0)
    report = verify.compare(net)
    assert report.ok
    assert {"p", "sum"} <= {row.blob for row in report.rows}


def test_names_that_are_no_utf8():
    net = loads(NET.replace('"tanh"', '"tanh\\377"'))
    net.fill(0)
    report = verify.compare(net)
    assert report.ok
    assert report.compared == ("torch", "onnxruntime")
    assert "OpenCV's Python module takes no names that are not UTF-8" in report.runtimes[2].note


def test_files_at_a_path_that_is_no_utf8(tmp_path):
    folder = os.path.join(os.fsencode(tmp_path), b"\xff")
    os.mkdir(folder)
    prototxt, caffemodel = (
        os.fsdecode(os.path.join(folder, name)) for name in (b"net.prototxt", b"net.caffemodel")
    )
    filled = loads(NET)
    filled.fill(0)
    filled.save(prototxt, caffemodel)
    report = verify.compare(load(prototxt, caffemodel))
    assert report.compared == ("torch", "onnxruntime", "opencv")
    assert report.ok


@pytest.mark.parametrize(
    ("mine", "theirs", "absolute", "relative", "equal"),
    [
        ([1.0, -2.0], [1.0, -2.0], 0.0, 0.0, True),
        ([1.0, -2.0], [1.0, -2.0002], 2e-4, 1e-4, False),
        ([1.0, -2.0], [1.0, -2.0001], 1e-4, 5e-5, True),
        ([0.0], [1e-12], 1e-12, 1e-6, True),
        ([float("nan")], [float("nan")], 0.0, 0.0, True),
        ([float("nan")], [1.0], float("inf"), float("inf"), False),
        ([float("inf")], [float("inf")], 0.0, 0.0, True),
        ([float("inf")], [-float("inf")], float("inf"), float("inf"), False),
        ([[1.0, 2.0]], [1.0, 2.0], 0.0, 0.0, True),
        ([1.0, 2.0], [1.0, 2.0, 3.0], float("inf"), float("inf"), False),
    ],
)
def test_difference(mine, theirs, absolute, relative, equal):
    row = _difference("b", "l", "x", np.array(mine), "y", np.array(theirs), 9.9e-5)
    assert row.absolute == pytest.approx(absolute)
    assert row.relative == pytest.approx(relative)
    assert row.equal is equal


def test_inputs_are_seeded_and_labels_are_classes():
    text = NET + (
        'layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 } } }\n'
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }\n'
    )
    net = loads(text)
    first, again, other = (seeded_inputs(net, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first["data"], again["data"])
    assert (first["data"] != other["data"]).any()
    assert set(first["label"]) <= {0, 1, 2, 3, 4}
    assert first["data"].dtype == np.float32


def test_an_input_of_unknown_shape_is_asked_for():
    text = 'layer { name: "d" type: "Data" top: "data" top: "label" data_param { source: "x" batch_size: 4 } }\n'
    with pytest.raises(CaffegenError, match="the shape of the input blob `data` is not known"):
        seeded_inputs(loads(text))


@pytest.mark.parametrize(
    "name", ["resnet18", "plain20", "bottleneck", "mobilenet", "inception", "legacy_v1"]
)
def test_golden_nets_agree(name):
    net = load(GOLDEN / "nets" / f"{name}.prototxt", GOLDEN / "nets" / f"{name}.caffemodel")
    report = verify.compare(net)
    assert report.ok, report.first_difference
    assert len(report.compared) == 3


IMAGENET = [
    (depth, style, shortcut)
    for depth in (18, 34, 50, 101, 152)
    for style in ("original", "torchvision")
    for shortcut in ("A", "B", "C")
]
CIFAR = [(depth, shortcut) for depth in (20, 56, 110) for shortcut in "ABC"]


def seeded(spec):
    from caffegen.analysis.fill import fill_params

    bare = loads(spec)
    return loads(bare.message, fill_params(bare.graph, 0))


@pytest.mark.parametrize(("depth", "style", "shortcut"), IMAGENET, ids=str)
def test_emitted_resnets_agree_in_opencv_and_torch(depth, style, shortcut):
    """Small images keep this in time; layers, channels and weights are those of the full net."""
    spec = resnet(depth=depth, style=style, shortcut=shortcut, input_size=64)
    report = verify.compare(seeded(spec), ("torch", "opencv"))
    assert report.ok, report.first_difference or report.runtimes


@pytest.mark.parametrize(("depth", "shortcut"), CIFAR, ids=str)
def test_emitted_cifar_nets_agree_everywhere(depth, shortcut):
    report = verify.compare(seeded(resnet(depth=depth, dataset="cifar10", shortcut=shortcut)))
    assert report.ok, report.first_difference or report.runtimes
    assert len(report.compared) == 3
