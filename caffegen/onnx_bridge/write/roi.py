"""Pooling over regions of a feature map, in ONNX."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from onnx import TensorProto

from caffegen.layer_types.roi import PSROIPooling, ROIAlign, ROIPooling

from .registry import writes
from .writer import LayerWriter

# the first opset for which onnxruntime 1.31 has neither MaxRoiPool nor RoiAlign
_WITHOUT_KERNELS = 22


@writes("ROIPooling")
def roi_pooling(w: LayerWriter, d: ROIPooling) -> None:
    """MaxRoiPool, which rounds, cuts off and fills empty cells as Caffe does.

    onnxruntime 1.31 has none from opset 22 on: there it is put together from tables of maxima.
    """
    if len(w.bottom_dims[0]) == 5:
        raise w.refusal("ONNX pools regions of pictures, and this one is of volumes")
    w.need_windows()
    if w.opset >= _WITHOUT_KERNELS:
        _maxima(w, d)
        return
    w.top(
        "MaxRoiPool",
        [w.bottoms[0], _rois(w)],
        pooled_shape=list(d.pooled),
        spatial_scale=d.spatial_scale,
    )


@writes("ROIAlign")
def roi_align(w: LayerWriter, d: ROIAlign) -> None:
    """RoiAlign with pixel centres on whole numbers, or samples put together from four pixels.

    The latter for samples at corners, and from opset 22 on, for which onnxruntime 1.31 has no RoiAlign.
    """
    w.need_windows()
    if d.corners:
        _corners(w, d)
        return
    if w.opset >= _WITHOUT_KERNELS:
        _means(w, d)
        return
    rois = _rois(w)
    image = w.emit("Gather", [rois, w.constant(np.array(0, np.int64))], axis=1)
    # up to opset 15 there is no other mode, and so no attribute
    mode: dict[str, Any] = {}
    if w.opset >= 16:
        mode["coordinate_transformation_mode"] = "output_half_pixel"
    w.top(
        "RoiAlign",
        [
            w.bottoms[0],
            w.emit("Gather", [rois, w.ints(1, 2, 3, 4)], axis=1),
            w.emit("Cast", [image], to=TensorProto.INT64),
        ],
        mode="avg",
        output_height=d.pooled[0],
        output_width=d.pooled[1],
        sampling_ratio=d.sampling_ratio,
        spatial_scale=d.spatial_scale,
        **mode,
    )


@writes("PSROIPooling")
def psroi_pooling(w: LayerWriter, d: PSROIPooling) -> None:
    """Sums of cells from running sums over the map, in double precision, over their areas."""
    w.need_windows()
    rois, sizes = _rois(w), _sizes(w)
    rows = _cells(w, d, rois, (2, 4), sizes.height, (-1, 1, d.group_size, 1))
    columns = _cells(w, d, rois, (1, 3), sizes.width, (-1, 1, 1, d.group_size))
    running = _running_sums(w)
    group = d.group_size
    channel = np.arange(d.output_dim * group**2).reshape(1, d.output_dim, group, group)
    planes = w.emit("Mul", [_image(w, rois, 4), w.ints(d.output_dim * group**2)])
    plane = w.emit("Add", [planes, w.constant(channel)])
    # the running sums have one row and one column before those of the map
    taller = w.emit("Add", [sizes.height, w.ints(1)])
    wider = w.emit("Add", [sizes.width, w.ints(1)])

    def sums(row: str, column: str) -> str:
        line = w.emit("Add", [w.emit("Mul", [plane, taller]), row])
        return w.emit("Gather", [running, w.emit("Add", [w.emit("Mul", [line, wider]), column])])

    below = w.emit("Sub", [sums(rows.end, columns.end), sums(rows.end, columns.begin)])
    above = w.emit("Sub", [sums(rows.begin, columns.end), sums(rows.begin, columns.begin)])
    total = w.emit("Cast", [w.emit("Sub", [below, above])], to=TensorProto.FLOAT)
    area = w.emit("Mul", [_length(w, rows), _length(w, columns)])
    full = w.emit("Greater", [area, w.number(0)])
    mean = w.emit("Div", [total, w.emit("Where", [full, area, w.number(1)])])
    w.top("Where", [full, mean, w.number(0)])


class _Spans(NamedTuple):
    """Begin and end (one past the last) of cells, int64."""

    begin: str
    end: str


class _Sizes(NamedTuple):
    """Height and width of the map, int64 of one axis."""

    height: str
    width: str


def _rois(w: LayerWriter) -> str:
    """The regions as (R, 5)."""
    dims = w.bottom_dims[1]
    return w.bottoms[1] if len(dims) == 2 else w.reshape(w.bottoms[1], dims, [(0,), 5])


def _sizes(w: LayerWriter) -> _Sizes:
    height, width = w.bottom_dims[0][2:]
    if isinstance(height, int) and isinstance(width, int):
        return _Sizes(w.ints(height), w.ints(width))
    shape = w.emit("Shape", [w.bottoms[0]])
    return _Sizes(*(w.emit("Gather", [shape, w.ints(axis)]) for axis in (2, 3)))


def _image(w: LayerWriter, rois: str, rank: int) -> str:
    """The image of each region, int64, over axes of size 1."""
    image = w.emit("Cast", [w.emit("Gather", [rois, w.ints(0)], axis=1)], to=TensorProto.INT64)
    return w.emit("Reshape", [image, w.ints(-1, *(1,) * (rank - 1))])


def _round(w: LayerWriter, x: str) -> str:
    """Rounded, halves away from zero; ONNX's own Round takes them to even numbers."""
    size = w.emit("Abs", [x])
    whole = w.emit("Floor", [size])
    up = w.emit("GreaterOrEqual", [w.emit("Sub", [size, whole]), w.number(0.5)])
    added = w.emit("Cast", [up], to=TensorProto.FLOAT)
    return w.emit("Mul", [w.emit("Add", [whole, added]), w.emit("Sign", [x])])


