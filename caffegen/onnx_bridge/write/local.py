"""Local and SparseInnerProduct in ONNX."""

from __future__ import annotations

from math import prod

import numpy as np

from caffegen.layer_types.local import Local

from .initialiser import Array
from .inner_product import inner_product
from .registry import writes
from .writer import LayerWriter

writes("SparseInnerProduct")(inner_product)


@writes("Local")
def local(w: LayerWriter, d: Local) -> None:
    """A Conv that lays the windows out as channels, and an Einsum with the weights of each place."""
    why = "its weights belong to places"
    size = [w.fixed(w.bottom_dims[0], axis, why) for axis in (1, 2, 3)]
    taps, kernel = d.taps, [d.kernel_size] * 2

    def one_hot() -> Array:
        return np.tile(
            np.eye(taps // size[0], dtype=np.float32).reshape(-1, 1, *kernel), (size[0], 1, 1, 1)
        )

    places = w.derived("places", (taps, 1, *kernel), one_hot)
    windows = w.emit(
        "Conv", [w.bottoms[0], places], kernel_shape=kernel, strides=[d.stride] * 2,
        pads=[d.pad] * 4, group=size[0],
    )  # fmt: skip
    count = prod(d.blobs[0].shape[3:])
    flat = w.emit("Reshape", [windows, w.ints(0, taps, count)])
    weight = w.blob(0, (d.num_output, taps, count))
    top = w.emit("Einsum", [flat, weight], equation="nkp,mkp->nmp")
    if d.bias_term:
        top = w.emit("Add", [top, w.blob(1, (1, d.num_output, count))])
    grid = [w.fixed(w.top_dims[0], axis, why) for axis in (2, 3)]
    w.top("Reshape", [top, w.ints(0, d.num_output, *grid)])
