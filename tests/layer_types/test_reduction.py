"""Reduction and Softmax: axes, tops, and the work they are."""

from __future__ import annotations

from math import prod

import pytest

from caffegen.layer_types import Cost


@pytest.mark.parametrize(
    ("text", "axis", "top"),
    [
        pytest.param("", 0, (), id="all"),
        pytest.param("reduction_param { axis: 2 }", 2, (2, 3), id="last axes"),
        pytest.param("reduction_param { axis: -1 }", 3, (2, 3, 4), id="from the end"),
    ],
)
def test_reduction_keeps_the_axes_before_its_own(layer, text, axis, top):
    found = layer("Reduction", [(2, 3, 4, 5)], text)
    assert (found.axis_index, found.top_shapes) == (axis, (top,))
    assert found.operation == "SUM"
    assert found.coeff == 1.0
    assert found.reduced_count == 120 // prod(top)


@pytest.mark.parametrize(
    ("operation", "cost"),
    [
        pytest.param("SUM", Cost(0, 12), id="sum"),
        pytest.param("ASUM", Cost(0, 24), id="absolute"),
        pytest.param("SUMSQ", Cost(12, 0), id="squares"),
        pytest.param("MEAN", Cost(0, 15), id="mean"),
    ],
)
def test_the_cost_of_a_reduction(layer, operation, cost):
    found = layer("Reduction", [(3, 4)], f"reduction_param {{ axis: 1 operation: {operation} }}")
    assert found.cost() == cost


def test_softmax_takes_axis_1_whatever_the_rank(layer):
    for shape in ((3, 5), (2, 3, 4, 5)):
        found = layer("Softmax", [shape])
        assert (found.axis_index, found.top_shapes) == (1, (shape,))
        assert found.in_place


@pytest.mark.parametrize(
    ("kind", "shape", "text", "message", "place"),
    [
        pytest.param(
            "Softmax", (5,), "", "`axis` is 1, but the bottom has 1 axis", '"Softmax"', id="default"
        ),
        pytest.param(
            "Softmax", (5, 4), "softmax_param { axis: -3 }",
            "`axis` is -3, but the bottom has 2 axes", "axis: -3", id="softmax",
        ),
        pytest.param(
            "Reduction", (), "", "`axis` is 0, but the bottom has 0 axes", '"Reduction"', id="scalar"
        ),
    ],
)  # fmt: skip
def test_an_axis_out_of_range_is_refused(finding, kind, shape, text, message, place):
    assert finding(kind, [shape], text) == ("error", "axis-out-of-range", message, place)


@pytest.mark.parametrize(
    ("kind", "shape", "text"),
    [
        pytest.param("Softmax", (2, 0, 3), "", id="softmax"),
        pytest.param("Reduction", (2, 0), "reduction_param { axis: 1 operation: MEAN }", id="mean"),
    ],
)
def test_an_empty_axis_is_refused(finding, kind, shape, text):
    message = f"the bottom is {list(shape)}; {kind} can't be set up without values"
    assert finding(kind, [shape], text) == ("error", "empty-bottom", message, 'bottom: "b0"')


@pytest.mark.parametrize(
    ("kind", "shape", "text"),
    [
        pytest.param("Softmax", (0, 3), "", id="softmax of no items"),
        pytest.param("Reduction", (0, 3), "reduction_param { axis: 1 }", id="sum of no items"),
        pytest.param("Reduction", (2, 0), "reduction_param { operation: ASUM }", id="no values"),
    ],
)
def test_empty_axes_that_caffe_takes(layer, kind, shape, text):
    assert list(layer(kind, [shape], text).report) == []
