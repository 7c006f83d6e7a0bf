"""The text of an upgraded file: what the upgrade left alone stays as it was written.

The file is cut into the fields of its top level. Those that the upgrade did not touch, and the text
between them, pass through unchanged; an upgraded one is printed anew in its place, each comment at
the new place of its field; one that is gone leaves only its comments.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from caffegen.text import Message, Source, UnknownField, parse

from . import Upgrade
from .commented import Element, Printer, elements, inside
from .comments import Comment, Comments, attach, outline

__all__ = ["upgraded_text"]

_MARGIN = re.compile(r"(?:\A|\n)([ \t]*)\Z")


def upgraded_text(source: Source, upgrade: Upgrade) -> str:
    """The source as text of the current version; the same text where nothing was to be done.

    For texts that parse: a SyntaxFault is raised where they can't be cut into tokens.
    """
    if not upgrade.changed:
        return source.text
    text = _Rewriter(source, upgrade.message).run()
    if "\r\n" in source.text:
        text = re.sub(r"(?<!\r)\n", "\r\n", text)
    return text


class _Item(NamedTuple):
    """What is printed in one piece: elements of the top level that came from one old field.

    `entry` is that field's number, or -1; `kept` says that its text is good as it is.
    """

    elements: list[Element]
    entry: int
    kept: bool


class _Piece(NamedTuple):
    """An item, the stretch of old text before it, and whether it must begin on a new line."""

    item: _Item
    lead: tuple[int, int]
    new_line: bool


class _Rewriter:
    def __init__(self, source: Source, message: Message) -> None:
        self.source = source
        self.text = source.text
        self.message = message
        self.entries, self.comments = outline(source.text)
        self.top = [entry for entry in self.entries if entry.parent < 0]
        self.starts = [entry.start for entry in self.top]

    def run(self) -> str:
        pieces = self.pieces(self.items())
        head = (0, self.starts[0] if self.starts else 0)
        tail = self.tail(pieces)
        printer = Printer(self.attached(pieces, head, tail))
        out = _Output()
        if not pieces or pieces[0].lead != head:
            out.add(self.text[slice(*head)])
        for piece in pieces:
            if piece.new_line:
                out.new_line()
            lead = self.text[slice(*piece.lead)]
            out.add(lead if out.parts else lead.lstrip("\r\n"))
            self.write(piece.item, out, printer)
        if printer.comments.rest:
            out.new_line()
            out.add("".join(f"{comment}\n" for comment in printer.comments.rest))
        if not pieces or pieces[-1].item.entry != len(self.top) - 1:
            out.new_line()
        out.add(self.text[slice(*tail)])
        return "".join(out.parts)

    def entry_of(self, element: Element) -> int:
        """The number of the top-level field that the element was written in."""
        if element.start < 0:
            return -1
        number = bisect_right(self.starts, element.start) - 1
        return number if number >= 0 and element.start < self.top[number].end else -1

    def items(self) -> list[_Item]:
        """The top level of the result, in the order of the text; layers in the order of the net."""
        old = self.by_entry(elements(parse(self.source, self.message.message_type).message))
        new = self.by_entry(elements(self.message))
        layers: list[_Item] = []
        others: list[_Item] = []
        seen: set[int] = set()
        for element in elements(self.message):
            number = self.entry_of(element)
            kept = number >= 0 and _values(old.get(number, [])) == _values(new[number])
            if kept and number in seen:
                continue
            first = number not in seen
            seen.add(number)
            item = _Item(new[number] if kept else [element], number if first else -1, kept)
            (layers if element.name in ("layer", "layers") else others).append(item)
        others.sort(key=lambda item: item.elements[0].start)
        return list(_merged(others, layers))

    def by_entry(self, found: Iterable[Element]) -> dict[int, list[Element]]:
        grouped: dict[int, list[Element]] = {}
        for element in found:
            grouped.setdefault(self.entry_of(element), []).append(element)
        return grouped

    def pieces(self, items: list[_Item]) -> list[_Piece]:
        """Each item with the text before it: all of it when the field before it stands there still.

        Otherwise what begins on the line after that field; the rest of its line was that field's.
        """
        found = []
        last = _Item([], -1, kept=True)
        for item in items:
            number = item.entry
            if number < 0:
                found.append(_Piece(item, (0, 0), new_line=True))
            else:
                start = self.top[number - 1].end if number else 0
                newline = self.text.find("\n", start, self.starts[number])
                together = number == last.entry + 1 and (not found or last.entry >= 0)
                if together and (newline >= 0 or not number or (item.kept and last.kept)):
                    found.append(_Piece(item, (start, self.starts[number]), new_line=False))
                else:
                    start = newline + 1 if newline >= 0 else self.starts[number]
                    start = start if number else self.starts[0]
                    found.append(_Piece(item, (start, self.starts[number]), new_line=True))
            last = item
        return found

    def tail(self, pieces: list[_Piece]) -> tuple[int, int]:
        """What follows the last field; without that field, what follows its line."""
        if not self.top:
            return (0, len(self.text))
        start = self.top[-1].end
        if not pieces or pieces[-1].item.entry != len(self.top) - 1:
            newline = self.text.find("\n", start)
            start = newline + 1 if newline >= 0 else len(self.text)
        return (start, len(self.text))

    def attached(
        self, pieces: list[_Piece], head: tuple[int, int], tail: tuple[int, int]
    ) -> Comments:
        """The comments that don't pass through with the text around them."""
        passed = [head, tail]
        survivors: set[int] = set()
        messages: set[int] = set()
        for item, lead, _ in pieces:
            passed.append(lead)
            if item.kept:
                entry = self.top[item.entry]
                survivors.add(entry.start)
                passed.append((entry.start, entry.end))
                continue
            (top,) = item.elements
            below = inside(top.value) if isinstance(top.value, Message) else ()
            for element in (top, *below):
                survivors.add(element.start)
                if isinstance(element.value, Message):
                    messages.add(element.start)
                elif isinstance(element.value, UnknownField):
                    passed.append((element.value.place[0], element.value.place[2]))
        survivors.discard(-1)
        messages.discard(-1)
        left = _outside(self.comments, passed)
        return attach(self.entries, left, survivors, messages)

    def write(self, item: _Item, out: _Output, printer: Printer) -> None:
        margin = out.margin()
        if not item.kept:
            lines = list(printer.lines(item.elements[0], margin or ""))
            out.add("\n".join(lines)[len(margin or "") :])
            return
        entry = self.top[item.entry]
        for comment in printer.comments.take("before", entry.start):
            out.add(f"{comment}\n{margin or ''}")
        out.add(self.text[entry.start : entry.end])
        for comment in printer.comments.take("behind", entry.start):
            out.add(f"  {comment}")


