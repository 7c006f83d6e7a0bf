"""What OpenCV is given: nets of forks in the form that its importer takes."""

from caffegen import loads, verify
from caffegen.analysis.fill import fill_params
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
