"""Hotspot and SubRegion in ONNX."""

from __future__ import annotations

import math

import numpy as np
from onnx import TensorProto

from caffegen.layer_types.landmarks import Hotspot, SubRegion

from .registry import writes
from .writer import LayerWriter

_FLOOR = 1e-4  # hotspot_layer.cpp, kEps


@writes("Hotspot")
def hotspot(w: LayerWriter, d: Hotspot) -> None:
    """Exp of the squared distances of rows and of columns to each point, and Where."""
    points = w.top_dims[0][1]
    pairs = w.emit("Reshape", [w.bottoms[0], w.ints(0, points, 2, 1)])  # type: ignore[arg-type]
    squares = []
    for axis, at in ((1, 0), (0, 1)):  # y, then x
        number, data = d.size[at], d.data_size[at]
        one = w.emit("Gather", [pairs, w.constant(np.array(axis, np.int64))], axis=2)
        share = w.emit("Div", [one, w.number(data)])
        if d.mean_removed:
            share = w.emit("Add", [share, w.number(0.5)])
        center = w.emit("Mul", [share, w.number(number)])
        apart = w.emit("Sub", [center, w.constant(np.arange(number, dtype=np.float32))])
        square = w.emit("Mul", [apart, apart])
        squares.append(w.emit("Unsqueeze", [square, w.ints(3 - at)]))
    total = w.emit("Mul", [w.emit("Add", squares), w.number(-0.5 / d.std**2)])
    spots = w.emit("Mul", [w.emit("Exp", [total]), w.number(0.5 / (math.pi * d.std**2))])
    above = w.emit("Greater", [spots, w.number(_FLOOR)])
    w.top("Where", [above, spots, w.number(0)])


@writes("SubRegion")
def sub_region(w: LayerWriter, d: SubRegion) -> None:
    """Zeros around the picture, and GatherElements of each piece's places in it."""
    why = "its pieces are cut out by number"
    items, channels, *sizes = (w.fixed(w.bottom_dims[0], axis, why) for axis in range(4))
    points = w.fixed(w.bottom_dims[1], 1, why) // 2
    pairs = w.emit("Reshape", [w.bottoms[1], w.ints(items, points, 2)])
    begins = [
        _begin(w, pairs, axis, sizes[at], d.data_size[at], d.region[at])
        for axis, at in ((1, 0), (0, 1))
    ]
    padded = [size + 2 * region for size, region in zip(sizes, d.region, strict=True)]
    x = w.pad(w.bottoms[0], 4, d.region, d.region)
    x = w.emit("Reshape", [x, w.ints(items, channels, padded[0] * padded[1])])
    lines = []
    for begin, size, region in zip(begins, sizes, d.region, strict=True):
        first = w.emit("Clip", [begin, w.number(-region), w.number(size)])
        first = w.emit("Cast", [w.emit("Add", [first, w.number(region)])], to=TensorProto.INT64)
        steps = w.constant(np.arange(region, dtype=np.int64))
        lines.append(w.emit("Add", [w.emit("Unsqueeze", [first, w.ints(2)]), steps]))
    rows = w.emit("Mul", [lines[0], w.constant(np.array(padded[1], np.int64))])
    at = w.emit(
        "Add", [w.emit("Unsqueeze", [rows, w.ints(3)]), w.emit("Unsqueeze", [lines[1], w.ints(2)])]
    )
    count = points * d.region[0] * d.region[1]
    flat = w.emit("Reshape", [at, w.ints(items, 1, count)])
    index = w.emit("Expand", [flat, w.ints(items, channels, count)])
    pieces = w.emit("GatherElements", [x, index], axis=2)
    pieces = w.emit("Reshape", [pieces, w.ints(items, channels, points, *d.region)])
    order = [0, 2, 1, 3, 4] if d.as_channels else [2, 0, 1, 3, 4]
    shape = (
        (items, channels * points, *d.region)
        if d.as_channels
        else (items * points, channels, *d.region)
    )
    w.top("Reshape", [w.emit("Transpose", [pieces], perm=order), w.ints(*shape)])
    if len(w.tops) > 1:
        _middles(w, d, begins, sizes)


def _begin(w: LayerWriter, pairs: str, axis: int, size: int, data: int, region: int) -> str:
    """The first row or column of each piece, as a whole float (N, points)."""
    one = w.emit("Gather", [pairs, w.constant(np.array(axis, np.int64))], axis=2)
    share = w.emit("Add", [w.emit("Div", [one, w.number(data)]), w.number(0.5)])
    center = w.emit("Mul", [share, w.number(size)])
    return w.emit("Floor", [w.emit("Sub", [center, w.number(region // 2)])])


def _middles(w: LayerWriter, d: SubRegion, begins: list[str], sizes: list[int]) -> None:
    """Tops 1 and 2: how far true points are from the middles of the pieces, and those."""
    middles = []
    for at in (1, 0):
        inner = w.emit("Add", [begins[at], w.number(d.region[at] / 2 + 0.5)])
        share = w.emit("Div", [inner, w.number(sizes[at])])
        scaled = w.emit("Mul", [share, w.number(d.data_size[at])])
        middles.append(w.emit("Unsqueeze", [scaled, w.ints(2)]))
    shape = w.emit("Shape", [w.bottoms[1]])
    middle = w.emit("Reshape", [w.emit("Concat", middles, axis=2), shape], into=w.tops[2])
    half = np.array([size // 2 for size in d.data_size[::-1]], np.float32)
    pairs = w.emit("Reshape", [w.bottoms[2], w.ints(0, -1, 2)])
    true = w.emit("Reshape", [w.emit("Add", [pairs, w.constant(half)]), shape])
    w.top("Sub", [true, middle], index=1)
