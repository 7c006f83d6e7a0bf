"""Comments that say a finding is meant, and the safe fixes of those that are not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from caffegen.diagnostics import Diagnostic
from caffegen.text import Source, Span

__all__ = ["apply_fixes", "kept_findings"]

_IGNORE = re.compile(
    r"#[ \t]*caffegen:[ \t]*(ignore-file|ignore)(?![\w-])[ \t]*(?:\[([^\]\n]*)\])?"
)
# a comment, or a string to pass over; one that is never closed ends with its line
_COMMENT = re.compile(
    r"#[^\n]*" + "".join(rf"|{quote}(?:[^{quote}\\\n]|\\[^\n])*{quote}?" for quote in "\"'")
)


def kept_findings(
    source: Source, found: Iterable[Diagnostic], ignore: frozenset[str]
) -> list[Diagnostic]:
    """Each finding once, in file order, without those that are ignored by option or comment."""
    lines, whole = _suppressions(source)
    kept: dict[tuple[Any, ...], Diagnostic] = {}
    for diagnostic in found:
        span = diagnostic.span
        if diagnostic.name in ignore or _matches(diagnostic.name, whole):
            continue
        if (
            lines
            and span is not None
            and span.source is source
            and _matches(diagnostic.name, lines.get(span.line))
        ):
            continue
        key = (diagnostic.name, span.start if span else -1, diagnostic.message)
        kept.setdefault(key, diagnostic)
    return sorted(
        kept.values(), key=lambda d: (d.span is None, d.span.start if d.span else 0, d.severity)
    )


def _matches(name: str, names: frozenset[str] | None) -> bool:
    return names is not None and (not names or name in names)


def _suppressions(source: Source) -> tuple[dict[int, frozenset[str]], frozenset[str] | None]:
    """Names ignored by line, and for the whole file; an empty set stands for every name.

    A comment with nothing before it speaks of the next line that is not a comment.
    """
    lines: dict[int, frozenset[str]] = {}
    whole: frozenset[str] | None = None
    if "caffegen:" not in source.text:
        return lines, whole
    below = 0
    for found in _comments(source.text):
        names = frozenset(name.strip() for name in (found[2] or "").split(",") if name.strip())
        line = source.position(found.start())[0]
        if found[1] == "ignore-file":
            whole = names if whole is None else _both(whole, names)
            continue
        if not source.line_text(line)[: found.start() - source.starts[line - 1]].strip():
            # of comments in succession all speak of one line
            below = below if line < below else _next_field(source, line)
            line = below
        lines[line] = _both(lines[line], names) if line in lines else names
    return lines, whole


def _comments(text: str) -> Iterator[re.Match[str]]:
    """The words to caffegen in the comments of a text."""
    for comment in _COMMENT.finditer(text):
        if text[comment.start()] == "#" and "caffegen:" in comment[0]:
            yield from _IGNORE.finditer(text, comment.start(), comment.end())


def _next_field(source: Source, line: int) -> int:
    """The first line behind this one that holds more than a comment."""
    for below in range(line + 1, len(source.starts) + 1):
        if not source.line_text(below).lstrip().startswith("#"):
            return below
    return line


def _both(first: frozenset[str], second: frozenset[str]) -> frozenset[str]:
    """What two comments ignore together; one without names ignores all."""
    return first | second if first and second else frozenset()


def apply_fixes(source: Source, diagnostics: Sequence[Diagnostic]) -> tuple[str, int]:
    """The text with every safe fix applied, and how many there were; overlapping ones wait."""
    edits: list[tuple[Span, str]] = [
        (span, d.fix)
        for d in diagnostics
        if d.fix is not None and d.span is not None and d.span.source is source
        for span in (d.span, *d.again)
    ]
    text = source.text
    done = 0
    limit = len(text) + 1
    for span, replacement in sorted(edits, key=lambda edit: edit[0].start, reverse=True):
        if span.end <= limit:
            text = text[: span.start] + replacement + text[span.end :]
            limit = span.start
            done += 1
    return text, done
