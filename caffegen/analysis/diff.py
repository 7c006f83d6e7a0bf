"""The semantic difference of two nets: what they compute, names, order, defaults and versions aside."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple

from caffegen.net import Graph, Node, Value

from .facts import layer_facts, shown
from .sharing import ParamOwner, param_owners

__all__ = ["Change", "Layer", "NetDiff", "diff_graphs"]

# without bottoms, and yet no data from outside; which layer brings that makes no difference to others
_MADE_UP = frozenset({"DummyData", "Parameter"})
_COMMUTATIVE = frozenset({"Eltwise"})
# layers of the one times layers of the other that are aligned; the time grows by the cube
_ALIGNED = 1 << 18


class Layer(NamedTuple):
    """A layer that only one of the nets has."""

    name: str
    type: str


class Change(NamedTuple):
    """A layer that both nets have and that differs; each entry is (what, in the first, in the second)."""

    first: str
    second: str
    differences: tuple[tuple[str, str, str], ...]


class NetDiff(NamedTuple):
    """Layers of one net alone, and layers that changed, by name and in the order of the nets."""

    only_first: tuple[Layer, ...]
    only_second: tuple[Layer, ...]
    changed: tuple[Change, ...]
    same: int

    @property
    def equal(self) -> bool:
        """Whether the two nets compute the same."""
        return not (self.only_first or self.only_second or self.changed)


def diff_graphs(first: Graph, second: Graph, *, training: bool = False) -> NetDiff:
    """Match the layers of two graphs and tell what differs.

    Layers that are equal with everything before them match first, whatever their names; then those
    of one name and type; then those that stand in the same order by what they are. `training`
    compares what only learning depends on, too: fillers, learning rates, dropout.
    """
    names = {value.name for value in _sources(first)} & {value.name for value in _sources(second)}
    a, b = _Side(first, names, training), _Side(second, names, training)
    pairs = dict(_match_equal(a, b))
    pairs.update(_match_names(a, b, pairs))
    pairs.update(_match_order(a, b, pairs))
    changed = []
    for index in sorted(pairs):
        differences = tuple(_differences(a, b, index, pairs[index], pairs))
        if differences:
            here, there = a.nodes[index], b.nodes[pairs[index]]
            changed.append(Change(here.name, there.name, differences))
    same = len(pairs) - len(changed)
    taken = set(pairs.values())
    return NetDiff(
        tuple(Layer(n.name, n.type) for i, n in a.nodes.items() if i not in pairs),
        tuple(Layer(n.name, n.type) for i, n in b.nodes.items() if i not in taken),
        (*_changed_inputs(a, b), *changed),
        same,
    )


def _changed_inputs(a: _Side, b: _Side) -> Iterator[Change]:
    """Inputs whose shapes are known on both sides and differ."""
    others = {key: value for value, key in b.inputs.items()}
    for value, key in a.inputs.items():
        other = others.get(key)
        if other is None or value.shape is None or other.shape is None:
            continue
        if value.shape != other.shape:
            differs = ("shape", shown(value.shape), shown(other.shape))
            yield Change(value.name, other.name, (differs,))


def _sources(graph: Graph) -> Iterator[Value]:
    for node in graph.nodes:
        if not node.bottom and node.type not in _MADE_UP:
            yield from node.outputs


class _Side:
    """One net with, for every layer, what it is by itself and with all that leads to it.

    Layers that change nothing are left out: Split, Silence, and without training Dropout.
    """

    def __init__(self, graph: Graph, names: Collection[str], training: bool) -> None:
        passing = {"Silence", "Split"} | (set() if training else {"Dropout"})
        self.passing = frozenset(passing)
        self.nodes = {n.index: n for n in graph.nodes if not self._passes(n) and n.type != "Input"}
        self.inputs = self._input_keys(graph, names)
        owners = param_owners(graph)
        self.facts: dict[int, dict[str, Hashable]] = {}
        self.local: dict[int, str] = {}
        self.deep: dict[int, str] = {}
        for index, node in self.nodes.items():
            facts = self.facts[index] = layer_facts(node, training=training)
            for blob, shared in self._shared(node, owners):
                facts[f"blob {blob} shared with"] = shared
            # the outputs of a layer that nobody names count for nothing
            self.local[index] = _digest(node.type, sorted(facts.items()))
            sources = [self.source(value) for value in node.inputs]
            self.deep[index] = _digest(*self._arranged(node, facts, sources))

    def _input_keys(self, graph: Graph, names: Collection[str]) -> dict[Value, str]:
        """A key for every value that comes from outside: its name if both nets have it, else its place."""
        keys: dict[Value, str] = {}
        place = 0
        for value in _sources(graph):
            if value.name in names:
                # a name that two layers make is at fault, and yet each is one
                keys[value] = value.key
            else:
                keys[value] = f"#{place}"
                place += 1
        return keys

    def _shared(
        self, node: Node, owners: Mapping[ParamOwner, ParamOwner]
    ) -> Iterator[tuple[int, str]]:
        blobs = node.definition.blobs if node.definition is not None else ()
        for blob in range(len(blobs)):
            owner = owners.get(ParamOwner(node.index, blob))
            if owner is not None:
                yield blob, f"{self.deep.get(owner.layer, '?')}:{owner.blob}"

    def _arranged(
        self, node: Node, facts: Mapping[str, Hashable], sources: Sequence[str]
    ) -> tuple[object, ...]:
        """What tells the layer from others with all before it; a sum does not ask for the order."""
        if node.type in _COMMUTATIVE:
            coeffs = facts.get("coeffs")
            weights = (
                coeffs if isinstance(coeffs, tuple) and len(coeffs) == len(sources) else sources
            )
            rest = sorted((k, v) for k, v in facts.items() if k != "coeffs")
            return (node.type, rest, sorted(zip(sources, weights)))
        return (self.local[node.index], list(sources))

    def _passes(self, node: Node) -> bool:
        """Whether a layer changes nothing; a fork's Dropout may scale in TEST."""
        return node.type in self.passing and getattr(node.definition, "scale_train", True)

    def word(self, index: int, exactly: bool) -> str:
        """What a layer is by itself: with its facts, or by its type alone."""
        return self.local[index] if exactly else self.nodes[index].type

    def maker(self, value: Value | None) -> tuple[Node | None, int]:
        """The layer and its top that a value comes from, past layers that change nothing."""
        while value is not None and value.producer is not None:
            node = value.producer
            if not self._passes(node) or not node.inputs:
                return node, value.output_index
            value = node.inputs[0]
        return None, 0

    def source(self, value: Value | None) -> str:
        """What a value is: a key of an input, or a digest of all that leads to it."""
        node, top = self.maker(value)
        if node is None:
            return "?"
        outside = self.inputs.get(node.outputs[top])
        # a Split or an Input that is at fault is no layer to compare
        return f"input {outside}" if outside is not None else f"{self.deep.get(node.index)}:{top}"


