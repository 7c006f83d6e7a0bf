"""Losses of rarer forks in ONNX: their values."""

from __future__ import annotations

import math

from caffegen.layer_types.pairwise_loss import (
    PairwiseLoss,
    QuantizationLoss,
    SqueezeDetLoss,
    SVRLoss,
    WassersteinLoss,
    XCovLoss,
)

from .loss import _like_first, _rows, _size
from .registry import writes
from .writer import LayerWriter


@writes("SVRLoss")
def svr_loss(w: LayerWriter, d: SVRLoss) -> None:  # noqa: ARG001 - no facts
    """ReduceSum of the Abs of the difference, by the batch."""
    difference = w.emit("Sub", [w.bottoms[0], _like_first(w)])
    total = w.emit("ReduceSum", [w.emit("Abs", [difference])], keepdims=0)
    w.top("Div", [total, _size(w, w.bottoms[0], w.bottom_dims[0], [0])])


@writes("XCovLoss")
def xcov_loss(w: LayerWriter, d: XCovLoss) -> None:  # noqa: ARG001 - no facts
    """MatMul of the rows less their means, and half its squared sum."""
    first, second = (
        w.emit("Sub", [rows, w.reduce("ReduceMean", rows, [0])])
        for rows in (_rows(w, 0), _rows(w, 1))
    )
    products = w.emit("MatMul", [w.emit("Transpose", [first], perm=[1, 0]), second])
    items = _size(w, w.bottoms[0], w.bottom_dims[0], [0])
    squares = w.emit("ReduceSumSquare", [w.emit("Div", [products, items])], keepdims=0)
    half = w.emit("Mul", [squares, w.number(0.5)])
    w.top("Reshape", [half, w.ints(1, 1, 1, 1)])


@writes("PairwiseLoss")
def pairwise_loss(w: LayerWriter, d: PairwiseLoss) -> None:
    """Softplus of the products of codes, less those of pairs that share a label."""
    products, shared = (_products(w, index) for index in range(2))
    alike = w.emit("Greater", [shared, w.number(0)])
    agreeing = w.emit("Where", [alike, products, w.number(0)])
    # Softplus overflows in onnxruntime: max(p, 0) + log(1 + exp(-|p|))
    far = w.emit("Exp", [w.emit("Neg", [w.emit("Abs", [products])])])
    soft = w.emit("Log", [w.emit("Add", [far, w.number(1)])])
    losses = w.emit("Sub", [w.emit("Add", [w.emit("Relu", [products]), soft]), agreeing])
    if d.threshold >= 0:
        past = w.emit("GreaterOrEqual", [products, w.number(d.threshold)])
        losses = w.emit("Where", [past, w.emit("Sub", [products, agreeing]), losses])
    w.top("ReduceMean", [w.emit("Abs", [losses])], keepdims=0)


def _products(w: LayerWriter, bottom: int) -> str:
    rows = _rows(w, bottom)
    return w.emit("MatMul", [rows, w.emit("Transpose", [rows], perm=[1, 0])])


@writes("QuantizationLoss")
def quantization_loss(w: LayerWriter, d: QuantizationLoss) -> None:
    """|a| + log(1 + exp(-2 |a|)) - log 2, for a = |x| - 1, and its mean."""
    apart = w.emit("Sub", [w.emit("Abs", w.bottoms), w.number(1)])
    size = w.emit("Abs", [apart])
    far = w.emit("Exp", [w.emit("Mul", [size, w.number(-2)])])
    soft = w.emit("Log", [w.emit("Add", [far, w.number(1)])])
    losses = w.emit("Add", [w.emit("Sub", [size, w.number(math.log(2))]), soft])
    if d.threshold > 0:
        past = w.emit("Greater", [apart, w.number(d.threshold)])
        straight = w.emit("Sub", [apart, w.number(math.log(2))])
        losses = w.emit("Where", [past, straight, losses])
    w.top("ReduceMean", [w.emit("Abs", [losses])], keepdims=0)


@writes("WassersteinLoss")
def wasserstein_loss(w: LayerWriter, d: WassersteinLoss) -> None:
    """Refused: its distances stand in a file."""
    raise w.refusal(f"the distances of its classes stand in the file `{d.ground_metric}`")


@writes("SqueezeDetLoss")
def squeezedet_loss(w: LayerWriter, d: SqueezeDetLoss) -> None:  # noqa: ARG001 - refused
    """Refused: it matches anchors inside."""
    raise w.refusal("it matches anchors to true boxes while training; cut the net before it")
