"""Pooling and SPP in ONNX: exactly the windows, the clipping and the divisor that Caffe has."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from onnx import TensorProto

from caffegen.layer_types.pooling import SPP, Pooling

from .free import Dim, Dims
from .initialiser import Array
from .registry import writes
from .writer import LayerWriter

_LOWEST = float(np.finfo(np.float32).min)


class _Axis(NamedTuple):
    """The windows along one spatial axis; how many there are holds at the size the file gives."""

    size: Dim
    kernel: int
    stride: int
    pad: int
    windows: int
    floor: bool = False

    @property
    def end(self) -> int:
        """Where the last window ends, counted from the first value; the size must not be free."""
        return (self.windows - 1) * self.stride + self.kernel - self.pad

    @property
    def over(self) -> int:
        """How far the last window reaches behind the last value; it may also stop before it."""
        return 0 if isinstance(self.size, str) else max(0, self.end - self.size)

    @property
    def empty(self) -> bool:
        """Whether the last window sees no value at all."""
        return self.over >= self.kernel

    def counted(self, *, up: bool) -> bool:
        """Whether ONNX, rounding up or down, lays as many windows with `pad` on both sides.

        Rounding up, the runtimes differ on a last window that begins in the padding behind.
        """
        if isinstance(self.size, str):
            return up != self.floor
        room = self.size + 2 * self.pad - self.kernel
        if room < 0:
            return False
        steps = -(-room // self.stride) if up else room // self.stride
        begins = steps * self.stride - self.pad
        return steps + 1 == self.windows and (not up or begins < self.size)

    def seeing(self) -> _Axis:
        """The windows that see a value: all, or all but the last."""
        return self._replace(windows=self.windows - 1) if self.empty else self

    def shares(self) -> Array:
        """For each window, the kernel over the part of it that Caffe counts."""
        assert isinstance(self.size, int)
        begins = np.arange(self.windows) * self.stride - self.pad
        counted = np.minimum(begins + self.kernel, self.size + self.pad) - begins
        return self.kernel / counted


class _Pool(NamedTuple):
    """A pooling over height and width."""

    method: str
    height: _Axis
    width: _Axis

    @property
    def axes(self) -> tuple[_Axis, _Axis]:
        """Height and width."""
        return self.height, self.width

    @property
    def window(self) -> dict[str, Any]:
        """The attributes of the window, with pads and rounding: the simplest that are exact."""
        pads = [axis.pad for axis in self.axes] * 2
        if all(axis.counted(up=False) for axis in self.axes):
            return self.explicit_window | {"pads": pads}
        if all(axis.counted(up=True) for axis in self.axes):
            return self.explicit_window | {"pads": pads, "ceil_mode": 1}
        return self.explicit_window

    @property
    def explicit_window(self) -> dict[str, Any]:
        """The attributes of the window, with padding behind just as far as the windows reach."""
        return {
            "kernel_shape": [axis.kernel for axis in self.axes],
            "strides": [axis.stride for axis in self.axes],
            "pads": [*(axis.pad for axis in self.axes), *(axis.over for axis in self.axes)],
        }

    @property
    def empty(self) -> bool:
        """Whether some window sees no value at all, only what lies behind the picture."""
        return any(axis.empty for axis in self.axes)

    def seeing(self) -> _Pool:
        """The pooling without windows that see nothing."""
        return _Pool(self.method, *(axis.seeing() for axis in self.axes))


@writes("Pooling")
def pooling(w: LayerWriter, d: Pooling) -> None:
    """MaxPool or AveragePool, or the global ones; explicit padding where the rules differ."""
    w.need_windows()
    if d.global_pooling and not d.mask and d.pool != "STOCHASTIC":
        w.top("GlobalMaxPool" if d.pool == "MAX" else "GlobalAveragePool", w.bottoms)
        return
    dims = w.bottom_dims[0]
    kernel = d.kernel
    if d.global_pooling:
        why = "global pooling with places takes its size as the kernel"
        kernel = w.fixed(dims, 2, why), w.fixed(dims, 3, why)
    pool = _Pool(
        d.pool,
        *(
            _Axis(dims[2 + i], kernel[i], d.stride[i], d.pad[i], d.pooled[i], d.floor)
            for i in (0, 1)
        ),
    )
    _check_free(w, pool)
    if d.mask:
        _max_with_places(w, pool, dims)
    else:
        _pool(w, pool, w.tops[0])


@writes("SPP")
def spp(w: LayerWriter, d: SPP) -> None:
    """One pooling for each level, flattened and joined."""
    dims = w.bottom_dims[0]
    why = "the windows of its pyramid follow from it"
    sizes = w.fixed(dims, 2, why), w.fixed(dims, 3, why)
    pools = [
        _Pool(
            d.pool,
            *(
                _Axis(sizes[i], level.kernel[i], level.kernel[i], level.pad[i], level.pooled[i])
                for i in (0, 1)
            ),
        )
        for level in d.levels
    ]
    if not d.flat:
        _pool(w, pools[0], w.tops[0])
        return
    w.top("Concat", [w.emit("Flatten", [_pool(w, pool)], axis=1) for pool in pools], axis=1)


def _check_free(w: LayerWriter, pool: _Pool) -> None:
    """Refuse a free size where ONNX would lay other windows than Caffe at some sizes."""
    free = [axis for axis in pool.axes if isinstance(axis.size, str)]
    if not free:
        return
    unpadded = not any(axis.pad for axis in pool.axes)
    if unpadded and any(axis.stride > axis.kernel and not axis.floor for axis in free):
        raise w.refusal("its stride is above its kernel, so the size of its bottom can't be free")
    if not any(all(axis.counted(up=up) for axis in pool.axes) for up in (False, True)):
        raise w.refusal("only one of height and width is free, and they are rounded differently")


def _pool(w: LayerWriter, pool: _Pool, into: str | None = None) -> str:
    x = w.bottoms[0]
    if pool.method == "STOCHASTIC":
        return _stochastic(w, x, pool, into)
    if pool.empty:
        # Caffe divides 0 by 0 there for AVE; a sum over nothing is taken to be 0
        value = _LOWEST if pool.method == "MAX" else 0.0
        return _pad_empty(w, _pool(w, pool.seeing()), pool, value, into)
    if pool.method == "AVE":
        return _average(w, x, pool, into)
    return w.emit("MaxPool", [x], into=into, **pool.window)


def _pad_empty(w: LayerWriter, x: str, pool: _Pool, value: float, into: str | None) -> str:
    """Put the results of windows that see nothing behind those of the others."""
    return w.pad(x, 4, [0, 0], [int(axis.empty) for axis in pool.axes], value, into=into)


def _average(w: LayerWriter, x: str, pool: _Pool, into: str | None) -> str:
    """Averages whose divisor is the window cut off at size + pad, padding counted.

    Case 1: no window reaches behind the padding; ONNX counts the padding too, if told so.
    Case 2: there is no padding; what lies behind the picture is not counted.
    Case 3: a size is free; onnxruntime counts as Caffe does when it rounds up.
    Case 4: sums over the whole windows, divided by what Caffe counts.
    """
    padded = any(axis.pad for axis in pool.axes)
    inside = all(axis.over <= axis.pad for axis in pool.axes)
    free = any(isinstance(axis.size, str) for axis in pool.axes)
    if inside or free or not padded:
        attributes = pool.window
        return w.emit("AveragePool", [x], into=into, count_include_pad=int(padded), **attributes)
    whole = w.emit("AveragePool", [x], count_include_pad=1, **pool.explicit_window)
    height, width = (axis.shares() for axis in pool.axes)
    ratios = np.multiply.outer(height, width).astype(np.float32)
    return w.emit("Mul", [whole, w.constant(ratios)], into=into)


def _stochastic(w: LayerWriter, x: str, pool: _Pool, into: str | None) -> str:
    """In TEST the mean weighted by the values themselves (pooling_layer.cu, StoPoolForwardTest)."""
    definition = w.node.definition
    if definition is not None and definition.phase == "TRAIN":
        raise w.refusal("in TRAIN, `pool: STOCHASTIC` draws from a distribution, and ONNX can't")
    if pool.empty:
        return _pad_empty(w, _stochastic(w, x, pool.seeing(), None), pool, 0.0, into)
    total = _average(w, x, pool, None)
    squares = _average(w, w.emit("Mul", [x, x]), pool, None)
    positive = w.emit("Greater", [total, w.number(0)])
    weighted = w.emit("Div", [squares, w.emit("Where", [positive, total, w.number(1)])])
    return w.emit("Where", [positive, weighted, w.number(0)], into=into)


def _max_with_places(w: LayerWriter, pool: _Pool, dims: Dims) -> None:
    """MaxPool with its indices, which count over the whole blob; Caffe's count over one channel."""
    x, seeing = w.bottoms[0], pool.seeing()
    values = w.own_name("values") if pool.empty else w.tops[0]
    _, places = w.emit_many("MaxPool", [x], [values, w.own_name("places")], **seeing.window)
    if isinstance(dims[2], int) and isinstance(dims[3], int):
        plane = w.constant(np.array(dims[2] * dims[3], np.int64))
    else:
        sizes = w.emit("Gather", [w.emit("Shape", [x]), w.ints(2, 3)], axis=0)
        plane = w.reduce("ReduceProd", sizes, [0])
    place = w.emit("Mod", [places, plane])
    if not pool.empty:
        w.top("Cast", [place], 1, to=TensorProto.FLOAT)
        return
    _pad_empty(w, values, pool, _LOWEST, w.tops[0])
    _pad_empty(w, w.emit("Cast", [place], to=TensorProto.FLOAT), pool, -1, w.tops[1])
