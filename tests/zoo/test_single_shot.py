# ruff: noqa: C408 - options are keywords
"""What the detectors of the zoo have in common: SSD300, SSD512 and MobileNet-SSD."""

from __future__ import annotations

import pytest
import torch

import caffegen
from caffegen import pytorch
from caffegen.analysis.fill import fill_params
from caffegen.check import Options, check_source
from caffegen.text import Source
from caffegen.zoo import architecture
from caffegen.zoo.architecture import recipe_of
from caffegen.zoo.recipe import solver_text

NETS = {
    "SSD300": ("ssd300", dict(heads="ssd"), 8732),
    "SSD512": ("ssd512", dict(heads="ssd"), 24564),
    "MobileNet-SSD": ("mobilenet", dict(ssd=True), 1917),
}
EVERY = pytest.mark.parametrize(("family", "options", "boxes"), NETS.values(), ids=list(NETS))


@pytest.fixture
def narrow(monkeypatch):
    """Detectors of few channels: what stands in the tables is not what is tested."""
    monkeypatch.setattr("caffegen.zoo.vgg.WIDTHS", (4, 4, 8, 8, 8))
    monkeypatch.setattr("caffegen.zoo.ssd.FULLY_CONVOLUTIONAL", (8, 8))


def build(family, options, **more):
    return architecture(family).build(**options, **more)


@EVERY
def test_priors_places_and_scores_are_of_the_same_boxes(family, options, boxes):
    shapes = caffegen.loads(build(family, options)).shapes
    assert shapes["mbox_priorbox"] == (1, 2, 4 * boxes)
    assert shapes["mbox_loc"] == (1, 4 * boxes)
    assert shapes["mbox_conf"] == (1, 21 * boxes)


@EVERY
@pytest.mark.parametrize("data", ["lmdb", "input"])
def test_train_val_is_clean_and_ends_in_the_loss(family, options, boxes, data):
    text = build(family, options, phase="train_val", data=data).to_prototxt()
    assert {d.name for d in check_source(Source(text), Options()).diagnostics} == {"fork-schema"}
    assert caffegen.loads(text, phase="TRAIN").outputs == ("mbox_loss",)
    assert caffegen.loads(text, phase="TEST").outputs == ("detection_eval",)


@EVERY
def test_what_learns_gets_a_gradient(narrow, family, options, boxes):
    torch.manual_seed(0)
    size = {"ssd512": 385}.get(family, 300)
    spec = build(
        family, options, phase="train_val", data="input", batch=2, classes=3, input_size=size
    )
    net = caffegen.loads(spec.to_prototxt(), phase="TRAIN")
    weights = fill_params(net.graph, 0)
    module = pytorch.build(caffegen.loads(spec, weights, phase="TRAIN")).train()
    # item, class, instance, corners, difficult: a large box in one image, a small one in the other
    labels = torch.tensor([[0, 1, 0, 0.1, 0.1, 0.8, 0.9, 0], [1, 2, 0, 0.4, 0.4, 0.5, 0.5, 0]])
    blobs = module(data=torch.randn(2, 3, size, size), label=labels.reshape(1, 1, 2, 8))
    module.total_loss(blobs).backward()
    learned = {name: p for name, p in module.named_parameters() if p.requires_grad}
    assert all(torch.isfinite(p.grad).all() for p in learned.values() if p.grad is not None)
    reached = {name for name, p in learned.items() if p.grad is not None and p.grad.any()}
    assert {n for n, p in learned.items() if p.ndim == 4 and "mbox" not in n} - reached == set()
    assert any("mbox_loc" in name for name in reached)
    assert any("mbox_conf" in name for name in reached)


@EVERY
def test_the_solver_says_how_detections_are_counted(family, options, boxes):
    facts = architecture(family)
    net = build(family, options, phase="train_val").to_message()
    text = solver_text(recipe_of(facts, options), net, "net.prototxt", "caffegen")
    assert 'eval_type: "detection"\nap_version: "11point"\n' in text
    # 4952 images, 8 at a time
    assert "test_iter: 619\n" in text
    found = {d.name for d in check_source(Source(text, "solver.prototxt"), Options()).diagnostics}
    assert found <= {"fork-schema", "net-not-found"}


def test_boxes_of_mobilenet_ssd():
    layers = {x.name: x for x in build("mobilenet", {"ssd": True}).to_message().layer}
    first = layers["conv11_mbox_priorbox"].prior_box_param
    assert (list(first.min_size), list(first.max_size)) == ([60], [])
    last = layers["conv17_2_mbox_priorbox"].prior_box_param
    assert (list(last.min_size), list(last.max_size)) == ([285], [300])
    assert layers["conv11_mbox_loc"].convolution_param.num_output == 12
    assert layers["conv13_mbox_conf"].convolution_param.num_output == 126


def test_a_narrower_mobilenet_finds_boxes_too():
    net = caffegen.loads(build("mobilenet", {"ssd": True}, width="0.5"))
    assert net.shapes["conv13"] == (1, 512, 10, 10)
    assert net.shapes["mbox_priorbox"] == (1, 2, 4 * 1917)
