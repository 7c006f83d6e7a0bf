"""Which sizes are free: the axes of a net's blobs that follow the batch or the image size.

Found by trial: the shapes of the whole net are inferred again at another size, and what changed
with it is free. A net that is refused at another size, or whose weights would have to change with
it, says itself why the size can't be free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from caffegen.diagnostics import Report
from caffegen.errors import CaffegenError
from caffegen.layer_types import Definition, definition_of
from caffegen.loader import Net
from caffegen.net import Graph, Node, Value

__all__ = ["Dim", "Dims", "free_dims"]

# a size; or the name of a free one, "" for one that follows others by a rule
Dim = int | str
Dims = tuple[Dim, ...]
Shape = tuple[int, ...]


class _Symbol(NamedTuple):
    """A size that is free: its name, what it is, the axis, and the values that begin with it."""

    name: str
    word: str
    axis: int
    values: tuple[Value, ...]

    @property
    def size(self) -> int:
        """The size that the file gives."""
        shape = self.values[0].shape
        assert shape is not None
        return shape[self.axis]


def free_dims(
    net: Net,
    fed: Mapping[int, Value],
    layers: Sequence[Node],
    *,
    batch: bool = False,
    size: bool = False,
) -> dict[int, Dims | None]:
    """The shape of each value by its id, None where unknown; free axes are called `N`, `H`, `W`.

    `layers` are those to be written; what the others say of a size does not matter. Raises
    CaffegenError where a size that is asked for can't be free.
    """
    values = net.graph.values
    touched: list[dict[int, str]] = [{} for _ in values]
    for symbol in _symbols(net.graph, fed.values(), batch=batch, size=size):
        # far enough away for every stride and every rounding to tell
        new = symbol.size + (3 if symbol.axis == 0 else 128)
        for index, shape in enumerate(_shapes_at(net, layers, symbol, new)):
            before = values[index].shape
            if before is None or shape is None:
                continue
            for axis, (one, other) in enumerate(zip(before, shape, strict=True)):
                if one != other:
                    own = (one, other) == (symbol.size, new) and axis not in touched[index]
                    touched[index][axis] = symbol.name if own else ""
    return {
        id(value): value.shape
        if value.shape is None or not free
        else tuple(free.get(axis, dim) for axis, dim in enumerate(value.shape))
        for value, free in zip(values, touched, strict=True)
    }


def _symbols(graph: Graph, fed: Iterable[Value], *, batch: bool, size: bool) -> list[_Symbol]:
    """What is free: always what the data decide, and as asked the first axis, height and width."""
    # Filter layers with one selector pass the same items, and so have one size
    decided: dict[tuple[int, int], tuple[Value, ...]] = {}
    for node in graph.nodes:
        axis = None if node.definition is None else node.definition.run_time_axis
        if axis is not None and all(value.shape for value in node.outputs):
            key = id(node.inputs[-1]), axis
            decided[key] = decided.get(key, ()) + tuple(node.outputs)
    found = [_Symbol("", "size", axis, values) for (_, axis), values in decided.items()]
    shaped = [(value, value.shape) for value in fed if value.shape]
    asked = [("N", "batch", 0, 1)] if batch else []
    asked += [("H", "height", 2, 4), ("W", "width", 3, 4)] if size else []
    for name, word, axis, rank in asked:
        # a picture has four axes; every blob of the first one's batch size is a batch
        fitting = [(v, shape) for v, shape in shaped if rank in (1, len(shape))]
        alike = tuple(v for v, shape in fitting if shape[axis] == fitting[0][1][axis])
        if alike:
            found.append(_Symbol(name, word, axis, alike))
    return found


def _shapes_at(net: Net, layers: Sequence[Node], symbol: _Symbol, size: int) -> list[Shape | None]:
    """The shapes of all values, in order, with the symbol at another size."""
    written = {node.index for node in layers}
    shapes: dict[int, Shape | None] = {}
    axis, changed = symbol.axis, {id(value) for value in symbol.values}
    blob = symbol.values[0].name
    for node in net.graph.nodes:
        if node.inputs and node.index not in written:
            shapes.update((id(value), value.shape) for value in node.outputs)
            continue
        tops = _infer(net, node, shapes, f"the {symbol.word} of `{blob}` can't be free", size)
        for value, shape in zip(node.outputs, tops, strict=True):
            # an input's shape may have been given by the caller; it is not in the file then
            known = shape if node.inputs else value.shape
            if id(value) in changed and known is not None:
                known = (*known[:axis], size, *known[axis + 1 :])
            shapes[id(value)] = known
    return [shapes[id(value)] for value in net.graph.values]


def _infer(
    net: Net, node: Node, shapes: Mapping[int, Shape | None], refusal: str, size: int
) -> Sequence[Shape | None]:
    """The shapes of a layer's tops over other bottoms; CaffegenError where it does not take them."""
    found = definition_of(node.message)
    bottoms = [None if value is None else shapes[id(value)] for value in node.inputs]
    if found is None or None in bottoms:
        return [None] * len(node.outputs)
    report = Report()
    phase = node.message.phase if node.message.has("phase") else net.phase
    forks = node.definition.forks if node.definition is not None else ()
    definition = found(node.message, phase, report, forks)
    tops = definition.infer(bottoms)
    if report.errors:
        raise CaffegenError(f"{refusal}; at {size}: {report.errors[0].message}")
    _check_blobs(node, definition, refusal, size)
    return [*tops, *[None] * len(node.outputs)][: len(node.outputs)]


def _check_blobs(node: Node, other: Definition, refusal: str, size: int) -> None:
    mine = node.definition.blobs if node.definition is not None else ()
    for spec, changed in zip(mine, other.blobs, strict=True):
        if spec.shape != changed.shape:
            raise CaffegenError(
                f"{refusal}: the {spec.name} of layer `{node.name}` is {list(spec.shape)} here and "
                f"{list(changed.shape)} at {size}"
            )
