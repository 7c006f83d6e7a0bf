"""Every net that was put to real Caffe: its shapes, parameters, inputs and outputs, or its refusal.

`tests/golden/README.md` says how the values were made. `invalid_places.json` holds, for every net that
Caffe refuses, the first and the last line where the fault is: the guilty layer, or for a fault of the
text its line, found by reading the nets.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from caffegen.diagnostics import Report
from caffegen.layer_types import definition_of
from caffegen.loader import Examined, Net, examine
from caffegen.schema import message_type
from caffegen.text import Source, parse, print_message

GOLDEN = Path(__file__).parent.parent / "golden"


def read(name):
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def params(cases, kind=None):
    return [
        pytest.param(case, id=f"{case['type']}-{case['name']}" if kind else case["name"])
        for case in cases
    ]


LAYERS = params(read("layers/index.json"), "type")
TRICKY = params(read("tricky.json"))
INVALID = read("invalid.json")
PLACES = read("invalid_places.json")
NETS = read("nets/nets.json")


def examine_case(case) -> Examined:
    return examine(
        Source(case["prototxt"]),
        phase=case["phase"],
        level=case.get("level", 0),
        stages=case.get("stages", ()),
    )


def automatic_blobs(case, graph) -> dict[str, str]:
    """The tops of the Split layers that Caffe put in, and the blob behind each."""
    ours = {node.name for node in graph.nodes}
    return {
        top: layer["bottoms"][0]
        for layer in case["layers"]
        if layer["type"] == "Split" and layer["name"] not in ours
        for top in layer["tops"]
    }


def check_accepted(case) -> None:
    examined = examine_case(case)
    graph = examined.graph
    assert [str(diagnostic) for diagnostic in examined.report.errors] == []
    net = Net(examined.message, graph, examined.state, [], None, None)
    automatic = automatic_blobs(case, graph)

    layers = [
        (
            layer["name"],
            layer["type"],
            tuple(automatic.get(name, name) for name in layer["bottoms"]),
            tuple(name for name in layer["tops"] if name != "(automatic)"),
        )
        for layer in case["layers"]
        if not automatic.keys() & set(layer["tops"])
    ]
    assert [(node.name, node.type, node.bottom, node.top) for node in graph.nodes] == layers

    shapes = {
        name: tuple(shape)
        for name, shape in case["blobs"].items()
        if name not in automatic and name != "(automatic)"
    }
    assert net.shapes == shapes
    assert list(net.shapes) == list(shapes)

    blobs = {
        node.name: [list(blob.shape) for blob in node.definition.blobs]
        for node in graph.nodes
        if node.definition.blobs
    }
    assert blobs == case["params"]
    assert list(net.inputs) == case["inputs"]
    assert list(net.outputs) == case["outputs"]
    weights = {name: w for name, w in case["loss_weights"].items() if name != "(automatic)"}
    assert net.loss_weights == weights


@pytest.mark.parametrize("case", LAYERS)
def test_a_layer_has_the_shapes_that_caffe_gives_it(case):
    check_accepted(case)


@pytest.mark.parametrize("case", TRICKY)
def test_what_caffe_accepts_is_accepted_with_its_shapes(case):
    check_accepted(case)


@pytest.mark.parametrize("case", TRICKY)
def test_what_caffe_accepts_is_read_as_caffe_reads_it(case):
    examined = examine_case(case)
    parsed = parse(Source(case["normalized"]), message_type("NetParameter"))
    assert parsed.faults == []
    for message in (parsed.message, examined.message):
        message.clear("state")
    assert print_message(examined.message) == print_message(parsed.message)


@pytest.mark.parametrize("case", params(NETS))
def test_a_whole_net_has_the_shapes_that_caffe_gives_it(case):
    prototxt = (GOLDEN / "nets" / f"{case['name']}.prototxt").read_text(encoding="utf-8")
    check_accepted({**case, "prototxt": prototxt})


@pytest.mark.parametrize("case", params(INVALID))
def test_what_caffe_refuses_is_refused_where_the_fault_is(case):
    first, last = PLACES[case["name"]]
    errors = examine_case(case).report.errors
    lines = [error.span.line for error in errors if error.span]
    assert [line for line in lines if first <= line <= last], [str(error) for error in errors]


def test_every_refused_net_has_a_place():
    assert list(PLACES) == [case["name"] for case in INVALID]


@pytest.mark.parametrize("case", [*LAYERS, *TRICKY])
def test_what_caffe_accepts_has_no_fault_where_its_bottoms_are_not_known(case):
    for node in examine_case(case).graph.nodes:
        report = Report()
        definition = definition_of(node.message)(node.message, "TEST", report)
        definition.infer([None] * len(node.inputs))
        assert [str(diagnostic) for diagnostic in report.errors] == []
        assert not node.inputs or len(node.message.param) <= len(definition.weight_fillers())
