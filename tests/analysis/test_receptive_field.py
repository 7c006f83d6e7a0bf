"""Receptive fields: numbers that the literature gives, and how layers change them."""

import pytest

from caffegen.analysis.receptive_field import receptive_fields
from caffegen.loader import loads
from caffegen.zoo import alexnet, resnet, vgg


def fields(text):
    graph = loads(text).graph
    found = receptive_fields(graph)
    return {name: found[id(value)] for name, value in graph.final.items()}


@pytest.mark.parametrize(
    ("net", "blob", "size"),
    [
        (lambda: vgg(16), "conv5_3", 196),
        (lambda: vgg(16), "pool5", 212),
        (lambda: resnet(50), "res5c", 483),
        (lambda: resnet(18), "res5b", 435),
        (lambda: resnet(101), "res5c", 1027),
        (alexnet, "conv5", 163),
        (alexnet, "pool5", 195),
    ],
    ids=["vgg16", "vgg16-pool", "resnet50", "resnet18", "resnet101", "alexnet", "alexnet-pool"],
)
def test_known_nets(net, blob, size):
    assert fields(net().to_prototxt())[blob] == (size, size)


INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 32 dim: 24 } } }\n'


def conv(bottom, top, **param):
    inner = " ".join(f"{name}: {value}" for name, value in param.items())
    return (
        f'layer {{ name: "{top}" type: "Convolution" bottom: "{bottom}" top: "{top}" '
        f"convolution_param {{ num_output: 3 {inner} }} }}\n"
    )


def test_each_axis_by_itself():
    text = (
        INPUT
        + conv("data", "a", kernel_h=3, kernel_w=5, stride_h=2, stride_w=1)
        + conv("a", "b", kernel_size=3)
    )
    assert fields(text)["b"] == (3 + 2 * 2, 5 + 2 * 1)


@pytest.mark.parametrize(("region", "size"), [("ACROSS_CHANNELS", 1), ("WITHIN_CHANNEL", 5)])
def test_local_response_normalisation(region, size):
    text = INPUT + (
        'layer { name: "n" type: "LRN" bottom: "data" top: "n" '
        f"lrn_param {{ local_size: 5 norm_region: {region} }} }}\n"
    )
    assert fields(text)["n"] == (size, size)


def test_dilation():
    text = INPUT + conv("data", "a", kernel_size=3, dilation=4)
    assert fields(text)["a"] == (9, 9)


def test_branches_take_the_larger():
    text = (
        INPUT + conv("data", "a", kernel_size=1) + conv("data", "b", kernel_size=5, pad=2)
        + 'layer { name: "c" type: "Concat" bottom: "a" bottom: "b" top: "c" }\n'
    )  # fmt: skip
    found = fields(text)
    assert (found["a"], found["c"]) == ((1, 1), (5, 5))


@pytest.mark.parametrize(
    "layer",
    [
        'type: "InnerProduct" inner_product_param { num_output: 2 }',
        'type: "Pooling" pooling_param { pool: AVE global_pooling: true }',
        'type: "Flatten"',
        'type: "Deconvolution" convolution_param { num_output: 3 kernel_size: 2 stride: 2 }',
    ],
    ids=["inner-product", "global", "flatten", "deconvolution"],
)
def test_nothing_is_said_where_there_is_none(layer):
    text = INPUT + f'layer {{ name: "x" bottom: "data" top: "x" {layer} }}\n'
    assert fields(text)["x"] is None


def test_three_axes():
    text = (
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 1 dim: 16 dim: 16 dim: 16 } } }\n'
        + conv("data", "a", kernel_size=3, stride=2) + conv("a", "b", kernel_size=3)
    )  # fmt: skip
    assert fields(text)["b"] == (7, 7, 7)
