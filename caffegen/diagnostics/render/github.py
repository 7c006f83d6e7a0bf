"""For GitHub Actions: workflow commands that annotate the lines of a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from caffegen.diagnostics.diagnostic import Diagnostic

__all__ = ["render_github"]


def render_github(diagnostics: Sequence[Diagnostic], files: Sequence[str]) -> str:  # noqa: ARG001
    """One `::error` or `::warning` command per finding."""
    return "".join(_command(diagnostic) + "\n" for diagnostic in diagnostics)


def _command(diagnostic: Diagnostic) -> str:
    place = f"title={_property(diagnostic.name)}"
    span = diagnostic.span
    if span is not None:
        place = (
            f"file={_property(span.file)},line={span.line},col={span.column},"
            f"endLine={span.end_line},endColumn={span.end_column},{place}"
        )
    text = diagnostic.message + (f" ({diagnostic.help})" if diagnostic.help else "")
    return f"::{diagnostic.severity} {place}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
