"""Net-level inputs, made an Input layer."""

from __future__ import annotations

import pytest

from caffegen import loads
from caffegen.check import Options, check_source
from caffegen.text import Source

DIMS = "input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4 "


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        pytest.param(
            f'input: "a" {DIMS}',
            'top: "a" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 4 } }',
            id="sizes",
        ),
        pytest.param(
            'input_shape { dim: 5 } input: "a" input: "b" input_shape { }',
            'top: "a" top: "b" input_param { shape { dim: 5 } shape { } }',
            id="shapes",
        ),
        pytest.param(
            f'input: "a" {DIMS} input_shape {{ dim: 7 }}',
            'top: "a" input_param { shape { dim: 7 } }',
            id="shapes before sizes",
        ),
    ],
)
def test_inputs_become_a_layer(upgrade, text, printed):
    assert upgrade(text).text == f'layer {{ name: "input" type: "Input" {printed} }}'


def test_the_layer_comes_first(upgrade):
    found = upgrade(f'layer {{ name: "x" }} input: "a" {DIMS}')
    assert [layer.name for layer in found.layers] == ["input", "x"]


def test_sizes_without_an_input_stay(upgrade):
    assert upgrade(DIMS).upgrade.changed == ()


@pytest.mark.parametrize(
    ("text", "found", "help"),
    [
        pytest.param(
            'input: "a" input: "b"',
            (
                "input-without-shape",
                "no sizes are given for the input `a`, `b`; Caffe drops it",
                'input: "a"',
            ),
            "give four `input_dim` for each `input`, or one `input_shape`",
            id="no sizes",
        ),
        pytest.param(
            f'input: "a" {DIMS} input: "b" input_dim: 5',
            (
                "too-few-input-sizes",
                "5 `input_dim` for 2 inputs; each `input` takes 4",
                'input: "b"',
            ),
            "give blobs of fewer axes by `input_shape { dim: ... }`",
            id="few sizes",
        ),
        pytest.param(
            'input: "a" input: "b" input_shape { dim: 5 }',
            (
                "too-few-input-sizes",
                "1 `input_shape` for 2 inputs; each `input` takes its own",
                'input: "b"',
            ),
            "add the `input_shape` of `b`",
            id="few shapes",
        ),
        pytest.param(
            f'input: "a" {DIMS} input_dim: 9',
            (
                "input-sizes-left-over",
                "this `input_dim` belongs to no `input`; Caffe passes over it",
                "input_dim: 9",
            ),
            "remove it, or give the `input` that it belongs to",
            id="many sizes",
        ),
        pytest.param(
            'input: "a" input_shape { dim: 5 } input_shape { dim: 6 }',
            (
                "input-sizes-left-over",
                "this `input_shape` belongs to no `input`; Caffe passes over it",
                "input_shape { dim: 6 }",
            ),
            "remove it, or give the `input` that it belongs to",
            id="many shapes",
        ),
        pytest.param(
            f'input: "a" input_shape {{ dim: 5 }} {DIMS}',
            (
                "input-sizes-left-over",
                "this `input_dim` belongs to no `input`; Caffe passes over it",
                "input_dim: 1",
            ),
            "remove it, or give the `input` that it belongs to",
            id="both",
        ),
    ],
)
def test_findings(upgrade, text, found, help):
    upgraded = upgrade(text)
    assert upgraded.found() == [found]
    (fault,) = (*upgraded.upgrade.faults, *upgraded.upgrade.warnings)
    assert fault.help == help
    assert bool(upgraded.upgrade.faults) == (found[0] == "too-few-input-sizes")


def test_places_go_along(upgrade):
    found = upgrade(f'name: "n"\ninput: "a"\n{DIMS}\ninput: "b"\n{DIMS}')
    layer = found.layers[0]
    assert layer.span().line == 2
    assert layer.span("top", 1).line == 4
    assert layer.input_param.shape[1].span().line == 5
    assert layer.input_param.shape[0].span("dim", 2).text == "input_dim: 3"


BARE = """input: "x" input: "y"
layer { name: "sum" type: "Eltwise" bottom: "x" bottom: "y" top: "sum" }
"""


def test_the_caller_gives_the_sizes_that_the_file_lacks():
    given = {"x": (2, 3), "y": (2, 3)}
    net = loads(BARE, inputs=given)
    assert net.shapes == {**given, "sum": (2, 3)}
    assert net.inputs == ("x", "y")
    assert check_source(Source(BARE), Options(given=given)).diagnostics == []


def test_sizes_of_some_inputs_are_not_enough():
    found = check_source(Source(BARE), Options(given={"x": (2, 3)})).diagnostics
    assert "input-without-shape" in {d.name for d in found}
