"""What a family's functions write with: the nodes, constants and weights of one layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from caffegen.net import Node

from .free import Dims
from .initialiser import Array
from .registry import refuse

if TYPE_CHECKING:
    from .graph import GraphWriter

__all__ = ["LayerWriter", "Target"]

# an axis after a reshape: a size, or the old axes of which it is the product
Target = Sequence[int | tuple[int, ...]]


class LayerWriter:
    """Writes one layer. `bottoms` and `tops` are value names; tops without a name are not there.

    `bottom_dims` and `top_dims` are the shapes in which free sizes stand as text: what a node is
    told must hold for every size of those, so take sizes from here and not from the definition.
    """

    def __init__(
        self,
        graph: GraphWriter,
        node: Node,
        bottoms: Sequence[str],
        tops: Sequence[str],
        bottom_dims: Sequence[Dims],
        top_dims: Sequence[Dims],
    ) -> None:
        self.graph = graph
        self.node = node
        self.opset = graph.opset
        self.bottoms = tuple(bottoms)
        self.tops = tuple(tops)
        self.bottom_dims = tuple(bottom_dims)
        self.top_dims = tuple(top_dims)
        #: The Scale layer that this BatchNorm takes in, where it does.
        self.scale: LayerWriter | None = None
        #: Whether all bottoms of this Concat but the first are zeros, and not written.
        self.padded = False
        self._named = False

    def refusal(self, reason: str) -> Exception:
        """The refusal of this layer with a reason; the caller raises it."""
        assert self.node.definition is not None
        return refuse(self.node.definition, reason)

    def fixed(self, dims: Dims, axis: int, why: str) -> int:
        """The size of an axis that must not be free, or a refusal."""
        size = dims[axis]
        if isinstance(size, str):
            raise self.refusal(f"axis {axis} of its bottom is free, but {why}")
        return size

    def need_windows(self) -> None:
        """Refuse a top that no window makes a value of: ONNX lays at least one."""
        if any(0 in dims for dims in self.top_dims):
            raise self.refusal("its top is empty, and ONNX lays at least one window")

    # Nodes.

    def emit(
        self, op: str, inputs: Sequence[str], *, into: str | None = None, **attributes: Any
    ) -> str:
        """Add a node with one output, an inner value unless `into` names it; returns its name."""
        output = self.own_name(f"{op}:0") if into is None else into
        self._add(op, inputs, [output], attributes)
        return output

    def emit_many(
        self, op: str, inputs: Sequence[str], outputs: int | Sequence[str], **attributes: Any
    ) -> list[str]:
        """Add a node with several outputs, given by number or by name ("" for one not wanted)."""
        if isinstance(outputs, int):
            outputs = [self.own_name(f"{op}:{index}") for index in range(outputs)]
        self._add(op, inputs, outputs, attributes)
        return list(outputs)

    def top(self, op: str, inputs: Sequence[str], index: int = 0, **attributes: Any) -> None:
        """Add a node that makes a top; nothing where the layer does not name that top."""
        if index < len(self.tops):
            self._add(op, inputs, [self.tops[index]], attributes)

    def _add(
        self, op: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Mapping[str, Any]
    ) -> None:
        """The first node that makes a top bears the layer's name, all others the layer's and the op's."""
        if self._named or set(outputs).isdisjoint(self.tops):
            name = self.own_name(op)
        else:
            self._named = True
            name = self.graph.layer_name(self.node)
        self.graph.add_node(op, inputs, outputs, name, attributes)

    def own_name(self, word: str) -> str:
        """A new name for an inner value or node: the layer's, and a word."""
        return self.graph.names.own(f"{self.graph.layer_name(self.node)}/{word}")

    # Weights and constants.

    def blob(self, index: int, shape: Sequence[int] | None = None) -> str:
        """The initialiser of a weight blob, in a shape of the same size if one is given."""
        return self.graph.weight(self, index, None if shape is None else tuple(shape))

    def blobs(self) -> list[str]:
        """The initialisers of all weight blobs, in Caffe's order and shapes."""
        assert self.node.definition is not None
        return [self.blob(index) for index in range(len(self.node.definition.blobs))]

    def derived(
        self, word: str, shape: Sequence[int], make: Callable[..., Array], blobs: Sequence[int] = ()
    ) -> str:
        """An initialiser that `make` computes from blobs (float32) when the file is written."""
        return self.graph.derived(self, word, tuple(shape), make, blobs)

    def constant(self, array: Array) -> str:
        """A small constant; equal ones are kept once."""
        return self.graph.constant(array)

    def number(self, value: float) -> str:
        """A float32 constant without axes."""
        return self.constant(np.array(value, np.float32))

    def ints(self, *values: int) -> str:
        """An int64 constant of one axis: shapes, axes, positions."""
        return self.constant(np.array(values, np.int64))

    # Ops whose spelling depends on the opset or on free sizes.

    def reduce(
        self,
        op: str,
        x: str,
        axes: Sequence[int],
        *,
        keepdims: bool = True,
        into: str | None = None,
    ) -> str:
        """A Reduce op; before opset 18 all but ReduceSum take their axes as an attribute."""
        if op == "ReduceSum" or self.opset >= 18:
            return self.emit(op, [x, self.ints(*axes)], into=into, keepdims=int(keepdims))
        return self.emit(op, [x], into=into, axes=list(axes), keepdims=int(keepdims))

    def pad(
        self,
        x: str,
        rank: int,
        before: Sequence[int],
        after: Sequence[int],
        value: float = 0.0,
        *,
        into: str | None = None,
    ) -> str:
        """Constant padding around the last axes of `x`; those before them are left as they are."""
        zeros = (0,) * (rank - len(before))
        pads = self.ints(*zeros, *before, *zeros, *after)
        return self.emit("Pad", [x, pads, self.number(value)], into=into, mode="constant")

    def reshape(
        self,
        x: str,
        dims: Dims,
        target: Target,
        *,
        source: str | None = None,
        into: str | None = None,
    ) -> str:
        """Reshape `x`; each new axis is a size, or a product of axes of a value of shape `dims`.

        `[(0,), 4, (1, 2)]` keeps axis 0, puts in an axis of 4 and merges axes 1 and 2. That value
        is `x` itself, or `source` for bringing back axes that `x` no longer has.
        """
        if source is None and list(target) == [(axis,) for axis in range(len(dims))]:
            return x if into is None else self.emit("Identity", [x], into=into)
        sizes = [_size(axis, dims) for axis in target]
        if 0 in sizes:
            return self._reshape_empty(x, source or x, target, sizes, into)
        # ONNX's 0 copies an axis, its -1 stands for one that follows from the others
        copied = {
            index for index, axis in enumerate(target)
            if source is None and sizes[index] is None and axis == (index,)
        }  # fmt: skip
        if sizes.count(None) - len(copied) > 1:
            shape = self._run_time_shape(source or x, target, sizes)
        else:
            rest = dict.fromkeys(copied, 0)
            shape = self.ints(
                *(rest.get(i, -1) if size is None else size for i, size in enumerate(sizes))
            )
        return self.emit("Reshape", [x, shape], into=into)

    def _reshape_empty(
        self, x: str, source: str, target: Target, sizes: Sequence[int | None], into: str | None
    ) -> str:
        """Reshape what has no values; there a size of 0 is one, and not an axis to copy."""
        if self.opset < 14:
            raise self.refusal("it reshapes an empty blob, which ONNX can say from opset 14 on")
        known = [size for size in sizes if size is not None]
        free = len(known) < len(sizes)
        shape = self._run_time_shape(source, target, sizes) if free else self.ints(*known)
        return self.emit("Reshape", [x, shape], into=into, allowzero=1)

    def _run_time_shape(self, source: str, target: Target, sizes: Sequence[int | None]) -> str:
        """The sizes after a reshape, computed in the graph: more are free than -1 can say."""
        whole = self.emit("Shape", [source])
        parts = []
        for axis, size in zip(target, sizes, strict=True):
            if size is not None or isinstance(axis, int):
                parts.append(self.ints(size or 0))
                continue
            part = self.emit("Gather", [whole, self.ints(*axis)], axis=0)
            parts.append(part if len(axis) == 1 else self.reduce("ReduceProd", part, [0]))
        return self.emit("Concat", parts, axis=0)


def _size(axis: int | tuple[int, ...], dims: Dims) -> int | None:
    """The size of a new axis; None where an old one in it is free."""
    if isinstance(axis, int):
        return axis
    olds = [dims[old] for old in axis]
    fixed = [old for old in olds if isinstance(old, int)]
    return prod(fixed) if len(fixed) == len(olds) else None
