"""For code scanning: SARIF 2.1.0, one run, a rule for every name that was found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from caffegen import __version__
from caffegen.diagnostics.catalogue import flaw_title
from caffegen.diagnostics.diagnostic import Diagnostic
from caffegen.text import Span

__all__ = ["render_sarif"]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render_sarif(diagnostics: Sequence[Diagnostic], files: Sequence[str]) -> str:
    """A SARIF log; columns count UTF-16 code units, as the standard's default has it."""
    names = sorted({diagnostic.name for diagnostic in diagnostics})
    rules = [{"id": name, "shortDescription": {"text": flaw_title(name)}} for name in names]
    run = {
        "tool": {"driver": {"name": "caffegen", "semanticVersion": __version__, "rules": rules}},
        "artifacts": [{"location": {"uri": _uri(path)}} for path in files],
        "results": [_result(diagnostic, names) for diagnostic in diagnostics],
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2) + "\n"


def _result(diagnostic: Diagnostic, names: list[str]) -> dict[str, Any]:
    text = diagnostic.message + (f" Help: {diagnostic.help}." if diagnostic.help else "")
    result: dict[str, Any] = {
        "ruleId": diagnostic.name,
        "ruleIndex": names.index(diagnostic.name),
        "level": diagnostic.severity,
        "message": {"text": text},
    }
    if diagnostic.span is not None:
        result["locations"] = [_location(diagnostic.span)]
    if diagnostic.other is not None:
        span, label = diagnostic.other
        result["relatedLocations"] = [{**_location(span), "id": 1, "message": {"text": label}}]
    return result


def _location(span: Span) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(span.file)},
            "region": {
                "startLine": span.line,
                "startColumn": _utf16(span, span.line, span.column),
                "endLine": span.end_line,
                "endColumn": _utf16(span, span.end_line, span.end_column),
            },
        }
    }


def _utf16(span: Span, line: int, column: int) -> int:
    before = span.source.line_text(line)[: column - 1]
    return column + sum(ord(char) > 0xFFFF for char in before)


def _uri(path: str) -> str:
    return quote(path.replace("\\", "/"), safe="/:@!$&'()*+,;=-._~")
