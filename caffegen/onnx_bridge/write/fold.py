"""Folding what follows a convolution or a product, channel by channel, into its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from onnx import NodeProto, helper, numpy_helper

from .graph import names_read
from .initialiser import Array, Initialiser

if TYPE_CHECKING:
    from .graph import GraphWriter

__all__ = ["fold_constants"]

# how a channel's values are changed: times the first, plus the second
Affine = tuple[Array, Array]


class _Root(NamedTuple):
    """A node that the rest can be folded into: its weight and bias, which nothing else reads."""

    weight: Initialiser
    bias: Initialiser | None
    channels: int
    rank: int


def fold_constants(graph: GraphWriter, keep: set[str]) -> None:
    """Fold BatchNormalization, Mul and Add by constants per channel into the node before them.

    Given: Conv, ConvTranspose or Gemm -> BatchNormalization, Mul or Add, any number of them, each
    read by the next alone; the blobs to `keep` stay.
    Result: the first node with other weights and bias, under the last one's top.
    """
    _Folding(graph, keep).run()


class _Folding:
    def __init__(self, graph: GraphWriter, keep: set[str]) -> None:
        self.graph = graph
        self.keep = keep
        self.readers: dict[str, list[NodeProto]] = {}
        for node in graph.nodes:
            for name in names_read([node]):
                self.readers.setdefault(name, []).append(node)
        self.constants = {tensor.name: tensor for tensor in graph.constants}

    def run(self) -> None:
        """Fold every chain, then drop the initialisers that nothing reads any more."""
        gone: set[int] = set()
        for node in self.graph.nodes:
            if id(node) in gone:
                continue
            root = self.root(node)
            if root is None:
                continue
            chain = self.chain(node, root)
            if chain:
                self.fold(node, root, [step for _, step in chain])
                gone.update(id(follower) for follower, _ in chain)
                node.output[0] = chain[-1][0].output[0]
        kept_nodes = [node for node in self.graph.nodes if id(node) not in gone]
        del self.graph.nodes[:]
        self.graph.nodes.extend(kept_nodes)
        read = set(names_read(self.graph.nodes))
        kept = {n: i for n, i in self.graph.initialisers.items() if n in read}
        self.graph.initialisers = kept
        self.graph.constants = [t for t in self.graph.constants if t.name in read]

    def root(self, node: NodeProto) -> _Root | None:
        """The node as one to fold into, if its weights are its own."""
        if node.op_type not in ("Conv", "ConvTranspose", "Gemm"):
            return None
        operands = [self.graph.initialisers.get(name) for name in node.input[1:]]
        weight = operands[0]
        bias = operands[1] if len(operands) > 1 else None
        if weight is None or (len(operands) > 1 and bias is None):
            return None
        if any(len(self.readers[name]) > 1 for name in node.input[1:]):
            return None
        return _Root(weight, bias, _channels(node, weight), len(weight.shape))

    def chain(self, node: NodeProto, root: _Root) -> list[tuple[NodeProto, Callable[[], Affine]]]:
        """The nodes behind it that can be folded, in order, and what each does to a channel."""
        found = []
        end = node
        while end.output[0] not in self.keep:
            readers = self.readers.get(end.output[0], [])
            step = self.step(readers[0], end.output[0], root) if len(readers) == 1 else None
            if step is None:
                break
            found.append((readers[0], step))
            end = readers[0]
        return found

    def step(self, node: NodeProto, x: str, root: _Root) -> Callable[[], Affine] | None:
        """What a node does to each channel, computed when the file is written."""
        if node.op_type == "BatchNormalization" and node.input[0] == x:
            operands = [self.values(name) for name in node.input[1:]]
            if any(operand is None for operand in operands):
                return None
            eps = next(a.f for a in node.attribute if a.name == "epsilon")
            return lambda: _normalization([read() for read in operands if read is not None], eps)
        if node.op_type not in ("Mul", "Add"):
            return None
        others = [name for name in node.input if name != x]
        values = self.values(others[0]) if len(others) == 1 else None
        if values is None or not self.per_channel(others[0], root):
            return None
        channels = root.channels
        one, zero = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        if node.op_type == "Mul":
            return lambda: (np.broadcast_to(values().reshape(-1), (channels,)), zero)
        return lambda: (one, np.broadcast_to(values().reshape(-1), (channels,)))

    def values(self, name: str) -> Callable[[], Array] | None:
        """A constant or a weight by name; None for what is computed."""
        if name in self.constants:
            tensor = self.constants[name]
            return lambda: numpy_helper.to_array(tensor)
        weight = self.graph.initialisers.get(name)
        return None if weight is None else weight.array

    def per_channel(self, name: str, root: _Root) -> bool:
        """Whether an operand, broadcast against the root's output, has a number per channel."""
        tensor = self.constants.get(name)
        shape = tuple(tensor.dims) if tensor is not None else self.graph.initialisers[name].shape
        if all(size == 1 for size in shape):
            return len(shape) <= root.rank
        lined_up = (1,) * (root.rank - len(shape)) + shape
        wanted = (1, root.channels, *(1,) * (root.rank - 2))
        return lined_up == wanted

    def fold(self, node: NodeProto, root: _Root, steps: Sequence[Callable[[], Affine]]) -> None:
        """Give the node weights and a bias that do what the steps do."""
        spread = _spread(node, root)

        def whole() -> Affine:
            scale = np.ones(root.channels, np.float32)
            shift = np.zeros(root.channels, np.float32)
            for step in steps:
                factor, term = step()
                scale, shift = scale * factor, shift * factor + term
            return scale, shift

        def bias() -> Array:
            scale, shift = whole()
            return shift if root.bias is None else root.bias.array() * scale + shift

        initialisers = self.graph.initialisers
        name = root.weight.name
        initialisers[name] = Initialiser(
            name, root.weight.shape, (), lambda: root.weight.array() * spread(whole()[0])
        )
        name = self.graph.names.own(f"{node.name}.bias") if root.bias is None else root.bias.name
        if root.bias is None:
            node.input.append(name)
        initialisers[name] = Initialiser(name, (root.channels,), (), bias)


def _normalization(operands: Sequence[Array], eps: float) -> Affine:
    scale, bias, mean, variance = operands
    factor = scale / np.sqrt(variance + np.float32(eps))
    return factor, bias - mean * factor


def _attribute(node: NodeProto, name: str, default: int) -> int:
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


def _channels(node: NodeProto, weight: Initialiser) -> int:
    if node.op_type == "ConvTranspose":
        return weight.shape[1] * _attribute(node, "group", 1)
    if node.op_type == "Gemm" and not _attribute(node, "transB", 0):
        return weight.shape[1]
    return weight.shape[0]


def _spread(node: NodeProto, root: _Root) -> Callable[[Array], Array]:
    """How a number per channel is laid out against the weight."""
    behind = (1,) * (root.rank - 2)
    if node.op_type == "Gemm":
        return lambda v: v.reshape(-1, 1) if _attribute(node, "transB", 0) else v
    if node.op_type == "Conv":
        return lambda v: v.reshape(-1, 1, *behind)
    group, rows = _attribute(node, "group", 1), root.weight.shape[0]
    # the weight of a transposed convolution is (C, channels / group, ...), groups along C
    return lambda v: np.repeat(v.reshape(group, -1), rows // group, 0).reshape(rows, -1, *behind)
