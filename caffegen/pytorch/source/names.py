"""Identifiers, and words for docstrings and comments, from names that may hold anything."""

from __future__ import annotations

import builtins
import keyword
import re

__all__ = ["Names", "class_name", "comment", "identifier", "prose"]

_RESERVED = frozenset(keyword.kwlist) | frozenset(keyword.softkwlist) | frozenset(dir(builtins))
# `load` says what it returns in one line
_LONGEST_CLASS = 26
_COMMENT = re.compile(r"[A-Za-z0-9_./:+-]{1,40}", re.ASCII)


class Names:
    """Names of one scope, each given once."""

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self._taken = set(taken)

    def free(self, name: str) -> bool:
        """Whether the name is not given yet."""
        return name not in self._taken

    def take(self, wanted: str) -> str:
        """The name itself, or with the first number that makes it new."""
        name, number = wanted, 2
        while name in self._taken:
            joint = "_" if wanted[-1].isdigit() else ""
            name = f"{wanted}{joint}{number}"
            number += 1
        self._taken.add(name)
        return name


def identifier(name: str, otherwise: str) -> str:
    """A name as [a-z_][a-z0-9_]*, no keyword; another word where nothing is left of it."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:40].rstrip("_")
    if not plain:
        return otherwise
    if plain[0].isdigit():
        plain = f"{otherwise}_{plain}"
    return f"{plain}_" if plain in _RESERVED else plain


def class_name(name: str, otherwise: str) -> str:
    """A net's name as a class: `ResNet-50` is ResNet50."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    plain = "".join(word[0].upper() + word[1:] for word in words)[:_LONGEST_CLASS]
    if not plain or plain[0].isdigit():
        return otherwise
    return f"{plain}Net" if plain in _RESERVED else plain


def comment(name: str) -> str:
    """A layer's name where a comment can hold it; nothing where it can't."""
    return name if _COMMENT.fullmatch(name) else ""


def prose(text: str) -> str:
    """Text for a docstring: what ends one, escapes or hides is a question mark."""
    return "".join(c if c.isprintable() and c not in '"\\' else "?" for c in text)
