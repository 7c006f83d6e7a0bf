"""InnerDistance and ChannelScale in ONNX."""

from __future__ import annotations

from caffegen.layer_types.face_features import ChannelScale, InnerDistance

from .registry import writes
from .writer import LayerWriter, Target


@writes("InnerDistance")
def inner_distance(w: LayerWriter, d: InnerDistance) -> None:
    """Sub of items and centres against each other, and their squared or absolute sum."""
    axis, dims = d.axis_index, w.bottom_dims[0]
    rank = len(dims)
    items = w.reshape(
        w.bottoms[0], dims, [*((i,) for i in range(axis)), 1, tuple(range(axis, rank))]
    )
    rows = (
        w.blob(0, (d.centers, d.input_count)) if d.learned
        else w.emit("Reshape", [w.bottoms[1], w.ints(d.centers, d.input_count)])
    )  # fmt: skip
    if d.normalize:
        squares = w.emit("Add", [w.reduce("ReduceSumSquare", rows, [1]), w.number(1e-6)])
        rows = w.emit("Div", [rows, w.emit("Sqrt", [squares])])
    op = "ReduceL1" if d.distance_type == "L1" else "ReduceSumSquare"
    apart = w.emit("Sub", [items, rows])
    w.reduce(op, apart, [axis + 1], keepdims=False, into=w.tops[0])


@writes("ChannelScale")
def channel_scale(w: LayerWriter, d: ChannelScale) -> None:
    """Mul with the numbers in the layout of the places."""
    if not d.scales:
        w.top("Identity", w.bottoms[:1])
        return
    dims = w.bottom_dims[0]
    behind = ((axis,) for axis in range(2, len(dims)))
    places: Target = [(0,), *([1] if len(dims) > 1 else []), *behind]
    if w.bottom_dims[1] == tuple(dims[p[0]] if isinstance(p, tuple) else p for p in places):
        factors = w.bottoms[1]
    else:
        factors = w.reshape(w.bottoms[1], dims, places, source=w.bottoms[0])
    w.top("Mul", [w.bottoms[0], factors])
