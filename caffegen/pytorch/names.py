"""What a layer is called as a submodule."""

from __future__ import annotations

from unicodedata import normalize

from caffegen.text import printable

__all__ = ["module_name"]

# the marks of ASCII that torch takes in a name
_MARKS = frozenset("_-/+:@#= ")


def module_name(name: str) -> str:
    """A layer's name with `_` for all that must not stand in the name of a submodule.

    torch.nn takes a `.` for a path, torch.export splits what it stores at `,` and `;`, and torch.fx
    puts names into the code that it runs as they are (torch/fx/graph.py, _format_target): a quote
    in one would make code of the rest.
    """
    if name.isascii() and name.isidentifier():
        return name
    text = normalize("NFKC", printable(name))  # as Python reads an identifier
    return "".join(
        c if c.isprintable() and (c.isalnum() or c in _MARKS or not c.isascii()) else "_"
        for c in text
    )
