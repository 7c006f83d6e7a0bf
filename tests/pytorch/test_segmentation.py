"""ConfusionMatrix and SegmentationEvaluate by loops, in PyTorch and in ONNX; what is refused."""

import numpy as np
import pytest

from caffegen import onnx_bridge
from caffegen.loader import loads
from caffegen.onnx_bridge.write.registry import Refusal as OnnxRefusal
from caffegen.pytorch import Refusal, build
from tests.pytorch.beside_onnx import CLOSE, both, noise
from tests.pytorch.one_layer import net_text


def confusions(scores, labels):
    """confusion_matrix_layer.cpp, Forward_cpu, for scores (N, K, positions)."""
    classes = scores.shape[1]
    counts = np.zeros((classes, classes))
    for i in range(scores.shape[0]):
        for j in range(scores.shape[2]):
            best, highest = 0, -1.0
            for k in range(classes):
                if scores[i, k, j] > highest:
                    best, highest = k, scores[i, k, j]
            counts[int(labels[i, j]), best] += 1
    with np.errstate(invalid="ignore"):
        return counts / counts.sum(1, keepdims=True)


def test_confusion_matrix():
    scores = noise(3, 4, 2, 5) * 1.5
    labels = np.random.default_rng(1).integers(0, 4, (3, 2, 5))
    (top,) = both("ConfusionMatrix", [scores, labels])
    np.testing.assert_allclose(top, confusions(scores.reshape(3, 4, 10), labels.reshape(3, 10)))


def test_scores_that_all_are_low_are_class_0_and_a_class_that_is_missing_is_not_a_number():
    (top,) = both("ConfusionMatrix", [[[-3.0, -2, -1.5], [0, 0, 2]], [1, 1]])
    np.testing.assert_allclose(top, [[np.nan] * 3, [0.5, 0, 0.5], [np.nan] * 3])


def test_segmentation_evaluate():
    masks, true = np.abs(noise(2, 3, 4, 5)) / 2, np.abs(noise(2, 3, 4, 5, seed=1)) / 2
    true[0, 2] = 0
    (top,) = both(
        "SegmentationEvaluate", [masks, true], "segmentation_evaluate_param { num_classes: 3 }"
    )
    expected = []
    for seen, wanted in zip(masks[0] > 0.5, true[0] > 0.5, strict=True):
        hits = (seen & wanted).sum()
        expected.append(hits / (seen.sum() + wanted.sum() - hits) if hits else 0)
    np.testing.assert_allclose(top, np.reshape(expected, (1, 1, 1, 3)), **CLOSE)
    assert expected[2] == 0


@pytest.mark.parametrize(
    ("kind", "shapes", "body", "top", "reason"),
    [
        (
            "SegmentationEvaluate", [(1, 2, 4, 4), (1, 2, 8, 8)],
            "segmentation_evaluate_param { num_classes: 2 }", (1, 1, 1, 2),
            "its masks are brought to the size of the true ones as pictures",
        ),
        (
            "AssistedExcitation", [(1, 2, 4, 4), (1, 300, 5), (1, 1, 4, 4)], "", (1, 2, 4, 4),
            "it depends on how far the training has gone",
        ),
        (
            "MultiStageMeanfield", [(1, 5, 4, 4), (1, 5, 4, 4), (1, 3, 4, 4)],
            "multi_stage_meanfield_param { num_iterations: 10 }", (1, 5, 4, 4),
            "it filters on a permutohedral lattice",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(kind, shapes, body, top, reason):
    net = loads(net_text(kind, shapes, body))
    assert net.shapes["top"] == top
    with pytest.raises(Refusal, match=reason):
        build(net)
    with pytest.raises(OnnxRefusal, match=reason):
        onnx_bridge.to_model(net)
