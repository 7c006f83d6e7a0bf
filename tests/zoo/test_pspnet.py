# ruff: noqa: C408, ISC004 - options are keywords, sentences stand in a table
from __future__ import annotations

import pytest
import torch

import caffegen
from caffegen import pytorch
from caffegen.analysis.fill import fill_params
from caffegen.zoo import ZooError, pspnet
from caffegen.zoo.pspnet import BINS

NORMS = pytest.mark.parametrize("norm", ["bn", "batch_norm"])


@pytest.fixture
def narrow(monkeypatch):
    """PSPNet of few channels: what stands in the tables is not what is tested."""
    for table, widths in {"STEM": (4, 4, 8), "WIDTHS": (4, 4, 8, 8), "SQUEEZED": 8}.items():
        monkeypatch.setattr(f"caffegen.zoo.pspnet.{table}", widths)
    monkeypatch.setattr("caffegen.zoo.pspnet.AUXILIARY_WIDTH", 8)


def layers(spec):
    return {layer.name: layer for layer in spec.to_message().layer}


@pytest.mark.parametrize(
    ("dataset", "depth", "size", "classes"),
    [("ade20k", 50, 473, 150), ("voc2012", 101, 473, 21), ("cityscapes", 101, 713, 19)],
    ids=["ade20k", "voc2012", "cityscapes"],
)
def test_the_published_nets(dataset, depth, size, classes):
    spec = pspnet(dataset=dataset)
    net = caffegen.loads(spec)
    assert net.name.startswith(f"pspnet{depth}_")
    assert net.shapes["data"] == (1, 3, size, size)
    assert net.shapes["conv6_interp"] == (1, classes, size, size)
    assert net.outputs == ("conv6_interp",)


# Section 3.2: bins of 1, 2, 3 and 6 a side, each with a quarter of the channels of the map
@pytest.mark.parametrize("size", [41, 89, 137])
def test_the_pyramid(size):
    shapes = caffegen.loads(pspnet(input_size=size)).shapes
    side = (size + 7) // 8
    assert shapes["conv5_3"] == (1, 2048, side, side)
    assert [shapes[f"conv5_3_pool{bins}"] for bins in BINS] == [
        (1, 2048, bins, bins) for bins in BINS
    ]
    assert [shapes[f"conv5_3_pool{bins}_interp"][1:] for bins in BINS] == [(512, side, side)] * 4
    assert shapes["conv5_3_concat"] == (1, 4096, side, side)
    assert shapes["conv6_interp"] == (1, 150, size, size)


# the two last stages see as far as if they were halved: dilations 2 and 4
def test_the_last_stages_are_dilated():
    spec = layers(pspnet(101))
    found = [
        (list(param.dilation), list(param.pad), list(param.stride))
        for param in (spec[f"conv{stage}_1_3x3"].convolution_param for stage in (3, 4, 5))
    ]
    assert found == [([], [1], [2]), ([2], [2], []), ([4], [4], [])]


@NORMS
def test_weights_have_the_published_names_and_shapes(norm):
    net = caffegen.loads(pspnet(norm=norm))
    blobs = {x.name: [b.shape for b in x.definition.blobs] for x in net.layers}
    assert blobs["conv5_4"] == [(512, 4096, 3, 3)]
    assert blobs["conv6"] == [(150, 512, 1, 1), (150,)]
    if norm == "bn":
        assert blobs["conv5_4/bn"] == [(1, 512, 1, 1)] * 4
    else:
        assert blobs["conv5_4/bn"] == [(512,), (512,), (1,)]
        assert blobs["conv5_4/bn/scale"] == [(512,), (512,)]


@pytest.mark.parametrize("data", ["lmdb", "hdf5", "input"])
def test_train_val(data):
    spec = pspnet(phase="train_val", data=data, input_size=89)
    inputs = {"data": (2, 3, 89, 89), "label": (2, 1, 89, 89)}
    given = None if data == "input" else inputs
    for phase, expected in {
        "TRAIN": {"loss", "loss_aux"},
        "TEST": {"loss", "loss_aux", "accuracy"},
    }.items():
        net = caffegen.loads(spec.to_prototxt(), phase=phase, inputs=given)
        assert set(net.outputs) == expected
    # section 3.3
    assert net.loss_weights == {"loss": 1, "loss_aux": pytest.approx(0.4)}
    spec = layers(spec)
    assert [x.lr_mult for x in spec["conv6"].param] == [10, 20]
    assert [x.lr_mult for x in spec["conv4_1_3x3"].param] == [1]
    assert not spec["conv5_4/bn"].bn_param.frozen


@NORMS
def test_what_learns_gets_a_gradient(narrow, norm):
    torch.manual_seed(0)
    spec = pspnet(
        norm=norm, phase="train_val", data="input", input_size=89, classes=3, batch=2
    )  # fmt: skip
    net = caffegen.loads(spec, phase="TRAIN")
    module = pytorch.build(caffegen.loads(spec, fill_params(net.graph, 0), phase="TRAIN")).train()
    labels = torch.randint(0, 3, (2, 1, 89, 89)).float()
    module.total_loss(module(data=torch.randn(2, 3, 89, 89), label=labels)).backward()
    learned = [p for p in module.parameters() if p.requires_grad]
    assert all(torch.isfinite(p.grad).all() and p.grad.any() for p in learned)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(depth=34), "there is no PSPNet-34, only 50 and 101; the nearest is 50"),
        (dict(dataset="camvid"),
         "there is no dataset `camvid`; there is ade20k, voc2012 and cityscapes"),
        (dict(input_size=480),
         "480x480 shrinks to a map that does not divide into 6 parts a side; the nearest sizes are "
         "473 and 521"),
        (dict(input_size=7),
         "7x7 shrinks to a map that does not divide into 6 parts a side; the nearest sizes are 41 "
         "and 89"),
        (dict(phase="train_val", data="imagedata"),
         "an ImageData layer gives an image one number, and here every pixel has one; use data "
         "`lmdb`, `hdf5` or `input`"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)  # fmt: skip
def test_nets_that_can_not_be(options, sentence):
    with pytest.raises(ZooError) as caught:
        pspnet(**options)
    assert str(caught.value) == sentence
