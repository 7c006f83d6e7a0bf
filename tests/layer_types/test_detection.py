"""DetectionOutput and DetectionEvaluate: facts, shapes and refusals."""

from __future__ import annotations

import pytest

# two images, five priors, three classes
OUTPUT = [(2, 20), (2, 15), (1, 2, 20)]
EVALUATE = [(1, 1, 6, 7), (1, 1, 4, 8)]


def output(text=""):
    return f"detection_output_param {{ num_classes: 3 {text} }}"


def evaluate(text=""):
    return f"detection_evaluate_param {{ num_classes: 3 {text} }}"


def test_facts_by_default(layer):
    found = layer("DetectionOutput", OUTPUT, output())
    assert list(found.report) == []
    assert found.top_shapes == ((1, 1, 1, 7),)
    assert found.run_time_axis == 2
    assert (found.priors, found.labels, found.share_location) == (5, (1, 2), True)
    assert (found.code_type, found.confidence_threshold) == ("CORNER", None)
    assert (found.top_k, found.keep_top_k, found.eta) == (-1, -1, 1)
    assert found.nms_threshold == pytest.approx(0.3)
    assert not found.adaptive


def test_facts_as_given(layer):
    text = (
        "share_location: false background_label_id: 2 code_type: CENTER_SIZE keep_top_k: 9 "
        "variance_encoded_in_target: true confidence_threshold: 0 "
        "nms_param { nms_threshold: 0.75 top_k: 7 eta: 0.5 }"
    )
    found = layer("DetectionOutput", [(2, 60), (2, 15), (1, 2, 20)], output(text))
    assert list(found.report) == []
    assert (found.labels, found.code_type, found.keep_top_k) == ((0, 1), "CENTER_SIZE", 9)
    assert (found.nms_threshold, found.top_k, found.eta) == (0.75, 7, 0.5)
    assert found.confidence_threshold == 0
    assert found.variance_encoded_in_target
    assert found.adaptive


@pytest.mark.parametrize(
    ("text", "adaptive"), [("nms_threshold: 0.5 eta: 0.5", False), ("eta: 0.5", False)]
)
def test_a_threshold_falls_only_from_above_one_half(layer, text, adaptive):
    found = layer("DetectionOutput", OUTPUT, output(f"nms_param {{ {text} }}"))
    assert found.adaptive is adaptive


def test_a_fourth_bottom_is_there_to_be_shown(layer):
    assert list(layer("DetectionOutput", [*OUTPUT, (2, 3, 8, 8)], output()).report) == []


