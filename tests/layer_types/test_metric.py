"""Accuracy and ArgMax: their layouts, and what they refuse."""

from __future__ import annotations

import pytest

SCORES = [(8, 5, 2, 3), (8, 2, 3)]


def test_accuracy_facts(layer):
    found = layer("Accuracy", SCORES, "accuracy_param { top_k: 5 ignore_label: 0 }", tops=2)
    assert found.top_shapes == ((), (5,))
    assert (found.axis_index, found.classes, found.outer_count, found.inner_count) == (1, 5, 8, 6)
    assert (found.top_k, found.ignore_label, found.per_class_top) == (5, 0, True)
    assert list(found.report) == []


def test_accuracy_without_ignore_label(layer):
    found = layer("Accuracy", SCORES)
    assert found.ignore_label is None
    assert found.top_shapes == ((),)
    assert not found.per_class_top


@pytest.mark.parametrize(
    ("bottoms", "text", "name", "message", "place"),
    [
        pytest.param(
            SCORES, "accuracy_param { top_k: 6 }", "top-k-exceeds-classes",
            "`top_k` is 6, but there are 5 classes", "top_k: 6", id="top-k",
        ),
        pytest.param(
            [(8, 5), (4,)], "", "label-count-differs",
            "bottom 1 has 4 labels for 8 predictions", 'bottom: "b1"', id="labels",
        ),
        pytest.param(
            [(0, 5), (0,)], "", "label-count-differs", "bottom 1 has no labels", 'bottom: "b1"',
            id="no labels",
        ),
    ],
)  # fmt: skip
def test_accuracy_refuses(finding, bottoms, text, name, message, place):
    assert finding("Accuracy", bottoms, text) == ("error", name, message, place)


@pytest.mark.parametrize(
    ("shape", "text", "top"),
    [
        pytest.param((6,), "", (6, 1, 1), id="one axis"),
        pytest.param((2, 3, 4, 5, 6), "top_k: 7", (2, 1, 7, 1, 1), id="five axes"),
        pytest.param((2, 9), "top_k: 3 out_max_val: true", (2, 2, 3), id="places and values"),
        pytest.param((2, 3, 4), "axis: -2 top_k: 2", (2, 2, 4), id="axis"),
        pytest.param((2, 3, 4), "axis: 0 out_max_val: true", (1, 3, 4), id="axis, values"),
    ],
)
def test_argmax_layouts(layer, shape, text, top):
    found = layer("ArgMax", [shape], f"argmax_param {{ {text} }}")
    assert found.top_shapes == (top,)
    assert (found.axis_index is None) == ("axis" not in text)


@pytest.mark.parametrize(
    ("shape", "text", "name", "message", "place"),
    [
        pytest.param(
            (2, 3), "top_k: 0", "top-k-zero", "`top_k` is 0; it must be at least 1", "top_k: 0",
            id="zero",
        ),
        pytest.param(
            (2, 3), "top_k: 4", "top-k-exceeds-classes", "`top_k` is 4, but an item has 3 values",
            "top_k: 4", id="item",
        ),
        pytest.param(
            (2, 3), "top_k: 3 axis: 0", "top-k-exceeds-classes",
            "`top_k` is 3, but axis 0 has 2 values", "top_k: 3", id="axis",
        ),
        pytest.param(
            (), "out_max_val: true", "axis-out-of-range",
            "the bottom of an ArgMax without `axis` needs an axis", 'bottom: "b0"', id="no axes",
        ),
    ],
)  # fmt: skip
def test_argmax_refuses(finding, shape, text, name, message, place):
    found = finding("ArgMax", [shape], f"argmax_param {{ {text} }}")
    assert found == ("error", name, message, place)
