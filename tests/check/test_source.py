"""One text: what it holds, what follows from what, and the law that lets a graph serve two phases."""

import json
from pathlib import Path

import pytest

from caffegen.check import Options, apply_fixes, check_source
from caffegen.check.kind import read_kind
from caffegen.loader import examine
from caffegen.text import Source

GOLDEN = Path(__file__).parents[1] / "golden"
INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 4 dim: 8 dim: 8 } } }\n'


def golden(name):
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def names(text, **options):
    return [found.name for found in check_source(Source(text), Options(**options)).diagnostics]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (INPUT, "net"),
        ("", "net"),
        ('name: "x"', "net"),
        ('input: "data"\nbase_lr: 0.1', "net"),
        ("layer {", "net"),
        ('net: "n.prototxt"', "solver"),
        ("base_lr: 0.1", "solver"),
        ('net_param { layer { name: "a" } }\ntest_state { stage: "x" }', "solver"),
        ("test_intervall: 3\nbase_lr: 1", "solver"),
        ('item { name: "background" label: 0 display_name: "none" }', "labels"),
        ("item { name: 'person' id: 1 }", "other"),
        ("model { ssd { num_classes: 37 } }", "other"),
        ('name: "B4096"\ntype: "B"\nisa_version: 1\nload_engine { channels: 8 }', "other"),
        ('type: "Adam"\nfoo: 1', "solver"),
        ('net: "n.prototxt"\nfoo: 1\nbar: 2\nbaz: 3', "solver"),
        ('name: "x"\nfoo: 1', "net"),
        ("<html><body>Not found</body></html>", "net"),
    ],
)  # fmt: skip
def test_kind(text, word):
    assert read_kind(Source(text)).word == word


def test_a_file_of_another_program_is_told_once():
    text = 'type: "B"\nitem {\n  id: 1\n}\nitem {\n  id: 2\n}\nmore: 1\n'
    (found,) = check_source(Source(text), Options()).diagnostics
    assert (found.name, found.span.line) == ("not-a-net", 2)
    assert found.message == "the file holds no net and no solver: neither has a field `item`"


def test_a_label_map_is_a_file_of_caffe():
    assert names('item { name: "a" label: 0 }\nitem { name: "b" label: 1 }\n') == []
    assert names('item { name: "a" label: "0" }\n') == ["wrong-type"]


def test_what_follows_from_an_unknown_type_is_no_news():
    text = (
        INPUT
        + 'layer { name: "p" type: "Unheard" bottom: "data" top: "p" unheard_param { order: 0 } }\n'
        'layer { name: "c" type: "Concat" bottom: "p" bottom: "data" top: "c" }\n'
        'layer { name: "ip" type: "InnerProduct" bottom: "c" top: "ip" inner_product_param { num_output: 2 } }\n'
        'layer { name: "bad" type: "Slice" bottom: "data" top: "u" top: "v" top: "w" }\n'
    )
    assert names(text) == ["unknown-layer-type", "unknown-field", "slice-uneven"]


def test_a_v0_layer_of_unknown_type_is_told_once():
    text = 'input: "data" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1\nlayers { layer { name: "x" type: "x" } bottom: "data" top: "x" }'
    assert names(text) == ["unknown-v0-layer-type"]


@pytest.mark.parametrize("case", golden("invalid.json"), ids=lambda case: case["name"])
def test_what_caffe_refuses_is_refused(case):
    state = {
        "phases": (case["phase"],),
        "stages": tuple(case.get("stages", ())),
        "level": case.get("level", 0),
    }
    checked = check_source(Source(case["prototxt"]), Options(**state))
    assert any(found.severity == "error" for found in checked.diagnostics)
    json.dumps(checked.shapes)


@pytest.mark.parametrize("case", golden("tricky.json"), ids=lambda case: case["name"])
def test_what_caffe_takes_is_taken(case):
    state = {
        "phases": (case["phase"],),
        "stages": tuple(case.get("stages", ())),
        "level": case.get("level", 0),
    }
    checked = check_source(Source(case["prototxt"]), Options(**state))
    assert [found for found in checked.diagnostics if found.severity == "error"] == []
    (blobs,) = checked.shapes.values()
    for name, shape in case["blobs"].items():
        if name in blobs and blobs[name] is not None:
            assert list(blobs[name]) == shape


CASES = [case["prototxt"] for name in ("invalid.json", "tricky.json") for case in golden(name)]
CASES += [case["prototxt"] for case in golden("layers/index.json")]


def test_layers_report_in_train_what_they_report_in_test():
    """What check_net counts on when it lets the graph of TRAIN serve in TEST."""
    for text in CASES:
        found = {}
        for phase in ("TRAIN", "TEST"):
            examined = examine(Source(text), phase=phase)
            found[phase] = {
                (d.name, d.span.start if d.span else -1, d.message) for d in examined.report
            }
            layers = [node.message.span() for node in examined.graph.nodes]
            found[phase, "layers"] = [span.start for span in layers if span]
        if found["TRAIN", "layers"] == found["TEST", "layers"]:
            assert found["TEST"] <= found["TRAIN"], text


def test_both_phases_find_what_each_finds():
    for text in CASES:
        both = set(names(text))
        for phase in ("TRAIN", "TEST"):
            alone = check_source(Source(text), Options(phases=(phase,)))
            missed = {d.name for d in alone.diagnostics if d.severity == "error"} - both
            # one phase alone may be asked of a net that is not meant for it
            assert missed <= {"unknown-bottom"}, text


def test_fixes_that_overlap_wait():
    source = Source('layer { naem: "a" typ: "ReLU" }')
    found = check_source(source, Options()).diagnostics
    text, done = apply_fixes(source, [*found, *found])
    assert done == sum(d.fix is not None for d in found)
    assert apply_fixes(source, []) == (source.text, 0)
    assert text.count("a") >= 1


def test_findings_stand_in_the_order_of_the_file():
    text = (
        INPUT
        + 'layer { name: "a" type: "Relu" bottom: "x" top: "a" }\nlayer { name: "b" bottom: "a" nam: "c" }\n'
    )
    found = check_source(Source(text), Options()).diagnostics
    assert [d.span.start for d in found] == sorted(d.span.start for d in found)
    assert len(found) == 4


def test_comments_in_succession_speak_of_one_line():
    comments = "# caffegen: ignore[unknown-bottom]\n# caffegen: ignore[layer-without-type]\n" * 3
    assert names('layer { name: "a" bottom: "b" }') == ["layer-without-type", "unknown-bottom"]
    assert names(comments + 'layer { name: "a" bottom: "b" }') == []


def test_a_blob_that_one_state_reads_is_no_flaw():
    text = "".join(
        f'layer {{ name: "r" type: "ReLU" bottom: "{read}" top: "z" include {{ phase: {phase} }} }}'
        for read, phase in (("x", "TRAIN"), ("y", "TEST"))
    )
    unread = 'layer { name: "d" type: "DummyData" top: "x" top: "y" dummy_data_param { shape { dim: 1 } } }\n'
    assert names(unread + 'layer { name: "r" type: "ReLU" bottom: "y" top: "z" }') == [
        "blob-never-read"
    ]
    assert names(unread + text) == []
