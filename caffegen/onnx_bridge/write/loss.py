"""The losses in ONNX: their values, which is all that the TEST phase computes."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np
from onnx import TensorProto

from caffegen.errors import CaffegenError
from caffegen.layer_types.loss import (
    ContrastiveLoss,
    EuclideanLoss,
    HingeLoss,
    InfogainLoss,
    MultinomialLogisticLoss,
    SigmoidCrossEntropyLoss,
    SoftmaxWithLoss,
)
from caffegen.weights import open_binaryproto

from .free import Dims
from .initialiser import Array
from .registry import writes
from .writer import LayerWriter, Target

__all__ = ["known_classes"]

# the floors of probabilities: softmax_loss_layer.cpp takes FLT_MIN, loss_layer.hpp kLOG_THRESHOLD
_FLT_MIN = float(np.finfo(np.float32).tiny)
_LOG_THRESHOLD = 1e-20


@writes("SoftmaxWithLoss")
def softmax_with_loss(w: LayerWriter, d: SoftmaxWithLoss) -> None:
    """Softmax, GatherElements of the true classes, Log; SoftmaxCrossEntropyLoss has no floor."""
    axis = d.axis_index
    target: Target = [(index,) if index != axis else 1 for index in range(len(w.bottom_dims[0]))]
    classes, kept = known_classes(w, target, d.ignore_label)
    own = w.emit("GatherElements", [_softmax(w, axis), classes], axis=axis)
    _normalise(w, d, _cost(w, own, _FLT_MIN), kept, range(axis))


@writes("InfogainLoss")
def infogain_loss(w: LayerWriter, d: InfogainLoss) -> None:
    """Softmax, Log, and the sum of its product with the rows of H that Gather picks."""
    axis, rank = d.axis_index, len(w.bottom_dims[0])
    others = [index for index in range(rank) if index != axis]
    classes, kept = known_classes(w, [(index,) for index in others], d.ignore_label)
    costs = _cost(w, _softmax(w, axis), _LOG_THRESHOLD)
    if axis != rank - 1:
        costs = w.emit("Transpose", [costs], perm=[*others, axis])
    rows = w.emit("Gather", [_infogain_matrix(w, d), classes], axis=0)
    weighed = w.emit("Mul", [rows, costs])
    losses = w.reduce("ReduceSum", weighed, [rank - 1], keepdims=False)
    _normalise(w, d, losses, kept, range(axis))


def _infogain_matrix(w: LayerWriter, d: InfogainLoss) -> str:
    """H, a row for each true class: bottom 2, or the file."""
    size = w.fixed(w.bottom_dims[0], d.axis_index, "H has a row for each class")
    if d.source is None:
        square = w.bottom_dims[2] == (size, size)
        return w.bottoms[2] if square else w.emit("Reshape", [w.bottoms[2], w.ints(size, size)])
    path: str = d.source
    stored = open_binaryproto(path)
    if prod(stored.shape) != size * size:
        raise CaffegenError(
            f"`{path}` holds {prod(stored.shape)} values; {size} classes take an infogain matrix "
            f"of {size * size}"
        )

    def values() -> Array:
        matrix: Array = open_binaryproto(path).array()
        return matrix

    return w.derived("H", (size, size), values)


@writes("SigmoidCrossEntropyLoss")
def sigmoid_cross_entropy_loss(w: LayerWriter, d: SigmoidCrossEntropyLoss) -> None:
    """Relu(x) - x t + Softplus(-|x|), which overflows nowhere."""
    x, targets = w.bottoms[0], _like_first(w)
    kept = None
    if d.ignore_label is not None:
        whole = w.emit("Cast", [targets], to=TensorProto.INT64)
        kept = _differs(w, whole, d.ignore_label)
    linear = w.emit("Sub", [w.emit("Relu", [x]), w.emit("Mul", [x, targets])])
    bent = w.emit("Softplus", [w.emit("Neg", [w.emit("Abs", [x])])])
    _normalise(w, d, w.emit("Add", [linear, bent]), kept, [0])


@writes("EuclideanLoss")
def euclidean_loss(w: LayerWriter, d: EuclideanLoss) -> None:  # noqa: ARG001 - no facts
    """ReduceSumSquare of the difference, by twice the batch."""
    difference = w.emit("Sub", [w.bottoms[0], _like_first(w)])
    total = w.emit("ReduceSumSquare", [difference], keepdims=0)
    half = w.emit("Mul", [total, w.number(0.5)])
    w.top("Div", [half, _size(w, w.bottoms[0], w.bottom_dims[0], [0])])


@writes("HingeLoss")
def hinge_loss(w: LayerWriter, d: HingeLoss) -> None:
    """Relu(1 + score), the sign of the true class's score turned by ScatterElements."""
    rows = _rows(w, 0)
    classes = _one_per_item(w, 1)
    own = w.emit("GatherElements", [rows, classes], axis=1)
    turned = w.emit("ScatterElements", [rows, classes, w.emit("Neg", [own])], axis=1)
    margins = w.emit("Relu", [w.emit("Add", [turned, w.number(1)])])
    op = "ReduceSumSquare" if d.norm == "L2" else "ReduceSum"
    total = w.emit(op, [margins], keepdims=0)
    w.top("Div", [total, _size(w, w.bottoms[0], w.bottom_dims[0], [0])])


