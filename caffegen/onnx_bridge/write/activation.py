"""Layers that compute each value from the value before it, in ONNX."""

from __future__ import annotations

from onnx import TensorProto

from caffegen.layer_types.activation import (
    BNLL,
    ELU,
    AbsVal,
    Clip,
    Dropout,
    Exp,
    Log,
    Power,
    PReLU,
    ReLU,
    Sigmoid,
    Swish,
    TanH,
    Threshold,
)

from .chance import kept
from .registry import writes
from .writer import LayerWriter


@writes("AbsVal")
def abs_val(w: LayerWriter, _: AbsVal) -> None:
    """Abs."""
    w.top("Abs", w.bottoms)


@writes("BNLL")
def bnll(w: LayerWriter, _: BNLL) -> None:
    """Softplus."""
    w.top("Softplus", w.bottoms)


@writes("Clip")
def clip(w: LayerWriter, d: Clip) -> None:
    """Clip; where the bounds are reversed `min` wins, which ONNX leaves open."""
    low, high = w.number(d.min), w.number(d.max)
    if d.min <= d.max:
        w.top("Clip", [w.bottoms[0], low, high])
    else:
        w.top("Max", [w.emit("Min", [w.bottoms[0], high]), low])


@writes("Dropout")
def dropout(w: LayerWriter, d: Dropout) -> None:
    """Nothing in TEST; in TRAIN values are dropped. A fork's may scale in TEST instead."""
    if d.phase == "TEST":
        if d.scale_train:
            w.top("Identity", w.bottoms)
        else:
            w.top("Mul", [w.bottoms[0], w.number(1 - d.ratio)])
        return
    if not 0 <= d.ratio < 1:
        raise w.refusal(f"`dropout_ratio` is {d.ratio:g}; what is kept is divided by 1 less it")
    drop(w, d.ratio, w.bottoms[0], scale=1 / (1 - d.ratio) if d.scale_train else 1.0)


def drop(w: LayerWriter, ratio: float, like: str, *, scale: float) -> None:
    """A random share of values as 0, the others scaled; what is drawn is drawn for each of `like`."""
    w.top("Where", [kept(w, like, ratio), _times(w, w.bottoms[0], scale), w.number(0)])


@writes("ELU")
def elu(w: LayerWriter, d: ELU) -> None:
    """Elu."""
    w.top("Elu", w.bottoms, alpha=d.alpha)


@writes("Exp")
def exp(w: LayerWriter, d: Exp) -> None:
    """Exp between two factors."""
    inner = _times(w, w.bottoms[0], d.inner_scale)
    if d.outer_scale == 1:
        w.top("Exp", [inner])
    else:
        w.top("Mul", [w.emit("Exp", [inner]), w.number(d.outer_scale)])


@writes("Log")
def log(w: LayerWriter, d: Log) -> None:
    """Log of scale x + shift, times a factor for the base."""
    inner = _plus(w, _times(w, w.bottoms[0], d.scale), d.shift)
    if d.base_scale == 1:
        w.top("Log", [inner])
    else:
        w.top("Mul", [w.emit("Log", [inner]), w.number(d.base_scale)])


@writes("Power")
def power(w: LayerWriter, d: Power) -> None:
    """Mul, Add and Pow, each where it does something."""
    x = w.bottoms[0]
    if d.constant is not None:
        # not x * 0 + constant: that would keep NaN and infinity
        w.top("Expand", [w.number(d.constant), w.emit("Shape", [x])])
        return
    steps = [
        (op, number)
        for op, number, neutral in (("Mul", d.scale, 1), ("Add", d.shift, 0), ("Pow", d.power, 1))
        if number != neutral
    ]
    if not steps:
        w.top("Identity", [x])
        return
    for op, number in steps[:-1]:
        x = w.emit(op, [x, w.number(number)])
    op, number = steps[-1]
    w.top(op, [x, w.number(number)])


@writes("PReLU")
def prelu(w: LayerWriter, d: PReLU) -> None:
    """PRelu, with the slope along axis 1."""
    rank = len(w.bottom_dims[0])
    shape = (1,) if d.channel_shared else (d.channels, *(1,) * (rank - 2))
    w.top("PRelu", [w.bottoms[0], w.blob(0, shape)])


@writes("ReLU")
def relu(w: LayerWriter, d: ReLU) -> None:
    """Relu, or LeakyRelu with a slope."""
    if d.negative_slope == 0:
        w.top("Relu", w.bottoms)
    else:
        w.top("LeakyRelu", w.bottoms, alpha=d.negative_slope)


@writes("Sigmoid")
def sigmoid(w: LayerWriter, _: Sigmoid) -> None:
    """Sigmoid."""
    w.top("Sigmoid", w.bottoms)


@writes("Swish")
def swish(w: LayerWriter, d: Swish) -> None:
    """The product of x and Sigmoid(beta x)."""
    x = w.bottoms[0]
    w.top("Mul", [x, w.emit("Sigmoid", [_times(w, x, d.beta)])])


@writes("TanH")
def tanh(w: LayerWriter, _: TanH) -> None:
    """Tanh."""
    w.top("Tanh", w.bottoms)


@writes("Threshold")
def threshold(w: LayerWriter, d: Threshold) -> None:
    """A comparison, with the result as floats."""
    above = w.emit("Greater", [w.bottoms[0], w.number(d.threshold)])
    w.top("Cast", [above], to=TensorProto.FLOAT)


def _times(w: LayerWriter, x: str, factor: float) -> str:
    return x if factor == 1 else w.emit("Mul", [x, w.number(factor)])


def _plus(w: LayerWriter, x: str, term: float) -> str:
    return x if term == 0 else w.emit("Add", [x, w.number(term)])
