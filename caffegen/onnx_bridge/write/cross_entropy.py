"""Cross-entropies in ONNX: their values, which is all that the TEST phase computes."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

import numpy as np
from onnx import TensorProto

from caffegen.errors import CaffegenError
from caffegen.layer_types.cross_entropy import (
    InfogainLoss,
    SigmoidCrossEntropyLoss,
    SoftmaxWithLoss,
    _Normalized,
)
from caffegen.weights import open_binaryproto

from .initialiser import Array
from .loss import _LOG_THRESHOLD, _cost, _differs, _like_first, _size, known_classes
from .registry import writes
from .writer import LayerWriter, Target

# the floor of probabilities in softmax_loss_layer.cpp
_FLT_MIN = float(np.finfo(np.float32).tiny)


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


def _softmax(w: LayerWriter, axis: int) -> str:
    """The softmax of bottom 0; top 1 where there is one."""
    into = w.tops[1] if len(w.tops) > 1 else None
    return w.emit("Softmax", [w.bottoms[0]], into=into, axis=axis)


def _normalise(
    w: LayerWriter, d: _Normalized, losses: str, kept: str | None, batch: Iterable[int]
) -> None:
    """Top 0: the sum of the losses that count, by what `normalization` says, but not less than 1.

    `batch` has the axes of bottom 0 whose sizes make BATCH_SIZE.
    """
    counted = losses if kept is None else w.emit("Where", [kept, losses, w.number(0)])
    may_be_empty = any(isinstance(dim, str) or dim == 0 for dim in w.bottom_dims[0])
    over_all = d.normalization == "FULL" or (d.normalization == "VALID" and kept is None)
    if d.normalization == "NONE":
        w.top("ReduceSum", [counted], keepdims=0)
        return
    if over_all and not may_be_empty:
        w.top("ReduceMean", [counted], keepdims=0)
        return
    total = w.emit("ReduceSum", [counted], keepdims=0)
    if d.normalization == "PRE_FIXED":
        w.top("Div", [total, w.number(max(1, d.pre_fixed_normalizer))])
        return
    if over_all:
        number = w.emit("Cast", [w.emit("Size", [losses])], to=TensorProto.FLOAT)
    elif kept is not None and d.normalization == "VALID":
        ones = w.emit("Cast", [kept], to=TensorProto.FLOAT)
        number = w.emit("ReduceSum", [ones], keepdims=0)
    else:
        number = _size(w, w.bottoms[0], w.bottom_dims[0], batch)
    if may_be_empty or d.normalization == "VALID":
        number = w.emit("Max", [number, w.number(1)])
    w.top("Div", [total, number])
