"""What a net costs: parameters, multiply-accumulates, activations and receptive field.

By layer, or by block: residual block, inception module, stage ...
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import NamedTuple

from caffegen.layer_types import Definition
from caffegen.net import Graph, Node

from .blocks import find_blocks
from .receptive_field import receptive_fields
from .sharing import ParamOwner, param_owners

__all__ = ["BlockRow", "Row", "Summary", "summarize", "summarize_blocks"]

Shape = tuple[int, ...]
_BYTES = 4  # Caffe's nets are single precision
# tops that are the bottom's memory by another shape or name (Blob::ShareData)
_SHARES_MEMORY = frozenset({"Flatten", "Reshape", "Split"})


class Row(NamedTuple):
    """One layer; counts are None where a shape is not known.

    `params` are those that the solver learns, `statistics` those it does not (BatchNorm's);
    a shared parameter counts where it is owned. `activation_bytes` is what the layer's tops add to
    the memory of a forward pass: nothing when it works in place or shares its bottom's memory.
    """

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    shapes: tuple[Shape | None, ...]
    params: int
    statistics: int
    macs: int | None
    ops: int | None
    activation_bytes: int | None
    receptive_field: Shape | None


class BlockRow(NamedTuple):
    """One block: the sums over its layers, and the tops that others read or that nobody reads.

    `kind` and `shortcut` are a `caffegen.analysis.blocks.Block`'s; a count is None where one of the
    layers' is.
    """

    name: str
    kind: str
    shortcut: str
    layers: tuple[str, ...]
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    shapes: tuple[Shape | None, ...]
    params: int
    statistics: int
    macs: int | None
    ops: int | None
    activation_bytes: int | None
    receptive_field: Shape | None


class Summary(NamedTuple):
    """The rows in the order of the net, and totals over what is known."""

    name: str
    rows: tuple[Row, ...]
    params: int
    statistics: int
    macs: int
    ops: int
    activation_bytes: int


def summarize(graph: Graph) -> Summary:
    """The cost of every layer of a graph whose shapes were inferred."""
    owners = param_owners(graph)
    fields = receptive_fields(graph)
    rows = tuple(_row(node, owners, fields) for node in graph.nodes)
    return Summary(
        graph.name,
        rows,
        sum(row.params for row in rows),
        sum(row.statistics for row in rows),
        sum(row.macs or 0 for row in rows),
        sum(row.ops or 0 for row in rows),
        sum(row.activation_bytes or 0 for row in rows),
    )


def summarize_blocks(graph: Graph, summary: Summary) -> tuple[BlockRow, ...]:
    """The blocks of a graph with their costs, which are those of the summary's rows."""
    fields = receptive_fields(graph)
    found = []
    for block in find_blocks(graph):
        rows = [summary.rows[node.index] for node in block.nodes]
        tops = block.tops
        row = BlockRow(
            block.name, block.kind, block.shortcut_kind,
            tuple(row.name for row in rows),
            tuple(dict.fromkeys(value.name for value in block.bottoms)),
            tuple(value.name for value in tops),
            tuple(value.shape for value in tops),
            sum(row.params for row in rows),
            sum(row.statistics for row in rows),
            _sum(row.macs for row in rows),
            _sum(row.ops for row in rows),
            _sum(row.activation_bytes for row in rows),
            fields.get(id(tops[0])) if tops else None,
        )  # fmt: skip
        found.append(row)
    return tuple(found)


def _sum(numbers: Iterable[int | None]) -> int | None:
    total = 0
    for number in numbers:
        if number is None:
            return None
        total += number
    return total


def _row(node: Node, owners: dict[ParamOwner, ParamOwner], fields: dict[int, Shape | None]) -> Row:
    params = statistics = 0
    definition = node.definition
    if definition is not None:
        for index, blob in enumerate(definition.blobs):
            if ParamOwner(node.index, index) in owners:
                continue
            if blob.learned:
                params += prod(blob.shape)
            else:
                statistics += prod(blob.shape)
    shapes = tuple(value.shape for value in node.outputs)
    cost = None
    if definition is not None and _is_inferred(definition) and None not in shapes:
        cost = definition.cost()
    return Row(
        node.name, node.type, node.bottom, node.top, shapes, params, statistics,
        cost.macs if cost else None, cost.ops if cost else None, _memory(node, shapes),
        fields.get(id(node.outputs[0])) if node.outputs else None,
    )  # fmt: skip


def _is_inferred(definition: Definition) -> bool:
    """Whether the shapes of all bottoms and tops were found, so that the work can be counted."""
    if definition.refused:
        return False
    return bool(definition.top_shapes or (definition.bottom_shapes and not definition.top_count))


def _memory(node: Node, shapes: tuple[Shape | None, ...]) -> int | None:
    """The bytes that the tops add to those of the layers before; None where a shape is not known."""
    shared = node.type in _SHARES_MEMORY or (
        node.type in ("Concat", "Slice") and len(node.bottom) == len(node.top) == 1
    )
    memory = 0
    for index, shape in enumerate(shapes):
        if shape is None:
            return None
        if not shared and not node.in_place(index):
            memory += _BYTES * prod(shape)
    return memory
