"""What a file is checked against, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from caffegen.diagnostics import Diagnostic

__all__ = ["Checked", "Options", "Shape"]

Shape = tuple[int, ...]


class Options(NamedTuple):
    """What to check a file against; `given` and `expect` hold shapes by blob name.

    `dialect` is the Caffe that the file is for, `""` where the file itself is to tell.
    """

    phases: tuple[str, ...] = ("TRAIN", "TEST")
    stages: tuple[str, ...] = ()
    level: int = 0
    given: Mapping[str, Shape] = {}
    expect: Mapping[str, Shape] = {}
    weights: Any = None
    ignore: frozenset[str] = frozenset()
    pedantic: bool = False
    dialect: str = ""


class Checked(NamedTuple):
    """The findings in file order, and the shapes of the blobs by state."""

    diagnostics: list[Diagnostic]
    shapes: dict[str, dict[str, Shape | None]]