REFUSED = [
    pytest.param(
        [(2, 20), (3, 15), (1, 2, 20)], "", "batch-sizes-differ",
        "bottoms 0 and 1 of DetectionOutput have one first size; bottom 0 has 2, bottom 1 has 3",
        id="batch",
    ),
    pytest.param(
        [(2, 20), (2, 14), (1, 2, 20)], "", "prior-count-differs",
        "5 priors take scores of (N, 15); bottom 1 is [2, 14]", id="scores",
    ),
    pytest.param(
        [(2, 20), (2, 5, 3), (1, 2, 20)], "", "prior-count-differs",
        "5 priors take scores of (N, 15); bottom 1 is [2, 5, 3]", id="scores not flat",
    ),
    pytest.param(
        OUTPUT, "share_location: false", "prior-count-differs",
        "5 priors take locations of (N, 60); bottom 0 is [2, 20]", id="locations",
    ),
    pytest.param(
        [(2, 20), (2, 15), (1, 1, 20)], "", "prior-count-differs",
        "bottom 2 of DetectionOutput holds boxes and variances, (1, 2, 4 priors); it is "
        "[1, 1, 20]", id="priors",
    ),
    pytest.param(
        OUTPUT, "nms_param { nms_threshold: -1 }", "nms-threshold-negative",
        "`nms_threshold` is -1; an overlap is 0 or more", id="threshold",
    ),
    pytest.param(
        OUTPUT, "nms_param { eta: 0 }", "eta-out-of-range",
        "`eta` is 0; it is above 0 and not above 1", id="eta",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("bottoms", "text", "name", "message"), REFUSED)
def test_output_refused(finding, bottoms, text, name, message):
    assert finding("DetectionOutput", bottoms, output(text))[:3] == ("error", name, message)


@pytest.mark.parametrize(
    ("kind", "bottoms", "param"),
    [
        ("DetectionOutput", OUTPUT, "detection_output_param { keep_top_k: 5 }"),
        ("DetectionEvaluate", EVALUATE, "detection_evaluate_param { num_classes: 0 }"),
    ],
)
def test_classes_are_told(finding, kind, bottoms, param):
    assert finding(kind, bottoms, param)[:3] == (
        "error", "num-classes-missing",
        f"{kind} needs `num_classes` of at least 1, the background counted",
    )  # fmt: skip


WARNED = [
    pytest.param(
        "background_label_id: -1", "shared-locations-without-background",
        "without a background class Caffe stops on a CPU where locations are shared; on a GPU it "
        "runs", id="no background",
    ),
    pytest.param(
        'save_output_param { output_directory: "a" label_map_file: "b" name_size_file: "c" }',
        "detections-saved-or-shown",
        "`save_output_param` is for Caffe alone; elsewhere the detections are the top, neither "
        "saved nor shown", id="saved",
    ),
    pytest.param(
        "visualize: true", "detections-saved-or-shown",
        "`visualize` is for Caffe alone; elsewhere the detections are the top, neither saved nor "
        "shown", id="shown",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "message"), WARNED)
def test_output_warned(finding, text, name, message):
    assert finding("DetectionOutput", OUTPUT, output(text))[:3] == ("warning", name, message)


def test_what_caffe_does_not_save_is_no_matter(layer):
    text = output('save_output_param { output_directory: "a" label_map_file: "b" }')
    assert list(layer("DetectionOutput", OUTPUT, text).report) == []


def test_evaluate(layer):
    found = layer("DetectionEvaluate", EVALUATE, evaluate("evaluate_difficult_gt: false"))
    assert list(found.report) == []
    assert found.top_shapes == ((1, 1, 2 + 6, 5),)
    assert (found.labels, found.name_size_file, found.evaluate_difficult_gt) == (
        (1, 2),
        None,
        False,
    )


@pytest.mark.parametrize(
    ("bottoms", "message"),
    [
        (
            [(1, 1, 6, 8), EVALUATE[1]],
            "bottom 0 of DetectionEvaluate is (1, 1, rows, 7); it is [1, 1, 6, 8]",
        ),
        ([EVALUATE[0], (4, 8)], "bottom 1 of DetectionEvaluate is (1, 1, rows, 8); it is [4, 8]"),
    ],
)
def test_evaluate_takes_rows(finding, bottoms, message):
    assert finding("DetectionEvaluate", bottoms, evaluate())[1:3] == (
        "rows-of-wrong-length", message,
    )  # fmt: skip


def test_evaluate_takes_an_overlap(finding):
    assert finding("DetectionEvaluate", EVALUATE, evaluate("overlap_threshold: 0"))[1:3] == (
        "overlap-threshold-not-positive", "`overlap_threshold` is 0; it must be above 0",
    )  # fmt: skip


def test_a_number_of_classes_takes_no_memory(layer):
    rows = [(1, 1, 1, 7), (1, 1, 1, 8)]
    text = "detection_evaluate_param {{ num_classes: {} background_label_id: 2 }}"
    assert "labels" not in vars(layer("DetectionEvaluate", rows, text.format(100000000)))
    few = layer("DetectionEvaluate", rows, text.format(4))
    assert (few.labels, few.label_count) == ((0, 1, 3), 3)


def test_too_many_classes_for_a_blob(finding):
    text = "detection_evaluate_param { num_classes: 2147483647 }"
    found = finding("DetectionEvaluate", [(1, 1, 1, 7), (1, 1, 1, 8)], text)
    assert found[:2] == ("error", "blob-too-large")