@writes("MultinomialLogisticLoss")
def multinomial_logistic_loss(w: LayerWriter, d: MultinomialLogisticLoss) -> None:  # noqa: ARG001
    """GatherElements of the true classes, Log, and the mean."""
    own = w.emit("GatherElements", [_rows(w, 0), _one_per_item(w, 1)], axis=1)
    w.top("ReduceMean", [_cost(w, own, _LOG_THRESHOLD)], keepdims=0)


@writes("ContrastiveLoss")
def contrastive_loss(w: LayerWriter, d: ContrastiveLoss) -> None:
    """The squared distance by ReduceSumSquare, and Where on the cost of the two kinds of pairs."""
    similar = w.emit("Cast", [_one_per_item(w, 2)], to=TensorProto.BOOL)
    difference = w.emit("Sub", [_rows(w, 0), _rows(w, 1)])
    squared = w.reduce("ReduceSumSquare", difference, [1])
    distance = squared if d.legacy_version else w.emit("Sqrt", [squared])
    apart = w.emit("Relu", [w.emit("Sub", [w.number(d.margin), distance])])
    if not d.legacy_version:
        apart = w.emit("Mul", [apart, apart])
    mean = w.emit("ReduceMean", [w.emit("Where", [similar, squared, apart])], keepdims=0)
    w.top("Mul", [mean, w.number(0.5)])


# Labels.


def known_classes(
    w: LayerWriter, target: Target, ignore_label: int | None
) -> tuple[str, str | None]:
    """The class numbers of bottom 1, laid out against bottom 0, and which of them count.

    `target` is their shape in axes of bottom 0. Numbers to be ignored are 0 here, as they need not
    be classes at all; all count where nothing is to be ignored.
    """
    classes = w.emit("Cast", [w.bottoms[1]], to=TensorProto.INT64)
    dims, labels = w.bottom_dims[:2]
    wanted = tuple(dims[axis[0]] if isinstance(axis, tuple) else axis for axis in target)
    if labels != wanted or "" in labels:
        one = [index for index, axis in enumerate(target) if axis == 1]
        if labels == tuple(size for index, size in enumerate(wanted) if index not in one):
            classes = w.emit("Unsqueeze", [classes, w.ints(*one)])
        else:
            classes = w.reshape(classes, dims, target, source=w.bottoms[0])
    if ignore_label is None:
        return classes, None
    kept = _differs(w, classes, ignore_label)
    return w.emit("Where", [kept, classes, w.constant(np.array(0, np.int64))]), kept


def _differs(w: LayerWriter, numbers: str, label: int) -> str:
    return w.emit("Not", [w.emit("Equal", [numbers, w.constant(np.array(label, np.int64))])])