class _Output:
    """The pieces of the new text."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def add(self, text: str) -> None:
        if text:
            self.parts.append(text)

    def new_line(self) -> None:
        if self.parts and not self.parts[-1].endswith("\n"):
            self.parts.append("\n")

    def margin(self) -> str | None:
        """The white space that the line begins with; None in the middle of a line."""
        found = _MARGIN.search(self.parts[-1]) if self.parts else None
        return found[1] if found else None


def _merged(others: list[_Item], layers: list[_Item]) -> Iterator[_Item]:
    """Both lists as one: the layers in their order, the others where they stand in the text."""
    at = 0
    for layer in layers:
        start = layer.elements[0].start
        while at < len(others) and others[at].elements[0].start < start:
            yield others[at]
            at += 1
        yield layer
    yield from others[at:]


def _values(found: list[Element]) -> list[tuple[str, Any]]:
    return [(e.name, e.value.text if isinstance(e.value, UnknownField) else e.value) for e in found]


def _outside(comments: list[Comment], stretches: list[tuple[int, int]]) -> Iterator[Comment]:
    """The comments that begin in none of the stretches."""
    ordered = sorted(stretch for stretch in stretches if stretch[0] < stretch[1])
    starts = [start for start, _ in ordered]
    for comment in comments:
        number = bisect_right(starts, comment.start) - 1
        if number < 0 or comment.start >= ordered[number][1]:
            yield comment
