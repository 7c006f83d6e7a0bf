"""Equal blocks in a row, and blocks whose numbers grow evenly, as loops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .items import Block
from .joins import value_text
from .text import Repeated, Text

if TYPE_CHECKING:
    from .classes import ClassDef

__all__ = ["compress"]

Writer = Callable[["ClassDef", Mapping[str, str]], Text]
# so many blocks are a loop: equal ones, and those whose numbers grow
_EQUAL, _GROWING = 3, 4


def compress(blocks: Sequence[Block], write: Writer) -> list[Text]:
    """The arguments of a Sequential: calls, and starred generators of them."""
    found: list[Text] = []
    index = 0
    while index < len(blocks):
        step, count = _run(blocks, index)
        block = blocks[index]
        assert block.class_def is not None
        if count >= (_GROWING if any(step.values()) else _EQUAL):
            args = {name: _growing(value, step[name]) for name, value in block.args.items()}
            variable = "i" if any(step.values()) else "_"
            found.append(Repeated(write(block.class_def, args), variable, count))
            index += count
            continue
        plain = {name: value_text(value) for name, value in block.args.items()}
        found.append(write(block.class_def, plain))
        index += 1
    return found


def _run(blocks: Sequence[Block], start: int) -> tuple[dict[str, Any], int]:
    """By how much the arguments grow from here on, and for how many blocks."""
    first = blocks[start].args
    if start + 1 == len(blocks):
        return dict.fromkeys(first, 0), 1
    step = _difference(first, blocks[start + 1].args)
    if step is None:
        return dict.fromkeys(first, 0), 1
    count = 2
    while start + count < len(blocks):
        if _difference(blocks[start + count - 1].args, blocks[start + count].args) != step:
            break
        count += 1
    return step, count


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, int] | None:
    found = {}
    for name, value in one.items():
        following = other[name]
        if type(value) is int and type(following) is int:
            found[name] = following - value
        elif value == following:
            found[name] = 0
        else:
            return None
    return found


def _growing(value: Any, step: int) -> str:
    if not step:
        return value_text(value)
    sign = "+" if step > 0 else "-"
    factor = "i" if abs(step) == 1 else f"{abs(step)} * i"
    return f"{value_text(value)} {sign} {factor}"
