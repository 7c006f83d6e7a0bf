"""Comments that say a finding is meant: comments alone do, whatever else looks like one."""

from __future__ import annotations

import pytest

from caffegen.check import Options, check_source
from caffegen.text import Source

FAULTY = 'layer { name: "l" type: "ReLUU" bottom: "data" top: "t" }\ninput: "data"\n'


def names(text):
    return [found.name for found in check_source(Source(text), Options()).diagnostics]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('name: "# caffegen: ignore-file"', id="a string"),
        pytest.param("name: '# caffegen: ignore-file'", id="a string in single quotes"),
        pytest.param('name: "a\\" # caffegen: ignore-file"', id="behind an escaped quote"),
        pytest.param("name: 'a\\' # caffegen: ignore-file'", id="behind an escaped single quote"),
        pytest.param('name: "it\'s # caffegen: ignore-file"', id="behind the other quote"),
    ],
)
def test_a_string_is_no_comment(line):
    clean = names(FAULTY)
    assert "unknown-layer-type" in clean
    assert names(line + "\n" + FAULTY) == clean


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("# caffegen: ignore-file", id="a line of its own"),
        pytest.param('name: "x" # caffegen: ignore-file', id="behind a string"),
        pytest.param('name: "a\\\\" # caffegen: ignore-file', id="behind an escaped backslash"),
        pytest.param("# it's \"meant # caffegen: ignore-file", id="behind quotes in the comment"),
        pytest.param("# it's meant\n# caffegen: ignore-file", id="below quotes in a comment"),
    ],
)
def test_a_comment_is_one(line):
    assert names(line + "\n" + FAULTY) == []


def test_a_string_that_is_never_closed_ends_with_its_line():
    text = 'name: "x # caffegen: ignore-file\n'
    assert "unterminated-string" in names(text)
    assert names(text + "# caffegen: ignore-file\n") == []


def test_a_string_says_nothing_of_its_own_line():
    text = 'layer { name: "# caffegen: ignore" type: "ReLUU" bottom: "data" top: "t" }\n'
    assert names(text) == names(text.replace("# caffegen: ignore", "l"))
