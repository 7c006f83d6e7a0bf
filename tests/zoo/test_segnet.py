# ruff: noqa: C408 - options are keywords
from __future__ import annotations

import numpy as np
import pytest
import torch

import caffegen
from caffegen import pytorch
from caffegen.analysis.fill import fill_params
from caffegen.zoo import ZooError, segnet

VARIANTS = pytest.mark.parametrize("variant", ["full", "basic"])
NORMS = pytest.mark.parametrize("norm", ["bn", "batch_norm"])


@pytest.fixture
def narrow(monkeypatch):
    """SegNet of few channels: what stands in the tables is not what is tested."""
    monkeypatch.setattr("caffegen.zoo.segnet.WIDTHS", (4, 4, 8, 8, 8))
    monkeypatch.setattr("caffegen.zoo.segnet.BASIC_WIDTH", 4)


def layers(spec):
    return {layer.name: layer for layer in spec.to_message().layer}


# CamVid's images have an odd height from the third pooling on
@VARIANTS
def test_sizes_of_the_published_nets(variant):
    shapes = caffegen.loads(segnet(variant)).shapes
    assert shapes["data"] == (1, 3, 360, 480)
    assert shapes["prob"] == (1, 11, 360, 480)
    assert shapes["pool4"][2:] == shapes["pool4_mask"][2:] == (23, 30)
    assert shapes["pool4_D" if variant == "full" else "upsample4"][2:] == (45, 60)


@VARIANTS
@NORMS
@pytest.mark.parametrize("size", [32, 33, 47, 50])
def test_the_scores_are_as_large_as_the_image(variant, norm, size):
    net = caffegen.loads(segnet(variant, norm, input_size=size, classes=4))
    assert net.shapes["prob"] == (1, 4, size, size)


def test_the_decoder_mirrors_the_encoder():
    nodes = caffegen.loads(segnet()).layers
    names = [x.name for x in nodes if x.type == "Convolution"]
    there, back = names[:13], names[13:]
    assert [f"{name}_D" for name in reversed(there)] == back
    spec = layers(segnet())
    widths = [spec[name].convolution_param.num_output for name in names]
    assert widths == [64, 64, 128, 128, *[256] * 3, *[512] * 6, *[512] * 5, 256, 256, 256, 128, 128,
                      64, 64, 11]  # fmt: skip


@pytest.mark.parametrize("norm", ["bn", "batch_norm"])
def test_weights_have_the_published_names_and_shapes(norm):
    net = caffegen.loads(segnet(norm=norm))
    blobs = {x.name: [b.shape for b in x.definition.blobs] for x in net.layers}
    assert blobs["conv1_1"] == [(64, 3, 3, 3), (64,)]
    assert blobs["conv5_1_D"] == [(512, 512, 3, 3), (512,)]
    if norm == "bn":
        assert blobs["conv1_1_bn"] == [(1, 64, 1, 1)] * 2
    else:
        assert blobs["conv1_1_bn"] == [(64,), (64,), (1,)]
        assert blobs["conv1_1_scale"] == [(64,), (64,)]


@VARIANTS
@pytest.mark.parametrize("data", ["lmdb", "imagedata", "hdf5", "input"])
def test_train_val(variant, data):
    spec = segnet(variant, phase="train_val", data=data)
    inputs = {"data": (4, 3, 360, 480), "label": (4, 1, 360, 480)}
    outputs = {"TRAIN": {"loss"}, "TEST": {"loss", "accuracy", "per_class_accuracy"}}
    for phase, expected in outputs.items():
        given = None if data == "input" else inputs
        net = caffegen.loads(spec.to_prototxt(), phase=phase, inputs=given)
        assert set(net.outputs) == expected
    loss = layers(spec)["loss"].loss_param
    assert (loss.ignore_label, len(loss.class_weighting)) == (11, 11)


