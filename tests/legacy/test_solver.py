"""A solver's kind, from enum to name."""

from __future__ import annotations

import pytest

from caffegen.legacy.solver import _TYPES
from caffegen.schema import enum_type


def test_every_kind_has_its_name():
    words = enum_type("SolverParameter.SolverType").numbers
    assert set(_TYPES) == set(words)
    assert all(word == name.upper() for word, name in _TYPES.items())


@pytest.mark.parametrize(("word", "name"), [("SGD", "SGD"), ("1", "Nesterov"), ("5", "Adam")])
def test_the_enum_becomes_a_name(upgrade, word, name):
    found = upgrade(f"base_lr: 1 solver_type: {word}", "solver")
    assert found.upgrade.changed == ("solver-type",)
    assert found.text == f'base_lr: 1 type: "{name}"'
    assert found.net.span("type").text == f"solver_type: {word}"


def test_both_are_a_fault_and_the_name_is_kept(upgrade):
    found = upgrade('type: "Adam"\nsolver_type: SGD', "solver")
    assert found.found() == [
        (
            "solver-type-set-twice",
            '`solver_type: SGD` and `type: "Adam"` are both set; Caffe takes one or the other',
            "solver_type: SGD",
        )
    ]
    assert found.upgrade.faults[0].other == (0, 12)
    assert found.text == 'type: "Adam"'


def test_nets_inside_a_solver_stay_as_caffe_leaves_them(upgrade):
    found = upgrade("net_param { layers { type: RELU } } solver_type: SGD", "solver")
    assert found.text == 'net_param { layers { type: RELU } } type: "SGD"'
