"""Reduction and Softmax in ONNX."""

from __future__ import annotations

from caffegen.layer_types.reduction import Reduction, Softmax

from .registry import writes
from .writer import LayerWriter

_OPS = {"SUM": "ReduceSum", "MEAN": "ReduceMean", "ASUM": "ReduceL1", "SUMSQ": "ReduceSumSquare"}


@writes("Reduction")
def reduction(w: LayerWriter, d: Reduction) -> None:
    """ReduceSum, ReduceMean, ReduceL1 or ReduceSumSquare, and Mul where there is a factor."""
    x, op = w.bottoms[0], _OPS[d.operation]
    into = w.tops[0] if d.coeff == 1 else None
    if d.axis_index == 0:
        reduced = w.emit(op, [x], into=into, keepdims=0)
    else:
        axes = range(d.axis_index, len(w.bottom_dims[0]))
        reduced = w.reduce(op, x, axes, keepdims=False, into=into)
    if into is None:
        w.top("Mul", [reduced, w.number(d.coeff)])


@writes("Softmax")
def softmax(w: LayerWriter, d: Softmax) -> None:
    """Softmax, which since opset 13 takes one axis as Caffe's does."""
    w.top("Softmax", [w.bottoms[0]], axis=d.raw_axis)
