# ruff: noqa: C408, ISC004 - options are keywords, sentences stand in a table
from __future__ import annotations

import numpy as np
import pytest
import torch

import caffegen
from caffegen import pytorch, verify
from caffegen.analysis.fill import fill_params
from caffegen.zoo import ZooError, ssd300
from caffegen.zoo.ssd import SOURCES

HEADS = pytest.mark.parametrize("heads", ["bvlc", "ssd"])


@pytest.fixture
def narrow(monkeypatch):
    """SSD of few channels: what stands in the tables is not what is tested."""
    monkeypatch.setattr("caffegen.zoo.vgg.WIDTHS", (8, 16, 16, 24, 24))
    monkeypatch.setattr("caffegen.zoo.ssd.FULLY_CONVOLUTIONAL", (32, 32))


@pytest.fixture
def run(narrow):
    """The blobs of a narrow net, and its weights."""
    spec = ssd300(classes=3, input_size=257)
    weights = fill_params(caffegen.loads(spec).graph, 0)
    module = pytorch.build(caffegen.loads(spec, weights)).eval()
    names = [
        "conv4_3", "conv4_3_norm", "fc7_mbox_loc", "fc7_mbox_loc_flat", "mbox_conf",
        "mbox_conf_flatten",
    ]  # fmt: skip
    torch.manual_seed(0)
    with torch.no_grad():
        blobs = module.run({"data": torch.randn(1, 3, 257, 257)}, blobs=names)
    return {name: blob.numpy() for name, blob in blobs.items()}, weights


# Figure 2: 8732 boxes, from 38x38 pixels to one
@HEADS
def test_sizes_and_boxes(heads):
    shapes = caffegen.loads(ssd300(heads)).shapes
    sizes = [shapes[source.blob][1:3] for source in SOURCES]
    assert sizes == [(512, 38), (1024, 19), (512, 10), (256, 5), (256, 3), (256, 1)]
    boxes = sum(source.boxes * size**2 for source, (_, size) in zip(SOURCES, sizes, strict=True))
    assert boxes == 8732
    assert shapes["mbox_loc"] == (1, 4 * boxes)
    assert shapes["mbox_conf_flatten"] == (1, 21 * boxes)


@HEADS
def test_weights_have_the_published_names_and_shapes(heads):
    net = caffegen.loads(ssd300(heads))
    blobs = {x.name: [b.shape for b in x.definition.blobs] for x in net.layers}
    assert blobs["conv4_3_norm"] == [(512,)]
    assert blobs["fc6"] == [(1024, 512, 3, 3), (1024,)]
    assert blobs["conv4_3_norm_mbox_loc"] == [(16, 512, 3, 3), (16,)]
    assert blobs["fc7_mbox_conf"] == [(126, 1024, 3, 3), (126,)]
    assert blobs["conv9_2"] == [(256, 128, 3, 3), (256,)]
    other = caffegen.loads(ssd300("ssd" if heads == "bvlc" else "bvlc"))
    theirs = {x.name: [b.shape for b in x.definition.blobs] for x in other.layers}
    assert {k: v for k, v in blobs.items() if v} == {k: v for k, v in theirs.items() if v}


# normalize_layer.cpp of the fork: x / sqrt(eps + sum over channels of x^2), times a weight a channel
def test_plain_layers_normalise_as_the_fork_does(run):
    blobs, weights = run
    x = blobs["conv4_3"].astype(np.float64)
    scale = weights["conv4_3_norm"][0].reshape(1, -1, 1, 1)
    expected = scale * x / np.sqrt(1e-10 + (x**2).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(blobs["conv4_3_norm"], expected, rtol=1e-5, atol=1e-6)


def test_plain_layers_permute_as_the_fork_does(run):
    blobs, _ = run
    moved = blobs["fc7_mbox_loc"].transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(blobs["fc7_mbox_loc_flat"], moved.reshape(1, -1))


def test_every_box_has_a_probability_for_every_class(run):
    blobs, _ = run
    scores = blobs["mbox_conf"].reshape(-1, 3)
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(blobs["mbox_conf_flatten"].reshape(-1, 3), shares, rtol=1e-5)


def test_both_heads_compute_the_same(narrow):
    specs = [ssd300(heads, classes=3) for heads in ("bvlc", "ssd")]
    weights = fill_params(caffegen.loads(specs[0]).graph, 0)
    torch.manual_seed(0)
    images = {"data": torch.randn(1, 3, 300, 300)}
    names = ["mbox_loc", "mbox_conf_flatten"]
    with torch.no_grad():
        plain, fork = (
            pytorch.build(caffegen.loads(spec, weights)).eval().run(images, blobs=names)
            for spec in specs
        )
    for blob in names:
        torch.testing.assert_close(plain[blob], fork[blob], rtol=1e-4, atol=1e-5)


def test_runtimes_agree_on_the_heads_of_the_fork(narrow):
    spec = ssd300("ssd", classes=3)
    net = caffegen.loads(spec)
    report = verify.compare(caffegen.loads(spec, fill_params(net.graph, 0)))
    assert report.compared == ("torch", "onnxruntime", "opencv")
    assert report.ok, report.verdict
    assert {row.shape for row in report.rows if row.blob == "mbox_priorbox"} == {(1, 2, 4 * 8732)}
    assert {row.shape for row in report.rows if row.blob == "detection_out"} == {(1, 1, 200, 7)}


def test_boxes_grow_with_the_image():
    layer = {x.name: x for x in ssd300("ssd", input_size=600).to_message().layer}
    prior = layer["fc7_mbox_priorbox"].prior_box_param
    assert (list(prior.min_size), list(prior.max_size)) == ([120], [222])
    assert not prior.has("step")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(heads="yolo"), "there is no heads `yolo`; there is bvlc and ssd"),
        (dict(phase="train_val"),
         "SSD learns from annotated boxes, by layers that BVLC Caffe has not (AnnotatedData, "
         "MultiBoxLoss); use heads `ssd`"),
        (dict(phase="train_val", heads="ssd", data="hdf5"),
         "data `hdf5` has no boxes for its images; use data `lmdb` or `input`"),
        (dict(input_size=256),
         "an input of 256x256 is too small for the 3x3 windows of `conv9_2`"),
        (dict(classes=0), "the number of classes is a whole number of at least 1, found 0"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)  # fmt: skip
def test_nets_that_can_not_be(options, sentence):
    with pytest.raises(ZooError) as caught:
        ssd300(**options)
    assert str(caught.value) == sentence
