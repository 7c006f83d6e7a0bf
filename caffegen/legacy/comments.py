"""The comments of a prototxt, each with the field that it speaks of.

A comment on the lines above a field, or between its name and its value, stands *before* it; one on
the line where a field ends stands *behind* it; one behind an opening brace is the *opening* of that
message; one with only the closing brace after it is at the *end*.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

from caffegen.text.tokens import Token, next_token

__all__ = ["Comment", "Comments", "Entry", "attach", "outline"]

_COMMENT = re.compile(r"#[^\n]*")


class Entry:
    """A field or list element as it was written; `parent` is the field that it stands in, or -1.

    `last` is the last element of a list, or -1.
    """

    __slots__ = ("end", "is_list", "last", "parent", "start")

    def __init__(self, start: int, parent: int) -> None:
        self.start = start
        self.end = start
        self.parent = parent
        self.is_list = False
        self.last = -1


class Comment(NamedTuple):
    """`kind` is before, behind, opening or end; `entry` is the field's index, -1 for the file."""

    start: int
    text: str
    kind: str
    entry: int


def outline(text: str) -> tuple[list[Entry], list[Comment]]:
    """Every field and every comment of a text, in its order; SyntaxFault where it has no tokens."""
    reader = _Reader(text)
    reader.run()
    return reader.entries, reader.comments


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.entries: list[Entry] = []
        self.comments: list[Comment] = []
        self.stack: list[int] = []  # the messages and lists that are open
        self.awaiting = -1  # the field whose value comes next
        self.opened = -1  # the message whose brace came last
        self.ended = -1  # the field that ended last

    def run(self) -> None:
        at = 0
        previous = ""
        while True:
            token = next_token(self.text, at)
            self.gap(at, token)
            if token.kind == "end":
                return
            self.opened = -1
            if token.kind == "symbol":
                self.symbol(token)
            elif token.kind == "string" and previous == "string":
                self.entries[self.ended].end = token.end  # adjacent strings are one value
            else:
                self.word(token)
            previous = token.kind
            at = token.end

    def gap(self, at: int, token: Token) -> None:
        text = self.text
        found = _COMMENT.search(text, at, token.start)
        while found:
            same_line = "\n" not in text[at : found.start()]
            if self.awaiting >= 0:
                kind, entry = "before", self.awaiting
            elif same_line and self.opened >= 0:
                kind, entry = "opening", self.opened
            elif same_line and self.ended >= 0:
                kind, entry = "behind", self.ended
            elif token.kind == "end" or (token.kind == "symbol" and token.text in "}>],;"):
                kind, entry = "end", self.stack[-1] if self.stack else -1
            else:
                kind, entry = "before", len(self.entries)
            self.comments.append(Comment(found.start(), found.group().rstrip(), kind, entry))
            found = _COMMENT.search(text, found.end(), token.start)

    def symbol(self, token: Token) -> None:
        if token.text in "{<":
            entry = self.awaiting if self.awaiting >= 0 else self.add(token.start)
            self.stack.append(entry)
            self.opened, self.awaiting, self.ended = entry, -1, -1
        elif token.text == "[":
            if self.awaiting >= 0:
                self.entries[self.awaiting].is_list = True
                self.stack.append(self.awaiting)
                self.opened, self.awaiting, self.ended = self.awaiting, -1, -1
        elif token.text in "}>]":
            if self.stack:
                self.ended = self.stack.pop()
                self.entries[self.ended].end = token.end
        elif token.text == "-" and self.awaiting < 0:
            self.awaiting = self.add(token.start)

    def word(self, token: Token) -> None:
        """A name, or a value that ends its field."""
        if self.awaiting < 0:
            entry = self.add(token.start)
            if not (self.stack and self.entries[self.stack[-1]].is_list):
                self.awaiting = entry
                return
            self.awaiting = entry
        self.entries[self.awaiting].end = token.end
        self.ended, self.awaiting = self.awaiting, -1

    def add(self, start: int) -> int:
        parent = self.stack[-1] if self.stack else -1
        self.entries.append(Entry(start, parent))
        self.ended = -1
        number = len(self.entries) - 1
        if parent >= 0 and self.entries[parent].is_list:
            self.entries[parent].last = number
        return number


class Comments:
    """Comments by the offset of the field that they go with; what goes with none is the rest."""

    def __init__(self) -> None:
        self.by_kind: dict[str, dict[int, list[str]]] = {
            "before": {}, "behind": {}, "opening": {}, "end": {},
        }  # fmt: skip
        self.rest: list[str] = []

    def take(self, kind: str, start: int) -> list[str]:
        """The comments of a kind at an offset; each is given out once."""
        return self.by_kind[kind].pop(start, [])

    def kinds_at(self, start: int) -> set[str]:
        """The kinds of comment that are left at an offset."""
        return {kind for kind, found in self.by_kind.items() if start in found}


def attach(
    entries: list[Entry], comments: Iterable[Comment], survivors: set[int], messages: set[int]
) -> Comments:
    """The comments with the fields that survive, by offset; `messages` are those that hold fields.

    What stood with a field that is gone goes before the next survivor in the same message, or to
    that message's end.
    """
    found = Comments()
    ordered = sorted(survivors)
    for comment in comments:
        index = comment.entry if comment.entry < len(entries) else -1
        start = entries[index].start if index >= 0 else -1
        if comment.kind == "behind" and start not in survivors and entries[index].last >= 0:
            start = entries[entries[index].last].start
        if start in (survivors if comment.kind in ("before", "behind") else messages):
            home, kind = start, comment.kind
        else:
            outer = _surviving_parent(entries, index, messages)
            following = bisect_left(ordered, comment.start)
            if following < len(ordered) and (outer is None or ordered[following] < outer.end):
                home, kind = ordered[following], "before"
            elif outer is not None:
                home, kind = outer.start, "end"
            else:
                found.rest.append(comment.text)
                continue
        found.by_kind[kind].setdefault(home, []).append(comment.text)
    return found


def _surviving_parent(entries: list[Entry], index: int, messages: set[int]) -> Entry | None:
    """The nearest message around a field that survives."""
    while index >= 0 and entries[index].parent >= 0:
        index = entries[index].parent
        if entries[index].start in messages:
            return entries[index]
    return None
