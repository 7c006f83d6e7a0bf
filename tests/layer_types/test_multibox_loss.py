"""MultiBoxLoss: its facts, and what is refused or warned of."""

from __future__ import annotations

import pytest

BOTTOMS = [(2, 20), (2, 15), (1, 2, 20), (1, 1, 4, 8)]


def param(text=""):
    return f"multibox_loss_param {{ num_classes: 3 {text} }}"


def test_facts_by_default(layer):
    found = layer("MultiBoxLoss", BOTTOMS, param())
    assert list(found.report) == []
    assert found.top_shapes == ((),)
    assert found.loss
    assert (found.match_type, found.mining_type) == ("PER_PREDICTION", "MAX_NEGATIVE")
    assert (found.loc_loss_type, found.conf_loss_type) == ("SMOOTH_L1", "SOFTMAX")
    assert (found.code_type, found.normalization, found.counted) == (
        "CORNER",
        "VALID",
        (True, True),
    )
    assert (found.neg_pos_ratio, found.neg_overlap, found.nms_threshold) == (3, 0.5, 0)


@pytest.mark.parametrize(
    ("text", "normalization"),
    [
        ("normalization: FULL", "FULL"),
        ("normalize: false", "BATCH_SIZE"),
        ("normalize: false normalization: VALID", "VALID"),
    ],
)
def test_normalization(layer, text, normalization):
    found = layer("MultiBoxLoss", BOTTOMS, f"{param()} loss_param {{ {text} }}")
    assert found.normalization == normalization


def test_what_gets_no_gradient_does_not_count(layer):
    down = "propagate_down: false propagate_down: true propagate_down: false propagate_down: false"
    assert layer("MultiBoxLoss", BOTTOMS, f"{param()} {down}").counted == (False, True)


FOUND = [
    pytest.param(
        "error", "do_neg_mining: false", "do-neg-mining-contradicts",
        "`do_neg_mining: false` contradicts `mining_type: MAX_NEGATIVE`", id="old word",
    ),
    pytest.param(
        "error", "mining_type: HARD_EXAMPLE sample_size: 0", "sample-size-zero",
        "`sample_size` is 0; HARD_EXAMPLE takes at least 1", id="samples",
    ),
    pytest.param(
        "error", "background_label_id: 3", "background-out-of-range",
        "`background_label_id` is 3; it is one of the 3 classes", id="background",
    ),
    pytest.param(
        "error", "map_object_to_agnostic: true", "agnostic-class-count",
        "`map_object_to_agnostic` takes 2 classes, object and background, not 3", id="agnostic",
    ),
    pytest.param(
        "warning", "nms_param { nms_threshold: 0.5 }", "mining-nms-without-top-k",
        "`nms_param` without `top_k` keeps none of the examples to choose from", id="top_k",
    ),
    pytest.param(
        "warning", "conf_loss_type: LOGISTIC mining_type: NONE", "logistic-targets-misplaced",
        "Caffe mixes up the targets of LOGISTIC scores where the background is not class 0 or "
        "`mining_type` is NONE; caffegen computes what was meant", id="logistic",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("severity", "text", "name", "message"), FOUND)
def test_findings(finding, severity, text, name, message):
    assert finding("MultiBoxLoss", BOTTOMS, param(text))[:3] == (severity, name, message)


def test_mining_takes_shared_locations(finding):
    bottoms = [(2, 60), *BOTTOMS[1:]]
    assert finding("MultiBoxLoss", bottoms, param("share_location: false"))[1:3] == (
        "mining-without-shared-locations",
        "`mining_type: MAX_NEGATIVE` takes `share_location: true`",
    )


def test_boxes_are_rows_of_eight(finding):
    assert finding("MultiBoxLoss", [*BOTTOMS[:3], (1, 1, 4, 7)], param())[1:3] == (
        "rows-of-wrong-length", "bottom 3 of MultiBoxLoss is (1, 1, boxes, 8); it is [1, 1, 4, 7]",
    )  # fmt: skip


def test_both_spellings_of_mining_may_agree(layer):
    text = param("do_neg_mining: false mining_type: NONE")
    assert list(layer("MultiBoxLoss", BOTTOMS, text).report) == []
