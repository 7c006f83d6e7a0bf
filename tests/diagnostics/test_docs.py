"""The pages in docs/ say what the program does."""

import json
import re
import runpy
from pathlib import Path

import pytest

from caffegen.check import Options, check_source
from caffegen.cli.diff import _to_json as diff_to_json
from caffegen.cli.summary import _to_json as summary_to_json
from caffegen.diagnostics.catalogue import flaw
from caffegen.diagnostics.render import render
from caffegen.loader import examine
from caffegen.text import Source
from caffegen.zoo import alexnet, caffenet, lenet

DOCS = Path(__file__).parents[2] / "docs"
SCHEMAS = (DOCS / "check-json.md").read_text(encoding="utf-8")
EXAMPLES = {
    title: json.loads(text)
    for title, text in re.findall(
        r"^## `caffegen (.*?)`\n\n```json\n(.*?)^```", SCHEMAS, re.DOTALL | re.MULTILINE
    )
}


def form(value):
    """The keys of a document at every depth; lists by their first element."""
    if isinstance(value, dict):
        return {key: form(inner) for key, inner in value.items()}
    return [form(value[0])] if isinstance(value, list) and value else None


def test_diagnostics_page_is_current():
    page = runpy.run_path(str(DOCS / "generate_diagnostics.py"))["page"]()
    assert (DOCS / "diagnostics.md").read_text(encoding="utf-8") == page


def test_the_page_has_every_finding_once():
    text = (DOCS / "diagnostics.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert len(headings) == len(set(headings))
    assert re.findall(r"^\| \[(.*?)\]", text, re.MULTILINE) == headings
    assert all(flaw(name) for name in headings)


def graph(spec):
    return examine(Source(spec.to_prototxt())).graph


def made():
    """Each document as the program makes it."""
    from caffegen.analysis.diff import diff_graphs
    from caffegen.analysis.summary import summarize

    bad = (
        'layer { name: "d" type: "Input" top: "d" input_param { shape { dim: 1 dim: 1 dim: 8 dim: 8 } } }\n'
        'layer { name: "p" type: "Pooling" bottom: "d" top: "p" pooling_param { kernel_size: 2 pad: 2 } }\n'
    )
    found = check_source(Source(bad), Options()).diagnostics
    summary = summarize(graph(lenet()))
    conv = [row for row in summary.rows if row.name == "conv1"]
    return {
        "check --format json": json.loads(render(found, "json", files=["net.prototxt"])),
        "summary --format json": summary_to_json(summary._replace(rows=tuple(conv))),
        "diff --format json": diff_to_json(diff_graphs(graph(alexnet()), graph(caffenet()))),
        "explain --format json": {"version": 1, "flaws": [flaw("stride-zero")._asdict()]},
    }


@pytest.mark.parametrize("title", made())
def test_examples_have_the_keys_of_the_documents(title):
    document, example = made()[title], EXAMPLES[title]
    if title.startswith("diff"):
        # nets that differ in everything at once are rare
        document["only_first"] = document["only_second"] = [{"name": "a", "type": "b"}]
    assert form(json.loads(json.dumps(document))) == form(example)
    assert document["version"] == example["version"] == 1


def test_every_key_is_explained():
    for title in ("check --format json", "summary --format json", "diff --format json"):
        section = SCHEMAS.partition(f"## `caffegen {title}`")[2].partition("\n## ")[0]
        told = set(re.findall(r"`(\w+)`", section.rpartition("```")[2]))
        own = set(EXAMPLES[title]) - {"version", "name", "layers"}
        assert own <= told, title


def test_the_example_of_a_finding_is_what_the_program_says():
    document = made()["check --format json"]
    example = EXAMPLES["check --format json"]
    for key in ("name", "severity", "message", "help"):
        assert document["diagnostics"][0][key] == example["diagnostics"][0][key]
    assert (
        document["diagnostics"][0]["other"]["message"]
        == example["diagnostics"][0]["other"]["message"]
    )
