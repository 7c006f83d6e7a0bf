"""The layers that move values without computing, in ONNX."""

from __future__ import annotations

from itertools import pairwise

from onnx import TensorProto

from caffegen.layer_types.reshaping import (
    BatchReindex,
    Concat,
    Crop,
    Filter,
    Flatten,
    Reshape,
    Silence,
    Slice,
    Split,
    Tile,
)

from .free import Dim, Dims
from .registry import writes
from .writer import LayerWriter, Target

_TO_THE_END = 2**63 - 1


@writes("Concat")
def concat(w: LayerWriter, d: Concat) -> None:
    """Concat."""
    w.top("Concat", w.bottoms, axis=d.axis_index)


@writes("Slice")
def slice_(w: LayerWriter, d: Slice) -> None:
    """Split; where the cut axis is free, Split in equal parts, or a Slice per top."""
    x, axis = w.bottoms[0], d.axis_index
    size = w.bottom_dims[0][axis]
    if len(w.tops) == 1:
        w.top("Identity", [x])
    elif isinstance(size, int):
        w.emit_many("Split", [x, w.ints(*d.sizes)], w.tops, axis=axis)
    elif d.slice_points:
        edges = (0, *d.slice_points, _TO_THE_END)
        for index, (start, end) in enumerate(pairwise(edges)):
            w.top("Slice", [x, w.ints(start), w.ints(end), w.ints(axis)], index)
    else:
        parts = len(w.tops) if w.opset >= 18 else None
        w.emit_many("Split", [x], w.tops, axis=axis, num_outputs=parts)


@writes("Split")
def split(w: LayerWriter, d: Split) -> None:  # noqa: ARG001 - no facts
    """An Identity per top."""
    for index in range(len(w.tops)):
        w.top("Identity", [w.bottoms[0]], index)


@writes("Silence")
def silence(w: LayerWriter, d: Silence) -> None:
    """Nothing: there are no tops."""


@writes("Tile")
def tile(w: LayerWriter, d: Tile) -> None:
    """Tile, once along all other axes."""
    repeats = [1] * len(w.bottom_dims[0])
    repeats[d.axis_index] = d.tiles
    w.top("Tile", [w.bottoms[0], w.ints(*repeats)])


@writes("Flatten")
def flatten(w: LayerWriter, d: Flatten) -> None:
    """Flatten where all axes behind the first are merged, otherwise Reshape."""
    x, dims = w.bottoms[0], w.bottom_dims[0]
    if d.start == 1 and d.end == len(dims) > 1:
        w.top("Flatten", [x], axis=1)
        return
    before: Target = [(axis,) for axis in range(d.start)]
    merged: Target = [tuple(range(d.start, d.end)) or 1]
    behind: Target = [(axis,) for axis in range(d.end, len(dims))]
    w.reshape(x, dims, [*before, *merged, *behind], into=w.tops[0])


@writes("Reshape")
def reshape(w: LayerWriter, d: Reshape) -> None:
    """Reshape; sizes that are free are copied by ONNX's 0, or inferred by its -1."""
    x, dims, top = w.bottoms[0], w.bottom_dims[0], w.top_dims[0]
    assert top is not None
    if all(isinstance(size, int) for size in top):
        w.top("Reshape", [x, w.ints(*(size for size in top if isinstance(size, int)))])
        return
    # what each axis of the top is: a size, -1 for the inferred one, or an axis of the bottom
    origins: list[int | tuple[int]] = [(axis,) for axis in range(d.start)]
    origins += [dim or (index,) for index, dim in enumerate(d.dims, d.start)]
    origins += [(axis,) for axis in range(d.end, len(dims))]
    w.top("Reshape", [x, _shape(w, x, dims, origins)])


def _shape(w: LayerWriter, x: str, dims: Dims, origins: list[int | tuple[int]]) -> str:
    """What Reshape is told: 0 copies an axis in its place, one -1 is what the others leave."""
    sizes: list[Dim] = []
    for index, origin in enumerate(origins):
        size = dims[origin[0]] if isinstance(origin, tuple) else origin
        sizes.append(0 if isinstance(size, str) and origin == (index,) else size)
    moved = [index for index, size in enumerate(sizes) if isinstance(size, str)]
    if len(moved) == 1 and -1 not in sizes:
        sizes[moved[0]] = -1
        moved = []
    if not moved:
        return w.ints(*(size for size in sizes if isinstance(size, int)))
    whole = w.emit("Shape", [x])
    parts = []
    for size, origin in zip(sizes, origins, strict=True):
        if isinstance(size, int):
            parts.append(w.ints(size))
        elif isinstance(origin, tuple):
            parts.append(w.emit("Gather", [whole, w.ints(*origin)]))
    return w.emit("Concat", parts, axis=0)


@writes("Crop")
def crop(w: LayerWriter, d: Crop) -> None:
    """Slice from the offsets on, as far as the second bottom is long."""
    x, (dims, reference) = w.bottoms[0], w.bottom_dims
    axes = [
        axis for axis in range(d.axis_index, len(dims))
        if dims[axis] != reference[axis] or dims[axis] == ""
    ]  # fmt: skip
    if not axes:
        w.top("Identity", [x])
        return
    starts = [d.offsets[axis] for axis in axes]
    sizes = [reference[axis] for axis in axes]
    fixed = [size for size in sizes if isinstance(size, int)]
    if len(fixed) == len(sizes):
        ends = w.ints(*(start + size for start, size in zip(starts, fixed, strict=True)))
    else:
        shape = w.emit("Shape", [w.bottoms[1]])
        ends = w.emit("Gather", [shape, w.ints(*axes)])
        if any(starts):
            ends = w.emit("Add", [ends, w.ints(*starts)])
    w.top("Slice", [x, w.ints(*starts), ends, w.ints(*axes)])


@writes("BatchReindex")
def batch_reindex(w: LayerWriter, d: BatchReindex) -> None:  # noqa: ARG001 - no facts
    """Gather. A number below 0, at which Caffe stops, counts from the end here."""
    x, numbers = w.bottoms
    w.top("Gather", [x, w.emit("Cast", [numbers], to=TensorProto.INT64)], axis=0)


@writes("Filter")
def filter_(w: LayerWriter, d: Filter) -> None:  # noqa: ARG001 - no facts
    """A Compress per top; how many items pass is free."""
    *filtered, selector = w.bottoms
    dims = w.bottom_dims[-1]
    numbers = selector if len(dims) == 1 else w.reshape(selector, dims, [(0,)], source=selector)
    passes = w.emit("Cast", [numbers], to=TensorProto.BOOL)
    for index, x in enumerate(filtered):
        w.top("Compress", [x, passes], index, axis=0)
