"""What an upgrade met: faults that Caffe ends on, and warnings where it drops something."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from caffegen.text import Fault
from caffegen.text.message import Place

__all__ = ["Findings", "named"]

_NOWHERE = (0, 0, 0)
_SHOWN_NAMES = 8


class Findings(NamedTuple):
    """The two lists that every step adds to."""

    faults: list[Fault]
    warnings: list[Fault]

    def fault(
        self,
        name: str,
        message: str,
        place: Place | None,
        help: str = "",
        other: Place | None = None,
    ) -> None:
        """Add what Caffe refuses."""
        self.faults.append(_fault(name, message, place, help, other))

    def warning(
        self,
        name: str,
        message: str,
        place: Place | None,
        help: str = "",
        other: Place | None = None,
    ) -> None:
        """Add what Caffe drops or passes over."""
        self.warnings.append(_fault(name, message, place, help, other))


def _fault(name: str, message: str, place: Place | None, help: str, other: Place | None) -> Fault:
    start, _, end = place or _NOWHERE
    return Fault(name, message, start, end, help, (other[0], other[2]) if other else None)


def named(names: Iterable[str]) -> str:
    """Names in a sentence; of many, the first few."""
    every = [f"`{name}`" for name in names]
    more = len(every) - _SHOWN_NAMES
    return ", ".join(every[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
