"""Where a net forks and joins again: such pieces become blocks, the innermost first.

Given    x -> a -> sum, x -> sum
Result   x -> block, whose body is `a`, an empty shortcut and `sum`
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .items import Block, Item, Join, Leaf, Signatures, readers_of

__all__ = ["find_regions"]

# deeper ones stay open: a net that nests so far is no net of blocks
_DEEPEST = 40


def find_regions(
    items: Sequence[Item], outputs: Iterable[int], signatures: Signatures
) -> list[Item]:
    """The items in order, with each fork and what it joins in collapsed into a Block."""
    return _Finder(items, set(outputs), signatures).run()


class _Finder:
    def __init__(self, items: Sequence[Item], outputs: set[int], signatures: Signatures) -> None:
        made = {value for item in items for value in item.outputs}
        read = dict.fromkeys(value for item in items for value in item.inputs)
        # a region may begin at an input of the net
        self.inputs = [Item((), (value,)) for value in read if value not in made]
        self.items = items = [*self.inputs, *items]
        self.outputs = outputs
        self.signatures = signatures
        self.readers = readers_of(items)
        self.maker: dict[int, Item] = {v: item for item in items for v in item.outputs}
        # a block stands where its last item stood
        self.place = {id(item): index for index, item in enumerate(items)}
        self.container: dict[int, Block] = {}
        # the dominator of each place, and how deep it lies in their tree
        self.above: list[tuple[int, int]] = []
        self.next_value = max((*self.maker, *self.readers, -1)) + 1

    def run(self) -> list[Item]:
        standing: list[Item | None] = list(self.items)
        for index, item in enumerate(self.items):
            parent = self.dominator(item)
            self.above.append((parent, self.above[parent][1] + 1 if parent >= 0 else 0))
            if len(set(item.inputs)) < 2 or len(item.outputs) != 1 or parent < 0:
                continue
            body = self.region(item, parent)
            if body is None:
                continue
            for member in body:
                standing[self.place[id(member)]] = None
            block = self.block(body, self.entry_of(parent))
            standing[index] = block
            self.place[id(block)] = index
            self.maker[block.outputs[0]] = block
            for member in body:
                self.container[id(member)] = block
        return [item for item in standing[len(self.inputs) :] if item is not None]

    def dominator(self, item: Item) -> int:
        """The place of the last item that every way here goes through; -1 where there is none."""
        found: int | None = None
        for value in item.inputs:
            maker = self.maker.get(value)
            here = -1 if maker is None else self.place[id(maker)]
            found = here if found is None else self.meet(found, here)
        return -1 if found is None else found

    def meet(self, one: int, other: int) -> int:
        while one != other:
            if one < 0 or other < 0:
                return -1
            if self.above[one][1] >= self.above[other][1]:
                one = self.above[one][0]
            else:
                other = self.above[other][0]
        return one

    def entry_of(self, parent: int) -> int:
        """The value that a region starts from: a fork by several tops, as of Slice, is part of it."""
        top = self.items[parent]
        return top.outputs[0] if len(top.outputs) == 1 else top.inputs[0]

    def region(self, join: Item, parent: int) -> list[Item] | None:
        """The items between a place and a join, if nothing else reads what they make."""
        top = self.items[parent]
        if len(top.outputs) != 1 and len(top.inputs) != 1:
            return None
        body = self.behind(self.entry_of(parent), join)
        if body is None:
            return None
        members = {id(item) for item in body}
        for item in body[:-1]:
            for value in item.outputs:
                if value in self.outputs:
                    return None
                if any(id(self.current(r)) not in members for r in self.readers.get(value, ())):
                    return None
        depth = max((item.depth for item in body if isinstance(item, Block)), default=0)
        return body if depth < _DEEPEST else None

    def current(self, reader: Item) -> Item:
        """A reader, or the block that it went into."""
        while id(reader) in self.container:
            reader = self.container[id(reader)]
        return reader

    def behind(self, entry: int, join: Item) -> list[Item] | None:
        """What a join needs, back to the entry, in the order in which it is needed."""
        found: list[Item] = []
        seen: set[int] = set()
        todo: list[tuple[Item, int]] = [(join, 0)]
        while todo:
            item, index = todo.pop()
            if index == len(item.inputs):
                found.append(item)
                continue
            todo.append((item, index + 1))
            value = item.inputs[index]
            if value == entry:
                continue
            maker = self.maker.get(value)
            if maker is None:
                return None
            if id(maker) not in seen:
                seen.add(id(maker))
                todo.append((maker, 0))
        return found

    def block(self, body: list[Item], entry: int) -> Block:
        """A block of a body; in a sum the shorter way is set apart as its shortcut."""
        join = body[-1]
        if isinstance(join, Join) and join.form == "sum" and len(join.inputs) == 2:
            body = self.with_shortcut(body, join, entry)
        block = Block(body, entry, join.outputs[0])
        block.signature = self.signatures.of_body(body, entry, strict=False)
        block.strict = self.signatures.of_body(body, entry, strict=True)
        return block

    def with_shortcut(self, body: list[Item], join: Join, entry: int) -> list[Item]:
        ways = [self.way(body, value, entry) for value in join.inputs]
        costs = [None if way is None else _cost(way) for way in ways]
        known = [cost for cost in costs if cost is not None]
        if not known or (len(known) == 2 and known[0] == known[1]):
            return body
        least = min(known)
        index = costs.index(least)
        way = ways[index]
        if way is None or _cost(body)[0] < 2 * least[0] + 1:
            return body
        exit_ = join.inputs[index]
        if not way:
            exit_ = self.next_value
            self.next_value += 1
        inside = {id(item) for item in way}
        if not all(isinstance(item, Leaf) for item in way):
            # no Sequential holds expressions: it will be a class
            inner = Block(way, entry, exit_)
            inner.signature = self.signatures.of_body(way, entry, strict=False)
            inner.strict = self.signatures.of_body(way, entry, strict=True)
            way = [inner]
        shortcut = Block(way, entry, exit_, optional=True)
        shortcut.strict = self.signatures.number(
            ("shortcut", self.signatures.of_body(way, entry, strict=True))
        )
        rest = [item for item in body[:-1] if id(item) not in inside]
        # the shortcut stands last, and its coefficient with it
        facts = join.facts if index else join.facts[::-1]
        new = Join(join.form, facts, (join.inputs[1 - index], exit_), join.outputs)
        new.signature = self.signatures.of_join(new)
        return [*rest, shortcut, new]

    def way(self, body: list[Item], value: int, entry: int) -> list[Item] | None:
        """The items from the entry to a value, if they stand in a row that nobody else reads."""
        makers = {v: item for item in body for v in item.outputs}
        found: list[Item] = []
        while value != entry:
            item = makers[value]
            if len(item.inputs) != 1 or len(item.outputs) != 1:
                return None
            if len({id(self.current(r)) for r in self.readers.get(value, ())}) != 1:
                return None
            found.append(item)
            value = item.inputs[0]
        return found[::-1]


def _cost(items: Sequence[Item]) -> tuple[int, int]:
    """How many layers with weights there are, and how many at all."""
    learned = 0
    todo = list(items)
    while todo:
        item = todo.pop()
        if isinstance(item, Block):
            todo.extend(item.body)
        elif isinstance(item, Leaf):
            learned += bool(item.tensors)
    return learned, sum(item.weight for item in items)
