"""Layers drawn together to blocks by the stem of their names, for a short summary."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .summary import Row, Summary

__all__ = ["group_blocks"]

# what names of one block end in: branches, operations, numbers of operations
_TAIL = re.compile(
    r"(?:[_/]?(?:branch\d*[a-z]?|conv\d*|bn\d*|batchnorm\d*|scale\d*|relu\d*|sum|add|down(?:sample)?"
    r"|shortcut|proj(?:ection)?|x\d+|pad\w*|zeros?|sub\w*|eltwise|param|dropout\d*))+$",
    re.IGNORECASE,
)
_HEAD = re.compile(r"^(?:bn|scale|relu|norm)[_]?(?=[\w])", re.IGNORECASE)


def group_blocks(summary: Summary) -> Summary:
    """The summary with a row per block: consecutive layers whose names share a stem."""
    rows: list[Row] = []
    group: list[Row] = []
    stem = ""
    for row in summary.rows:
        here = _stem(row.name)
        if group and here != stem:
            rows.append(_merge(stem, group))
            group = []
        stem = here
        group.append(row)
    if group:
        rows.append(_merge(stem, group))
    return summary._replace(rows=tuple(rows))


def _stem(name: str) -> str:
    bare = _TAIL.sub("", name)
    if not bare:
        return name
    found = _HEAD.match(bare)
    if found and re.search(r"\d", bare):
        rest = bare[found.end() :]
        return rest if not rest[:1].isdigit() else f"res{rest}"
    return bare


def _merge(stem: str, rows: Sequence[Row]) -> Row:
    if len(rows) == 1:
        return rows[0]
    made = {top for row in rows for top in row.tops}
    bottoms = tuple(dict.fromkeys(b for row in rows for b in row.bottoms if b not in made))
    last = rows[-1]
    kinds = dict.fromkeys(
        row.type for row in rows if row.type not in ("BatchNorm", "Scale", "ReLU")
    )
    return Row(
        stem,
        "+".join(kinds) or last.type,
        bottoms or rows[0].bottoms,
        last.tops,
        last.shapes,
        sum(row.params for row in rows),
        sum(row.statistics for row in rows),
        _sum(row.macs for row in rows),
        _sum(row.ops for row in rows),
        _sum(row.activation_bytes for row in rows),
        last.receptive_field,
    )


def _sum(numbers: object) -> int | None:
    found = list(numbers)  # type: ignore[call-overload]
    return None if None in found else sum(found)
