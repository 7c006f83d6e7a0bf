# ruff: noqa: C408, ISC004 - options are keywords, sentences stand in a table
from __future__ import annotations

import numpy as np
import pytest
import torch

import caffegen
from caffegen import pytorch
from caffegen.analysis.fill import fill_params
from caffegen.zoo import ZooError, unet


@pytest.fixture
def narrow(monkeypatch):
    """U-Net of few channels: what stands in the table is not what is tested."""
    monkeypatch.setattr("caffegen.zoo.unet.WIDTHS", (2, 3, 4, 5, 6))


def layers(spec):
    return {layer.name: layer for layer in spec.to_message().layer}


# Figure 1: the sizes along the contracting path, and along the expanding one
def test_the_sizes_of_figure_1():
    shapes = caffegen.loads(unet()).shapes
    contracting = [
        shapes[f"d{level}{letter}"][1:3] for level in range(5) for letter in "abc" if
        f"d{level}{letter}" in shapes
    ]  # fmt: skip
    assert shapes["data"] == (1, 1, 572, 572)
    assert contracting == [
        (64, 570), (64, 568), (64, 284), (128, 282), (128, 280), (128, 140), (256, 138),
        (256, 136), (256, 68), (512, 66), (512, 64), (512, 32), (1024, 30), (1024, 28),
    ]  # fmt: skip
    assert [shapes[f"u{level}{letter}"][1:3] for level in (3, 2, 1, 0) for letter in "bcd"] == [
        (1024, 56), (512, 54), (512, 52), (512, 104), (256, 102), (256, 100),
        (256, 200), (128, 198), (128, 196), (128, 392), (64, 390), (64, 388),
    ]  # fmt: skip
    assert shapes["prob"] == (1, 2, 388, 388)


def test_there_are_23_convolutions():
    net = unet().to_message()
    counted = [x for x in net.layer if x.type in ("Convolution", "Deconvolution")]
    assert len(counted) == 23


def test_what_is_joined_is_the_middle(narrow):
    spec = unet(input_size=188)
    net = caffegen.loads(spec)
    for level, (large, small) in enumerate(((184, 8), (88, 8), (40, 8), (16, 8))):
        crop = layers(spec)[f"crop_d{level}c-d{level}cc"]
        assert list(crop.crop_param.offset) == [(large - net.shapes[f"u{level}a"][2]) // 2]
        assert net.shapes[f"d{level}c"][2] == large
        del small
        # the up-sampled blob comes first
        assert layers(spec)[f"concat_d{level}cc_u{level}a-b"].bottom == [
            f"u{level}a",
            f"d{level}cc",
        ]


def test_same_padding_keeps_the_size_and_cuts_nothing():
    net = caffegen.loads(unet(padding="same"))
    assert net.shapes["data"][2:] == net.shapes["prob"][2:] == (512, 512)
    assert [x.name for x in net.layers if x.type == "Crop"] == []
    assert net.shapes["d4c"] == (1, 1024, 32, 32)


def test_the_released_net():
    paper, released = layers(unet()), layers(unet(style="released"))
    more = [name for name in released if name not in paper]
    assert more == ["relu_u3a", "relu_u2a", "relu_u1a", "relu_u0a"]
    widths = [net["upconv_u1d_u0a"].convolution_param.num_output for net in (paper, released)]
    assert widths == [64, 128]


# a net of other libraries, of the same weights: every pixel's scores
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_it_is_the_net_of_the_figure(narrow, padding):
    spec = unet(padding, input_size=188 if padding == "valid" else 32, channels=3)
    net = caffegen.loads(spec)
    weights = fill_params(net.graph, 0)
    functional = torch.nn.functional
    pad = 0 if padding == "valid" else 1

    def two(x, names):
        for name in names:
            kernel, bias = map(torch.from_numpy, weights[name])
            x = functional.relu(functional.conv2d(x, kernel, bias, padding=pad))
        return x

    images = torch.randn(net.shapes["data"])
    skips, x = [], images
    for level in range(5):
        x = functional.max_pool2d(x, 2) if level else x
        x = two(x, [f"conv_d{level}a-b", f"conv_d{level}b-c"])
        skips.append(x)
    for level, before in ((3, "d4c"), (2, "u3d"), (1, "u2d"), (0, "u1d")):
        kernel, bias = map(torch.from_numpy, weights[f"upconv_{before}_u{level}a"])
        x = functional.conv_transpose2d(x, kernel, bias, stride=2)
        cut = (skips[level].shape[2] - x.shape[2]) // 2
        middle = skips[level][:, :, cut : cut + x.shape[2], cut : cut + x.shape[2]]
        x = two(torch.cat([x, middle], 1), [f"conv_u{level}b-c", f"conv_u{level}c-d"])
    kernel, bias = map(torch.from_numpy, weights["conv_u0d-score"])
    expected = functional.conv2d(x, kernel, bias)
    module = pytorch.build(caffegen.loads(spec, weights)).eval()
    with torch.no_grad():
        found = module.run({"data": images}, blobs=["score"])["score"]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("data", ["lmdb", "hdf5", "input"])
def test_train_val(narrow, data):
    spec = unet(phase="train_val", data=data)
    inputs = {"data": (1, 1, 572, 572), "label": (1, 1, 388, 388)}
    outputs = {"TRAIN": {"loss"}, "TEST": {"loss", "accuracy"}}
    given = None if data == "input" else inputs
    for phase, expected in outputs.items():
        net = caffegen.loads(spec.to_prototxt(), phase=phase, inputs=given)
        assert set(net.outputs) == expected
    net = layers(spec)
    assert [name for name in net if name.startswith("dropout")] == ["dropout_d3c", "dropout_d4c"]
    assert net["conv_d0a-b"].convolution_param.weight_filler.type == "msra"


def test_every_parameter_gets_a_gradient(narrow):
    torch.manual_seed(0)
    spec = unet("same", phase="train_val", data="input", input_size=32)
    net = caffegen.loads(spec, phase="TRAIN")
    module = pytorch.build(caffegen.loads(spec, fill_params(net.graph, 0), phase="TRAIN")).train()
    label = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (1, 1, 32, 32)))
    blobs = module(data=torch.randn(1, 1, 32, 32), label=label.float())
    module.total_loss(blobs).backward()
    for key, parameter in module.named_parameters():
        assert torch.isfinite(parameter.grad).all(), key


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(input_size=570), "570x570 can't be halved four times with `valid` convolutions; the "
                               "nearest are 556 and 572"),
        (dict(input_size=100), "100x100 can't be halved four times with `valid` convolutions; the "
                               "nearest is 188"),
        (dict(padding="same", input_size=500),
         "500x500 can't be halved four times with `same` convolutions; the nearest are 496 and 512"),
        (dict(padding="same", input_size=3),
         "3x3 can't be halved four times with `same` convolutions; the nearest is 16"),
        (dict(padding="reflect"), "there is no padding `reflect`; there is valid and same"),
        (dict(style="phseg"), "there is no style `phseg`; there is paper and released"),
        (dict(channels=0), "the number of channels is a whole number of at least 1, found 0"),
        (dict(phase="train_val", data="imagedata"),
         "an ImageData layer gives an image one number, and here every pixel has one; use data "
         "`lmdb`, `hdf5` or `input`"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)  # fmt: skip
def test_nets_that_can_not_be(options, sentence):
    with pytest.raises(ZooError) as caught:
        unet(**options)
    assert str(caught.value) == sentence
