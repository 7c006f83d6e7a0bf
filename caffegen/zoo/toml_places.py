"""Where each key of a TOML document stands; the readers of TOML give values without places.

The text has been read as TOML before, so nothing is checked here.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["Path", "key_places"]

# the keys and, in arrays, the indices that lead to a value
Path = tuple[Any, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r"""
    "{3} (?: [^\\] | \\. )*? "{3,5}  |  '{3} .*? '{3,5}  |  " (?: [^"\\] | \\. )* "  |  ' [^']* '
    """,
    re.DOTALL | re.VERBOSE,
)
_OTHER = re.compile(r"[^,\]}#\r\n]+")


def key_places(text: str) -> dict[Path, tuple[int, int]]:
    """The offsets, start and end, of each key by its path; a table's are those of its header."""
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.places: dict[Path, tuple[int, int]] = {}
        self.counts: dict[Path, int] = {}

    def read(self) -> dict[Path, tuple[int, int]]:
        table: Path = ()
        while self._next():
            if self.text[self.at] == "[":
                table = self._header()
            else:
                self._pair(table)
        return self.places

    def _next(self) -> str:
        """The next character that means something; empty at the end."""
        found = _BLANK.match(self.text, self.at)
        assert found
        self.at = found.end()
        return self.text[self.at : self.at + 1]

    def _header(self) -> Path:
        many = self.text.startswith("[[", self.at)
        self.at += 1 + many
        path: Path = ()
        keys = self._keys()
        for index, (key, place) in enumerate(keys, 1):
            path = (*path, key)
            if many and index == len(keys):
                self.places.setdefault(path, place)
                self.counts[path] = self.counts.get(path, -1) + 1
            if path in self.counts:  # below an array of tables its last one is meant
                path = (*path, self.counts[path])
            self.places.setdefault(path, place)
        self.at += 1 + many
        return path

    def _pair(self, table: Path) -> None:
        for key, place in self._keys():
            table = (*table, key)
            self.places.setdefault(table, place)
        self._next()
        self.at += 1  # the equals sign
        self._value(table)

    def _keys(self) -> list[tuple[str, tuple[int, int]]]:
        """A dotted key, part by part."""
        keys = []
        while True:
            self._next()
            start = self.at
            found = _BARE.match(self.text, start) or _STRING.match(self.text, start)
            assert found
            self.at = found.end()
            key = found[0]
            keys.append((key[1:-1] if key[0] in "\"'" else key, (start, self.at)))
            if self._next() != ".":
                return keys
            self.at += 1

    def _value(self, path: Path) -> None:
        opening = self._next()
        if opening == "[":
            self._list(path)
        elif opening == "{":
            self.at += 1
            while self._next() != "}":
                self._pair(path)
                self._comma()
            self.at += 1
        else:
            found = _STRING.match(self.text, self.at) or _OTHER.match(self.text, self.at)
            assert found
            self.at = found.end()

    def _list(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self._next() != "]":
            start = self.at
            item = (*path, index)
            self._value(item)
            self.places[item] = (start, self.at)
            index += 1
            self._comma()
        self.at += 1

    def _comma(self) -> None:
        if self._next() == ",":
            self.at += 1
