"""Layers that put values in another order, or zeros around them, in ONNX."""

from __future__ import annotations

from caffegen.layer_types.reordering import (
    Flip,
    Gather,
    Padding,
    Permute,
    Reorg,
    Reverse,
    ShuffleChannel,
    Transpose,
)

from .four_axes import as_pictures
from .registry import writes
from .writer import LayerWriter, Target

_TO_THE_END = 2**63 - 1
_TO_THE_BEGIN = -(2**63)


@writes("Permute", "Transpose")
def permute(w: LayerWriter, d: Permute | Transpose) -> None:
    """Transpose; nothing where the order is the axes' own."""
    if d.order == tuple(range(len(d.order))):
        w.top("Identity", w.bottoms)
    else:
        w.top("Transpose", w.bottoms, perm=d.order)


@writes("ShuffleChannel")
def shuffle_channel(w: LayerWriter, d: ShuffleChannel) -> None:
    """Transpose between two Reshapes."""
    x, dims = as_pictures(w)
    groups = w.reshape(x, dims, [(0,), d.group, d.channels // d.group, (2,), (3,)])
    dealt = w.emit("Transpose", [groups], perm=[0, 2, 1, 3, 4])
    w.reshape(dealt, dims, [(0,), d.channels, (2,), (3,)], source=x, into=w.tops[0])


@writes("Flip", "Reverse")
def flip(w: LayerWriter, d: Flip | Reverse) -> None:
    """Slice with steps of -1."""
    if not d.axes:
        w.top("Identity", w.bottoms)
        return
    ends = [w.ints(*[value] * len(d.axes)) for value in (-1, _TO_THE_BEGIN)]
    w.top("Slice", [*w.bottoms, *ends, w.ints(*d.axes), w.ints(*[-1] * len(d.axes))])


@writes("Gather")
def gather(w: LayerWriter, _: Gather) -> None:
    """An Identity per bottom."""
    for index, x in enumerate(w.bottoms):
        w.top("Identity", [x], index)


@writes("Padding")
def padding(w: LayerWriter, d: Padding) -> None:
    """Pad, or a Slice where the padding cuts."""
    x, _ = as_pictures(w)
    if min((*d.before, *d.after)) < 0:
        starts = w.ints(*(-size for size in d.before))
        ends = w.ints(*(size or _TO_THE_END for size in d.after))
        w.top("Slice", [x, starts, ends, w.ints(2, 3)])
    else:
        w.pad(x, 4, d.before, d.after, d.value, into=w.tops[0])


@writes("Reorg")
def reorg(w: LayerWriter, d: Reorg) -> None:
    """DepthToSpace, or SpaceToDepth of the values read in other axes, as Darknet does."""
    x, dims = as_pictures(w)
    side = d.stride
    if d.reverse:
        w.top("DepthToSpace", [x], blocksize=side, mode="DCR")
        return
    why = "its values are read in other axes first"
    channels, height, width = (w.fixed(dims, axis, why) for axis in (1, 2, 3))
    large = w.reshape(x, dims, [(0,), channels // side**2, height * side, width * side])
    small = w.emit("SpaceToDepth", [large], blocksize=side)
    top: Target = [(0,), channels * side**2, height // side, width // side]
    w.reshape(small, dims, top, source=x, into=w.tops[0])
