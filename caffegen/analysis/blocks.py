"""What a net is made of, from its graph: a stem, pools, residual blocks, inception modules, stages.

Given    conv bn scale relu | pool | conv bn scale relu conv bn scale, sum relu | pool fc
Result   stem, pooling, residual block, pooling, fully connected

The graph says where a block begins and ends (`flow.py`); what stands between two blocks goes to the
convolution, the product or the pool before it. Names only give a block its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from caffegen.collection import collection_paused
from caffegen.net import Graph, Node, Value

from .flow import Part, find_parts, has_weights, nodes_behind
from .pieces import Piece, common_name, gather

__all__ = ["Block", "find_blocks"]


class Block(NamedTuple):
    """A part of a net: its layers in their order, and what it is called.

    `kind` says what it is in words: `residual block`, `inception module`, `stage`, `pooling` ... Of
    a block with several ways `join` is the layer where they meet; of a residual or highway block
    `shortcut` is the value that comes there on the shorter way, if one is shorter: for an identity,
    the one that the block begins with.
    """

    name: str
    kind: str
    nodes: tuple[Node, ...]
    join: Node | None = None
    shortcut: Value | None = None

    @property
    def bottoms(self) -> tuple[Value, ...]:
        """The values that the block reads and does not make."""
        made = {id(value) for node in self.nodes for value in node.outputs}
        read = {id(v): v for node in self.nodes for v in node.inputs if v is not None}
        return tuple(value for key, value in read.items() if key not in made)

    @property
    def tops(self) -> tuple[Value, ...]:
        """The values that others read or that nobody reads."""
        inside = {id(node) for node in self.nodes}
        return tuple(
            value
            for node in self.nodes
            for value in node.outputs
            if not value.readers or any(id(reader) not in inside for reader in value.readers)
        )

    @property
    def shortcut_kind(self) -> str:
        """`identity`, `projection` (it has weights), `weightless` (it has none), or nothing."""
        if self.shortcut is None:
            return ""
        way = nodes_behind(self.shortcut, self.nodes)
        if not way:
            return "identity"
        return "projection" if any(has_weights(node) for node in way) else "weightless"


def find_blocks(graph: Graph) -> tuple[Block, ...]:
    """The blocks of a net in the order of their first layers; every layer is in one of them.

    It goes on past unknown layer types and bottoms, and without shapes.
    """
    with collection_paused():
        return _blocks(find_parts(graph))


def _blocks(parts: Iterable[Part]) -> tuple[Block, ...]:
    chains: dict[int, list[Part]] = {}
    silent = []
    for part in parts:
        if len(part.nodes) == 1 and part.nodes[0].type == "Silence" and part.links:
            silent.append(part)
        else:
            chains.setdefault(part.chain, []).append(part)
    pieces: list[Piece] = []
    for chain in chains.values():
        pieces += gather(chain)
    pieces = _with_silence(pieces, silent)
    pieces.sort(key=lambda piece: piece.nodes[0].index)
    return tuple(
        Block(
            name, piece.kind, piece.nodes, piece.fork.nodes[-1] if piece.fork else None,
            piece.shortcut,
        )
        for piece, name in zip(pieces, _names(pieces))
    )  # fmt: skip


def _with_silence(pieces: list[Piece], silent: Iterable[Part]) -> list[Piece]:
    """Silence goes to the piece that makes the last value it reads."""
    home = {id(node): index for index, piece in enumerate(pieces) for node in piece.nodes}
    for part in silent:
        index = home[id(part.links[-1].producer)]
        pieces[index] = pieces[index].with_nodes(part.nodes)
    return pieces


def _names(pieces: Sequence[Piece]) -> list[str]:
    """What the names of a piece's layers with weights have in common.

    Where that is nothing, or another piece has it too, the name of the layer that ends a fork, or
    of the first layer with weights.
    """
    common = [
        common_name(node.name for node in piece.weighted() or piece.nodes) for piece in pieces
    ]
    counts = Counter(common)
    return [
        name if name and counts[name] == 1 else _own_name(piece)
        for name, piece in zip(common, pieces)
    ]


def _own_name(piece: Piece) -> str:
    if piece.fork is not None:
        return piece.fork.nodes[-1].name
    weighted = piece.weighted() or piece.nodes[:1]
    first, last = weighted[0].name, weighted[-1].name
    return first if len(weighted) == 1 else f"{first} to {last}"
