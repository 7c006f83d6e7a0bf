# ruff: noqa: C408, ISC004 - options are keywords, sentences stand in a table
from __future__ import annotations

import numpy as np
import pytest
import torch

import caffegen
from caffegen import pytorch
from caffegen.analysis.fill import fill_params
from caffegen.zoo import ZooError, fcn
from caffegen.zoo.fcn import VARIANTS

EVERY = pytest.mark.parametrize("variant", VARIANTS)


@pytest.fixture
def narrow(monkeypatch):
    """FCN of few channels: what stands in the tables is not what is tested."""
    monkeypatch.setattr("caffegen.zoo.vgg.WIDTHS", (4, 4, 4, 4, 4))
    monkeypatch.setattr("caffegen.zoo.fcn.FULLY_CONNECTED", (8, 8))


def layers(spec):
    return {layer.name: layer for layer in spec.to_message().layer}


@EVERY
@pytest.mark.parametrize("size", [1, 31, 32, 33, 64, 223, 500])
def test_the_scores_are_as_large_as_the_image(variant, size):
    shapes = caffegen.loads(fcn(variant, input_size=size)).shapes
    assert shapes["score"] == (1, 21, size, size)


# The offset of a blob is where its first pixel's window has its middle: a shift and a scale follow
# it through the layers (section 3.3; in Caffe's own Python they are coord_map.py)
@EVERY
def test_offsets_lay_the_scores_over_the_image(variant):
    net = caffegen.loads(fcn(variant))
    places = {"data": (1.0, 0.0)}
    for node in net.layers:
        if not node.bottom or node.bottom[0] not in places:
            continue
        scale, shift = places[node.bottom[0]]
        layer = node.definition.layer
        if node.type in ("Convolution", "Pooling"):
            param = layer.convolution_param if node.type == "Convolution" else layer.pooling_param
            kernel, stride, pad = (
                (x[0] if x else least) if not isinstance(x, int) else x
                for x, least in ((param.kernel_size, 1), (param.stride, 1), (param.pad, 0))
            )
            places[node.top[0]] = (scale * stride, shift + scale * ((kernel - 1) / 2 - pad))
        elif node.type == "Deconvolution":
            param = layer.convolution_param
            kernel, stride = param.kernel_size[0], param.stride[0]
            scale /= stride
            places[node.top[0]] = (scale, shift - scale * (kernel - 1) / 2)
        elif node.type == "Crop":
            cut = (scale, shift + scale * layer.crop_param.offset[0])
            assert cut == places[node.bottom[1]], node.name
            places[node.top[0]] = cut
        elif node.type == "Eltwise":
            assert places[node.bottom[1]] == (scale, shift)
            places[node.top[0]] = (scale, shift)
        else:
            places[node.top[0]] = (scale, shift)
    assert places["score"] == (1, 0)


def test_upsampling_is_bilinear_class_by_class(narrow):
    spec = fcn(classes=3, input_size=32, phase="train_val", data="input")
    net = caffegen.loads(spec, phase="TRAIN")
    weights = fill_params(net.graph, 0)
    kernel = weights["upscore"][0]
    assert kernel.shape == (3, 1, 64, 64)
    # the filler's formula, bilinear_filler.hpp: a tent of twice the stride
    tent = 1 - np.abs(np.arange(64) / 32 - (2 * 32 - 1) / 64)
    np.testing.assert_allclose(kernel[1, 0], np.outer(tent, tent), rtol=1e-6)
    layer = layers(spec)["upscore"]
    assert [spec.lr_mult for spec in layer.param] == [0]
    assert layer.convolution_param.group == 3


def test_the_published_upsampling_has_the_shape_of_the_caffemodels():
    net = caffegen.loads(fcn(upsampling="published"))
    blobs = {x.name: [b.shape for b in x.definition.blobs] for x in net.layers}
    assert blobs["upscore"] == [(21, 21, 64, 64)]


