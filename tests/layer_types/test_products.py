"""Axpy and MatMul: which shapes fit together."""

from __future__ import annotations

import pytest

from caffegen.layer_types import Cost


@pytest.mark.parametrize("factors", [(2, 3), (2, 3, 1, 1), (2, 3, 1)], ids=str)
def test_axpy(layer, factors):
    found = layer("Axpy", [factors, (2, 3, 4, 5), (2, 3, 4, 5)])
    assert list(found.report) == []
    assert found.top_shapes == ((2, 3, 4, 5),)
    assert found.cost() == Cost(120)


@pytest.mark.parametrize(
    ("shapes", "name", "message"),
    [
        pytest.param(
            [(2, 4), (2, 3, 5, 5), (2, 3, 5, 5)], "operand-shape-differs",
            "the factors are [2, 4], but the second bottom is [2, 3, 5, 5]: there must be one for "
            "each channel of each item", id="other channels",
        ),
        pytest.param(
            [(2, 3, 5, 5), (2, 3, 5, 5), (2, 3, 5, 5)], "operand-shape-differs",
            "the factors are [2, 3, 5, 5], but the second bottom is [2, 3, 5, 5]: there must be one "
            "for each channel of each item", id="a factor for each pixel",
        ),
        pytest.param(
            [(2, 3), (2, 3, 5, 5), (2, 3, 5, 4)], "bottoms-differ",
            "what is added has the shape of what is multiplied; bottom 1 is [2, 3, 5, 5], bottom 2 "
            "is [2, 3, 5, 4]", id="another shape is added",
        ),
        pytest.param(
            [(2,), (2, 3), (2, 3)], "wrong-number-of-axes",
            "Axpy takes 2 axes or more; the bottom is [2]", id="factors of one axis",
        ),
        pytest.param(
            [(2, 3), (2, 3, 1, 1, 1), (2, 3, 1, 1, 1)], "more-than-four-axes",
            "Axpy takes blobs of up to 4 axes; the bottom has 5", id="five axes",
        ),
    ],
)  # fmt: skip
def test_axpy_refuses(finding, shapes, name, message):
    severity, found, said, _ = finding("Axpy", shapes)
    assert (severity, found, said) == ("error", name, message)


@pytest.mark.parametrize(
    ("shapes", "text", "top", "macs"),
    [
        pytest.param([(3, 4), (4, 5)], "", (3, 5), 60, id="matrices"),
        pytest.param([(7, 2, 3, 4), (7, 2, 4, 5)], "", (7, 2, 3, 5), 840, id="many"),
        pytest.param([(4, 3), (4, 5)], "transpose_a: true", (3, 5), 60, id="a transposed"),
        pytest.param([(3, 4), (5, 4)], "transpose_b: true", (3, 5), 60, id="b transposed"),
    ],
)
def test_matmul(layer, shapes, text, top, macs):
    found = layer("MatMul", shapes, f"matmul_param {{ {text} }}")
    assert found.top_shapes == (top,)
    assert found.cost() == Cost(macs)


@pytest.mark.parametrize(
    ("shapes", "text", "message"),
    [
        pytest.param([(3, 4), (3, 5)], "", "[3, 4] can't be multiplied by [3, 5]", id="inner size"),
        pytest.param(
            [(2, 3, 4), (4, 5)], "", "[2, 3, 4] can't be multiplied by [4, 5]", id="other axes"
        ),
        pytest.param(
            [(2, 3, 4), (1, 4, 5)], "", "[2, 3, 4] can't be multiplied by [1, 4, 5]", id="no stretching"
        ),
        pytest.param(
            [(3, 4), (4, 5)], "transpose_a: true",
            "[3, 4] transposed can't be multiplied by [4, 5]", id="transposed",
        ),
        pytest.param([(3, 4), (4,)], "", "[3, 4] can't be multiplied by [4]", id="a vector"),
        pytest.param(
            [(3, 4), ()], "transpose_b: true", "[3, 4] can't be multiplied by [] transposed",
            id="a number",
        ),
    ],
)  # fmt: skip
def test_matmul_refuses(finding, shapes, text, message):
    severity, name, said, _ = finding("MatMul", shapes, f"matmul_param {{ {text} }}")
    assert (severity, name, said) == ("error", "matrices-do-not-fit", message)
