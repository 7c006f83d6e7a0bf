"""Insanity and SeLuDropout: shapes, and what is said of their parameters."""

import pytest


@pytest.mark.parametrize("kind", ["Insanity", "SeLuDropout"])
def test_shape_of_the_bottom(layer, kind):
    assert layer(kind, [(2, 3, 4)]).top_shapes == ((2, 3, 4),)


@pytest.mark.parametrize(
    ("body", "name", "message", "at"),
    [
        ("lb: 9 ub: 3", "divisors-not-rising", "`ub` (3) is not above `lb` (9)", "ub: 3"),
        ("lb: 20", "divisors-not-rising", "`ub` (10) is not above `lb` (20)", "lb: 20"),
        ("lb: 0 ub: 3", "divisor-zero", "`lb` is 0, and values below 0 are divided by it", "lb: 0"),
        (
            "lb: -2 ub: 0", "divisor-zero", "`ub` is 0, and values below 0 are divided by it",
            "ub: 0",
        ),
    ],
)  # fmt: skip
def test_bounds_of_insanity(finding, body, name, message, at):
    found = finding("Insanity", [(2, 3)], f"insanity_param {{ {body} }}")
    assert found == ("error", name, message, at)


def test_the_ratio_of_selu_dropout(finding):
    body = "selu_dropout_param { dropout_ratio: 1.5 }"
    assert finding("SeLuDropout", [(2, 3)], body)[:2] == ("warning", "dropout-ratio-out-of-range")


def test_cost(layer):
    assert layer("SeLuDropout", [(2, 3)]).cost() == (0, 0)
    assert layer("SeLuDropout", [(2, 3)], phase="TRAIN").cost() == (0, 18)
    assert layer("Insanity", [(2, 3)]).cost() == (0, 18)
