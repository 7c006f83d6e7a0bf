"""A source text and places in it."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

__all__ = ["Fault", "Source", "Span", "printable"]


class Source:
    """One text: where it came from, and its lines, which are only counted when someone asks."""

    __slots__ = ("_starts", "path", "text")

    def __init__(self, text: str, path: str = "<text>") -> None:
        self.text = text
        self.path = path
        self._starts: list[int] | None = None

    @property
    def starts(self) -> list[int]:
        """The offset of each line's first character."""
        if self._starts is None:
            starts = [0]
            find = self.text.find
            at = find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = find("\n", at + 1)
            self._starts = starts
        return self._starts

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of an offset."""
        line = bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1

    def line_text(self, line: int) -> str:
        """The text of one line (from 1) without its end."""
        starts = self.starts
        if not 1 <= line <= len(starts):
            return ""
        end = starts[line] if line < len(starts) else len(self.text)
        return self.text[starts[line - 1] : end].rstrip("\r\n")


class Span:
    """A stretch of a source; the line and column are worked out when asked for."""

    __slots__ = ("end", "source", "start")

    def __init__(self, source: Source, start: int, end: int) -> None:
        self.source = source
        self.start = start
        self.end = end

    @property
    def file(self) -> str:
        """The path of the file, or `<text>`."""
        return self.source.path

    @property
    def line(self) -> int:
        """The line of the first character, from 1."""
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        """The column of the first character, from 1."""
        return self.source.position(self.start)[1]

    @property
    def end_line(self) -> int:
        """The line of the last character, from 1."""
        return self.source.position(max(self.start, self.end - 1))[0]

    @property
    def end_column(self) -> int:
        """The column just past the last character, from 1."""
        return self.source.position(max(self.start, self.end - 1))[1] + 1

    @property
    def text(self) -> str:
        """The characters that the span covers."""
        return self.source.text[self.start : self.end]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Span):
            return NotImplemented
        return (self.start, self.end) == (other.start, other.end) and self.source is other.source

    def __hash__(self) -> int:
        return hash((id(self.source), self.start, self.end))

    def __repr__(self) -> str:
        return f"<Span {self.file}:{self.line}:{self.column}>"


class Fault(NamedTuple):
    """What the text layer found wrong: the flaw's name, a sentence, a place, maybe the mend.

    `other` is a second place; `fix` is a text that may stand instead of the place's without a doubt.
    """

    name: str
    message: str
    start: int
    end: int
    help: str = ""
    other: tuple[int, int] | None = None
    fix: str | None = None


def printable(name: str) -> str:
    """A name for formats that take UTF-8 alone: bytes of a text that are none become U+FFFD."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
