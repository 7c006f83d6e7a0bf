"""The layers that work value by value: their facts, and the numbers that Caffe can't work with."""

from __future__ import annotations

import math

import pytest

from caffegen.layer_types import FAMILIES, Cost

DATA = (2, 3, 4, 5)
NEURONS = FAMILIES["activation"]


@pytest.mark.parametrize("kind", NEURONS)
@pytest.mark.parametrize("shape", [(7, 3), (2, 3, 4), DATA], ids=str)
def test_the_top_has_the_shape_of_the_bottom(layer, kind, shape):
    text = "clip_param { min: 0 max: 6 }" if kind == "Clip" else ""
    found = layer(kind, [shape], text)
    assert found.top_shapes == (shape,)
    assert list(found.report) == []


@pytest.mark.parametrize("kind", sorted(set(NEURONS) - {"PReLU"}))
@pytest.mark.parametrize("shape", [(), (9,), (1, 2, 3, 4, 5)], ids=str)
def test_any_rank_will_do(layer, kind, shape):
    found = layer(kind, [shape], "clip_param { min: 0 max: 6 }" if kind == "Clip" else "")
    assert found.top_shapes == (shape,)
    assert found.blobs == ()


@pytest.mark.parametrize(
    ("kind", "text", "facts"),
    [
        pytest.param("Clip", "clip_param { min: -1 max: 6 }", {"min": -1, "max": 6}, id="Clip"),
        pytest.param("Dropout", "", {"ratio": 0.5, "scale": 2}, id="Dropout"),
        pytest.param(
            "Dropout", "dropout_param { dropout_ratio: 0.75 }", {"ratio": 0.75, "scale": 4},
            id="Dropout, ratio",
        ),
        pytest.param("ELU", "", {"alpha": 1}, id="ELU"),
        pytest.param(
            "Exp", "", {"base": None, "scale": 1, "shift": 0, "inner_scale": 1, "outer_scale": 1},
            id="Exp",
        ),
        pytest.param(
            "Exp", "exp_param { base: 2 scale: 0 shift: 3 }", {"inner_scale": 0, "outer_scale": 8},
            id="Exp, constant",
        ),
        pytest.param(
            "Exp", "exp_param { shift: 1e3 }", {"outer_scale": math.inf}, id="Exp, too large",
        ),
        pytest.param(
            "Log", "", {"base": None, "scale": 1, "shift": 0, "base_scale": 1}, id="Log"
        ),
        pytest.param(
            "Log", "log_param { base: 0.5 shift: 1 }", {"base": 0.5, "shift": 1}, id="Log, base",
        ),
        pytest.param("Power", "", {"power": 1, "scale": 1, "shift": 0, "constant": None}, id="Power"),
        pytest.param(
            "Power", "power_param { power: 0 shift: 5 }", {"constant": 1}, id="Power, power 0"
        ),
        pytest.param(
            "Power", "power_param { power: 2 scale: 0 shift: 3 }", {"constant": 9},
            id="Power, scale 0",
        ),
        pytest.param(
            "Power", "power_param { power: -1 scale: 0 }", {"constant": math.inf},
            id="Power, division by zero",
        ),
        pytest.param("ReLU", "", {"negative_slope": 0}, id="ReLU"),
        pytest.param("ReLU", "relu_param { negative_slope: 0.5 }", {"negative_slope": 0.5}, id="leaky"),
        pytest.param("Swish", "", {"beta": 1}, id="Swish"),
        pytest.param("Threshold", "threshold_param { threshold: -2 }", {"threshold": -2}, id="Threshold"),
    ],
)  # fmt: skip
def test_facts(layer, kind, text, facts):
    found = layer(kind, [DATA], text)
    assert {name: getattr(found, name) for name in facts} == facts


def test_a_negative_number_to_a_fraction_is_no_number(layer):
    found = layer("Power", [DATA], "power_param { power: 0.5 scale: 0 shift: -1 }")
    assert math.isnan(found.constant)


def test_log_base_scale_turns_natural_logarithms_into_those_of_the_base(layer):
    found = layer("Log", [DATA], "log_param { base: 10 }")
    assert found.base_scale * math.log(1000) == pytest.approx(3, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "shape", "value"),
    [
        pytest.param("", (3,), 0.25, id="a slope per channel"),
        pytest.param("channel_shared: true", (), 0.25, id="shared: no axes"),
        pytest.param("filler { value: 0.5 }", (3,), 0.5, id="filler"),
    ],
)
def test_prelu_blob(layer, text, shape, value):
    (slope,) = layer("PReLU", [DATA], f"prelu_param {{ {text} }}").blobs
    assert (slope.name, slope.shape, slope.learned) == ("slope", shape, True)
    assert (slope.filler.type, slope.filler.value) == ("constant", value)