def test_classes_other_than_camvids_weigh_the_same():
    loss = layers(segnet(classes=5, phase="train_val"))["loss"].loss_param
    assert loss.ignore_label == 5
    assert not loss.has("weight_by_label_freqs")


def test_a_list_of_pairs_of_images():
    spec = segnet("basic", phase="train_val", data="imagedata")
    found = [x for x in spec.to_message().layer if x.type == "DenseImageData"]
    assert [(x.include[0].phase, list(x.top)) for x in found] == [
        ("TRAIN", ["data", "label"]), ("TEST", ["data", "label"]),
    ]  # fmt: skip
    assert [x.dense_image_data_param.source for x in found] == [
        "examples/camvid/train.txt", "examples/camvid/test.txt",
    ]  # fmt: skip
    assert [x.dense_image_data_param.shuffle for x in found] == [True, False]


@VARIANTS
@NORMS
def test_what_learns_gets_a_gradient(narrow, variant, norm):
    torch.manual_seed(0)
    options = dict(phase="train_val", data="input", input_size=34, classes=3, batch=2)
    spec = segnet(variant, norm, **options)
    net = caffegen.loads(spec, phase="TRAIN")
    module = pytorch.build(caffegen.loads(spec, fill_params(net.graph, 0), phase="TRAIN")).train()
    labels = torch.randint(0, 3, (2, 1, 34, 34)).float()
    module.total_loss(module(data=torch.randn(2, 3, 34, 34), label=labels)).backward()
    learned = {name: p for name, p in module.named_parameters() if p.requires_grad}
    assert learned
    assert all(torch.isfinite(p.grad).all() for p in learned.values())
    # what is subtracted by the mean of the batch has no say: the biases before a normalisation
    assert all(p.grad.any() for name, p in learned.items() if p.ndim == 4), learned.keys()


# Section 3: a value goes back to where its maximum was, all else is 0
def test_values_return_to_their_places(narrow):
    spec = segnet(input_size=34, classes=3)
    weights = fill_params(caffegen.loads(spec).graph, 0)
    module = pytorch.build(caffegen.loads(spec, weights)).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        names = ["pool1_mask", "conv2_1_D", "pool1_D"]
        blobs = module.run({"data": torch.randn(1, 3, 34, 34)}, blobs=names)
    mask, values, top = (blobs[name].numpy()[0] for name in names)
    expected = np.zeros_like(top).reshape(len(top), -1)
    for channel, places in enumerate(mask.reshape(len(mask), -1).astype(int)):
        expected[channel, places] = values[channel].ravel()
    np.testing.assert_array_equal(top.reshape(len(top), -1), expected)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(variant="large"), "there is no variant `large`; there is full and basic"),
        (dict(norm="instance"), "there is no norm `instance`; there is bn and batch_norm"),
        (dict(input_size=0), "the input size is a whole number of at least 1, found 0"),
        (dict(data="hdf5"),
         "a net to deploy reads an Input, no data `hdf5`; that is for phase `train_val`"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)  # fmt: skip
def test_nets_that_can_not_be(options, sentence):
    with pytest.raises(ZooError) as caught:
        segnet(**options)
    assert str(caught.value) == sentence


# Upsample takes no height and width of 1
@NORMS
@pytest.mark.parametrize(
    "options", [{}, {"phase": "train_val"}, {"phase": "train_val", "data": "input"}],
    ids=["deploy", "train", "input"],
)  # fmt: skip
def test_the_smallest_image(norm, options):
    with pytest.raises(ZooError) as refused:
        segnet(norm=norm, input_size=16, **options)
    assert str(refused.value) == (
        "an input of 16x16 is too small: `pool5` is given a single pixel, and what it halves must "
        "have two a side"
    )
    assert caffegen.loads(segnet(norm=norm, input_size=17)).shapes["prob"] == (1, 11, 17, 17)
    # the small net cuts off what is too much
    assert caffegen.loads(segnet("basic", norm, input_size=1)).shapes["prob"] == (1, 11, 1, 1)
