"""The ways back from a pooling, in ONNX."""

from __future__ import annotations

import numpy as np

from caffegen.layer_types.unpooling import MaxUnpool, UnPooling, Unpooling

from .initialiser import Array
from .registry import writes
from .resizing import place_by_mask, spread
from .writer import LayerWriter

Unpooled = MaxUnpool | UnPooling | Unpooling


@writes("MaxUnpool", "UnPooling", "Unpooling")
def unpooling(w: LayerWriter, d: Unpooled) -> None:
    """ScatterElements by a mask; by windows, products with a matrix for rows and one for columns."""
    if d.method == "MASK":
        place_by_mask(w, d.growth)
        return
    why = "its windows are laid out for this size"
    sizes = [
        (w.fixed(w.bottom_dims[0], axis, why), w.fixed(w.top_dims[0], axis, why)) for axis in (2, 3)
    ]
    rows, columns = (_weights(d, axis, *sizes[axis]) for axis in (0, 1))
    spread(w, w.bottoms[0], rows, columns)


def _weights(d: Unpooled, axis: int, old: int, new: int) -> Array:
    """What each new place gets of each old one, window by window."""
    kernel, stride, pad = d.kernel[axis], d.stride[axis], d.pad[axis]
    weights = np.zeros((new, old), np.float32)
    for index in range(old):
        start = index * stride - pad
        end = start + kernel
        if d.method in ("FIRST", "FIXED"):
            place = start if d.method == "FIRST" else (start + end - 1) // 2
            place = min(max(place, 0), new - 1)
            weights[place] = 0
            weights[place, index] = 1
        else:
            size = min(end, new + pad) - start if d.method in ("AVE", "DIV") else 1
            weights[max(start, 0) : max(end, 0), index] = 1 / max(size, 1)
    if d.method in ("DIV", "REP"):
        windows = np.count_nonzero(weights, axis=1)
        weights /= np.maximum(windows, 1)[:, None]
    return weights
