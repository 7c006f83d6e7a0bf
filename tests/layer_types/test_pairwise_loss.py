"""The losses of rarer forks: shapes, and what is refused."""

import pytest

SQUEEZE = [(1, 8, 4), (1, 2, 2, 2), (1, 2, 2, 8), (1, 100, 1, 1)]
ANCHORS = "anchors_per_grid: 2 anchor_shapes: 1 anchor_shapes: 2 anchor_shapes: 3 anchor_shapes: 4"


@pytest.mark.parametrize(
    ("kind", "bottoms", "text", "top"),
    [
        ("SVRLoss", [(4, 3), (4, 1, 3)], "", ()),
        ("XCovLoss", [(4, 3), (4, 2, 2)], "", (1, 1, 1, 1)),
        ("PairwiseLoss", [(4, 3), (4, 81)], "", ()),
        ("QuantizationLoss", [(4, 3)], "", ()),
        ("WassersteinLoss", [(4, 3), (4, 1)], "wasserstein_param { ground_metric: 'm' }", ()),
        ("WassersteinLoss", [(4, 3), (4, 3)], "wasserstein_param { ground_metric: 'm' }", ()),
        ("SqueezeDetLoss", SQUEEZE, f"squeezedet_param {{ {ANCHORS} }}", ()),
    ],
)
def test_shape(layer, kind, bottoms, text, top):
    found = layer(kind, bottoms, text)
    assert found.top_shapes == (top,)
    assert not found.report.diagnostics


@pytest.mark.parametrize(
    ("kind", "bottoms", "text", "name", "message"),
    [
        (
            "SVRLoss", [(4, 3), (4, 2)], "", "bottom-counts-differ",
            "the bottoms have as many values per item; bottom 0 has 3, bottom 1 has 2",
        ),
        (
            "XCovLoss", [(4, 3), (3, 3)], "", "batch-sizes-differ",
            "the bottoms of XCovLoss have one first size; bottom 0 has 4, bottom 1 has 3",
        ),
        (
            "WassersteinLoss", [(4, 3), (4, 1)], "", "required-field-missing",
            "WassersteinLoss needs `ground_metric`, the file with the distances of the classes",
        ),
        (
            "WassersteinLoss", [(4, 3), (4, 2)], "wasserstein_param { ground_metric: 'm' }",
            "label-count-differs",
            "bottom 1 has a class number or 3 probabilities for each item; it is [4, 2]",
        ),
        (
            "SqueezeDetLoss", SQUEEZE, "squeezedet_param { anchors_per_grid: 2 anchor_shapes: 3 }",
            "anchor-sizes-count",
            "`anchor_shapes` is given 1 times for 2 anchors, each of which has a width and a height",
        ),
        (
            "SqueezeDetLoss", [*SQUEEZE[:2], (1, 2, 2, 4), SQUEEZE[3]],
            f"squeezedet_param {{ {ANCHORS} }}", "bottom-counts-differ",
            "bottom 2 has 4 numbers for each of 2 anchors in its last axis; it is [1, 2, 2, 4]",
        ),
    ],
)  # fmt: skip
def test_refused(finding, kind, bottoms, text, name, message):
    assert finding(kind, bottoms, text)[:3] == ("error", name, message)
