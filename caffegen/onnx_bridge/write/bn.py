"""BN of SegNet, PSPNet and their kin in ONNX."""

from __future__ import annotations

import numpy as np

from caffegen.layer_types.bn import BN

from .four_axes import as_pictures
from .free import Dims
from .initialiser import Array
from .loss import _size
from .registry import writes
from .writer import LayerWriter


@writes("BN", "SyncBN")
def bn(w: LayerWriter, d: BN) -> None:
    """BatchNormalization by stored statistics; Mul and Add; or the batch's own statistics."""
    keeps_axes = d.variant in ("pspnet", "yjxiong", "happynear")
    if d.affine:
        x, _ = as_pictures(w)
        w.top("Add", [w.emit("Mul", [x, _channels(w, d, 0)]), _channels(w, d, 1)])
    elif d.stored and (len(w.bottom_dims[0]) > 1 or not keeps_axes):
        _by_stored(w, d, w.bottoms[0] if keeps_axes else as_pictures(w)[0], w.tops[0])
    elif d.stored:
        x = w.reshape(w.bottoms[0], w.bottom_dims[0], [(0,), 1])
        made = _by_stored(w, d, x, None)
        w.reshape(made, w.bottom_dims[0], [(0,)], source=w.bottoms[0], into=w.tops[0])
    else:
        _by_batch(w, d, keeps_axes=keeps_axes)


def _by_stored(w: LayerWriter, d: BN, x: str, into: str | None) -> str:
    shape = (d.channels,)
    slope, bias, mean = (w.blob(index, shape) for index in range(3))
    eps = d.train_eps if d.phase == "TRAIN" else d.eps
    if d.inverse:

        def variance_of(inverse: Array) -> Array:
            flat = inverse.reshape(shape)
            variance: Array = np.float32(1) / (flat * flat) - np.float32(eps)
            return variance

        variance = w.derived("variance", shape, variance_of, (3,))
    else:
        variance = w.blob(3, shape)
    operands = [x, slope, bias, mean, variance]
    return w.emit("BatchNormalization", operands, into=into, epsilon=eps)


def _by_batch(w: LayerWriter, d: BN, *, keeps_axes: bool) -> None:
    """The statistics of each channel, or of each place where SSD's says so, over the batch."""
    x, dims = as_pictures(w)
    axes = [0, 2, 3] if d.across_spatial else [0]
    mean = w.reduce("ReduceMean", x, axes)
    centred = w.emit("Sub", [x, mean])
    variance = w.reduce("ReduceMean", w.emit("Mul", [centred, centred]), axes)
    if d.unbiased:
        variance = _unbiased(w, variance, x, dims)
    eps = d.train_eps if d.phase == "TRAIN" else d.eps
    root = w.emit("Sqrt", [w.emit("Add", [variance, w.number(eps)]) if eps else variance])
    normal = w.emit("Div", [centred, root])
    factor, shift = (
        _channels(w, d, index) if d.across_spatial else w.blob(index) for index in (0, 1)
    )
    scaled = w.emit("Mul", [normal, factor])
    rank = len(w.bottom_dims[0])
    if rank == 4 or not keeps_axes:
        w.top("Add", [scaled, shift])
    else:
        made = w.emit("Add", [scaled, shift])
        own = [(axis,) for axis in range(rank)]
        w.reshape(made, dims, own, source=x, into=w.tops[0])
    w.top("Identity", [mean], 1)
    w.top("Identity", [variance], 2)


def _unbiased(w: LayerWriter, variance: str, x: str, dims: Dims) -> str:
    """The variance of m values times m / (m - 1); that of one value, which is 0, as it is."""
    one, m = w.number(1), _size(w, x, dims, (0, 2, 3))
    share = w.emit("Div", [m, w.emit("Max", [w.emit("Sub", [m, one]), one])])
    return w.emit("Mul", [variance, share])


def _channels(w: LayerWriter, d: BN, index: int) -> str:
    """A blob that holds a number for each channel, laid along axis 1 of four."""
    return w.blob(index, (d.channels, 1, 1))
