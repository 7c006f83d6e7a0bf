"""ROIAlign in plain ops: samples put together from pixels, and means over them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from onnx import TensorProto

from caffegen.layer_types.roi import ROIAlign

from .regions import MapSizes, image_of, map_sizes, regions_of
from .writer import LayerWriter

__all__ = ["adaptive_means", "corner_samples", "means"]


def corner_samples(w: LayerWriter, d: ROIAlign) -> None:
    """Samples at the corners of the cells."""
    rois, sizes = regions_of(w), map_sizes(w)
    rows = _points(w, d, rois, 1, sizes.height)
    columns = _points(w, d, rois, 0, sizes.width)
    w.top("Transpose", [_sampled(w, rois, rows, columns, sizes)], perm=[0, 3, 1, 2])


def means(w: LayerWriter, d: ROIAlign) -> None:
    """The means of `sampling_ratio`^2 samples for each cell, from the four pixels around each."""
    rois, sizes = regions_of(w), map_sizes(w)
    rows = _means_points(w, d, rois, 1, sizes.height)
    columns = _means_points(w, d, rois, 0, sizes.width)
    samples = w.emit("Transpose", [_sampled(w, rois, rows, columns, sizes)], perm=[0, 3, 1, 2])
    side = [d.sampling_ratio] * 2
    w.top("AveragePool", [samples], kernel_shape=side, strides=side)


def _sampled(w: LayerWriter, rois: str, rows: _Points, columns: _Points, sizes: MapSizes) -> str:
    """Samples (R, rows, columns, C), each from the four pixels around it."""
    channels = w.bottom_dims[0][1]
    assert isinstance(channels, int)
    last = w.emit("Transpose", [w.bottoms[0]], perm=[0, 2, 3, 1])
    pixels = w.emit("Reshape", [last, w.ints(-1, channels)])
    first = w.emit("Mul", [image_of(w, rois, 3), w.emit("Mul", [sizes.height, sizes.width])])
    parts = []
    for row, height in rows.sides:
        line = w.emit("Add", [first, w.emit("Mul", [row, sizes.width])])
        for column, width in columns.sides:
            value = w.emit("Gather", [pixels, w.emit("Add", [line, column])], axis=0)
            share = w.emit("Unsqueeze", [w.emit("Mul", [height, width]), w.ints(3)])
            parts.append(w.emit("Mul", [value, share]))
    return w.emit("Sum", parts)


class _Points(NamedTuple):
    """Samples on one axis: the pixel before and the pixel behind each, and what each counts."""

    sides: tuple[tuple[str, str], tuple[str, str]]


def _points(w: LayerWriter, d: ROIAlign, rois: str, axis: int, size: str) -> _Points:
    """Where a region's samples lie on one axis (cascade-rcnn's roi_align_layer.cpp)."""
    number = d.pooled[1 - axis]
    first = w.emit("Gather", [rois, w.ints(1 + axis)], axis=1)
    last = w.emit("Gather", [rois, w.ints(3 + axis)], axis=1)
    whole = w.emit("Add", [w.emit("Sub", [last, first]), w.number(1)])
    pad = w.emit("Mul", [whole, w.number(d.pad_ratio)])
    scale, half = w.number(d.spatial_scale), w.number(0.5)
    start = w.emit("Sub", [w.emit("Mul", [w.emit("Sub", [first, pad]), scale]), half])
    end = w.emit("Sub", [w.emit("Mul", [w.emit("Add", [last, pad]), scale]), half])
    extent = w.emit("Sub", [end, start])
    step = w.emit("Div", [extent, w.number(number - 1)])
    index = w.constant(np.arange(number, dtype=np.float32))
    at = w.emit("Add", [start, w.emit("Mul", [index, step])])
    edge = w.emit("Sub", [w.emit("Cast", [size], to=TensorProto.FLOAT), half])
    inside = w.emit("And", [
        w.emit("GreaterOrEqual", [at, w.number(-0.5)]), w.emit("LessOrEqual", [at, edge]),
    ])  # fmt: skip
    inside = w.emit("And", [inside, w.emit("Greater", [extent, w.number(0)])])
    most = w.emit("Sub", [edge, half])
    return _shares(w, at, inside, most, w.ints(-1, number, 1) if axis else w.ints(-1, 1, number))


def _means_points(w: LayerWriter, d: ROIAlign, rois: str, axis: int, size: str) -> _Points:
    """Where a region's samples lie on one axis, `sampling_ratio` of them in each cell."""
    cells, ratio = d.pooled[1 - axis], d.sampling_ratio
    span = _span(w, d, rois, axis)
    within = (np.arange(ratio) + 0.5) / ratio
    index = (np.arange(cells)[:, None] + within).reshape(-1).astype(np.float32)
    at = w.emit("Add", [span.start, w.emit("Mul", [w.constant(index), span.step])])
    whole = w.emit("Cast", [size], to=TensorProto.FLOAT)
    inside = _inside(w, at, whole)
    number = cells * ratio
    most = w.emit("Sub", [whole, w.number(1)])
    return _shares(w, at, inside, most, w.ints(-1, number, 1) if axis else w.ints(-1, 1, number))


