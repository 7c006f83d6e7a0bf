"""Findings as people and machines read them."""

import json

import pytest

from caffegen.diagnostics import Report
from caffegen.diagnostics.render import render
from caffegen.text import Source, Span

TEXT = 'layer {\n  name: "a"\n  pooling_param {\n    pad: 3\n\tkernel_size: 3\n  }\n}\n'


@pytest.fixture
def report():
    source = Source(TEXT, "nets/a b.prototxt")
    report = Report()
    pad = Span(source, TEXT.index("pad"), TEXT.index("pad") + 6)
    kernel = Span(source, TEXT.index("kernel_size"), TEXT.index("kernel_size") + 14)
    report.error(
        "pad-not-below-kernel", "`pad` (3) is not below the kernel (3)", pad,
        help="make the padding smaller", other=(kernel, "the kernel"), layer="a",
    )  # fmt: skip
    report.warning("layer-without-weights", "no weights: 100%\nfor `a`", layer="a")
    return report


def test_text(report):
    assert render(list(report), "text") == (
        "error[pad-not-below-kernel]: `pad` (3) is not below the kernel (3)\n"
        " --> nets/a b.prototxt:4:5\n"
        "  |\n"
        "4 |     pad: 3\n"
        "  |     ^^^^^^\n"
        "5 | \tkernel_size: 3\n"
        "  | \t-------------- the kernel\n"
        "  |\n"
        "  = help: make the padding smaller\n"
        "\n"
        "warning[layer-without-weights]: no weights: 100%\\x0afor `a`\n"
        "  --> layer `a`\n"
        "\n"
    )


def test_color_adds_nothing_but_escapes(report):
    import re

    colored = render(list(report), "text", color=True)
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == render(list(report), "text")


def test_a_file_can_not_drive_the_terminal():
    report = Report()
    report.error("x-y", "a\x1b[2Jb\udcff", None)
    shown = render(list(report), "text")
    assert "\x1b" not in shown
    assert "\\x1b[2Jb\\xff" in shown


def test_json(report):
    document = json.loads(render(list(report), "json", files=["a"]))
    assert (document["version"], document["files"], document["errors"], document["warnings"]) == (
        1,
        1,
        1,
        1,
    )
    first, second = document["diagnostics"]
    assert first["line"] == 4
    assert first["column"] == 5
    assert (first["end_line"], first["end_column"]) == (4, 11)
    assert first["other"]["line"] == 5
    assert first["other"]["message"] == "the kernel"
    assert second["file"] is None
    assert set(first) == {
        "name", "severity", "message", "help", "layer", "file", "line", "column", "end_line",
        "end_column", "other",
    }  # fmt: skip


def test_github(report):
    lines = render(list(report), "github").splitlines()
    assert lines == [
        (
            "::error file=nets/a b.prototxt,line=4,col=5,endLine=4,endColumn=11,"
            "title=pad-not-below-kernel::`pad` (3) is not below the kernel (3) (make the padding smaller)"
        ),
        "::warning title=layer-without-weights::no weights: 100%25%0Afor `a`",
    ]


def test_sarif(report):
    log = json.loads(render(list(report), "sarif", files=["nets/a b.prototxt"]))
    assert log["version"] == "2.1.0"
    run = log["runs"][0]
    assert run["tool"]["driver"]["name"] == "caffegen"
    result = run["results"][0]
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert rule["id"] == result["ruleId"] == "pad-not-below-kernel"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "nets/a%20b.prototxt"
    assert place["region"] == {"startLine": 4, "startColumn": 5, "endLine": 4, "endColumn": 11}
    assert result["relatedLocations"][0]["message"]["text"] == "the kernel"
    assert "locations" not in run["results"][1]


def test_errors_are_sentences():
    from caffegen import NetError

    report = Report()
    for index in range(25):
        report.error("a-b", f"fault {index}", None)
    text = str(NetError(report.diagnostics))
    assert text.splitlines()[0] == "error[a-b]: fault 0"
    assert text.splitlines()[-1] == "... and 5 more"
