"""Joining, cutting up and handing on blobs, in ONNX."""

from __future__ import annotations

from itertools import pairwise

from caffegen.layer_types.branching import Concat, Silence, Slice, Split

from .registry import writes
from .writer import LayerWriter

_TO_THE_END = 2**63 - 1


@writes("Concat")
def concat(w: LayerWriter, d: Concat) -> None:
    """Concat; Pad where all that comes behind the first bottom is zeros."""
    if not w.padded:
        w.top("Concat", w.bottoms, axis=d.axis_index)
        return
    rank = len(w.top_dims[0])
    behind = [0] * rank
    behind[d.axis_index] = sum(int(dims[d.axis_index]) for dims in w.bottom_dims[1:])
    w.pad(w.bottoms[0], rank, [0] * rank, behind, into=w.tops[0])


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