def _one_per_item(w: LayerWriter, bottom: int) -> str:
    """A bottom's first N numbers cut to integers, for a batch of N, as a column (N, 1)."""
    dims, items = w.bottom_dims[bottom], w.bottom_dims[0][0]
    numbers = w.emit("Cast", [w.bottoms[bottom]], to=TensorProto.INT64)
    flat = all(size == 1 for size in dims[1:])
    if len(dims) != 2 or not flat:
        numbers = w.emit("Reshape", [numbers, w.ints(-1, 1)])
    if flat and dims[0] == items:
        return numbers
    sizes = [size for size in (items, *dims) if isinstance(size, int)]
    if len(sizes) == len(dims) + 1 and prod(sizes[1:]) < sizes[0]:
        raise w.refusal(
            f"bottom {bottom} has {prod(sizes[1:])} labels for {items} items; Caffe reads past them"
        )
    if isinstance(items, int):
        end = w.ints(items)
    else:
        end = w.emit("Gather", [w.emit("Shape", [w.bottoms[0]]), w.ints(0)])
    return w.emit("Slice", [numbers, w.ints(0), end, w.ints(0)])


# Scores.


def _softmax(w: LayerWriter, axis: int) -> str:
    """The softmax of bottom 0; top 1 where there is one."""
    into = w.tops[1] if len(w.tops) > 1 else None
    return w.emit("Softmax", [w.bottoms[0]], into=into, axis=axis)


def _cost(w: LayerWriter, probability: str, floor: float) -> str:
    """Minus the logarithm of a probability that is floored."""
    return w.emit("Neg", [w.emit("Log", [w.emit("Max", [probability, w.number(floor)])])])


def _rows(w: LayerWriter, bottom: int) -> str:
    """A bottom with all axes behind the first merged."""
    x = w.bottoms[bottom]
    return x if len(w.bottom_dims[bottom]) == 2 else w.emit("Flatten", [x], axis=1)


def _like_first(w: LayerWriter) -> str:
    """Bottom 1 in the shape of bottom 0."""
    dims, other = w.bottom_dims[:2]
    if dims == other and "" not in dims:
        return w.bottoms[1]
    if len(dims) == len(other) == 1:
        return w.bottoms[1]
    target: Target = [(axis,) for axis in range(len(dims))]
    return w.reshape(w.bottoms[1], dims, target, source=w.bottoms[0])


# Sums.


def _normalise(
    w: LayerWriter,
    d: SoftmaxWithLoss | SigmoidCrossEntropyLoss,
    losses: str,
    kept: str | None,
    batch: Iterable[int],
) -> None:
    """Top 0: the sum of the losses that count, by what `normalization` says, but not less than 1.

    `batch` has the axes of bottom 0 whose sizes make BATCH_SIZE.
    """
    if kept is None and d.normalization in ("FULL", "VALID"):
        w.top("ReduceMean", [losses], keepdims=0)
        return
    counted = losses if kept is None else w.emit("Where", [kept, losses, w.number(0)])
    if d.normalization == "NONE":
        w.top("ReduceSum", [counted], keepdims=0)
    elif d.normalization == "FULL":
        w.top("ReduceMean", [counted], keepdims=0)
    else:
        total = w.emit("ReduceSum", [counted], keepdims=0)
        if d.normalization == "VALID":
            assert kept is not None
            ones = w.emit("Cast", [kept], to=TensorProto.FLOAT)
            number = w.emit("ReduceSum", [ones], keepdims=0)
            divisor = w.emit("Max", [number, w.number(1)])
        else:
            divisor = _size(w, w.bottoms[0], w.bottom_dims[0], batch)
        w.top("Div", [total, divisor])


def _size(w: LayerWriter, x: str, dims: Dims, axes: Iterable[int]) -> str:
    """The product of some sizes of a value as a float, computed in the graph if one is free."""
    axes = tuple(axes)
    sizes = [dims[axis] for axis in axes]
    fixed = [size for size in sizes if isinstance(size, int)]
    if len(fixed) == len(sizes):
        return w.number(prod(fixed))
    picked = w.emit("Gather", [w.emit("Shape", [x]), w.ints(*axes)])
    product = w.reduce("ReduceProd", picked, [0], keepdims=False)
    return w.emit("Cast", [product], to=TensorProto.FLOAT)
