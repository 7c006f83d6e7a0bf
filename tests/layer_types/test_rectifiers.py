"""The forks' activations: their facts, shapes and findings."""

from __future__ import annotations

import pytest

from caffegen.layer_types import Cost, definition_of

DATA = (2, 3, 4, 5)


@pytest.mark.parametrize(
    ("kind", "text", "facts"),
    [
        ("ReLU6", "", {"negative_slope": 0}),
        ("ReLU6", "relu6_param { negative_slope: 0.5 }", {"negative_slope": 0.5}),
        ("HardSigmoid", "", {"alpha": pytest.approx(0.2), "beta": 0.5}),
        ("SeLu", "", {"scale": pytest.approx(1.050701), "alpha": pytest.approx(1.6732632)}),
        ("SeLu", "selu_param { lambda: 2 alpha: 3 }", {"scale": 2, "alpha": 3}),
        ("SpatialDropout", "dropout_param { dropout_ratio: 0.25 }", {"ratio": 0.25}),
        ("Mish", "mish_param { engine: CAFFE }", {}),
        ("HardSwish", "", {}),
    ],
)
def test_facts(layer, kind, text, facts):
    found = layer(kind, [DATA], text)
    assert list(found.report) == []
    assert {name: getattr(found, name) for name in facts} == facts
    assert found.top_shapes == (DATA,)


def test_cost(layer):
    assert layer("ReLU6", [DATA]).cost() == Cost(0, 240)
    assert layer("CReLU", [DATA]).cost() == Cost(0, 240)
    assert layer("SpatialDropout", [DATA]).cost() == Cost()
    assert layer("SpatialDropout", [DATA], phase="TRAIN").cost() == Cost(0, 120)


@pytest.mark.parametrize(
    ("text", "top"),
    [("", (2, 6, 4, 5)), ("crelu_param { concat_axis: -1 }", (2, 3, 4, 10))],
    ids=["channels", "last"],
)
def test_crelu(layer, text, top):
    assert layer("CReLU", [DATA], text).top_shapes == (top,)


def test_crelu_refuses_to_work_in_place(layer):
    found = layer("CReLU", [DATA], 'top: "b0"', tops=0)
    assert [entry.name for entry in found.report] == ["unsupported-in-place"]


def test_crelu_axis(finding):
    severity, name, message, _ = finding("CReLU", [DATA], "crelu_param { concat_axis: 4 }")
    assert (severity, name) == ("error", "axis-out-of-range")
    assert message == "`concat_axis` is 4, but the bottom has 4 axes"


def test_intel_does_not_read_the_dropout_parameters_of_its_own(finding):
    severity, name, message, place = finding(
        "SpatialDropout", [DATA], "spatial_dropout_param { dropout_ratio: 0.2 }"
    )
    assert (severity, name) == ("warning", "parameters-without-effect")
    assert message == "SpatialDropout does not read `spatial_dropout_param`"
    assert place.startswith("spatial_dropout_param")


@pytest.mark.parametrize(
    ("kind", "slope", "warned"),
    [
        ("Mish", "", True), ("SeLu", "", True), ("HardSwish", "", True), ("ReLU6", "", False),
        ("ReLU6", "relu6_param { negative_slope: -1 }", True), ("SpatialDropout", "", False),
    ],
)  # fmt: skip
def test_gradient_in_place(layer, kind, slope, warned):
    found = layer(kind, [DATA], slope + ' top: "b0"', tops=0, phase="TRAIN")
    assert [entry.name for entry in found.report] == ["in-place-gradient-wrong"] * warned


def enet(text):
    return (
        'python_param { module: "spatial_dropout" layer: "SpatialDropoutLayer" '
        f'param_str: "{text}" }}'
    )


def define(text, bottom=DATA):
    from caffegen.diagnostics import Report
    from caffegen.schema import message_type
    from caffegen.text import Source, parse

    source = Source(f'layer {{ name: "l" type: "Python" bottom: "b" top: "t" {enet(text)} }}')
    layer = parse(source, message_type("NetParameter")).message.layer[0]
    definition = definition_of(layer)(layer, "TEST", Report())
    definition.infer([bottom])
    return definition


def test_the_python_layer_of_enet():
    found = define("{'phase': 'TEST', 'p': '0.2'}")
    assert (found.drops, found.ratio, found.scale) == (False, 0.2, 1.25)
    assert found.top_shapes == (DATA,)
    assert found.cost() == Cost(0, 120)
    assert define("{'phase': 'TRAIN', 'p': 0.1}").drops


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "SpatialDropoutLayer reads a dict with `phase` and `p` from `param_str`"),
        ("p: 1", "SpatialDropoutLayer reads a dict with `phase` and `p` from `param_str`"),
        ("{'p': 0.1}", "SpatialDropoutLayer reads a dict with `phase` and `p` from `param_str`"),
        (
            "__import__('os')",
            "SpatialDropoutLayer reads a dict with `phase` and `p` from `param_str`",
        ),
        (
            "{'phase': 'TEST', 'p': 1}",
            "`p` is 1; SpatialDropoutLayer takes what lies between 0 and 1",
        ),
    ],
)
def test_unreadable_parameters_of_enet(text, message):
    (found,) = define(text).report
    assert (found.severity, found.name, found.message) == ("error", "param-str-not-read", message)
