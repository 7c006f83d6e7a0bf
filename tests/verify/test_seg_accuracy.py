"""SegAccuracy against counts by hand, SimpleCrop and DetectNet's refusals, and data fed by the caller."""

import numpy as np
import pytest
import torch

from caffegen import onnx_bridge
from caffegen.loader import loads
from caffegen.pytorch import Refusal, build
from tests.onnx_bridge.golden_case import run
from tests.pytorch.one_layer import net_text
from tests.verify.fork_case import Case


def counted(scores, labels, ignored=()):
    """seg_accuracy_layer.cpp and confusion_matrix.cpp, pixel by pixel."""
    classes = scores.shape[1]
    matrix = np.zeros((classes, classes))
    for n, h, w in np.ndindex(scores.shape[0], *scores.shape[2:]):
        true = int(labels[n, 0, h, w])
        if true not in ignored:
            best = max(range(classes), key=lambda c: (scores[n, c, h, w], c))
            matrix[true, best] += 1
    recalls = [matrix[c, c] / matrix[c].sum() for c in range(classes) if matrix[c].sum()]
    unions = [matrix[c].sum() + matrix[:, c].sum() - matrix[c, c] for c in range(classes)]
    overlaps = [matrix[c, c] / union if union else 1 for c, union in enumerate(unions)]
    accuracy = matrix.trace() / matrix.sum() if matrix.sum() else 0
    recall = np.mean(recalls) if recalls else 0
    return np.array([accuracy, recall, np.mean(overlaps)], np.float32).reshape(1, 1, 1, 3)


@pytest.mark.parametrize("ignored", [(), (255,), (0, 3), (0, 1, 2, 3, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_three_measures(seed, ignored):
    text = "".join(f"ignore_label: {label} " for label in ignored)
    case = Case(
        "SegAccuracy", [(2, 5, 3, 4), (2, 1, 3, 4)], f"seg_accuracy_param {{ {text} }}", seed=seed
    )
    generator = np.random.default_rng(seed)
    # few different scores, so that some are equal
    scores = generator.integers(0, 3, (2, 5, 3, 4)).astype(np.float32)
    # class 4 never occurs
    labels = generator.integers(0, 4, (2, 1, 3, 4)).astype(np.float32)
    if 255 in ignored:
        labels[0, 0, :2] = 255
    case.feeds = {"a": scores, "b": labels}
    case.check(counted(scores, labels, ignored))


def test_counts_of_former_batches_are_refused():
    shapes = [(2, 5, 3, 4), (2, 1, 3, 4)]
    net = loads(net_text("SegAccuracy", shapes, "seg_accuracy_param { reset: false }"))
    for form, refusal in ((build, Refusal), (onnx_bridge.to_model, onnx_bridge.Refusal)):
        with pytest.raises(refusal, match="`reset: false` its counts add up over all batches"):
            form(net)


@pytest.mark.parametrize(
    ("kind", "shapes", "body", "tops", "reason"),
    [
        (
            "SimpleCrop", [(1, 3, 8, 8)], 'crop_param { blob_name: "data" }', ("top",),
            "its size is that of `data`, which is no bottom of it",
        ),
        (
            "DetectNetTransformation", [(1, 3, 8, 8), (1, 1, 2, 16)], "", ("s", "t"),
            "it changes pictures at random",
        ),
    ],
)  # fmt: skip
def test_refused_with_a_reason(kind, shapes, body, tops, reason):
    net = loads(net_text(kind, shapes, body, tops=tops))
    for form, refusal in ((build, Refusal), (onnx_bridge.to_model, onnx_bridge.Refusal)):
        with pytest.raises(refusal, match=reason):
            form(net)


def test_the_caller_feeds_what_a_data_layer_of_a_fork_would_read():
    net = loads(
        'layer { name: "data" type: "DenseImageData" top: "data" top: "label" '
        'dense_image_data_param { source: "list.txt" batch_size: 2 new_height: 3 new_width: 4 } }\n'
        'layer { name: "noise" type: "RandVec" top: "noise" randvec_param { batch_size: 2 dim: 3 } }\n'
        'layer { name: "twice" type: "Power" bottom: "data" top: "twice" power_param { scale: 2 } }\n'
        'layer { name: "dark" type: "Power" bottom: "noise" top: "dark" power_param { scale: -1 } }'
    )
    assert net.shapes["label"] == (2, 1, 3, 4)
    generator = np.random.default_rng(0)
    feeds = {
        "data": generator.random((2, 3, 3, 4), np.float32),
        "label": np.zeros((2, 1, 3, 4), np.float32),
        "noise": generator.random((2, 3, 1, 1), np.float32),
    }
    tops = build(net)(**{name: torch.from_numpy(value) for name, value in feeds.items()})
    for found in (tops, run(onnx_bridge.to_model(net), feeds)):
        np.testing.assert_allclose(np.asarray(found["twice"]), 2 * feeds["data"])
        np.testing.assert_allclose(np.asarray(found["dark"]), -feeds["noise"])
