"""Which attribute holds which items of a body, and what each is called."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from torch import nn

from .forms import FUNCTIONS, is_batch_norm
from .items import Block, Item, Join, Key, Leaf, readers_of
from .names import Names, identifier
from .patterns import chains

__all__ = ["MODULE_NAMES", "Segment", "branches", "lay_out"]

# a row of so many layers with fully connected ones at its end is two: features and classifier
_LONG_ROW = 9
_ROLES = {"Conv": "conv", "Batc": "norm", "BN": "norm", "Line": "fc", "Tran": "fc", "MaxP": "pool",
          "AvgP": "pool", "Adap": "pool", "Drop": "dropout", "Soft": "prob"}  # fmt: skip


class Segment:
    """Items in a row under one attribute; one item without an attribute is an expression."""

    def __init__(self, items: list[tuple[Key, Item]], attribute: str = "") -> None:
        self.items = items
        self.attribute = attribute

    @property
    def inputs(self) -> tuple[int, ...]:
        """What the first item reads."""
        return self.items[0][1].inputs

    @property
    def outputs(self) -> tuple[int, ...]:
        """What the last item makes."""
        return self.items[-1][1].outputs


def lay_out(
    body: Sequence[Item], outputs: Collection[int], *, whole: bool, bare: Collection[Key] = ()
) -> list[Segment]:
    """The segments of a body in order, named; `whole` says that it is the net itself.

    `bare` shortcuts hold nothing in any block.
    """
    keys: dict[int, Key] = {id(item): (index,) for index, item in enumerate(body)}
    segments = [
        Segment([(keys[id(item)], item) for item in part])
        for row in chains(body, outputs)
        for part in (_parts(row) if whole else [row])
    ]
    if whole:
        _name_stages(segments)
    else:
        _name_branches(segments, body, set(bare))
    # a segment runs when the last thing that it needs is there
    segments.sort(key=lambda segment: segment.items[0][0])
    return segments


def _parts(row: list[Item]) -> list[list[Item]]:
    """A row of the net cut between layers and blocks of different classes."""
    parts: list[list[Item]] = []
    for item in row:
        kind = item.class_def if isinstance(item, Block) else None
        last = parts[-1][-1] if parts else None
        same = last is not None and kind is (last.class_def if isinstance(last, Block) else None)
        if same:
            parts[-1].append(item)
        else:
            parts.append([item])
    return [half for part in parts for half in _halves(part)]


def _halves(part: list[Item]) -> list[list[Item]]:
    kinds = [item.call.kind if isinstance(item, Leaf) else "" for item in part]
    if len(part) < _LONG_ROW or "nn.Linear" not in kinds:
        return [part]
    cut = kinds.index("nn.Linear")
    if cut and kinds[cut - 1] == "nn.Flatten":
        cut -= 1
    return [part[:cut], part[cut:]] if cut else [part]


def _is_expression(segment: Segment) -> bool:
    if len(segment.items) > 1:
        return False
    item = segment.items[0][1]
    return isinstance(item, Join) or (isinstance(item, Leaf) and item.call.kind in FUNCTIONS)


def _name_stages(segments: list[Segment]) -> None:
    names = Names(MODULE_NAMES)
    modules = [segment for segment in segments if not _is_expression(segment)]
    for segment in modules:
        item = segment.items[0][1]
        if len(segment.items) == 1 and isinstance(item, Leaf):
            wanted = identifier(item.layer, "layer")
        elif isinstance(item, Block):
            wanted = "blocks"
        else:
            wanted = _row_name(segment, modules)
        segment.attribute = names.take(wanted)


def _row_name(segment: Segment, modules: list[Segment]) -> str:
    kinds = {item.call.kind for _, item in segment.items if isinstance(item, Leaf)}
    if segment is modules[0]:
        return "features" if len(segment.items) >= _LONG_ROW else "stem"
    if "nn.Linear" in kinds and len(segment.items) <= 3 * _LONG_ROW:
        return "classifier"
    return "head" if segment is modules[-1] else "layers"


def branches(body: Sequence[Item]) -> dict[Key, int]:
    """The number (from 1) of the operand of the last join that an item goes into alone."""
    join = next((item for item in reversed(body) if len(item.inputs) > 1), None)
    if not isinstance(join, Join) or join.form != "concat":
        return {}
    makers = {v: (index, item) for index, item in enumerate(body) for v in item.outputs}
    found: dict[Key, int] = {}
    readers = readers_of(body)
    for number, operand in enumerate(join.inputs, 1):
        value = operand
        while value in makers and len(readers[value]) == 1:
            index, item = makers[value]
            found[(index,)] = number
            if len(item.inputs) != 1:
                break
            value = item.inputs[0]
    return found


def _name_branches(segments: list[Segment], body: Sequence[Item], bare: set[Key]) -> None:
    names = Names(MODULE_NAMES)
    operands = branches(body)
    shortcuts = any(isinstance(i, Block) and i.optional for i in body)
    gates = {i.inputs[1] for i in body if isinstance(i, Join) and i.form in ("scale", "product")}
    sums = {v for i in body if isinstance(i, Join) and i.form == "sum" for v in i.inputs}
    for segment in segments:
        key, item = segment.items[0]
        if _is_expression(segment) or key in bare:
            continue
        value = segment.outputs[0]
        if isinstance(item, Block) and item.optional:
            wanted = "shortcut"
        elif shortcuts and value in sums:
            wanted = "residual"
        elif value in gates:
            wanted = "gate"
        elif segment.items[-1][0] in operands:
            wanted = f"branch{operands[segment.items[-1][0]]}"
        elif len(segment.items) == 1:
            wanted = _role(item)
        elif isinstance(item, Leaf) and is_batch_norm(item.call.kind):
            wanted = "preactivation"
        elif operands and segment is segments[0]:
            wanted = "reduce"
        else:
            wanted = "layers"
        segment.attribute = names.take(wanted)


def _role(item: Item) -> str:
    if isinstance(item, Leaf):
        return _ROLES.get(item.call.kind.removeprefix("nn.")[:4], "layer")
    return "block"


# what nn.Module itself calls by these names, and what a method of it sees
MODULE_NAMES = frozenset(dir(nn.Module())) | {"F", "nn", "self", "torch"}
