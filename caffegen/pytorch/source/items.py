"""What source is made of: module calls, joins, and blocks that hold both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from .classes import ClassDef

__all__ = ["Block", "Call", "Item", "Join", "Key", "Leaf", "Signatures", "readers_of", "walk"]

#: The place of an item in a body; of an item in an optional shortcut, a second number.
Key = tuple[int, ...]


class Call:
    """The construction of a module: a class and all its arguments by name."""

    __slots__ = ("args", "kind")

    def __init__(self, kind: str, args: Mapping[str, Any]) -> None:
        self.kind = kind
        self.args = dict(args)


class Item:
    """One step of a forward pass: the values (by number) that it reads and makes.

    Items of one `signature` do the same but for numbers that a constructor can take.
    """

    __slots__ = ("inputs", "outputs", "signature", "weight")

    def __init__(self, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.signature = -1
        self.weight = 1

    @property
    def linear(self) -> bool:
        """Whether a Sequential can hold it."""
        return False


class Leaf(Item):
    """A module of one layer, and its tensors by state_dict key."""

    __slots__ = ("call", "layer", "tensors")

    def __init__(
        self,
        call: Call,
        inputs: Sequence[int],
        outputs: Sequence[int],
        tensors: Mapping[str, Tensor],
        layer: str,
    ) -> None:
        super().__init__(inputs, outputs)
        self.call = call
        self.tensors = dict(tensors)
        self.layer = layer

    @property
    def linear(self) -> bool:
        """Whether it has one bottom and one top."""
        return len(self.inputs) == 1 and len(self.outputs) == 1


class Join(Item):
    """An expression without weights, such as a sum: `form` names it, `facts` are its numbers."""

    __slots__ = ("facts", "form")

    def __init__(
        self, form: str, facts: tuple[Any, ...], inputs: Sequence[int], outputs: Sequence[int]
    ) -> None:
        super().__init__(inputs, outputs)
        self.form = form
        self.facts = facts


class Block(Item):
    """A piece of the net with one way in and one way out.

    An `optional` one is a shortcut, empty where the shortcut is the identity.
    """

    __slots__ = ("args", "body", "class_def", "depth", "optional", "strict")

    def __init__(self, body: list[Item], entry: int, exit_: int, *, optional: bool = False) -> None:
        super().__init__((entry,), (exit_,))
        self.body = body
        self.optional = optional
        self.weight = sum(item.weight for item in body)
        self.depth: int = 1 + max((i.depth for i in body if isinstance(i, Block)), default=0)
        self.strict = -1
        self.class_def: ClassDef | None = None
        self.args: dict[str, Any] = {}

    @property
    def linear(self) -> bool:
        """Whether it is a module of its own."""
        return self.class_def is not None


class Signatures:
    """A number for every structure, the same for equal ones."""

    def __init__(self) -> None:
        self._known: dict[Any, int] = {}

    def number(self, structure: Any) -> int:
        """The number of a structure."""
        return self._known.setdefault(structure, len(self._known))

    def of_body(self, body: Sequence[Item], entry: int, *, strict: bool) -> int:
        """The number of a body: what its items are, and which reads which."""
        local = {entry: -1}
        parts: list[Any] = []
        for item in body:
            reads = tuple(local[value] for value in item.inputs)
            parts.append((self.of_item(item, strict=strict), reads))
            for value in item.outputs:
                local[value] = len(local)
        return self.number(("body", tuple(parts)))

    def of_join(self, join: Join) -> int:
        """The number of an expression."""
        return self.number((join.form, join.facts, len(join.inputs)))

    def of_item(self, item: Item, *, strict: bool) -> int:
        """The number of an item; a strict one says what an optional shortcut holds."""
        if not isinstance(item, Block):
            return item.signature
        if item.optional:
            return item.strict if strict else self.number("shortcut")
        if item.class_def is not None:
            return self.number(("class", id(item.class_def)))
        return item.strict if strict else item.signature


def walk(body: Sequence[Item]) -> Iterator[tuple[Key, Item]]:
    """The items of a body with their places; those of an optional shortcut behind it."""
    for index, item in enumerate(body):
        yield (index,), item
        if isinstance(item, Block) and item.optional:
            for inner, part in enumerate(item.body):
                yield (index, inner), part


def readers_of(body: Sequence[Item]) -> dict[int, list[Item]]:
    """Who reads each value; once for each time."""
    found: dict[int, list[Item]] = {}
    for item in body:
        for value in item.inputs:
            found.setdefault(value, []).append(item)
    return found
