"""Nothing is missing: definitions, lowerings, and a page for every finding."""

import ast
import re
from pathlib import Path

import pytest

from caffegen.diagnostics.catalogue import flaw, flaw_names
from caffegen.layer_types import definition_class, known_types
from caffegen.lint import rule_names
from caffegen.schema.dialects import DIALECTS

PACKAGE = Path(__file__).parents[2] / "caffegen"


@pytest.mark.parametrize("name", known_types())
def test_definition_is_documented(name):
    found = definition_class(name)
    assert found is not None
    assert found.type == name
    doc = found.__doc__ or ""
    assert "## Shape" in doc, f"{name} says nothing of shapes"
    assert doc.strip().splitlines()[0].endswith("."), f"{name} begins with no sentence"


@pytest.mark.parametrize("name", known_types())
def test_pytorch_lowers_every_type(name):
    from caffegen.layer_types import FED
    from caffegen.pytorch.registry import lowering_of

    assert name in FED or lowering_of(name) is not None


@pytest.mark.parametrize("name", known_types())
def test_onnx_writes_every_type(name):
    from caffegen.onnx_bridge.write.registry import writer_of

    assert writer_of(name) is not None


# the parts that report, and the words in them that look like a finding's name and are none
REPORTING = ("text", "legacy", "net", "layer_types", "analysis", "lint", "check", "cli")
NO_FINDINGS = {"batch-norm", "data-transform", "ignore-file", "solver-type", "utf-8"}
FORM = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)+")
CALLS = {
    "Diagnostic",
    "Fault",
    "SyntaxFault",
    "error",
    "fault",
    "refuse",
    "report",
    "warn",
    "warning",
}


def reporting_files():
    for part in REPORTING:
        path = PACKAGE / part
        yield from [path] if path.suffix else path.rglob("*.py")


def reported_names() -> set[str]:
    """Every word of the form of a finding's name that stands in a part that reports."""
    return {
        node.value
        for path in reporting_files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and FORM.fullmatch(node.value)
    }


def built_names() -> set[str]:
    """The names that a reporting call puts together, as regular expressions."""
    found = set()
    for path in reporting_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = (
                node.func.attr
                if isinstance(node.func, ast.Attribute)
                else getattr(node.func, "id", "")
            )
            if called in CALLS and isinstance(node.args[0], ast.JoinedStr):
                parts = node.args[0].values
                found.add("".join(p.value if isinstance(p, ast.Constant) else ".+" for p in parts))
    return found


def test_every_finding_has_a_page():
    assert reported_names() - NO_FINDINGS - set(DIALECTS) - set(flaw_names()) == set()
    for pattern in built_names():
        assert any(re.fullmatch(pattern, name) for name in flaw_names()), pattern


def test_every_page_has_a_finding():
    patterns = [re.compile(pattern) for pattern in built_names()]
    unused = {
        name
        for name in set(flaw_names()) - reported_names()
        if not any(pattern.fullmatch(name) for pattern in patterns)
    }
    assert unused == set()


@pytest.mark.parametrize("name", rule_names())
def test_every_rule_has_a_page(name):
    assert flaw(name) is not None
