"""Blobs, versions and readers, as Caffe connects them."""

import pytest

import caffegen
from caffegen.diagnostics import Report
from caffegen.errors import CaffegenError
from caffegen.net import NetState, build_graph, filter_layers, state_of
from caffegen.schema import message_type
from caffegen.schema.suggest import nearest
from caffegen.text import Source, parse

NET = message_type("NetParameter")


def layers(text):
    return parse(Source(text), NET).message


def graph_of(text):
    report = Report()
    return build_graph("n", layers(text).layer, report, nearest), report


def layer(name, kind="ReLU", bottom=(), top=(), extra=""):
    parts = [f'name: "{name}" type: "{kind}"', *(f'bottom: "{b}"' for b in bottom)]
    parts += [*(f'top: "{t}"' for t in top), extra]
    return f"layer {{ {' '.join(parts)} }}\n"


DATA = layer("data", "Input", top=["data"])


def test_in_place_makes_a_new_version():
    text = (
        DATA + layer("conv", "Convolution", ["data"], ["c"]) + layer("relu", "ReLU", ["c"], ["c"])
    )
    graph, report = graph_of(text + layer("ip", "InnerProduct", ["c"], ["ip"]))
    assert not report.diagnostics
    assert [value.key for value in graph.values] == ["data", "c", "c#1", "ip"]
    conv, relu, ip = graph.nodes[1:]
    assert relu.inputs == conv.outputs
    assert ip.inputs == relu.outputs
    assert graph.final["c"].version == 1
    assert [value.name for value in graph.outputs] == ["ip"]


def test_outputs_are_sorted_by_name():
    graph, _ = graph_of(DATA + layer("z", "Split", ["data"], ["zebra", "ape"]))
    assert [value.name for value in graph.outputs] == ["ape", "zebra"]


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (DATA + layer("a", bottom=["dat"], top=["x"]), "unknown-bottom",
         "no layer before `a` makes the blob `dat`; did you mean `data`?"),
        (DATA + layer("a", bottom=["x"], top=["x"]), "bottom-before-top",
         "layer `a` reads `x`, which only it makes"),
        (DATA + layer("a", bottom=["y"], top=["x"]) + layer("b", bottom=["data"], top=["y"]),
         "bottom-before-top", "`y` is read before layer `b` makes it"),
        (DATA + layer("a", bottom=["data"], top=["x"]) + layer("b", bottom=["data"], top=["x"]),
         "top-made-twice", "`x` is the top of `a` and of `b`; one blob has one maker"),
        (DATA + layer("a", "Slice", ["data"], ["x", "x"]), "top-made-twice",
         "`x` is the top of `a` and of `a`; one blob has one maker"),
        (DATA + layer("a", bottom=["data"], top=["x"]) + layer("b", bottom=["data"], top=["data"]),
         "in-place-over-shared-blob", "`b` works in place on `data`, but `a` reads it too"),
        (DATA + layer("a", "Eltwise", ["data", "data"], ["data"]), "in-place-over-shared-blob",
         "`a` works in place on `data`, but the layer reads it twice"),
        (DATA + layer("a", bottom=["data"], top=["x"], extra="loss_weight: 1") + layer("b", bottom=["x"], top=["x"]),
         "in-place-over-shared-blob", "`b` works in place on `x`, but it has a loss weight"),
    ],
    ids=["misspelt", "own", "later", "twice", "twice in one", "shared", "read twice", "loss"],
)  # fmt: skip
def test_refused(text, name, message):
    _, report = graph_of(text)
    assert [(d.name, d.message) for d in report.errors] == [(name, message)]
    assert report.errors[0].span is not None


RULES = [
    ("", NetState(), True),
    ("include { phase: TRAIN }", NetState("TEST"), False),
    ("include { phase: TRAIN } include { phase: TEST }", NetState("TEST"), True),
    ("exclude { phase: TEST }", NetState("TEST"), False),
    ("exclude { phase: TRAIN }", NetState("TEST"), True),
    ("include { min_level: 2 }", NetState(level=1), False),
    ("include { min_level: 2 }", NetState(level=2), True),
    ("include { max_level: 2 }", NetState(level=3), False),
    ('include { stage: "a" stage: "b" }', NetState(stages=("a",)), False),
    ('include { stage: "a" stage: "b" }', NetState(stages=("b", "a")), True),
    ('include { not_stage: "a" }', NetState(stages=("a",)), False),
    ("include { }", NetState("TRAIN"), True),
]


@pytest.mark.parametrize(("rule", "state", "kept"), RULES, ids=[f"{r[0]} {r[1]}" for r in RULES])
def test_filter(rule, state, kept):
    report = Report()
    found = filter_layers(layers(layer("a", extra=rule)), state, report)
    assert bool(found) is kept
    assert not report.diagnostics


def test_include_and_exclude_together_are_refused():
    report = Report()
    text = layer("a", extra="include { phase: TEST } exclude { phase: TRAIN }")
    filter_layers(layers(text), NetState(), report)
    assert [d.name for d in report.errors] == ["include-and-exclude"]


def test_a_phase_that_there_is_not_is_refused():
    with pytest.raises(CaffegenError, match="`train` is no phase; there are `TRAIN` and `TEST`"):
        state_of(layers(""), "train", 0, ())


@pytest.mark.parametrize(("number", "word"), [(caffegen.TRAIN, "TRAIN"), (caffegen.TEST, "TEST")])
def test_a_phase_may_be_pycaffes_number(number, word):
    net = caffegen.loads(
        'layer { name: "d" type: "DummyData" top: "d" dummy_data_param { shape { dim: 1 } } }',
        phase=number,
    )
    assert net.phase == word
    assert net.layers[0].definition.phase == word
    with pytest.raises(CaffegenError, match="`2` is no phase"):
        caffegen.loads("", phase=2)


def test_one_stage_may_stand_by_itself():
    assert state_of(layers(""), "TEST", 0, "deploy").stages == ("deploy",)


def test_many_missing_blobs_are_not_all_looked_for():
    text = layer("a", top=["top"]) + "".join(layer(f"l{n}", bottom=["tops"]) for n in range(60))
    report = Report()
    build_graph("n", layers(text).layer, report, nearest)
    told = [found.message.endswith("; did you mean `top`?") for found in report]
    assert told == [True] * 50 + [False] * 10
