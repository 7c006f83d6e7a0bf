"""Names in an ONNX graph: every value and every node has one of its own."""

from __future__ import annotations

from collections.abc import Mapping

from caffegen.net import Graph
from caffegen.text import printable

__all__ = ["Names", "value_names"]


class Names:
    """The names that are taken; `own` gives one that is not."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._last: dict[str, int] = {}

    def own(self, wanted: str) -> str:
        """The wanted name, or with a number behind it where that is taken."""
        name = wanted
        while name in self._taken or not name:
            number = self._last.get(wanted, 0) + 1
            self._last[wanted] = number
            name = f"{wanted}_{number}"
        self._taken.add(name)
        return name


def value_names(graph: Graph, names: Names, fed: Mapping[int, object]) -> dict[int, str]:
    """A name for each value, by its id: the final version of a blob has the blob's own name.

    Earlier versions, which layers work on in place, are called `blob#0`, `blob#1` ... An input
    keeps its name, by which the caller feeds it; then the final version is the one with a number.
    """
    found: dict[int, str] = {}
    first: dict[str, int] = {}
    for value in graph.values:
        if value.version == 0 and id(value) in fed:
            first[value.name] = id(value)
            found[id(value)] = names.own(printable(value.name))
    for name, value in graph.final.items():
        if name not in first:
            found[id(value)] = names.own(printable(name))
    for value in graph.values:
        if id(value) not in found:
            found[id(value)] = names.own(f"{printable(value.name)}#{value.version}")
    return found
