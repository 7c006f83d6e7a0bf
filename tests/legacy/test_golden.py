"""Every old text that Caffe's own tools upgraded, and what holds for every upgrade."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from caffegen.legacy import upgrade_net, upgrade_solver
from caffegen.schema import message_type
from caffegen.text import Message, Source, parse
from tests.conftest import golden_json
from tests.legacy.conftest import upgraded
from tests.legacy.nets import old_nets

UPGRADES = golden_json("upgrade.json")
TRICKY = [case for case in golden_json("tricky.json") if "layers" in case["prototxt"]
          or "input_dim" in case["prototxt"] or "\ninput:" in f"\n{case['prototxt']}"]  # fmt: skip
OLD_REFUSED = {
    "v1_v2_mixed": ["mixed-layer-versions"],
    "v0_v1_mixed": ["mixed-layer-versions"],
    "v0_unknown": ["unknown-v0-layer-type"],
    "legacy_input_alone": ["input-without-shape"],
}


def ids(case):
    return case["name"]


def snapshot(value):
    """Everything a message holds, places and all, as plain values."""
    if isinstance(value, Message):
        fields = {name: snapshot(item) for name, item in value._values.items()}
        places = {name: snapshot(place) for name, place in value._places.items()}
        unknown = [(field.name, field.text, field.place) for field in value.unknown]
        return fields, places, value._place, unknown
    return [snapshot(item) for item in value] if isinstance(value, list) else value


def expected(text, kind):
    name = {"net": "NetParameter", "solver": "SolverParameter"}[kind]
    parsed = parse(Source(text), message_type(name))
    assert parsed.faults == []
    return parsed.message


@pytest.mark.parametrize("case", [c for c in UPGRADES if c["ok"]], ids=ids)
def test_upgraded_as_caffe_upgrades(case):
    found = upgraded(case["before"], case["kind"])
    assert found.net == expected(case["after"], case["kind"])
    assert found.upgrade.faults == []
    assert bool(found.upgrade.changed) != case.get("already_current", False)


@pytest.mark.parametrize("case", [c for c in UPGRADES if not c["ok"]], ids=ids)
def test_what_caffe_refuses_is_a_fault(case):
    source = Source(case["before"])
    parsed = parse(source, message_type("NetParameter"))
    assert parsed.faults or upgrade_net(parsed.message).faults


@pytest.mark.parametrize("case", TRICKY, ids=ids)
def test_upgraded_as_caffe_loads(case):
    found = upgraded(case["prototxt"]).net
    assert list(found.layer) == list(expected(case["normalized"], "net").layer)


@pytest.mark.parametrize("name", OLD_REFUSED)
def test_old_forms_that_caffe_refuses_are_named(name):
    case = next(case for case in golden_json("invalid.json") if case["name"] == name)
    assert [found[0] for found in upgraded(case["prototxt"]).found()] == OLD_REFUSED[name]


@pytest.mark.parametrize("case", UPGRADES, ids=ids)
def test_an_upgrade_is_done_once_and_leaves_what_it_was_given(case):
    check_laws(case["before"], case["kind"])


@settings(max_examples=200, deadline=None)
@given(old_nets())
def test_generated_nets_keep_the_same_laws(words):
    check_laws(" ".join(words), "net")


def check_laws(text, kind):
    found = upgraded(text, kind)
    untouched = upgraded(text, kind).parsed
    assert snapshot(found.parsed) == snapshot(untouched)
    again = (upgrade_net if kind == "net" else upgrade_solver)(found.net)
    assert again.message is found.net
    assert (again.changed, again.faults, again.warnings) == ((), [], [])
    assert not found.net.has("layers") if kind == "net" else not found.net.has("solver_type")


def test_a_net_of_today_comes_back_as_it_is(upgrade):
    found = upgrade('layer { type: "BatchNorm" param { lr_mult: 0 } }')
    assert found.net is found.parsed
    assert found.upgrade.changed == ()


@pytest.mark.parametrize("words", ["layer.name", "layer.type", "layer.bottom"])
def test_the_guard_sees_a_step_that_edits_its_input(words):
    """The snapshot above is no empty promise: an edit deep inside shows."""
    parsed = upgraded('layer { name: "x" type: "ReLU" bottom: "y" }').parsed
    before = snapshot(parsed)
    parsed.layer[0].clear(words.split(".")[1])
    assert snapshot(parsed) != before
