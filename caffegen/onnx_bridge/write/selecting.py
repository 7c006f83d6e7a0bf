"""Picking a part of a blob, in ONNX."""

from __future__ import annotations

from onnx import TensorProto

from caffegen.layer_types.selecting import BatchReindex, Crop, Filter

from .registry import writes
from .writer import LayerWriter


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
