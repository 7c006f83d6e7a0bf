"""The losses in ONNX: their values, which is all that the TEST phase computes."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np
from onnx import TensorProto

from caffegen.layer_types.loss import (
    ContrastiveLoss,
    EuclideanLoss,
    HingeLoss,
    MultinomialLogisticLoss,
)

from .free import Dims
from .registry import writes
from .writer import LayerWriter, Target

__all__ = ["known_classes"]

# the floor of probabilities in loss_layer.hpp, kLOG_THRESHOLD
_LOG_THRESHOLD = 1e-20


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
