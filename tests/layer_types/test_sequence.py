"""Losses of distance and over sequences, and SegAccuracy: shapes, and what is refused."""

import pytest

SCORES = (10, 2, 5)
STEPS = (10, 2)


@pytest.mark.parametrize(
    ("kind", "bottoms", "text", "top"),
    [
        ("L1Loss", [(2, 6), (2, 3, 2)], "", ()),
        ("TripletLoss", [(4, 5)] * 3, "", ()),
        ("TripletLoss", [(4, 5, 1, 1)] * 3, "", ()),
        ("CenterLoss", [(4, 5), (4,)], "center_loss_param { num_output: 10 }", ()),
        ("CTCLoss", [SCORES, STEPS, STEPS], "", ()),
        ("CTCLoss", [(*SCORES, 1), (*STEPS, 1, 1), STEPS], "", ()),
        ("CtcLoss", [SCORES, (2, 7)], "ctc_loss_param { alphabet_size: 5 time_step: 10 }", ()),
        ("LabelsequenceAccuracy", [(2, 10, 5), (2, 7)], "", ()),
        ("SegAccuracy", [(2, 5, 3, 4), (2, 1, 3, 4)], "", (1, 1, 1, 3)),
        (
            "ContinuationIndicator", [(3, 8)],
            "continuation_indicator_param { time_step: 7 axis: 1 }", (7, 8),
        ),
        (
            "ContinuationIndicator", [],
            "continuation_indicator_param { time_step: 7 batch_size: 4 }", (7, 4),
        ),
    ],
)  # fmt: skip
def test_shapes(layer, kind, bottoms, text, top):
    definition = layer(kind, bottoms, text)
    assert definition.top_shapes == (top,)
    assert list(definition.report) == []


def test_centers_are_a_row_for_each_class(layer):
    text = 'center_loss_param { num_output: 10 center_filler { type: "xavier" } }'
    definition = layer("CenterLoss", [(4, 5, 3, 1), (4, 1, 1, 1)], text)
    ((name, shape, filler, learned),) = definition.blobs
    assert (name, shape, filler.type, learned) == ("center", (10, 15), "xavier", True)
    # without a loss weight it counts for nothing
    assert not definition.loss
    assert not definition.auto_top


@pytest.mark.parametrize(
    ("kind", "bottoms", "text", "name", "message"),
    [
        (
            "L1Loss", [(2, 6), (2, 5)], "", "bottom-counts-differ",
            "the bottoms have as many values per item; bottom 0 has 6, bottom 1 has 5",
        ),
        (
            "TripletLoss", [(4, 5, 2)] * 3, "", "features-not-flat",
            "a TripletLoss takes rows of features (N, C); bottom 0 is [4, 5, 2]",
        ),
        (
            "TripletLoss", [(4, 5), (4, 5), (4, 6)], "", "bottom-counts-differ",
            "the bottoms of TripletLoss have one shape; bottom 0 is [4, 5], bottom 2 is [4, 6]",
        ),
        (
            "CenterLoss", [(4, 5), (4,)], "", "num-output-zero",
            "CenterLoss needs a `num_output` of at least 1, the number of classes",
        ),
        (
            "CenterLoss", [(4, 5), (4, 2)], "center_loss_param { num_output: 3 }",
            "label-not-one-per-item", "a CenterLoss takes one label per item; bottom 1 is [4, 2]",
        ),
        (
            "CenterLoss", [(4, 5, 2), (4,)], "center_loss_param { num_output: 3 axis: 2 }",
            "features-not-flat",
            "`axis` 2 makes rows of 2 of a bottom [4, 5, 2], and CenterLoss reads one row for each item",
        ),
        (
            "CenterLoss", [(4, 5), (4,)],
            'center_loss_param { num_output: 3 distance_type: "L3" }', "unknown-norm",
            "`distance_type` is `L3`; CenterLoss has L1 and L2",
        ),
        (
            "CTCLoss", [SCORES, STEPS, (10, 3)], "", "indicators-shape-differs",
            "bottom 2 has a number for each step of each sequence, 10 x 2; it is [10, 3]",
        ),
        (
            "CTCLoss", [SCORES, STEPS, STEPS], "ctc_loss_param { blank_index: 5 }",
            "blank-out-of-range", "`blank_index` is 5, and the scores are of 5 classes",
        ),
        (
            "CtcLoss", [SCORES, (2, 7)], "ctc_loss_param { alphabet_size: 5 }",
            "size-not-positive", "`time_step` is 0; it must be at least 1",
        ),
        (
            "CtcLoss", [SCORES, (2, 7)], "ctc_loss_param { alphabet_size: 6 time_step: 10 }",
            "alphabet-size-differs", "`alphabet_size` is 6; the scores are of 5 classes",
        ),
        (
            "CtcLoss", [SCORES, (2, 7)], "ctc_loss_param { alphabet_size: 5 time_step: 11 }",
            "alphabet-size-differs", "`time_step` is 11; the scores are of 10 steps",
        ),
        (
            "CtcLoss", [SCORES, (3, 7)], "ctc_loss_param { alphabet_size: 5 time_step: 9 }",
            "label-count-differs",
            "bottom 1 is [3, 7]; it has a row of labels for each of 2 sequences",
        ),
        (
            "ContinuationIndicator", [], "continuation_indicator_param { time_step: 7 }",
            "size-not-positive", "`batch_size` is 0; it must be at least 1",
        ),
        (
            "SegAccuracy", [(2, 5, 3, 4), (2, 1, 4, 3)], "", "label-count-differs",
            "bottom 1 has a class number for each pixel, [2, 1, 3, 4]; it is [2, 1, 4, 3]",
        ),
        (
            "SimpleCrop", [(2, 5, 3, 4)], "", "required-field-missing",
            "SimpleCrop needs `blob_name`",
        ),
    ],
)  # fmt: skip
def test_refusals(finding, kind, bottoms, text, name, message):
    assert finding(kind, bottoms, text)[:3] == ("error", name, message)


def test_no_scores_cost_nothing(layer):
    found = layer("CTCLoss", [(0,), (0,), (0,)], "ctc_loss_param { blank_index: 0 }")
    assert found.cost().ops == 0
