"""YOLO's outputs in ONNX, through NonMaxSuppression."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from onnx import TensorProto

from caffegen.layer_types.yolo import (
    PriorMap,
    RegionOutput,
    YoloDetectionOutput,
    Yolov3DetectionOutput,
)

from .free import Dim, Dims
from .registry import writes
from .writer import LayerWriter

# the numbers of a box before those of its classes: x, y, width, height, objectness
BOX = 5


class _Candidates(NamedTuple):
    """Centre and size (n, 4), score (n) and label (n), counted from 1."""

    box: str
    score: str
    label: str


@writes("YoloDetectionOutput", "Yolov3DetectionOutput")
def detection_output(w: LayerWriter, d: YoloDetectionOutput | Yolov3DetectionOutput) -> None:
    """The candidates of all maps in one list, NonMaxSuppression over them, and rows of what is left.

    A score that must reach a threshold is above the number before it.
    """
    if isinstance(d, Yolov3DetectionOutput) and d.gaussian_box:
        raise w.refusal(
            "with `gaussian_box` its forward pass scores boxes by memory that it never writes, and "
            "differs between CPU and GPU"
        )
    images = w.fixed(w.bottom_dims[0], 0, "where nothing is found there is a row for each image")
    found = [_candidates(w, d, index, prior_map) for index, prior_map in enumerate(d.maps)]
    box, score, label = (
        parts[0] if len(parts) == 1 else w.emit("Concat", parts, axis=0)
        for parts in zip(*found, strict=True)
    )
    lowest = _before(d.confidence_threshold) if d.best_class_only else d.confidence_threshold
    # overlaps reach from 0 to 1; from 0 on, each box suppresses all the others
    everything = d.nms_threshold <= 0
    overlap = 1.0 if everything or d.nms_threshold > 1 else _before(d.nms_threshold)
    selected = w.emit("NonMaxSuppression", [
        w.emit("Unsqueeze", [box, w.ints(0)]),
        w.emit("Unsqueeze", [score, w.ints(0, 1)]),
        w.ints(1 if everything else np.iinfo(np.int64).max),
        w.constant(np.array([overlap], np.float32)),
        w.constant(np.array([lowest], np.float32)),
    ], center_point_box=1)  # fmt: skip
    kept = w.emit("Gather", [selected, w.constant(np.array(2, np.int64))], axis=1)
    chosen = w.emit("Gather", [box, kept], axis=0)
    half = w.emit("Mul", [_cut(w, chosen, 2, 4, 1), w.number(0.5)])
    centre = _cut(w, chosen, 0, 2, 1)
    columns = [
        w.emit("Unsqueeze", [w.emit("Gather", [part, kept]), w.ints(1)]) for part in (label, score)
    ]
    corners = [w.emit(op, [centre, half]) for op in ("Sub", "Add")]
    rows = w.pad(w.emit("Concat", [*columns, *corners], axis=1), 2, [0, 1], [0, 0])
    rows = w.emit("Concat", [rows, _nothing(w, images, kept)], axis=0)
    w.top("Unsqueeze", [rows, w.ints(0, 1)])


def _nothing(w: LayerWriter, images: int, kept: str) -> str:
    """A row for each image where nothing was kept, else no rows."""
    empty = np.full((images, 7), -1, np.float32)
    empty[:, 0] = np.arange(images)
    none = w.emit("Equal", [w.emit("Shape", [kept]), w.ints(0)])
    number = w.emit("Mul", [w.emit("Cast", [none], to=TensorProto.INT64), w.ints(images)])
    return w.emit("Slice", [w.constant(empty), w.ints(0), number, w.ints(0)])


def _candidates(
    w: LayerWriter, d: YoloDetectionOutput | Yolov3DetectionOutput, index: int, prior_map: PriorMap
) -> _Candidates:
    """The boxes of a map in order of images, rows, columns, priors and, for YOLOv3, classes."""
    dims = w.bottom_dims[index]
    number = len(prior_map.priors)
    split = w.reshape(w.bottoms[index], dims, [(0,), number, BOX + d.num_classes, (2,), (3,)])
    split = w.emit("Transpose", [split], perm=[0, 3, 4, 1, 2])
    size = _size(w, w.bottoms[index], dims)
    grid = w.emit("Add", [_grid(w, size, 0), _grid(w, size, 1)])
    centre = w.emit("Add", [w.emit("Sigmoid", [_cut(w, split, 0, 2)]), grid])
    centre = w.emit("Div", [centre, size.both])
    priors = w.constant(np.array(prior_map.priors, np.float32))
    extent = w.emit("Mul", [w.emit("Exp", [_cut(w, split, 2, 4)]), priors])
    pixels = w.emit("Mul", [size.both, w.number(prior_map.stride)])
    extent = w.emit("Div", [extent, pixels])
    box = w.emit("Reshape", [w.emit("Concat", [centre, extent], axis=4), w.ints(-1, 4)])
    classes = _cut(w, split, BOX, BOX + d.num_classes)
    likely = (
        w.emit("Softmax", [classes], axis=4) if d.best_class_only else w.emit("Sigmoid", [classes])
    )
    scores = w.emit("Mul", [w.emit("Sigmoid", [_cut(w, split, 4, 5)]), likely])
    if d.best_class_only:
        score = w.emit("Reshape", [w.reduce("ReduceMax", scores, [4]), w.ints(-1)])
        best = w.emit("ArgMax", [scores], axis=4, keepdims=0)
        label = w.emit("Add", [w.emit("Reshape", [best, w.ints(-1)]), w.ints(1)])
        return _Candidates(box, score, w.emit("Cast", [label], to=TensorProto.FLOAT))
    each = w.emit("Expand", [w.emit("Unsqueeze", [box, w.ints(1)]), w.ints(1, d.num_classes, 1)])
    numbers = w.constant(np.arange(1, d.num_classes + 1, dtype=np.float32))
    whole = w.emit("Shape", [scores])
    return _Candidates(
        w.emit("Reshape", [each, w.ints(-1, 4)]),
        w.emit("Reshape", [scores, w.ints(-1)]),
        w.emit("Reshape", [w.emit("Expand", [numbers, whole]), w.ints(-1)]),
    )


class _Size(NamedTuple):
    """Width and height of a map, each (1), and both as float32 (2)."""

    width: Dim
    height: Dim
    x: str
    y: str
    both: str


def _size(w: LayerWriter, x: str, dims: Dims) -> _Size:
    height, width = dims[2:]
    if isinstance(height, int) and isinstance(width, int):
        both = w.constant(np.array([width, height], np.float32))
        return _Size(width, height, w.ints(width), w.ints(height), both)
    shape = w.emit("Shape", [x])
    columns, rows = (w.emit("Gather", [shape, w.ints(axis)]) for axis in (3, 2))
    both = w.emit("Cast", [w.emit("Concat", [columns, rows], axis=0)], to=TensorProto.FLOAT)
    return _Size(width, height, columns, rows, both)


def _grid(w: LayerWriter, size: _Size, axis: int) -> str:
    """The number of the column (axis 0) or row (1) of each cell, as x and y, over the other axes."""
    dim, name = ((size.width, size.x), (size.height, size.y))[axis]
    unit = np.zeros(2, np.float32)
    unit[axis] = 1
    if isinstance(dim, int):
        numbers = w.constant(np.arange(dim, dtype=np.float32))
    else:
        zero, one = (w.constant(np.array(number, np.int64)) for number in (0, 1))
        numbers = w.emit("Range", [zero, w.emit("Squeeze", [name, w.ints(0)]), one])
        numbers = w.emit("Cast", [numbers], to=TensorProto.FLOAT)
    shape = w.ints(-1, 1, 1, 1) if axis else w.ints(-1, 1, 1)
    return w.emit("Mul", [w.emit("Reshape", [numbers, shape]), w.constant(unit)])


def _cut(w: LayerWriter, x: str, begin: int, end: int, axis: int = 4) -> str:
    """A cut along one axis."""
    return w.emit("Slice", [x, w.ints(begin), w.ints(end), w.ints(axis)])


def _before(number: float) -> float:
    """The largest float32 below a number."""
    return float(np.nextafter(np.float32(number), np.float32(-np.inf)))


@writes("RegionOutput")
def region_output(w: LayerWriter, d: RegionOutput) -> None:
    """All boxes; the scores that NonMaxSuppression leaves, put back where they were."""
    if d.tree or d.coords != 4:
        raise w.refusal("its tree of classes or its further coordinates have no plain ONNX form")
    if w.bottom_dims[0][0] != 1:
        raise w.refusal("it averages an image with its mirror image, and ONNX is written for one")
    dims = w.bottom_dims[0]
    height, width = (w.fixed(dims, axis, "its cells are counted from it") for axis in (2, 3))
    number = d.num_box
    split = w.reshape(w.bottoms[0], dims, [number, BOX + d.num_classes, (2,), (3,)])
    split = w.emit("Transpose", [split], perm=[0, 2, 3, 1])
    size = np.array([width, height], np.float32)
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    cell = w.constant(np.stack([columns, rows], -1).astype(np.float32))
    centre = w.emit("Add", [w.emit("Sigmoid", [_cut(w, split, 0, 2, 3)]), cell])
    centre = w.emit("Div", [centre, w.constant(size)])
    priors = np.array(d.priors, np.float32).reshape(number, 1, 1, 2)
    extent = w.emit("Mul", [w.emit("Exp", [_cut(w, split, 2, 4, 3)]), w.constant(priors)])
    extent = w.emit("Div", [extent, w.constant(size)])
    likely = w.emit("Softmax", [_cut(w, split, BOX, BOX + d.num_classes, 3)], axis=3)
    scores = w.emit("Mul", [w.emit("Sigmoid", [_cut(w, split, 4, 5, 3)]), likely])
    scores = w.emit("Reshape", [scores, w.ints(1, -1, d.num_classes)])
    best = w.reduce("ReduceMax", scores, [2])
    above = w.emit("Greater", [scores, w.number(d.thresh)])
    scores = w.emit("Where", [above, scores, w.number(0)])
    boxes = _in_image(w, d, centre, extent, width, height)
    if d.nms > 0:
        scores = _suppressed(w, d, boxes, scores)
    w.top("Identity", [boxes])
    w.top("Concat", [scores, best], 1, axis=2)


def _in_image(
    w: LayerWriter, d: RegionOutput, centre: str, extent: str, width: int, height: int
) -> str:
    """Boxes (1, n, 4) in pixels of the image, which fills the network's in one direction."""
    net = np.array([width, height]) * d.feat_stride
    info = w.emit("Reshape", [w.bottoms[1], w.ints(-1)])
    given = w.emit("Cast", [w.emit("Gather", [info, w.ints(1, 0)])], to=TensorProto.INT64)
    unknown = w.emit("Equal", [given, w.ints(0)])
    image = w.emit("Where", [unknown, w.constant(net), given])
    turned = w.emit("Gather", [image, w.ints(1, 0)])
    fitted = w.emit("Div", [w.emit("Mul", [image, w.constant(net[::-1].copy())]), turned])
    pixels = w.emit("Cast", [image], to=TensorProto.FLOAT)
    ratio = w.emit("Div", [w.constant(net.astype(np.float32)), pixels])
    other = w.emit("Gather", [ratio, w.ints(1, 0)])
    # the width fills where its ratio is the smaller, the height where it is not the larger
    less, equal = w.emit("Less", [ratio, other]), w.emit("Equal", [ratio, other])
    tie = w.emit("And", [equal, w.constant(np.array([False, True]))])
    sides = w.emit("Where", [w.emit("Or", [less, tie]), w.constant(net), fitted])
    share = w.emit("Cast", [sides], to=TensorProto.FLOAT)
    share = w.emit("Div", [share, w.constant(net.astype(np.float32))])
    before = w.emit("Mul", [w.emit("Sub", [w.number(1), share]), w.number(0.5)])
    placed = w.emit("Div", [w.emit("Sub", [centre, before]), share])
    parts = [w.emit("Mul", [part, pixels]) for part in (placed, w.emit("Div", [extent, share]))]
    return w.emit("Reshape", [w.emit("Concat", parts, axis=3), w.ints(1, -1, 4)])


def _suppressed(w: LayerWriter, d: RegionOutput, boxes: str, scores: str) -> str:
    """The scores (1, n, classes) of what is left; 0 for the others."""
    by_class = w.emit("Transpose", [scores], perm=[0, 2, 1])
    selected = w.emit("NonMaxSuppression", [
        boxes,
        by_class,
        w.ints(np.iinfo(np.int64).max),
        w.constant(np.array([min(d.nms, 1.0)], np.float32)),
        w.constant(np.array([0], np.float32)),
    ], center_point_box=1)  # fmt: skip
    # image, class, box -> image, box, class
    at = w.emit("Gather", [selected, w.ints(0, 2, 1)], axis=1)
    left = w.emit("GatherND", [scores, at])
    blank = w.emit("Mul", [scores, w.number(0)])
    return w.emit("ScatterND", [blank, at, left])