def _shares(w: LayerWriter, at: str, inside: str, most: str, shape: str) -> _Points:
    """The pixels around places on an axis whose last pixel is `most`, and what each counts."""
    counts = w.emit("Cast", [inside], to=TensorProto.FLOAT)
    held = w.emit("Max", [w.emit("Min", [at, most]), w.number(0)])
    low = w.emit("Floor", [held])
    high = w.emit("Min", [w.emit("Add", [low, w.number(1)]), most])
    share = w.emit("Sub", [held, low])
    other = w.emit("Sub", [w.number(1), share])

    def side(pixel: str, part: str) -> tuple[str, str]:
        place = w.emit("Cast", [pixel], to=TensorProto.INT64)
        weight = w.emit("Mul", [part, counts])
        return w.emit("Reshape", [place, shape]), w.emit("Reshape", [weight, shape])

    return _Points((side(low, other), side(high, share)))


def adaptive_means(w: LayerWriter, d: ROIAlign) -> None:
    """The means of as many samples along an axis as a cell has pixels, which the regions tell.

    Samples lie on a grid, so that a mean is a product: what each row of the map counts for a row of
    cells, times the map, times what each of its columns counts for a column of cells.
    """
    images, channels, height, width = w.bottom_dims[0]
    assert isinstance(channels, int)
    high, wide = d.pooled
    rois, sizes = regions_of(w), map_sizes(w)
    rows = _counts(w, d, rois, 1, sizes.height)
    columns = _counts(w, d, rois, 0, sizes.width)
    lines = w.emit("Transpose", [w.bottoms[0]], perm=[0, 2, 1, 3])
    lines = w.reshape(lines, (images, height, channels, width), [(0,), (1,), (2, 3)])
    number = w.emit("Gather", [w.emit("Shape", [w.bottoms[0]]), w.ints(0)])
    own = w.emit("Equal", [
        w.emit("Cast", [image_of(w, rois, 2)], to=TensorProto.FLOAT), _upto(w, number),
    ])  # fmt: skip
    own = w.emit("Cast", [own], to=TensorProto.FLOAT)
    found = w.emit("Einsum", [rows, own, lines], equation="rph,rn,nhx->rpx")
    apart = w.ints(0, high * channels, width if isinstance(width, int) else -1)
    found = w.emit("Reshape", [found, apart])
    found = w.emit("MatMul", [found, w.emit("Transpose", [columns], perm=[0, 2, 1])])
    found = w.emit("Reshape", [found, w.ints(0, high, channels, wide)])
    w.top("Transpose", [found], perm=[0, 2, 1, 3])


def _counts(w: LayerWriter, d: ROIAlign, rois: str, axis: int, size: str) -> str:
    """What each pixel of an axis counts for each cell of each region: (R, cells, pixels)."""
    span = _span(w, d, rois, axis)
    number = w.emit("Ceil", [span.step])
    # at least 1, so that there is a largest where there are no regions
    most = w.emit("Concat", [number, w.constant(np.ones((1, 1), np.float32))], axis=0)
    most = w.emit("Cast", [w.reduce("ReduceMax", most, [0, 1])], to=TensorProto.INT64)
    sample = w.emit("Reshape", [_upto(w, most), w.ints(1, 1, -1)])
    start, step, number = (w.emit("Unsqueeze", [x, w.ints(2)]) for x in (*span, number))
    cell = w.constant(np.arange(d.pooled[1 - axis], dtype=np.float32).reshape(1, -1, 1))
    first = w.emit("Add", [start, w.emit("Mul", [cell, step])])
    middle = w.emit("Mul", [w.emit("Add", [sample, w.number(0.5)]), step])
    at = w.emit("Add", [first, w.emit("Div", [middle, number])])
    whole = w.emit("Cast", [size], to=TensorProto.FLOAT)
    counted = w.emit("And", [_inside(w, at, whole), w.emit("Less", [sample, number])])
    share = w.emit("Div", [w.emit("Cast", [counted], to=TensorProto.FLOAT), number])
    held = w.emit("Min", [at, w.emit("Sub", [whole, w.number(1)])])
    held = w.emit("Unsqueeze", [w.emit("Max", [held, w.number(0)]), w.ints(3)])
    apart = w.emit("Abs", [w.emit("Sub", [held, _upto(w, size)])])
    near = w.emit("Max", [w.emit("Sub", [w.number(1), apart]), w.number(0)])
    shares = w.emit("Mul", [near, w.emit("Unsqueeze", [share, w.ints(3)])])
    return w.reduce("ReduceSum", shares, [2], keepdims=False)


class _Span(NamedTuple):
    """Where each region begins on an axis, and the size of its cells there: (R, 1)."""

    start: str
    step: str


def _span(w: LayerWriter, d: ROIAlign, rois: str, axis: int) -> _Span:
    start, end = (
        w.emit("Mul", [w.emit("Gather", [rois, w.ints(corner)], axis=1), w.number(d.spatial_scale)])
        for corner in (1 + axis, 3 + axis)
    )
    extent = w.emit("Max", [w.emit("Sub", [end, start]), w.number(1)])
    return _Span(start, w.emit("Div", [extent, w.number(d.pooled[1 - axis])]))


def _inside(w: LayerWriter, at: str, whole: str) -> str:
    """Whether a place is at most 1 pixel outside an axis of so many."""
    return w.emit("And", [
        w.emit("GreaterOrEqual", [at, w.number(-1)]), w.emit("LessOrEqual", [at, whole]),
    ])  # fmt: skip


def _upto(w: LayerWriter, limit: str) -> str:
    """The numbers from 0 below a limit, an int64 with one value, as float32."""
    zero, one = (w.constant(np.array(number, np.int64)) for number in (0, 1))
    limit = w.emit("Squeeze", [limit])
    return w.emit("Cast", [w.emit("Range", [zero, limit, one])], to=TensorProto.FLOAT)
