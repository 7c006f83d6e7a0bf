"""Convolution, Deconvolution and Im2col in ONNX."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from caffegen.layer_types.convolution import Convolution, Deconvolution, Im2col

from .free import Dims
from .initialiser import Array
from .registry import writes
from .writer import LayerWriter, Target

Shape = tuple[int, ...]


class _Filters(NamedTuple):
    """The operands of a Conv besides its input, and the kernel and dilation that go with them."""

    operands: tuple[str, ...]
    kernel: Shape
    dilation: Shape
    channels: int
    group: int


@writes("Convolution", "ConvolutionDepthwise", "DepthwiseConvolution")
def convolution(w: LayerWriter, d: Convolution) -> None:
    """A Conv per bottom, all with the same weights."""
    filters = _learned_filters(w, d)
    for index, x in enumerate(w.bottoms):
        _slide(w, d, "Conv", x, index, filters)


@writes("Deconvolution")
def deconvolution(w: LayerWriter, d: Deconvolution) -> None:
    """A ConvTranspose per bottom, all with the same weights."""
    filters = _learned_filters(w, d)
    for index, x in enumerate(w.bottoms):
        _slide(w, d, "ConvTranspose", x, index, filters)


@writes("Im2col")
def im2col(w: LayerWriter, d: Im2col) -> None:
    """A Conv with a filter per channel and place of the kernel, 1 there and 0 elsewhere."""
    kernel, dilation, summed = _taps(d)
    taps = prod(d.kernel)

    def one_hot() -> Array:
        filters = np.eye(taps, dtype=np.float32).reshape(taps, 1, *d.kernel)
        return np.tile(_sum(filters, summed), (d.channels, *(1,) * (len(kernel) + 1)))

    w.fixed(w.bottom_dims[0], d.axis_index, "its filters are one for each channel")
    weight = w.derived("places", (d.channels * taps, 1, *kernel), one_hot)
    filters = _Filters((weight,), kernel, dilation, d.channels * taps, d.channels)
    _slide(w, d, "Conv", w.bottoms[0], 0, filters)


def _learned_filters(w: LayerWriter, d: Convolution | Deconvolution) -> _Filters:
    kernel, dilation, summed = _taps(d)
    shape = (*d.blobs[0].shape[:2], *kernel)
    if prod(kernel) == prod(d.kernel):
        weight = w.blob(0, shape)
    else:
        weight = w.derived("weight", shape, lambda blob: _sum(blob, summed), (0,))
    operands = (weight, w.blob(1)) if d.bias_term else (weight,)
    return _Filters(operands, kernel, dilation, d.num_output, d.group)


def _taps(d: Convolution | Deconvolution | Im2col) -> tuple[Shape, Shape, Shape]:
    """Kernel and dilation as ONNX takes them, and the axes of the weight that are summed for it.

    Caffe takes a dilation of 0: all places of the kernel then lie on one. No spatial axes at all
    make one of size 1.
    """
    summed = tuple(axis for axis, dilation in enumerate(d.dilation) if dilation == 0)
    kernel = tuple(1 if axis in summed else size for axis, size in enumerate(d.kernel))
    dilation = tuple(dilation or 1 for dilation in d.dilation)
    return kernel or (1,), dilation or (1,), tuple(axis + 2 for axis in summed)


def _sum(filters: Array, axes: Shape) -> Array:
    """The filters with these axes summed to 1."""
    summed: Array = filters.sum(axis=axes, keepdims=True) if axes else filters
    return summed


def _slide(
    w: LayerWriter,
    d: Convolution | Deconvolution | Im2col,
    op: str,
    x: str,
    index: int,
    filters: _Filters,
) -> None:
    """One Conv or ConvTranspose; channels on another axis than 1 are brought there and back."""
    w.need_windows()
    dims = w.bottom_dims[index]
    axis = d.axis_index
    stride, pad = d.stride or (1,), d.pad or (0,)
    after = pad
    if op == "Conv" and d.spatial_axes:
        _check_free(w, d, dims[axis + 1 :], filters)
        after = tuple(map(_pad_after, dims[axis + 1 :], filters.kernel, filters.dilation, pad))
    if op == "Conv" and axis == 1 and set(filters.kernel) == {1} and any((*pad, *after)):
        # OpenCV 5.0 reads outside the blob where a 1x1 kernel has padding of its own
        x = w.pad(x, len(dims), pad, after)
        pad = after = (0,) * len(pad)
    attributes: dict[str, Any] = {
        "kernel_shape": filters.kernel,
        "strides": stride,
        "pads": (*pad, *after),
        "dilations": filters.dilation,
        "group": filters.group,
    }
    if axis == 1 and d.spatial_axes:
        w.top(op, [x, *filters.operands], index, **attributes)
        return
    lead = tuple(range(axis))
    spatial: Target = [(old,) for old in range(axis + 1, len(dims))] or [1]
    images = w.reshape(x, dims, [lead, (axis,), *spatial])
    made = w.emit(op, [images, *filters.operands], **attributes)
    sizes = _fixed_sizes(w, w.top_dims[index], axis + 1)
    target: Target = [*((old,) for old in lead), filters.channels, *sizes]
    w.reshape(made, dims, target, source=x, into=w.tops[index])


def _check_free(
    w: LayerWriter, d: Convolution | Deconvolution | Im2col, dims: Dims, filters: _Filters
) -> None:
    """Refuse a free size at which the kernel is larger than the padded input: ONNX lays no window."""
    sizes = d.bottom_shapes[0][d.axis_index + 1 :]
    for dim, size, *window in zip(
        dims, sizes, filters.kernel, filters.dilation, d.pad, strict=True
    ):
        if isinstance(dim, str) and _pad_after(size, *window) != window[-1]:
            raise w.refusal(
                f"its kernel is larger than the padded bottom, {list(d.bottom_shapes[0])}, so that "
                "the size of its bottom can't be free"
            )


def _pad_after(size: int | str, kernel: int, dilation: int, pad: int) -> int:
    """The padding behind an axis: more than `pad` where the kernel is larger than the padded input.

    Caffe rounds towards zero there and still lays one window, which reads zeros.
    """
    if isinstance(size, str):
        return pad
    return pad + max(0, dilation * (kernel - 1) + 1 - size - 2 * pad)


def _fixed_sizes(w: LayerWriter, dims: Dims, start: int) -> list[int]:
    why = "its channels are not on axis 1, so its other sizes must be known"
    return [w.fixed(dims, axis, why) for axis in range(start, len(dims))]