def _cells(
    w: LayerWriter,
    d: PSROIPooling,
    rois: str,
    corners: tuple[int, int],
    size: str,
    shape: tuple[int, ...],
) -> _Spans:
    """The cells of each region on one axis (psroi_pooling_layer.cpp, PSROIPoolingForward)."""
    first, last = (
        _round(w, w.emit("Gather", [rois, w.ints(corner)], axis=1)) for corner in corners
    )
    scale = w.number(d.spatial_scale)
    start = w.emit("Mul", [first, scale])
    end = w.emit("Mul", [w.emit("Add", [last, w.number(1)]), scale])
    span = w.emit("Max", [w.emit("Sub", [end, start]), w.number(0.1)])
    step = w.emit("Div", [span, w.number(d.group_size)])
    edges = []
    for offset, op in ((0, "Floor"), (1, "Ceil")):
        index = w.constant(np.arange(offset, d.group_size + offset, dtype=np.float32))
        edge = w.emit(op, [w.emit("Add", [w.emit("Mul", [index, step]), start])])
        whole = w.emit("Cast", [edge], to=TensorProto.INT64)
        cut = w.emit("Max", [w.emit("Min", [whole, size]), w.ints(0)])
        edges.append(w.emit("Reshape", [cut, w.ints(*shape)]))
    return _Spans(edges[0], edges[1])


def _length(w: LayerWriter, spans: _Spans) -> str:
    """The length of cells as float32, 0 for those that have none."""
    length = w.emit("Max", [w.emit("Sub", [spans.end, spans.begin]), w.ints(0)])
    return w.emit("Cast", [length], to=TensorProto.FLOAT)