@pytest.mark.parametrize(
    ("kind", "bottom", "text", "name", "message", "place"),
    [
        pytest.param(
            "PReLU", (5,), "", "wrong-number-of-axes",
            "PReLU takes 2 to 4 axes; the bottom is [5]", 'bottom: "b0"', id="PReLU, one axis",
        ),
        pytest.param(
            "PReLU", (1, 2, 3, 4, 5), "", "wrong-number-of-axes",
            "PReLU takes 2 to 4 axes; the bottom is [1, 2, 3, 4, 5]", 'bottom: "b0"',
            id="PReLU, five axes",
        ),
        pytest.param(
            "PReLU", (2, 3, 0), "", "empty-bottom",
            "the bottom is [2, 3, 0]; PReLU can't be set up without values", 'bottom: "b0"',
            id="PReLU, nothing",
        ),
        pytest.param(
            "Exp", DATA, "exp_param { base: 0 }", "base-not-positive",
            "`base` is 0; it must be above 0, or -1 for e", "base: 0", id="Exp, base 0",
        ),
        pytest.param(
            "Log", DATA, "log_param { base: -2 }", "base-not-positive",
            "`base` is -2; it must be above 0, or -1 for e", "base: -2", id="Log, base -2",
        ),
        pytest.param(
            "Log", DATA, "log_param { base: nan }", "base-not-positive",
            "`base` is nan; it must be above 0, or -1 for e", "base: nan", id="Log, base nan",
        ),
        pytest.param(
            "Log", DATA, "log_param { base: 1 }", "base-one",
            "`base` is 1, whose logarithm is 0: there is no logarithm to it", "base: 1",
            id="Log, base 1",
        ),
        pytest.param(
            "Exp", DATA, "exp_param { base: inf }", "base-infinite",
            "`base` is infinite, and so is its logarithm", "base: inf", id="Exp, base inf",
        ),
        pytest.param(
            "ReLU", DATA, "relu_param { engine: CUDNN }", "engine-needs-cudnn",
            "`engine: CUDNN` is refused by every Caffe that is built without cuDNN",
            "engine: CUDNN", id="engine",
        ),
    ],
)  # fmt: skip
def test_refused(finding, kind, bottom, text, name, message, place):
    assert finding(kind, [bottom], text) == ("error", name, message, place)


@pytest.mark.parametrize("missing", ["min", "max"])
def test_clip_requires_both_bounds(layer, missing):
    given = "max" if missing == "min" else "min"
    found = layer("Clip", [DATA], f"clip_param {{ {given}: 1 }}")
    names = [(d.severity, d.name) for d in found.report]
    assert ("error", "required-field-missing") in names


@pytest.mark.parametrize(
    ("kind", "text", "name", "message", "place"),
    [
        pytest.param(
            "Clip", "", "clip-without-bounds", "Clip without `clip_param` makes every value 0",
            '"Clip"', id="no bounds",
        ),
        pytest.param(
            "Clip", "clip_param { min: 1 max: -1 }", "clip-range-reversed",
            "`min` (1) is above `max` (-1): every value becomes `min`", "min: 1", id="reversed",
        ),
        pytest.param(
            "Dropout", "dropout_param { dropout_ratio: 1 }", "dropout-ratio-out-of-range",
            "`dropout_ratio` is 1; it lies between 0 and 1", "dropout_ratio: 1", id="ratio 1",
        ),
        pytest.param(
            "Dropout", "dropout_param { dropout_ratio: 0 }", "dropout-ratio-out-of-range",
            "`dropout_ratio` is 0; it lies between 0 and 1", "dropout_ratio: 0", id="ratio 0",
        ),
    ],
)  # fmt: skip
def test_warned_of(finding, kind, text, name, message, place):
    assert finding(kind, [DATA], text) == ("warning", name, message, place)


IN_PLACE = 'top: "b0"'


def test_absval_refuses_to_work_in_place(layer):
    found = layer("AbsVal", [DATA], IN_PLACE, tops=0)
    (error,) = found.report
    assert (error.severity, error.name, error.span.text) == (
        "error", "unsupported-in-place", 'top: "b0"',
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "text", "wrong"),
    [
        pytest.param("BNLL", "", True, id="BNLL"),
        pytest.param("Clip", "clip_param { min: 0 max: 1 }", True, id="Clip"),
        pytest.param("Log", "", True, id="Log"),
        pytest.param("Power", "power_param { power: 2 }", True, id="Power"),
        pytest.param("Power", "power_param { scale: 2 }", False, id="Power 1"),
        pytest.param("Power", "power_param { scale: 0 power: 2 }", False, id="Power, constant"),
        pytest.param("ReLU", "", False, id="ReLU"),
        pytest.param("ReLU", "relu_param { negative_slope: -1 }", True, id="ReLU, slope below 0"),
        pytest.param("ELU", "", False, id="ELU"),
        pytest.param("ELU", "elu_param { alpha: -1 }", True, id="ELU, alpha below 0"),
        pytest.param("Sigmoid", "", False, id="Sigmoid"),
        pytest.param("TanH", "", False, id="TanH"),
        pytest.param("Exp", "", False, id="Exp"),
        pytest.param("Swish", "", False, id="Swish"),
        pytest.param("PReLU", "", False, id="PReLU"),
        pytest.param("Dropout", "", False, id="Dropout"),
    ],
)
@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_gradients_in_place(layer, kind, text, wrong, phase):
    found = layer(kind, [DATA], f"{IN_PLACE} {text}", tops=0, phase=phase)
    expected = ["in-place-gradient-wrong"] if wrong and phase == "TRAIN" else []
    assert [d.name for d in found.report] == expected


@pytest.mark.parametrize(
    ("kind", "text", "phase", "ops"),
    [
        pytest.param("ReLU", "", "TEST", 120, id="ReLU"),
        pytest.param("ReLU", "relu_param { negative_slope: 0.1 }", "TEST", 240, id="leaky ReLU"),
        pytest.param("Dropout", "", "TRAIN", 120, id="Dropout in TRAIN"),
        pytest.param("Dropout", "", "TEST", 0, id="Dropout in TEST"),
        pytest.param("Power", "", "TEST", 0, id="Power that does nothing"),
        pytest.param("Power", "power_param { power: 2 shift: 1 }", "TEST", 240, id="Power"),
    ],
)
def test_cost(layer, kind, text, phase, ops):
    assert layer(kind, [DATA], text, phase=phase).cost() == Cost(0, ops)
