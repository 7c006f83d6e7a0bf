"""R-FCN's layers for hard examples in PyTorch."""

import pytest
import torch
from torch.nn import functional

from tests.pytorch.one_layer import one_layer

PRE_FIXED = "loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 5 }"


@pytest.mark.parametrize(
    ("text", "divisor"),
    [("", 4), (PRE_FIXED, 5), ("loss_param { normalization: NONE }", 1)],
    ids=["valid", "fixed", "none"],
)
def test_softmax(text, divisor):
    scores = torch.randn(4, 3, requires_grad=True)
    labels = torch.tensor([0.0, 2.0, 1.0, 1.0])
    body = f"loss_weight: 1 loss_weight: 0 loss_weight: 0 {text}"
    module = one_layer("SoftmaxWithLossOHEM", [(4, 3), (4,)], body, tops=("loss", "p", "each"))
    blobs = module(scores, labels)
    each = functional.cross_entropy(scores, labels.long(), reduction="none")
    torch.testing.assert_close(blobs["each"], each)
    torch.testing.assert_close(blobs["p"], scores.softmax(1))
    torch.testing.assert_close(blobs["loss"], each.sum() / divisor)
    assert not blobs["each"].requires_grad
    blobs["loss"].backward()
    expected = (scores.softmax(1) - functional.one_hot(labels.long(), 3)) / divisor
    torch.testing.assert_close(scores.grad, expected)


def test_ignored_labels_cost_nothing():
    body = "loss_weight: 1 loss_weight: 0 loss_weight: 0 loss_param { ignore_label: 9 }"
    module = one_layer("SoftmaxWithLossOHEM", [(3, 2), (3,)], body, tops=("loss", "p", "each"))
    blobs = module(torch.zeros(3, 2), torch.tensor([0.0, 9.0, 1.0]))
    log2 = torch.tensor(2.0).log()
    torch.testing.assert_close(blobs["each"], log2 * torch.tensor([1.0, 0.0, 1.0]))
    torch.testing.assert_close(blobs["loss"], log2)


@pytest.mark.parametrize(
    ("text", "divisor"),
    [("", 2 * 6), ("loss_param { normalization: BATCH_SIZE }", 2), (PRE_FIXED, 5)],
    ids=["valid", "batch", "fixed"],
)
def test_smooth_l1(text, divisor):
    first, second, weights = (torch.randn(2, 4, 3, 2, requires_grad=True) for _ in range(3))
    module = one_layer("SmoothL1LossOHEM", [(2, 4, 3, 2)] * 3, text, tops=("loss", "each"))
    blobs = module(first, second, weights)
    losses = functional.smooth_l1_loss(first * weights, second * weights, reduction="none")
    torch.testing.assert_close(blobs["each"], losses.sum(1, keepdim=True))
    torch.testing.assert_close(blobs["loss"], losses.sum() / divisor)
    assert not blobs["each"].requires_grad
    blobs["loss"].backward()
    slope = ((first - second) * weights).clamp(-1, 1) * weights
    torch.testing.assert_close(first.grad, slope.detach() / divisor)
    assert weights.grad is None


def test_smooth_l1_of_rows():
    module = one_layer("SmoothL1LossOHEM", [(3, 4)] * 2, "", tops=("loss", "each"))
    assert module(torch.ones(3, 4), torch.zeros(3, 4))["each"].shape == (3, 1, 1, 1)


def choose(losses, images, number, labels=None):
    count = len(losses)
    boxes = torch.zeros(count, 5)
    boxes[:, 0] = torch.tensor(images)
    labels = torch.arange(count).float() + 10 if labels is None else labels
    weights = torch.arange(count * 2).float().reshape(count, 2) + 1
    body = f"box_annotator_ohem_param {{ roi_per_img: {number} }}"
    shapes = [(count, 5), (count,), (count,), (count, 2)]
    module = one_layer("BoxAnnotatorOHEM", shapes, body, tops=("labels", "weights"))
    blobs = module(boxes, torch.tensor(losses), labels, weights)
    assert blobs["labels"].shape == (count, 1, 1, 1)
    kept = blobs["weights"].flatten(1)
    assert ((kept == weights) | (kept == 0)).all()
    chosen = blobs["labels"].flatten()
    assert ((kept != 0).all(1) == (chosen != -1)).all()
    return [index for index, label in enumerate(chosen.tolist()) if label != -1]


def test_the_hardest_of_each_image():
    losses = [0.1, 0.9, 0.5, 0.2, 0.8, 0.3]
    images = [0, 0, 0, 1, 1, 3]
    assert choose(losses, images, 2) == [1, 2, 3, 4, 5]
    assert choose(losses, images, 1) == [1, 4, 5]


def test_of_equally_hard_boxes_the_earlier():
    assert choose([0.5] * 5, [1, 0, 1, 0, 1], 2) == [0, 1, 2, 3]


def test_maps_of_boxes():
    boxes = torch.zeros(1, 5, 1, 4)
    losses = torch.tensor([0.1, 0.4, 0.3, 0.2]).reshape(1, 1, 1, 4)
    labels, weights = torch.ones(1, 1, 1, 4), torch.ones(1, 2, 1, 4)
    shapes = [tuple(blob.shape) for blob in (boxes, losses, labels, weights)]
    body = "box_annotator_ohem_param { roi_per_img: 2 ignore_label: 255 }"
    module = one_layer("BoxAnnotatorOHEM", shapes, body, tops=("labels", "weights"))
    blobs = module(boxes, losses, labels, weights)
    assert blobs["labels"].flatten().tolist() == [255, 1, 1, 255]
    assert blobs["weights"][0].flatten(1).tolist() == [[0, 1, 1, 0]] * 2
