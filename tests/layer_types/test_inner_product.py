"""InnerProduct and Embed: what is one item, which way the weights lie, and what can't be filled."""

from __future__ import annotations

import pytest

from caffegen.layer_types import Cost


@pytest.mark.parametrize(
    ("bottom", "text", "top", "weight"),
    [
        pytest.param((2, 3, 4, 5), "", (2, 8), (8, 60), id="default"),
        pytest.param((2, 3, 4, 5), "axis: 2", (2, 3, 8), (8, 20), id="axis 2"),
        pytest.param((2, 3, 4, 5), "axis: -1", (2, 3, 4, 8), (8, 5), id="last axis"),
        pytest.param((7,), "axis: 0", (8,), (8, 7), id="axis 0"),
        pytest.param((2, 6), "transpose: true", (2, 8), (6, 8), id="transpose"),
    ],
)
def test_inner_product_shapes(layer, bottom, text, top, weight):
    found = layer("InnerProduct", [bottom], f"inner_product_param {{ num_output: 8 {text} }}")
    assert found.top_shapes == (top,)
    assert [(blob.name, blob.shape) for blob in found.blobs] == [("weight", weight), ("bias", (8,))]
    assert found.axis_index == len(top) - 1
    assert found.input_count in weight


def test_embed_adds_an_axis(layer):
    found = layer("Embed", [(3, 4)], "embed_param { num_output: 5 input_dim: 9 }")
    assert found.top_shapes == ((3, 4, 5),)
    assert [(blob.name, blob.shape) for blob in found.blobs] == [("weight", (9, 5)), ("bias", (5,))]
    assert (found.num_output, found.input_dim, found.bias_term) == (5, 9, True)


def test_cost(layer):
    found = layer("InnerProduct", [(2, 6)], "inner_product_param { num_output: 8 }")
    assert found.cost() == Cost(2 * 8 * 6, 16)
    found = layer("Embed", [(2, 6)], "embed_param { num_output: 8 input_dim: 9 bias_term: false }")
    assert found.cost() == Cost()


@pytest.mark.parametrize(
    ("kind", "bottom", "text", "name", "message", "place"),
    [
        pytest.param(
            "InnerProduct", (2, 6), "inner_product_param { bias_term: true }", "num-output-zero",
            "InnerProduct needs a `num_output` of at least 1", "inner_product_param { bias_term: true }",
            id="no num_output",
        ),
        pytest.param(
            "InnerProduct", (2, 6), "inner_product_param { num_output: 4294967295 }", "num-output-zero",
            "InnerProduct needs a `num_output` of at least 1", "num_output: 4294967295",
            id="num_output -1",
        ),
        pytest.param(
            "InnerProduct", (6,), "inner_product_param { num_output: 2 }", "axis-out-of-range",
            "`axis` is 1, but the bottom has 1 axis", "inner_product_param { num_output: 2 }", id="axis",
        ),
        pytest.param(
            "InnerProduct", (2, 0), "inner_product_param { num_output: 2 }", "empty-bottom",
            "the bottom is [2, 0]; InnerProduct can't be set up without values", 'bottom: "b0"',
            id="no values",
        ),
        pytest.param(
            "InnerProduct", (0, 2), "inner_product_param { num_output: 2 }", "empty-bottom",
            "the bottom is [0, 2]; InnerProduct can't be set up without values", 'bottom: "b0"',
            id="no items to add the bias to",
        ),
        pytest.param(
            "InnerProduct", (2, 65536), "inner_product_param { num_output: 65536 }", "blob-too-large",
            "the shape [65536, 65536] has more than 2147483647 values", "num_output: 65536",
            id="too large",
        ),
        pytest.param(
            "Embed", (2,), "embed_param { num_output: 5 }", "input-dim-zero",
            "Embed needs an `input_dim` of at least 1, the number of rows",
            "embed_param { num_output: 5 }", id="no rows",
        ),
        pytest.param(
            "Embed", (1,) * 32, "embed_param { num_output: 5 input_dim: 2 }", "more-than-32-axes",
            "the top has one axis more than the bottom; a blob has 32 at most", 'top: "t0"',
            id="too many axes",
        ),
    ],
)  # fmt: skip
def test_refused(finding, kind, bottom, text, name, message, place):
    assert finding(kind, [bottom], text) == ("error", name, message, place)


def test_no_items_will_do_without_a_bias(layer):
    text = "inner_product_param { num_output: 2 bias_term: false }"
    assert layer("InnerProduct", [(0, 2)], text).top_shapes == ((0, 2),)


def test_in_place_is_taken_and_warned_of(layer):
    found = layer(
        "InnerProduct", [(4, 5)], 'top: "b0" inner_product_param { num_output: 5 }', tops=0
    )
    assert [(d.severity, d.name) for d in found.report] == [
        ("warning", "in-place-overwrites-input")
    ]
