"""Rarer layers of segmentation: shapes, blobs, and what is refused."""

import pytest


@pytest.mark.parametrize(
    ("kind", "bottoms", "text", "top"),
    [
        ("ConfusionMatrix", [(2, 5, 3), (2, 3)], "", (5, 5)),
        ("ConfusionMatrix", [(2, 3, 5), (6,)], "confusion_matrix_param { axis: -1 }", (5, 5)),
        (
            "SegmentationEvaluate", [(2, 3, 4, 4)] * 2,
            "segmentation_evaluate_param { num_classes: 3 }", (1, 1, 1, 3),
        ),
        ("AssistedExcitation", [(2, 3, 4, 4), (2, 300, 5), (2, 1, 4, 4)], "", (2, 3, 4, 4)),
        ("MultiStageMeanfield", [(1, 5, 4, 4), (1, 5, 4, 4), (1, 3, 4, 4)], "", (1, 5, 4, 4)),
    ],
)  # fmt: skip
def test_shape(layer, kind, bottoms, text, top):
    found = layer(kind, bottoms, text)
    assert found.top_shapes == (top,)
    assert not found.report.diagnostics


def test_blobs_of_the_mean_field(layer):
    found = layer("MultiStageMeanfield", [(1, 5, 4, 4), (1, 5, 4, 4), (1, 3, 4, 4)])
    assert [(blob.name, blob.shape) for blob in found.blobs] == [
        ("spatial", (1, 1, 5, 5)),
        ("bilateral", (1, 1, 5, 5)),
        ("compatibility", (1, 1, 5, 5)),
    ]


@pytest.mark.parametrize(
    ("kind", "bottoms", "text", "name", "message"),
    [
        (
            "ConfusionMatrix", [(2, 5, 3), (2, 2)], "", "label-count-differs",
            "bottom 1 has 4 labels for 6 predictions",
        ),
        (
            "SegmentationEvaluate", [(2, 3, 4, 4)] * 2, "", "num-classes-missing",
            "SegmentationEvaluate needs `num_classes`",
        ),
        (
            "SegmentationEvaluate", [(2, 3, 4, 4), (2, 2, 4, 4)],
            "segmentation_evaluate_param { num_classes: 3 }", "bottom-counts-differ",
            "both bottoms have a mask for each class; bottom 0 has 3, bottom 1 has 2",
        ),
    ],
)  # fmt: skip
def test_refused(finding, kind, bottoms, text, name, message):
    assert finding(kind, bottoms, text)[:3] == ("error", name, message)