def _running_sums(w: LayerWriter) -> str:
    """For each corner between pixels the sum of all above and left of it, flat."""
    exact = w.emit("Cast", [w.bottoms[0]], to=TensorProto.DOUBLE)
    for axis in (2, 3):
        exact = w.emit("CumSum", [exact, w.constant(np.array(axis, np.int64))])
    padded = w.emit("Pad", [exact, w.ints(0, 0, 1, 1, 0, 0, 0, 0)], mode="constant")
    return w.emit("Reshape", [padded, w.ints(-1)])


def _maxima(w: LayerWriter, d: ROIPooling) -> None:
    """The maxima of all windows of 2^i by 2^j pixels, four of which cover a cell."""
    why = "there is a table of maxima for each power of two up to it"
    height, width = (w.fixed(w.bottom_dims[0], axis, why) for axis in (2, 3))
    levels = height.bit_length(), width.bit_length()
    channels = w.bottom_dims[0][1]
    assert isinstance(channels, int)
    tables, tall = [], w.bottoms[0]
    for i in range(levels[0]):
        tall = tall if i == 0 else _twice(w, tall, (1 << (i - 1), 0))
        wide = tall
        for j in range(levels[1]):
            wide = wide if j == 0 else _twice(w, wide, (0, 1 << (j - 1)))
            tables.append(wide)
    stacked = w.emit("Concat", tables, axis=1)
    apart = w.emit("Reshape", [stacked, w.ints(0, len(tables), channels, height, width)])
    last = w.emit("Transpose", [apart], perm=[0, 1, 3, 4, 2])
    pixels = w.emit("Reshape", [last, w.ints(-1, channels)])

    rois = _rois(w)
    rows = _windows(w, d, rois, (2, 4), height, (-1, d.pooled[0], 1))
    columns = _windows(w, d, rois, (1, 3), width, (-1, 1, d.pooled[1]))
    first = w.emit("Mul", [_image(w, rois, 3), w.ints(len(tables))])
    line = w.emit("Add", [first, w.emit("Mul", [rows.level, w.ints(levels[1])])])
    table = w.emit("Mul", [w.emit("Add", [line, columns.level]), w.ints(height)])
    found = []
    for row in (rows.begin, rows.last):
        start = w.emit("Mul", [w.emit("Add", [table, row]), w.ints(width)])
        for column in (columns.begin, columns.last):
            place = w.emit("Add", [start, column])
            found.append(w.emit("Gather", [pixels, place], axis=0))
    full = w.emit("Unsqueeze", [w.emit("And", [rows.full, columns.full]), w.ints(3)])
    cells = w.emit("Where", [full, w.emit("Max", found), w.number(0)])
    w.top("Transpose", [cells], perm=[0, 3, 1, 2])


def _twice(w: LayerWriter, x: str, step: tuple[int, int]) -> str:
    """Of each value and the one that lies a step further the larger: of windows twice as long.

    Where there is none further it is held against 0, which no window within the map reads.
    """
    cut = w.ints(0, 0, *(-length for length in step), 0, 0, *step)
    return w.emit("Max", [x, w.emit("Pad", [x, cut], mode="constant")])


class _Windows(NamedTuple):
    """Two windows of 2^level pixels over each cell: where they begin, and whether it has pixels."""

    begin: str
    last: str
    level: str
    full: str