def _digest(*parts: object) -> str:
    return hashlib.sha1(repr(parts).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


def _match_equal(a: _Side, b: _Side) -> Iterator[tuple[int, int]]:
    places: dict[str, list[int]] = {}
    for index in reversed(b.nodes):
        places.setdefault(b.deep[index], []).append(index)
    for index in a.nodes:
        found = places.get(a.deep[index])
        if found:
            # of equal layers the one of the same name, or else the first
            name = a.nodes[index].name
            same = next((i for i in found if b.nodes[i].name == name), found[-1])
            found.remove(same)
            yield index, same


def _match_names(a: _Side, b: _Side, pairs: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    taken = set(pairs.values())
    names = {node.name: index for index, node in b.nodes.items() if index not in taken}
    for index, node in a.nodes.items():
        if index in pairs or node.name not in names:
            continue
        if b.nodes[names[node.name]].type == node.type:
            yield index, names.pop(node.name)


def _match_order(a: _Side, b: _Side, pairs: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    taken = set(pairs.values())
    left = [index for index in a.nodes if index not in pairs]
    right = [index for index in b.nodes if index not in taken]
    if not left or not right:
        return
    for exactly in (True, False):
        words = [a.word(i, exactly) for i in left], [b.word(j, exactly) for j in right]
        align = _aligned if len(left) * len(right) <= _ALIGNED else _in_turn
        paired = {left[i]: right[j] for i, j in align(*words)}
        yield from paired.items()
        left = [i for i in left if i not in paired]
        taken = set(paired.values())
        right = [j for j in right if j not in taken]


def _aligned(first: Sequence[str], second: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The places of the longest stretches that two sequences have in common."""
    from difflib import SequenceMatcher

    for i, j, size in SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks():
        yield from zip(range(i, i + size), range(j, j + size), strict=True)


def _in_turn(first: Sequence[str], second: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The places of the first of each word in both sequences, of the second of each word ..."""
    places: dict[str, deque[int]] = {}
    for j, word in enumerate(second):
        places.setdefault(word, deque()).append(j)
    for i, word in enumerate(first):
        if places.get(word):
            yield i, places[word].popleft()


def _differences(
    a: _Side, b: _Side, i: int, j: int, pairs: Mapping[int, int]
) -> Iterator[tuple[str, str, str]]:
    if a.deep[i] == b.deep[j]:
        return
    left, right = a.nodes[i], b.nodes[j]
    for name in dict.fromkeys((*a.facts[i], *b.facts[j])):
        if name.endswith("shared with"):
            if (name in a.facts[i]) != (name in b.facts[j]):
                yield name, _yes(name in a.facts[i]), _yes(name in b.facts[j])
            continue
        before, after = a.facts[i].get(name), b.facts[j].get(name)
        if before != after:
            yield name, shown(before), shown(after)
    if len(left.inputs) != len(right.inputs):
        yield "bottoms", str(len(left.inputs)), str(len(right.inputs))
        return
    mine = [(k, a.maker(value)) for k, value in enumerate(left.inputs)]
    theirs = [(k, b.maker(value)) for k, value in enumerate(right.inputs)]
    if left.type in _COMMUTATIVE and _are_alike(a.facts[i]) and _are_alike(b.facts[j]):
        mine, theirs = _unlike(a, b, mine, theirs, pairs)
    for (index, one), (_, two) in zip(mine, theirs):
        if not _same_maker(a, b, one, two, pairs):
            yield f"bottom {index}", _maker(*one), _maker(*two)


def _are_alike(facts: Mapping[str, Hashable]) -> bool:
    """Whether all bottoms of a sum or a product count the same."""
    coeffs = facts.get("coeffs")
    return not isinstance(coeffs, tuple) or len(set(coeffs)) < 2


_Numbered = list[tuple[int, tuple[Node | None, int]]]


def _unlike(
    a: _Side, b: _Side, mine: _Numbered, theirs: _Numbered, pairs: Mapping[int, int]
) -> tuple[_Numbered, _Numbered]:
    """The bottoms of both sides that have no match on the other, wherever it stands."""
    rest = list(theirs)
    left = []
    for index, one in mine:
        match = next((other for other in rest if _same_maker(a, b, one, other[1], pairs)), None)
        if match is None:
            left.append((index, one))
        else:
            rest.remove(match)
    return left, rest


def _same_maker(
    a: _Side,
    b: _Side,
    one: tuple[Node | None, int],
    two: tuple[Node | None, int],
    pairs: Mapping[int, int],
) -> bool:
    if one[0] is None or two[0] is None:
        return one[0] is two[0]
    mine, theirs = (
        side.inputs.get(node.outputs[top]) for side, node, top in ((a, *one), (b, *two)) if node
    )
    if mine is not None or theirs is not None:
        return mine == theirs
    return pairs.get(one[0].index) == two[0].index and one[1] == two[1]


def _maker(node: Node | None, top: int) -> str:
    if node is None:
        return "from nowhere"
    return f"from `{node.name}`" + (f" top {top}" if len(node.top) > 1 else "")


def _yes(value: bool) -> str:
    return "yes" if value else "no"
