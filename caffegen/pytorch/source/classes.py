"""Blocks that are alike become a class; what they differ in becomes its arguments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from .items import Block, Item, Join, Key, Leaf, Signatures, walk
from .parameters import MISSING, name_params
from .patterns import find_rows

__all__ = ["ClassDef", "Param", "make_classes"]

# a repeated piece inside another one with so many layers is a class of its own
_LEAST_INNER = 5


class Param:
    """An argument of a class: what it is in each block."""

    def __init__(self, arg: str, column: Sequence[Any], key: Key) -> None:
        self.arg = arg
        self.column = list(column)
        self.key = key
        self.name = arg
        self.default: Any = MISSING


class ClassDef:
    """A class of blocks that are alike, in the order in which they are needed."""

    def __init__(self, blocks: list[Block]) -> None:
        self.blocks = blocks
        self.name = ""
        self.doc = ""
        # the block that shows all that others may lack
        self.model = max(blocks, key=lambda block: block.weight)
        self.params: list[Param] = []
        # which parameter stands for an argument of an item; all others are the same everywhere
        self.bound: dict[tuple[Key, str], Param] = {}
        # shortcuts that some blocks have and others have not
        self.switches: dict[Key, Param] = {}
        # what stands behind `if` where a shortcut is built
        self.conditions: dict[Key, str] = {}
        self.paths: dict[Key, str] = {}
        for block in blocks:
            block.class_def = self
        self._find_params()

    def bare(self, key: Key) -> bool:
        """Whether no block has anything in this shortcut."""
        item = self.model.body[key[0]]
        assert isinstance(item, Block)
        return not item.body

    def _find_params(self) -> None:
        for key, arg, column in _columns(self.blocks, self.model):
            known = {value for value in map(_hashable, column) if value is not MISSING}
            if len(known) == 1 and arg != "projection":
                continue
            if arg == "inplace":
                # a new tensor here and another's there: never overwrite
                self._fix(key, arg, value=False)
                continue
            param = next((p for p in self.params if _agree(p.column, column)), None)
            if param is None or arg == "projection":
                param = Param(arg, column, key)
                self.params.append(param)
            if arg == "projection":
                self.switches[key] = param
            else:
                self.bound[key, arg] = param
        for param in self.params:
            values = [value for value in param.column if value is not MISSING]
            filling = Counter(map(_hashable, values)).most_common(1)[0][0]
            param.column = [filling if value is MISSING else value for value in param.column]

        name_params(self)
        self.conditions = {key: self._condition(param) for key, param in self.switches.items()}
        for index, block in enumerate(self.blocks):
            block.args = {param.name: param.column[index] for param in self.params}

    def _condition(self, switch: Param) -> str:
        """When a shortcut has layers: where the shape changes, or as an argument says."""
        by_name = {param.name: param.column for param in self.params}
        count = len(self.blocks)
        ways = {
            "stride != 1": [value != 1 for value in by_name.get("stride", [1] * count)],
            "in_channels != out_channels": [
                a != b
                for a, b in zip(
                    by_name.get("in_channels", [0] * count),
                    by_name.get("out_channels", [0] * count),
                    strict=True,
                )
            ],
        }
        both = [any(values) for values in zip(*ways.values(), strict=True)]
        for text, column in (*ways.items(), (" or ".join(ways), both)):
            if column == switch.column:
                self.params.remove(switch)
                return text
        return switch.name

    def _fix(self, key: Key, arg: str, *, value: Any) -> None:
        for block in self.blocks:
            item = dict(walk(block.body)).get(key)
            if isinstance(item, Leaf):
                item.call.args[arg] = value


def _hashable(value: Any) -> Any:
    # True is 1 in a set
    return (type(value).__name__, value) if isinstance(value, bool) else value


def _agree(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return all(
        b is MISSING or (a is not MISSING and type(a) is type(b) and a == b)
        for a, b in zip(one, other, strict=True)
    )


def _args(item: Item) -> dict[str, Any]:
    if isinstance(item, Leaf):
        return item.call.args
    if isinstance(item, Block) and not item.optional:
        return item.args
    return {}


def _columns(blocks: list[Block], model: Block) -> Iterable[tuple[Key, str, list[Any]]]:
    """Each argument of each item, with its value in every block; what all have comes first."""
    places = [dict(walk(block.body)) for block in blocks]
    found: list[tuple[Key, str, list[Any]]] = []
    for key, item in walk(model.body):
        if isinstance(item, Block) and item.optional:
            column = [bool(place[key].body) for place in places]  # type: ignore[attr-defined]
            if not all(column) and any(column):
                found.append((key, "projection", column))
        for arg in _args(item):
            values = [_args(place[key])[arg] if key in place else MISSING for place in places]
            found.append((key, arg, values))
    found.sort(key=lambda entry: any(value is MISSING for value in entry[2]))
    return found


def make_classes(
    items: list[Item], outputs: Collection[int], signatures: Signatures
) -> tuple[list[Item], list[ClassDef]]:
    """The items of the net with repeated blocks as classes and all others opened; the classes."""
    maker = _Maker(signatures)
    blocks = [item for item in items if isinstance(item, Block)]
    maker.settle_inner(blocks)
    symbols: dict[int, int] = {}
    for number, group in enumerate(maker.groups(blocks)):
        symbols |= {id(block): number for block in group}
    body, rows = find_rows(items, outputs, symbols)
    for row in rows:
        for block in row:
            block.body = [part for item in block.body for part in _inside(item)]
            block.weight = sum(item.weight for item in block.body)
        maker.classes.append(ClassDef(row))
    return list(opened(body)), maker.classes


def _inside(item: Item) -> list[Item]:
    """What a row of items has of an item: a block that is no class is part of the row's own."""
    return item.body if isinstance(item, Block) and item.class_def is None else [item]


