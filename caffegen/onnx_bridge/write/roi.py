"""Pooling over regions of a feature map, in ONNX."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from onnx import TensorProto

from caffegen.layer_types.roi import PSROIPooling, ROIAlign, ROIPooling

from .region_samples import adaptive_means, corner_samples, means
from .regions import image_of, map_sizes, regions_of
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
        [w.bottoms[0], regions_of(w)],
        pooled_shape=list(d.pooled),
        spatial_scale=d.spatial_scale,
    )


@writes("ROIAlign")
def roi_align(w: LayerWriter, d: ROIAlign) -> None:
    """RoiAlign with pixel centres on whole numbers, or its samples in plain ops.

    The latter for samples at corners, and from opset 22 on, for which onnxruntime 1.31 has no RoiAlign.
    """
    w.need_windows()
    if d.corners:
        corner_samples(w, d)
        return
    if w.opset >= _WITHOUT_KERNELS:
        (means if d.sampling_ratio else adaptive_means)(w, d)
        return
    rois = regions_of(w)
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
    rois, sizes = regions_of(w), map_sizes(w)
    rows = _cells(w, d, rois, (2, 4), sizes.height, (-1, 1, d.group_size, 1))
    columns = _cells(w, d, rois, (1, 3), sizes.width, (-1, 1, 1, d.group_size))
    running = _running_sums(w)
    group = d.group_size
    channel = np.arange(d.output_dim * group**2).reshape(1, d.output_dim, group, group)
    planes = w.emit("Mul", [image_of(w, rois, 4), w.ints(d.output_dim * group**2)])
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

    rois = regions_of(w)
    rows = _windows(w, d, rois, (2, 4), height, (-1, d.pooled[0], 1))
    columns = _windows(w, d, rois, (1, 3), width, (-1, 1, d.pooled[1]))
    first = w.emit("Mul", [image_of(w, rois, 3), w.ints(len(tables))])
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
