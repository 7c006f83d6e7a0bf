"""For programs: one JSON document whose schema is stable (docs/check-json.md)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from caffegen.diagnostics.diagnostic import Diagnostic
from caffegen.text import Span

__all__ = ["diagnostic_to_json", "render_json"]


def render_json(diagnostics: Sequence[Diagnostic], files: Sequence[str]) -> str:
    """`{"version": 1, "files": n, "errors": n, "warnings": n, "diagnostics": [...]}`."""
    errors = sum(diagnostic.severity == "error" for diagnostic in diagnostics)
    document = {
        "version": 1,
        "files": len(files),
        "errors": errors,
        "warnings": len(diagnostics) - errors,
        "diagnostics": [diagnostic_to_json(diagnostic) for diagnostic in diagnostics],
    }
    return json.dumps(document, indent=2) + "\n"


def diagnostic_to_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """One finding; lines and columns count from 1, ends are exclusive; absent places are null."""
    found: dict[str, Any] = {
        "name": diagnostic.name,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "help": diagnostic.help or None,
        "layer": diagnostic.layer or None,
        **_place(diagnostic.span),
        "other": None,
    }
    if diagnostic.other is not None:
        found["other"] = {**_place(diagnostic.other[0]), "message": diagnostic.other[1]}
    return found


def _place(span: Span | None) -> dict[str, Any]:
    if span is None:
        return dict.fromkeys(("file", "line", "column", "end_line", "end_column"))
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }
