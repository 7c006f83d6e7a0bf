"""BatchNorm, LRN and MVN in ONNX."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffegen.layer_types.normalization import LRN, MVN, BatchNorm

from .four_axes import as_pictures
from .initialiser import Array
from .registry import writes
from .writer import LayerWriter


@writes("BatchNorm")
def batch_norm(w: LayerWriter, d: BatchNorm) -> None:
    """BatchNormalization by the stored statistics, with the Scale behind it if `w.scale` is one.

    A fork's BatchNorm has a scale and a bias of its own behind its statistics.
    """
    x = w.bottoms[0]
    if not d.use_global_stats:
        axes = [axis for axis in range(len(w.bottom_dims[0])) if axis != 1]
        centred, variance = _moments(w, x, axes)
        deviation = w.emit("Sqrt", [w.emit("Add", [variance, w.number(d.eps)])])
        if d.scale_bias:
            sides = (d.channels, *(1,) * (len(axes) - 1))
            scaled = w.emit("Mul", [w.emit("Div", [centred, deviation]), w.blob(3, sides)])
            w.top("Add", [scaled, w.blob(4, sides)])
        else:
            w.top("Div", [centred, deviation])
        return
    shape = (d.channels,)
    mean = w.derived("mean", shape, _over_factor, (0, 2))
    variance = w.derived("variance", shape, _over_factor, (1, 2))
    operands = [w.constant(np.ones(shape, np.float32)), w.constant(np.zeros(shape, np.float32))]
    told = None
    if d.scale_bias:
        operands = w.blobs()[3:]
    elif w.scale is not None:
        learned = w.scale.blobs()
        operands[: len(learned)] = learned
        told = f"with the Scale layer `{w.scale.node.name}`"
    operands += [mean, variance]
    w.top("BatchNormalization", [x, *operands], epsilon=d.eps, doc_string=told)


def _over_factor(sums: Array, factor: Array) -> Array:
    """The statistic behind a sum; 0 where the factor is 0 (batch_norm_layer.cpp, Forward_cpu)."""
    divisor = factor.reshape(-1)[0]
    inverse = np.float32(0) if divisor == 0 else np.float32(1) / divisor
    statistic: Array = sums * inverse
    return statistic


def _moments(w: LayerWriter, x: str, axes: Sequence[int]) -> tuple[str, str]:
    """The values less their mean, and their variance, over some axes."""
    centred = w.emit("Sub", [x, w.reduce("ReduceMean", x, axes)])
    return centred, w.reduce("ReduceMean", w.emit("Mul", [centred, centred]), axes)


@writes("LRN")
def lrn(w: LayerWriter, d: LRN) -> None:
    """LRN across channels; within one, an AveragePool of the squares, padding counted.

    onnxruntime takes no LRN with an alpha or beta of 0 or below; then an AveragePool along the
    channels, behind a fourth axis of size 1, does the same.
    """
    x = w.bottoms[0]
    if not d.within_channel and d.alpha > 0 and d.beta > 0:
        w.top("LRN", [x], size=d.local_size, alpha=d.alpha, beta=d.beta, bias=d.k)
        return
    squares = w.emit("Mul", [x, x])
    if d.within_channel:
        average = _window_means(w, squares, d.local_size, d.local_size)
    else:
        dims = w.bottom_dims[0]
        planes = w.reshape(squares, dims, [(0,), 1, (1,), (2, 3)])
        means = _window_means(w, planes, d.local_size, 1)
        average = w.reshape(means, dims, [(0,), (1,), (2,), (3,)], source=x)
    weighed = w.emit("Mul", [average, w.number(d.alpha)])
    base = w.emit("Add", [weighed, w.number(d.k)])
    w.top("Mul", [x, w.emit("Pow", [base, w.number(-d.beta)])])


def _window_means(w: LayerWriter, x: str, height: int, width: int) -> str:
    """The means of windows around every value, zeros beyond the edges counted; the sides are odd."""
    return w.emit(
        "AveragePool", [x],
        kernel_shape=[height, width], strides=[1, 1], pads=[height // 2, width // 2] * 2,
        count_include_pad=1,
    )  # fmt: skip


@writes("MVN")
def mvn(w: LayerWriter, d: MVN) -> None:
    """ReduceMean twice; MeanVarianceNormalization has its eps under the root, Caffe outside."""
    x, _ = as_pictures(w)
    axes = [1, 2, 3] if d.across_channels else [2, 3]
    if not d.normalize_variance:
        w.top("Sub", [x, w.reduce("ReduceMean", x, axes)])
        return
    centred, variance = _moments(w, x, axes)
    deviation = w.emit("Add", [w.emit("Sqrt", [variance]), w.number(d.eps)])
    w.top("Div", [centred, deviation])