def _windows(
    w: LayerWriter,
    d: ROIPooling,
    rois: str,
    corners: tuple[int, int],
    size: int,
    shape: tuple[int, ...],
) -> _Windows:
    """The cells of each region on one axis (roi_pooling_layer.cpp, Forward_cpu)."""
    cells = max(shape[1:])
    start, end = (
        _round(w, w.emit("Mul", [w.emit("Gather", [rois, w.ints(corner)], axis=1),
                                 w.number(d.spatial_scale)]))
        for corner in corners
    )  # fmt: skip
    extent = w.emit("Add", [w.emit("Sub", [end, start]), w.number(1)])
    step = w.emit("Div", [w.emit("Max", [extent, w.number(1)]), w.number(cells)])
    edges = []
    for offset, op in ((0, "Floor"), (1, "Ceil")):
        index = w.constant(np.arange(offset, cells + offset, dtype=np.float32))
        edge = w.emit("Add", [w.emit(op, [w.emit("Mul", [index, step])]), start])
        cut = w.emit("Max", [w.emit("Min", [edge, w.number(size)]), w.number(0)])
        whole = w.emit("Cast", [cut], to=TensorProto.INT64)
        edges.append(w.emit("Reshape", [whole, w.ints(*shape)]))
    begin, end = edges
    length = w.emit("Sub", [end, begin])
    powers = np.array([1 << level for level in range(1, size.bit_length())], np.int64)
    longer = w.emit(
        "GreaterOrEqual", [w.emit("Unsqueeze", [length, w.ints(3)]), w.constant(powers)]
    )
    counted = w.emit("Cast", [longer], to=TensorProto.INT64)
    level = w.reduce("ReduceSum", counted, [3], keepdims=False)
    lengths = w.constant(np.array([1, *powers], np.int64))
    last = w.emit("Sub", [end, w.emit("Gather", [lengths, level])])
    held = [
        w.emit("Max", [w.emit("Min", [place, w.ints(size - 1)]), w.ints(0)])
        for place in (begin, last)
    ]
    return _Windows(held[0], held[1], level, w.emit("Greater", [length, w.ints(0)]))


def _corners(w: LayerWriter, d: ROIAlign) -> None:
    """Samples at the corners of the cells."""
    rois, sizes = _rois(w), _sizes(w)
    rows = _points(w, d, rois, 1, sizes.height)
    columns = _points(w, d, rois, 0, sizes.width)
    w.top("Transpose", [_sampled(w, rois, rows, columns, sizes)], perm=[0, 3, 1, 2])


def _means(w: LayerWriter, d: ROIAlign) -> None:
    """The means of `sampling_ratio`^2 samples for each cell."""
    if d.sampling_ratio == 0:
        raise w.refusal(
            "its number of samples follows from the size of each region, and onnxruntime has RoiAlign "
            "up to opset 21; write that or a lower one"
        )
    rois, sizes = _rois(w), _sizes(w)
    rows = _means_points(w, d, rois, 1, sizes.height)
    columns = _means_points(w, d, rois, 0, sizes.width)
    samples = w.emit("Transpose", [_sampled(w, rois, rows, columns, sizes)], perm=[0, 3, 1, 2])
    side = [d.sampling_ratio] * 2
    w.top("AveragePool", [samples], kernel_shape=side, strides=side)


def _sampled(w: LayerWriter, rois: str, rows: _Points, columns: _Points, sizes: _Sizes) -> str:
    """Samples (R, rows, columns, C), each from the four pixels around it."""
    channels = w.bottom_dims[0][1]
    assert isinstance(channels, int)
    last = w.emit("Transpose", [w.bottoms[0]], perm=[0, 2, 3, 1])
    pixels = w.emit("Reshape", [last, w.ints(-1, channels)])
    first = w.emit("Mul", [_image(w, rois, 3), w.emit("Mul", [sizes.height, sizes.width])])
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
    start, end = (
        w.emit("Mul", [w.emit("Gather", [rois, w.ints(corner)], axis=1), w.number(d.spatial_scale)])
        for corner in (1 + axis, 3 + axis)
    )
    extent = w.emit("Max", [w.emit("Sub", [end, start]), w.number(1)])
    step = w.emit("Div", [extent, w.number(cells)])
    within = (np.arange(ratio) + 0.5) / ratio
    index = (np.arange(cells)[:, None] + within).reshape(-1).astype(np.float32)
    at = w.emit("Add", [start, w.emit("Mul", [w.constant(index), step])])
    whole = w.emit("Cast", [size], to=TensorProto.FLOAT)
    inside = w.emit("And", [
        w.emit("GreaterOrEqual", [at, w.number(-1)]), w.emit("LessOrEqual", [at, whole]),
    ])  # fmt: skip
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
