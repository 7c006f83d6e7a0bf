"""For people: the sentence, the source line with a caret under the guilty field, and the mend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from caffegen.diagnostics.diagnostic import Diagnostic
from caffegen.text import Span

__all__ = ["render_text"]

_RED, _YELLOW, _BLUE, _BOLD, _RESET = "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m", "\x1b[1m", "\x1b[0m"


def render_text(diagnostics: Sequence[Diagnostic], *, color: bool = False) -> str:
    """One block per finding, a blank line between them."""
    blocks = ("\n".join(_block(diagnostic, color)) for diagnostic in diagnostics)
    return "".join(block + "\n\n" for block in blocks)


def _block(diagnostic: Diagnostic, color: bool) -> Iterator[str]:
    paint = _RED if diagnostic.severity == "error" else _YELLOW
    head = f"{diagnostic.severity}[{diagnostic.name}]"
    message = _printable(diagnostic.message)
    yield f"{paint}{head}{_RESET}{_BOLD}: {message}{_RESET}" if color else f"{head}: {message}"
    span = diagnostic.span
    if span is None:
        if diagnostic.layer:
            yield f"  --> layer `{_printable(diagnostic.layer)}`"
        if diagnostic.help:
            yield f"  = help: {_printable(diagnostic.help)}"
        return
    marks = [(span, "^", "")]
    if diagnostic.other is not None:
        marks.append((diagnostic.other[0], "-", diagnostic.other[1]))
    width = len(str(max(mark[0].line for mark in marks)))
    rim = " " * (width + 1)
    yield f"{rim[1:]}{_blue('-->', color)} {_printable(span.file)}:{span.line}:{span.column}"
    bar = _blue("|", color)
    yield f"{rim}{bar}"
    same_file = [mark for mark in marks if mark[0].source is span.source]
    previous = 0
    for mark, sign, label in sorted(same_file, key=lambda m: m[0].start):
        if previous and mark.line > previous + 1:
            yield f"{rim}{_blue('...', color)}"
        if mark.line != previous:
            shown = _printable(mark.source.line_text(mark.line))
            yield f"{_blue(f'{mark.line:>{width}} ', color)}{bar} {shown}".rstrip()
        yield f"{rim}{bar} {_underline(mark, sign, label, paint if sign == '^' else _BLUE, color)}"
        previous = mark.line
    yield f"{rim}{bar}"
    if diagnostic.help:
        yield f"{rim}{_blue('=', color)} help: {_printable(diagnostic.help)}"


def _underline(span: Span, sign: str, label: str, paint: str, color: bool) -> str:
    line = span.source.line_text(span.line)
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(line.rstrip())
    margin = "".join("\t" if char == "\t" else " " for char in line[:start])
    marks = sign * max(1, end - start) + (f" {label}" if label else "")
    return margin + (f"{paint}{marks}{_RESET}" if color else marks)


def _blue(text: str, color: bool) -> str:
    return f"{_BLUE}{text}{_RESET}" if color else text


def _printable(text: str) -> str:
    """The text with control characters and broken bytes shown, so that a file can't drive a terminal."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == "\t" else
        f"\\x{ord(char) - 0xDC00:02x}" if "\udc80" <= char <= "\udcff" else
        f"\\x{ord(char):02x}"
        for char in text
    )  # fmt: skip
