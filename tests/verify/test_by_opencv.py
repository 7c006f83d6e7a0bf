"""What OpenCV is given: nets of forks in the form that its importer takes."""

import numpy as np
import pytest

from caffegen import load, loads, verify
from caffegen.analysis.fill import fill_params
from caffegen.verify.runtimes import by_opencv
from caffegen.weights import write_weights
from tests.verify.single_shot import input_layer

RUNTIMES = ("torch", "onnxruntime", "opencv")


def compared(text):
    net = loads(text)
    return verify.compare(loads(text, fill_params(net.graph, 0)), RUNTIMES)


# OpenCV multiplies the third bottom and adds the second; it gets them the other way round
def test_axpy():
    shapes = {"a": (2, 3, 1, 1), "x": (2, 3, 4, 5), "y": (2, 3, 4, 5)}
    layer = 'layer { name: "l" type: "Axpy" bottom: "a" bottom: "x" bottom: "y" top: "l" }'
    report = compared("\n".join([*(input_layer(*row) for row in shapes.items()), layer]))
    assert report.compared == RUNTIMES
    assert report.ok, report.verdict


# its text parser stops at a message in a message that it does not know, and at a fork's own word
def test_fillers_and_words_of_forks():
    layers = [
        input_layer("data", (1, 3, 6, 6)),
        'layer { name: "norm" type: "Normalize" bottom: "data" top: "norm" engine: "MKL2017"',
        'norm_param { across_spatial: false channel_shared: false scale_filler { type: "constant" value: 20 } } }',
        'layer { name: "conv" type: "Convolution" bottom: "norm" top: "conv" convolution_param',
        '{ num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }',
    ]
    report = compared("\n".join(layers))
    assert report.compared == RUNTIMES
    assert report.ok, report.verdict
    assert {row.blob for row in report.rows if row.other == "opencv"} == {"norm", "conv"}


CONV = """
    layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
            convolution_param { num_output: 2 kernel_size: 3 } }
"""
ARRAYS = [np.arange(54, dtype=np.float32).reshape(2, 3, 3, 3), np.ones(2, np.float32)]


# it reads no HDF5, and does not say so
@pytest.mark.parametrize("ending", ["caffemodel", "caffemodel.h5"])
def test_weights_of_either_format(tmp_path, ending):
    prototxt, weights = tmp_path / "n.prototxt", tmp_path / f"n.{ending}"
    prototxt.write_text(input_layer("data", (1, 3, 6, 6)) + CONV)
    write_weights(weights, "n", [("conv", "Convolution", (), (), ARRAYS)])
    report = verify.compare(load(prototxt, weights), RUNTIMES)
    assert report.compared == RUNTIMES
    assert report.ok, report.verdict


# it would read what is not there, and end the process
@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution"])
def test_a_layer_without_weights_is_not_given_to_it(kind):
    more = CONV.replace('"conv"', '"more"').replace('"Convolution"', f'"{kind}"')
    net = loads(input_layer("data", (1, 3, 6, 6)) + CONV + more, {"conv": ARRAYS})
    (run,) = verify.compare(net, ["opencv"]).runtimes
    assert (run.ran, run.note) == (False, "layer `more` has no weights")


def test_a_layer_that_borrows_its_weights(tmp_path):
    """The file holds those of the lender alone."""
    shared = CONV.replace(
        "convolution_param", 'param { name: "w" } param { name: "b" } convolution_param'
    )
    prototxt, weights = tmp_path / "n.prototxt", tmp_path / "n.caffemodel"
    prototxt.write_text(
        input_layer("data", (1, 3, 6, 6)) + shared + shared.replace('"conv"', '"again"')
    )
    write_weights(weights, "n", [("conv", "Convolution", (), (), ARRAYS)])
    report = verify.compare(load(prototxt, weights), RUNTIMES)
    assert report.compared == RUNTIMES
    assert report.ok, report.verdict


def test_layers_of_another_state_are_not_given_to_it(tmp_path):
    prototxt, weights = tmp_path / "n.prototxt", tmp_path / "n.caffemodel"
    train = """
        layer { name: "more" type: "MemoryData" top: "a" top: "b" include { phase: TRAIN }
                memory_data_param { batch_size: 1 channels: 1 height: 1 width: 1 } }"""
    prototxt.write_text(input_layer("data", (1, 3, 6, 6)) + CONV + train)
    write_weights(weights, "n", [("conv", "Convolution", (), (), ARRAYS)])
    report = verify.compare(load(prototxt, weights), RUNTIMES)
    assert report.compared == RUNTIMES
    assert report.ok, report.verdict


def test_a_net_of_nothing_but_inputs():
    (run,) = verify.compare(loads(input_layer("data", (1, 3))), ["opencv"]).runtimes
    assert (run.ran, run.note) == (False, "the net has no layer that computes anything")


def test_what_it_throws_is_not_written_as_well(capfd):
    import cv2

    text = input_layer("data", (1, 3, 6, 6)) + CONV
    net = cv2.dnn.readNetFromCaffe(np.frombuffer(text.encode(), np.uint8))
    net.setInput(np.zeros((1, 3, 6, 6), np.float32))
    before = cv2.utils.logging.getLogLevel()
    with by_opencv._quiet(), pytest.raises(cv2.error):
        net.forward()
    assert capfd.readouterr().err == ""
    assert cv2.utils.logging.getLogLevel() == before
