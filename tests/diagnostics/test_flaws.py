"""Every page of the catalogue is run: its example shows the flaw on the marked line, its mend does not."""

import re

import pytest

from caffegen.check import Options, check_source
from caffegen.diagnostics.catalogue import flaw, flaw_names
from caffegen.text import Source

BLOCK = re.compile(r"^## (Example|Mend)\n+```prototxt\n(.*?)^```", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"# (error|warning): ([a-z0-9-]+)")
NUMBER = re.compile(r"(?<=: )-?[0-9][0-9.e+-]*")
# examples are about the layer in question; this feeds them
INPUT = (
    'layer { name: "data" type: "Input" top: "data" '
    "input_param { shape { dim: 1 dim: 4 dim: 12 dim: 12 } } }\n"
)


def blocks(page):
    return dict(BLOCK.findall(page))


def run(text):
    own_input = 'name: "data"' in text or re.search(
        r"^(input|layers|net|train_net|test_net|base_lr|model)\b", text, re.MULTILINE
    )
    head = "" if own_input else INPUT
    checked = check_source(Source(head + text), Options(pedantic=True))
    shift = head.count("\n")
    return [(d.span.line - shift if d.span else 0, d.severity, d.name) for d in checked.diagnostics]


@pytest.mark.parametrize("name", [n for n in flaw_names() if "Mend" in blocks(flaw(n).page)])
def test_any_number_is_read(name):
    """What no layer can mean is a finding, never an exception."""
    mend = blocks(flaw(name).page)["Mend"]
    for number in NUMBER.finditer(mend):
        for strange in ("inf", "-1", "2147483647"):
            run(mend[: number.start()] + strange + mend[number.end() :])


@pytest.mark.parametrize("name", flaw_names())
def test_page_has_its_form(name):
    entry = flaw(name)
    lines = entry.page.splitlines()
    assert lines[0] == f"# {name}"
    assert entry.severity in ("error", "warning")
    assert entry.title
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("name", [n for n in flaw_names() if "Example" in blocks(flaw(n).page)])
def test_example_shows_the_flaw_and_mend_does_not(name):
    found = blocks(flaw(name).page)
    marked = [
        (number, *mark.groups())
        for number, line in enumerate(found["Example"].splitlines(), 1)
        for mark in MARK.finditer(line)
    ]
    assert any(mark[2] == name for mark in marked), "the example marks no line"
    shown = run(found["Example"])
    for mark in marked:
        assert mark in shown
    errors = {entry for entry in shown if entry[1] == "error"}
    assert errors <= set(marked), "the example has errors that it does not mark"
    mended = run(found["Mend"])
    assert not [entry for entry in mended if entry[1] == "error" or entry[2] == name]
