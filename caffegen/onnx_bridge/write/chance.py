"""Random numbers in ONNX, drawn anew in every run and for every opset.

onnxruntime 1.31 has no kernels for the random ops of opset 22 and above, but for Dropout, whose mask
is drawn by chance all the same. A uniform number is put together from 24 such draws, as many as
float32 tells apart; a normal one from two uniform ones (Box and Muller).
"""

from __future__ import annotations

from math import pi

import numpy as np
from onnx import TensorProto

from .writer import LayerWriter

__all__ = ["kept", "normal", "uniform", "uniform_like"]

Shape = tuple[int, ...]

_WITHOUT_KERNELS = 22
_BITS = 24


def kept(w: LayerWriter, like: str, ratio: float) -> str:
    """Marks in the shape of a value, each False with a probability of `ratio`.

    They are a Dropout's mask; where only its values were used, onnxruntime would take it away behind
    a computed value.
    """
    training = w.constant(np.array(True))
    return w.emit_many("Dropout", [like, w.number(ratio), training], 2)[1]


def uniform(w: LayerWriter, low: float, high: float, shape: Shape, into: str | None = None) -> str:
    """Numbers from `low` on and below `high`, in a shape."""
    if w.opset < _WITHOUT_KERNELS:
        return _drawn(w, "RandomUniform", shape, into, low=low, high=high)
    return _from_bits(w, w.ints(_BITS, *shape), len(shape), low, high, into)


def uniform_like(w: LayerWriter, low: float, high: float, like: str, rank: int) -> str:
    """Numbers from `low` on and below `high`, in the shape of a value of that many axes."""
    if w.opset < _WITHOUT_KERNELS:
        return w.emit("RandomUniformLike", [like], low=low, high=high)
    shape = w.emit("Concat", [w.ints(_BITS), w.emit("Shape", [like])], axis=0)
    return _from_bits(w, shape, rank, low, high)


def normal(w: LayerWriter, mean: float, scale: float, shape: Shape, into: str | None = None) -> str:
    """Numbers of a normal distribution, in a shape."""
    if w.opset < _WITHOUT_KERNELS:
        return _drawn(w, "RandomNormal", shape, into, mean=mean, scale=scale)
    # from 1 less the draw: the logarithm of 0 is none
    distance = w.emit("Log", [w.emit("Sub", [w.number(1), uniform(w, 0, 1, shape)])])
    length = w.emit("Sqrt", [w.emit("Mul", [distance, w.number(-2)])])
    angle = w.emit("Cos", [uniform(w, 0, 2 * pi, shape)])
    return _moved(w, w.emit("Mul", [length, angle]), scale, mean, into)


def _drawn(w: LayerWriter, op: str, shape: Shape, into: str | None, **attributes: float) -> str:
    return w.emit(op, [], into=into, dtype=TensorProto.FLOAT, shape=list(shape), **attributes)


def _from_bits(
    w: LayerWriter, shape: str, rank: int, low: float, high: float, into: str | None = None
) -> str:
    """Binary digits along axis 0 of a shape, added up to numbers."""
    places = np.float32(2) ** -np.arange(1, _BITS + 1, dtype=np.float32)
    zeros = w.emit("ConstantOfShape", [shape])
    digits = w.emit("Cast", [kept(w, zeros, 0.5)], to=TensorProto.FLOAT)
    weighed = w.emit("Mul", [digits, w.constant(places.reshape(-1, *(1,) * rank))])
    number = w.reduce("ReduceSum", weighed, [0], keepdims=False)
    return _moved(w, number, high - low, low, into)


def _moved(w: LayerWriter, x: str, factor: float, term: float, into: str | None) -> str:
    return w.emit("Add", [w.emit("Mul", [x, w.number(factor)]), w.number(term)], into=into)