def opened(body: Iterable[Item]) -> Iterable[Item]:
    """A body with the blocks that are no class replaced by what is in them."""
    for item in body:
        if isinstance(item, Block) and not item.optional and item.class_def is None:
            yield from _without_shortcuts(opened(item.body))
        else:
            yield item


def _without_shortcuts(body: Iterable[Item]) -> Iterable[Item]:
    """A body whose shortcuts are items like any others: there is no second block to agree with."""
    same: dict[int, int] = {}
    for item in body:
        if isinstance(item, Block) and item.optional:
            if not item.body:
                same[item.outputs[0]] = item.inputs[0]
            yield from item.body
        elif isinstance(item, Join) and any(value in same for value in item.inputs):
            inputs = [same.get(value, value) for value in item.inputs]
            join = Join(item.form, item.facts, inputs, item.outputs)
            join.signature = item.signature
            yield join
        else:
            yield item


class _Maker:
    def __init__(self, signatures: Signatures) -> None:
        self.signatures = signatures
        self.classes: list[ClassDef] = []

    def settle_inner(self, blocks: list[Block]) -> None:
        """Make classes of the blocks inside blocks, or open them; the innermost first."""
        by_depth: dict[int, list[tuple[Block, bool, bool]]] = {}
        todo = [(block, False, False) for block in blocks]
        while todo:
            block, is_inner, in_shortcut = todo.pop()
            by_depth.setdefault(block.depth, []).append((block, is_inner, in_shortcut))
            inner = [item for item in block.body if isinstance(item, Block)]
            todo.extend((item, True, block.optional) for item in inner)
        for depth in sorted(by_depth):
            level = by_depth[depth][::-1]
            for block, _, _ in level:
                block.body = list(opened(block.body))
                self.sign(block)
            plain = [(b, shut) for b, inner, shut in level if inner and not b.optional]
            needed = {id(b) for b, shut in plain if shut}
            for group in self.groups([b for b, _ in plain]):
                worth = len(group) > 1 and group[0].weight >= _LEAST_INNER
                if worth or any(id(b) in needed for b in group):
                    self.classes.append(ClassDef(group))

    def sign(self, block: Block) -> None:
        entry = block.inputs[0]
        if block.optional:
            inside = self.signatures.of_body(block.body, entry, strict=True)
            block.strict = self.signatures.number(("shortcut", inside))
            return
        block.signature = self.signatures.of_body(block.body, entry, strict=False)
        block.strict = self.signatures.of_body(block.body, entry, strict=True)

    def groups(self, blocks: list[Block]) -> list[list[Block]]:
        """Blocks that one class can stand for: alike, with the same shortcut or the identity."""
        alike: dict[int, list[Block]] = {}
        for block in blocks:
            alike.setdefault(block.signature, []).append(block)
        found: list[list[Block]] = []
        for group in alike.values():
            found.extend(_by_shortcut(group))
        return found


def _by_shortcut(group: list[Block]) -> list[list[Block]]:
    shortcuts = [
        tuple(i.strict if i.body else None for i in b.body if isinstance(i, Block) and i.optional)
        for b in group
    ]
    usual = [
        Counter(s for s in column if s is not None).most_common(1)
        for column in zip(*shortcuts, strict=True)
    ]
    split: dict[tuple[int | None, ...], list[Block]] = {}
    for block, shortcut in zip(group, shortcuts, strict=True):
        plain = all(s is None or s == most[0][0] for s, most in zip(shortcut, usual, strict=True))
        split.setdefault(() if plain else shortcut, []).append(block)
    return list(split.values())
