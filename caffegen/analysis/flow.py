"""How values flow through a net: which layers all of the flow goes through, and what lies between.

Given    x -> a -> sum, x -> sum, sum -> pool
Result   the parts (x), (a, sum), (pool) of one chain

A part ends in a layer that every way from the input to it goes through: its dominator is the end of
the part before. A link that reaches far is left out first (`_LONGEST_LINK`, or past a layer that
enlarges the maps: those of a U-Net or an SSD), and so is one from another input (a label), so that
only what truly works together stays together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from caffegen.net import Graph, Node, Value

__all__ = ["Part", "find_parts", "has_weights", "nodes_behind"]

# a link past more layers with weights than these joins distant parts, not the ways of one block; the
# longest way of published blocks has five (Inception-v4's, and a bottleneck with a squeeze)
_LONGEST_LINK = 6
# Convolution, Deconvolution and the forks' DepthwiseConvolution are told by their names' end
_REARRANGES = frozenset(
    {"Concat", "Flatten", "Permute", "Reshape", "ShuffleChannel", "Slice", "Tile"}
)
_WEIGHTED = frozenset({"ConvolutionDepthwise", "Embed", "InnerProduct", "LSTM", "RNN"})


class Part(NamedTuple):
    """Layers in their order, of which the last is where all ways meet; one layer where none fork.

    Parts of one `chain` follow one another. `links` are the values that the last layer reads and
    that were not left out.
    """

    chain: int
    nodes: tuple[Node, ...]
    links: tuple[Value, ...]


def find_parts(graph: Graph) -> list[Part]:
    """The parts of all chains; the first chain of an input is the one to its deepest layer."""
    return list(_Flow(graph).parts())


def has_weights(node: Node) -> bool:
    """Whether the layer counts in the depth of a net: a convolution or a product with a matrix."""
    return node.type.endswith("onvolution") or node.type in _WEIGHTED


def nodes_behind(value: Value, nodes: Sequence[Node]) -> tuple[Node, ...]:
    """Those of some layers that a value needs, in their order."""
    inside = {id(node) for node in nodes}
    found: set[int] = set()
    todo = [value.producer]
    while todo:
        node = todo.pop()
        if node is None or id(node) not in inside or id(node) in found:
            continue
        found.add(id(node))
        todo += [read.producer for read in node.inputs if read is not None]
    return tuple(node for node in nodes if id(node) in found)


class _Flow:
    """Dominators of a graph's nodes, by index; -1 stands above the nodes without bottoms."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = graph.nodes
        # by value: the input from which it comes first; by node: layers with weights up to it
        self.source: dict[int, int] = {}
        self.depth: list[int] = []
        self.grown: list[int] = []
        self.links: list[list[Value]] = []
        self.above: list[int] = []
        self.level: list[int] = []
        self.below: list[list[int]] = [[] for _ in self.nodes]
        for node in self.nodes:
            self.add(node)

    def add(self, node: Node) -> None:
        """Find the links into a node, and its dominator."""
        read = [value for value in node.inputs if value is not None]
        first = self.source[id(read[0])] if read else None
        read = [value for value in read if self.source[id(value)] == first]
        makers = [_maker(value) for value in read]
        depth = max((self.depth[maker] for maker in makers), default=0)
        grown = max((self.grown[maker] for maker in makers), default=0)
        links = [
            value
            for value, maker in zip(read, makers)
            if depth - self.depth[maker] <= _LONGEST_LINK and grown == self.grown[maker]
        ]
        above = -1
        for index, value in enumerate(links):
            above = self.meet(above, _maker(value)) if index else _maker(value)
        self.links.append(links)
        self.above.append(above)
        self.level.append(0 if above < 0 else self.level[above] + 1)
        if above >= 0:
            self.below[above].append(node.index)
        self.depth.append(depth + has_weights(node))
        self.grown.append(grown + _enlarges(node))
        for value in node.outputs:
            self.source[id(value)] = id(value) if first is None else first

    def meet(self, one: int, other: int) -> int:
        """The last node that dominates both."""
        while one != other:
            if self.level[one] < self.level[other]:
                one, other = other, one
            one = self.above[one]
            if one < 0:
                return -1
        return one

    def parts(self) -> Iterator[Part]:
        ends = self.ends()
        taken = [False] * len(self.nodes)
        todo = [index for index in range(len(self.nodes) - 1, -1, -1) if self.above[index] < 0]
        chain = 0
        while todo:
            start = todo.pop()
            if taken[start]:
                continue
            trunk = [ends[start]]
            while trunk[-1] != start:
                trunk.append(self.above[trunk[-1]])
            behind: list[int] = []
            for last in reversed(trunk):
                members = self.members(last, taken)
                yield Part(chain, tuple(self.nodes[m] for m in members), tuple(self.links[last]))
                behind += [below for member in members for below in self.below[member]]
            # the later of two side branches first: it may be where the other ends
            todo += sorted(index for index in behind if not taken[index])
            chain += 1

    def ends(self) -> list[int]:
        """For each node the deepest that it dominates, of equal ones the last; Silence is no end."""
        best = list(range(len(self.nodes)))
        rank = [(node.type != "Silence", self.depth[node.index], node.index) for node in self.nodes]
        for index in range(len(self.nodes) - 1, -1, -1):
            above = self.above[index]
            if above >= 0 and rank[index] > rank[above]:
                best[above], rank[above] = best[index], rank[index]
        return best

    def members(self, last: int, taken: list[bool]) -> list[int]:
        """The nodes on all ways from a node's dominator to it, and itself; marks them as taken."""
        found, todo = [], [last]
        taken[last] = True
        stop = self.above[last]
        while todo:
            index = todo.pop()
            found.append(index)
            if index != last and self.above[index] < 0:
                continue
            for value in self.links[index]:
                maker = _maker(value)
                if maker != stop and not taken[maker]:
                    taken[maker] = True
                    todo.append(maker)
        return sorted(found)


def _maker(value: Value) -> int:
    assert value.producer is not None
    return value.producer.index


def _enlarges(node: Node) -> bool:
    """Whether the maps are at least half as large again behind the layer; by its type if not known."""
    before = node.inputs[0].shape if node.inputs and node.inputs[0] is not None else None
    after = node.outputs[0].shape if node.outputs else None
    if before is None or after is None:
        return node.type == "Deconvolution"
    if node.type in _REARRANGES or len(before) != len(after) or len(before) < 3:
        return False
    return any(2 * new >= 3 * old > 0 for old, new in zip(before[2:], after[2:]))