def test_both_upsamplings_compute_the_same(narrow):
    grouped = fcn("16s", classes=3, input_size=32)
    dense = fcn("16s", classes=3, input_size=32, upsampling="published")
    weights = fill_params(caffegen.loads(grouped).graph, 0)
    widened = dict(weights)
    for name in ("upscore2", "upscore16"):
        kernel = weights[name][0]
        widened[name] = [np.zeros((3, 3, *kernel.shape[2:]), np.float32)]
        for index in range(3):
            widened[name][0][index, index] = kernel[index, 0]
    images = {"data": torch.randn(1, 3, 32, 32)}
    with torch.no_grad():
        scores = [
            pytorch.build(caffegen.loads(*net)).eval().run(images, blobs=["score"])["score"]
            for net in ((grouped, weights), (dense, widened))
        ]
    torch.testing.assert_close(scores[0], scores[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("data", ["lmdb", "hdf5", "input"])
def test_train_val(narrow, data):
    spec = fcn("8s", phase="train_val", data=data, input_size=64)
    inputs = {"data": (1, 3, 64, 64), "label": (1, 1, 64, 64)}
    outputs = {"TRAIN": {"loss"}, "TEST": {"loss", "accuracy"}}
    given = None if data == "input" else inputs
    for phase, expected in outputs.items():
        net = caffegen.loads(spec.to_prototxt(), phase=phase, inputs=given)
        assert set(net.outputs) == expected
    loss = layers(spec)["loss"].loss_param
    assert (loss.ignore_label, loss.normalization) == (255, "BATCH_SIZE")
    assert layers(spec)["drop6"].dropout_param.dropout_ratio == 0.5


def test_lmdbs_of_images_and_of_labels():
    found = [x for x in fcn(phase="train_val").to_message().layer if x.type == "Data"]
    assert [(x.name, x.include[0].phase, x.data_param.source) for x in found] == [
        ("data", "TRAIN", "examples/voc/voc_train_lmdb"),
        ("label", "TRAIN", "examples/voc/voc_train_labels_lmdb"),
        ("data", "TEST", "examples/voc/voc_val_lmdb"),
        ("label", "TEST", "examples/voc/voc_val_labels_lmdb"),
    ]
    assert [x.top for x in found] == [["data"], ["label"]] * 2
    assert not found[0].transform_param.mirror


@EVERY
def test_what_learns_gets_a_gradient(narrow, variant):
    torch.manual_seed(0)
    spec = fcn(variant, phase="train_val", data="input", input_size=33, classes=3)
    net = caffegen.loads(spec, phase="TRAIN")
    weights = fill_params(net.graph, 0)
    # the layers that score start at zero, which holds back the gradients of those before them
    for name, blobs in weights.items():
        if name.startswith("score_"):
            blobs[0] += np.random.default_rng(0).normal(0, 0.1, blobs[0].shape).astype(np.float32)
    module = pytorch.build(caffegen.loads(spec, weights, phase="TRAIN")).train()
    labels = torch.randint(0, 3, (1, 1, 33, 33)).float()
    blobs = module(data=torch.randn(1, 3, 33, 33), label=labels)
    module.total_loss(blobs).backward()
    learned = [p for p in module.parameters() if p.requires_grad]
    assert learned
    assert all(torch.isfinite(p.grad).all() and p.grad.any() for p in learned)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(variant="4s"), "there is no variant `4s`; there is 32s, 16s, 8s and 8s-atonce"),
        (dict(upsampling="nearest"),
         "there is no upsampling `nearest`; there is grouped and published"),
        (dict(phase="train_val", data="imagedata"),
         "an ImageData layer gives an image one number, and here every pixel has one; use data "
         "`lmdb`, `hdf5` or `input`"),
        (dict(input_size=0), "the input size is a whole number of at least 1, found 0"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)  # fmt: skip
def test_nets_that_can_not_be(options, sentence):
    with pytest.raises(ZooError) as caught:
        fcn(**options)
    assert str(caught.value) == sentence
