"""What a net does again and again in a row: such rows become blocks.

Given    block relu block relu pool block relu
Result   B B pool B, where B is `block` and `relu`
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .items import Block, Item, readers_of

__all__ = ["chains", "find_rows"]

_LONGEST = 12
# lines that a class must save: one with a fork in it, and a plain row of layers
_LEAST_FORKED, _LEAST_PLAIN = 3, 20


def chains(body: Sequence[Item], outputs: Collection[int]) -> list[list[Item]]:
    """The items in order, cut into rows: each item reads what the one before it alone makes."""
    readers = readers_of(body)
    found: list[list[Item]] = []
    ends: dict[int, list[Item]] = {}
    for item in body:
        row = ends.pop(item.inputs[0], None) if _in_row(item) else None
        if row is None:
            row = []
            found.append(row)
        row.append(item)
        if _in_row(item):
            value = item.outputs[0]
            if len(readers.get(value, ())) == 1 and value not in outputs:
                ends[value] = row
    return found


def _in_row(item: Item) -> bool:
    if isinstance(item, Block):
        return not item.optional
    return item.linear


def find_rows(
    body: list[Item], outputs: Collection[int], symbols: dict[int, int]
) -> tuple[list[Item], list[list[Block]]]:
    """The body with its repeated rows as blocks; the blocks of each kind.

    `symbols` gives the blocks of the body (by id) that are alike the same number.
    """
    classes: list[list[Block]] = []
    rows = chains(body, outputs)
    while True:
        pattern = _best(rows, symbols)
        if pattern is None:
            break
        made: list[Block] = []
        rows = [_replace(row, pattern, symbols, made) for row in rows]
        for block in made:
            symbols[id(block)] = _CLOSED
        classes.append(made)
    order = {id(item): index for index, item in enumerate(body)}
    flat = [item for row in rows for item in row]
    flat.sort(key=lambda item: order[id(_last(item, order))])
    return flat, classes


_CLOSED = -2


def _last(item: Item, order: dict[int, int]) -> Item:
    return item if id(item) in order or not isinstance(item, Block) else item.body[-1]


def _symbol(item: Item, symbols: dict[int, int]) -> tuple[str, int]:
    if isinstance(item, Block):
        return ("block", symbols.get(id(item), _CLOSED))
    return ("leaf", item.signature if _in_row(item) else _CLOSED)


def _best(rows: list[list[Item]], symbols: dict[int, int]) -> tuple[tuple[str, int], ...] | None:
    """The row of symbols that saves most lines; of equal ones the shorter."""
    spelled = [[_symbol(item, symbols) for item in row] for row in rows]
    weights: dict[tuple[str, int], int] = {}
    for row, word in zip(rows, spelled, strict=True):
        for item, symbol in zip(row, word, strict=True):
            weights[symbol] = item.weight
    best, most = None, (0, False)
    for length in range(1, _LONGEST + 1):
        for pattern, count in _counts(spelled, length).items():
            forks = sum(kind == "block" for kind, _ in pattern)
            if count < 2 or forks > 1 or (length == 1 and not forks) or _is_power(pattern):
                continue
            if any(number == _CLOSED for _, number in pattern):
                continue
            weight = sum(weights[symbol] for symbol in pattern)
            saved = weight * count - weight - count
            if saved < (_LEAST_FORKED if forks else _LEAST_PLAIN):
                continue
            # a block that begins with its fork reads best
            rank = (saved, pattern[0][0] == "block")
            if rank > most:
                best, most = pattern, rank
    return best


def _counts(
    spelled: list[list[tuple[str, int]]], length: int
) -> dict[tuple[tuple[str, int], ...], int]:
    """How often each row of so many symbols occurs, without overlaps."""
    counts: dict[tuple[tuple[str, int], ...], int] = {}
    for word in spelled:
        free: dict[tuple[tuple[str, int], ...], int] = {}
        for start in range(len(word) - length + 1):
            pattern = tuple(word[start : start + length])
            if free.get(pattern, 0) <= start:
                free[pattern] = start + length
                counts[pattern] = counts.get(pattern, 0) + 1
    return counts


def _is_power(pattern: tuple[tuple[str, int], ...]) -> bool:
    size = len(pattern)
    return any(
        size % part == 0 and pattern == pattern[:part] * (size // part) for part in range(1, size)
    )


def _replace(
    row: list[Item],
    pattern: tuple[tuple[str, int], ...],
    symbols: dict[int, int],
    made: list[Block],
) -> list[Item]:
    found: list[Item] = []
    index = 0
    while index < len(row):
        part = row[index : index + len(pattern)]
        if tuple(_symbol(item, symbols) for item in part) != pattern:
            found.append(row[index])
            index += 1
            continue
        block = Block(list(part), part[0].inputs[0], part[-1].outputs[0])
        made.append(block)
        found.append(block)
        index += len(pattern)
    return found
