"""Pooling over windows, with Caffe's own rounding, and over a pyramid of them."""

from __future__ import annotations

import math
from math import prod
from typing import NamedTuple

from caffegen.text import Message
from caffegen.text.message import round_float

from .base import Cost, Definition, Shape, Window, count
from .blob_shape import require_axes, to_int, warn_if_empty
from .engine import check_engine
from .in_place import refuse_in_place, warn_in_place
from .spatial import hw_fields, refuse_both, refuse_half

__all__ = ["SPP", "PoolLevel", "Pooling", "pooled_size"]

_HW = ("_h", "_w")


def pooled_size(size: int, kernel: int, stride: int, pad: int, *, clip: bool, floor: bool) -> int:
    """How many windows Caffe lays over one axis (pooling_layer.cpp, Reshape).

    Rounds up, or down with `floor`. With `clip`, for a pooling that is padded on either axis, a
    last window that would start at or behind size + pad is dropped.
    """
    # in single precision, as Caffe divides
    steps = round_float(round_float(size + 2 * pad - kernel) / round_float(stride))
    pooled = (math.floor(steps) if floor else math.ceil(steps)) + 1
    if clip and (pooled - 1) * stride >= size + pad:
        pooled -= 1
    return pooled


def warn_of_stochastic(definition: Pooling | SPP) -> None:
    """Warn of a method that Caffe has on GPUs alone."""
    if definition.pool == "STOCHASTIC":
        definition.warn(
            "stochastic-pooling-on-cpu",
            "`pool: STOCHASTIC` is there on GPUs alone; on a CPU Caffe stops when it runs",
            "pool",
        )


class Pooling(Definition):
    """Takes the maximum or the average of every window of a picture.

    ## Shape
    Bottom (N, C, H, W). Top (N, C, `pooled`...): (size + 2 pad - kernel) / stride + 1, rounded up
    unless `round_mode: FLOOR` (or a fork's `ceil_mode: false`); if either axis is padded, a last
    window that would start at or behind size + pad is dropped. With `global_pooling` the kernel is
    the picture. MAX may have a second top, the place of each maximum in its channel (`mask`).

    ## Differs from PyTorch
    `ceil_mode` there drops the last window by another rule, and without padding too; here, without
    padding, a window can lie wholly outside, which gives -FLT_MAX (MAX) or 0/0 (AVE). AVE divides
    by the window cut off at size + pad, padding counted.
    """

    type = "Pooling"
    param = "pooling_param"
    tops = count(1, 2)
    kernel: tuple[int, int]
    pooled: tuple[int, int]

    def bind(self, param: Message) -> None:
        self.pool: str = param.pool
        self.global_pooling: bool = param.global_pooling
        # `ceil_mode` is a fork's word for it
        self.floor = param.round_mode == "FLOOR" or not param.ceil_mode
        self.mask = self.top_count > 1
        check_engine(self, param)
        warn_of_stochastic(self)
        self.each(self.check_tops, lambda: self.bind_window(param), lambda: self.bind_stride(param))
        if self.global_pooling:
            self.refuse_window(param)

    def check_tops(self) -> None:
        """Refuse a mask where there is no maximum."""
        if self.mask and self.pool != "MAX":
            self.refuse(
                "wrong-number-of-tops",
                f"Pooling by {self.pool} has 1 top; `{self.name}` has {self.top_count}",
                "layer.top",
                index=1,
                help="only MAX has a second one, the places of the maxima",
            )

    def bind_window(self, param: Message) -> None:
        """The kernel, if it is not the picture, and the padding that goes with it."""
        if self.global_pooling:
            self.each(lambda: self.refuse_kernel(param), lambda: self.bind_pad(param))
        else:
            self.each(lambda: self.bind_kernel(param), lambda: self.bind_pad(param))
            self.check_pad(param)

    def bind_pad(self, param: Message) -> None:
        """The padding."""
        self.pad = self.bind_pair(param, "pad")

    def bind_stride(self, param: Message) -> None:
        """The stride; that of global pooling is held against it later."""
        self.stride = self.bind_pair(param, "stride")
        if not self.global_pooling:
            self.refuse_below_one(param, "stride", "stride", self.stride)

    def refuse_kernel(self, param: Message) -> None:
        """Refuse a kernel beside global pooling."""
        for field in ("kernel_size", "kernel_h", "kernel_w"):
            if param.has(field):
                self.refuse(
                    "global-pooling-with-kernel",
                    f"`global_pooling` takes the whole picture; `{field}` can't be set too",
                    field,
                    help="remove one of them",
                    other=("global_pooling", "the other is here"),
                )

    def bind_kernel(self, param: Message) -> None:
        """The kernel; refuses one without extent."""
        self.kernel = self.find_kernel(param)
        self.refuse_below_one(param, "kernel_size", "kernel", self.kernel)

    def find_kernel(self, param: Message) -> tuple[int, int]:
        """The kernel, from `kernel_size` or from both `kernel_h` and `kernel_w`."""
        given = [field for field in ("kernel_h", "kernel_w") if param.has(field)]
        if param.has("kernel_size"):
            # one alone of the pair is not looked at
            if len(given) == 2:
                refuse_both(self, "kernel_size", "kernel_h")
            return (to_int(param.kernel_size),) * 2
        if not given:
            self.refuse(
                "kernel-missing", "Pooling needs `kernel_size`", help="add `kernel_size: 2`"
            )
        if len(given) == 1:
            refuse_half(self, given[0], "kernel_size")
        return to_int(param.kernel_h), to_int(param.kernel_w)

    def bind_pair(self, param: Message, name: str) -> tuple[int, int]:
        """`pad` or `stride`, from the one field or from both `_h` and `_w`."""
        height, width = hw_fields(self, param, name, name) or (name, name)
        return to_int(param.get(height)), to_int(param.get(width))

    def refuse_window(self, param: Message) -> None:
        """Refuse padding and a stride beside global pooling."""
        if any(self.pad) or self.stride != (1, 1):
            field = "pad" if any(self.pad) else "stride"
            at = field if param.has(field) else field + "_h"
            self.refuse(
                "global-pooling-with-window",
                f"`global_pooling` has one window; `{at}` can't be set",
                at,
                help=f"remove `{at}`",
                other=("global_pooling", "global pooling is here"),
            )

    def check_pad(self, param: Message) -> None:
        """Refuse padding that does not go with the method or the kernel."""
        if not any(self.pad):
            return
        if self.pool == "STOCHASTIC":
            self.refuse(
                "stochastic-pooling-with-pad",
                "`pool: STOCHASTIC` takes no padding; MAX and AVE do",
                "pad" if param.has("pad") else "pad_h",
                other=("pool", "the method is here"),
            )
        for pad, kernel, hw in zip(self.pad, self.kernel, _HW, strict=True):
            if pad >= kernel:
                at = "pad" if param.has("pad") else "pad" + hw
                self.refuse(
                    "pad-not-below-kernel",
                    f"`{at}` ({pad}) is not below the kernel ({kernel}): the first window would "
                    "see padding only",
                    at,
                    other=("kernel_size" if param.has("kernel_size") else "kernel" + hw,
                           "the kernel is here"),
                )  # fmt: skip

    def refuse_below_one(
        self, param: Message, name: str, stem: str, values: tuple[int, int]
    ) -> None:
        """Refuse a window that has no extent or does not move."""
        for value, hw in zip(values, _HW, strict=True):
            if value < 1:
                at = name if param.has(name) else stem + hw
                self.refuse(
                    f"{name.replace('_', '-')}-zero",
                    f"`{at}` is {value}; it must be at least 1",
                    at,
                )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        require_axes(self, bottom, 4, 4)
        height, width = bottom[2:]
        if self.global_pooling:
            self.kernel = height, width
            if 0 in self.kernel:
                self.refuse(
                    "empty-bottom",
                    f"the bottom is {list(bottom)}; there is nothing to pool",
                    "layer.bottom",
                    index=0,
                )
        self.pooled = self.size(0, height), self.size(1, width)
        top = (*bottom[:2], *self.pooled)
        self.check_size(top)
        warn_if_empty(self, top)
        self.warn_of_outside(bottom)
        warn_in_place(self)
        return [top] * max(1, self.top_count)

    def size(self, axis: int, size: int) -> int:
        """How many windows lie on one axis."""
        kernel, stride, pad = self.kernel[axis], self.stride[axis], self.pad[axis]
        pooled = pooled_size(size, kernel, stride, pad, clip=any(self.pad), floor=self.floor)
        if pooled < 0:
            param = self.layer.get(self.param)
            self.refuse(
                "kernel-exceeds-input",
                f"the kernel spans {kernel}, but the input has {size + 2 * pad} with its padding",
                "kernel_size" if param.has("kernel_size") else "kernel" + _HW[axis],
                help="make the kernel smaller or the padding larger",
            )
        return pooled

    def warn_of_outside(self, bottom: Shape) -> None:
        """Warn of a last window that lies wholly outside, which only a pooling without pad has."""
        for axis, size in enumerate(bottom[2:]):
            start = (self.pooled[axis] - 1) * self.stride[axis] - self.pad[axis]
            if 0 < size <= start:
                param = self.layer.get(self.param)
                self.warn(
                    "window-outside-input",
                    f"the last window starts at {start}, behind the input of {size}: Caffe makes "
                    f"{'-FLT_MAX' if self.pool == 'MAX' else '0/0'} of it",
                    "stride" if param.has("stride") else "stride" + _HW[axis],
                    help="add `round_mode: FLOOR`, or make the stride smaller",
                )
                return

    @property
    def window(self) -> Window:
        return Window(self.kernel, self.stride, self.pad, (1, 1))

    def cost(self) -> Cost:
        top = self.top_shapes[0]
        return Cost(0, prod(top) * prod(self.kernel) if top is not None else 0)


class PoolLevel(NamedTuple):
    """One level of a pyramid: its window on each axis, height before width, and what it makes."""

    kernel: tuple[int, int]
    pad: tuple[int, int]
    pooled: tuple[int, int]


class SPP(Definition):
    """Pools a picture at several scales into a vector of one length, whatever the picture's size.

    ## Shape
    Bottom (N, C, H, W). Top (N, C * bins), over all levels: level i pools the picture into about
    2^i x 2^i bins, by windows as in Pooling that stand side by side (stride = kernel). With a
    `pyramid_height` of 1 the top is (N, C, 1, 1).

    ## Differs from PyTorch
    No counterpart: one pooling for each of `levels`, flattened and joined on axis 1. The bins of
    `adaptive_max_pool2d` overlap where those of SPP are padded.
    """

    type = "SPP"
    param = "spp_param"
    levels: tuple[PoolLevel, ...]

    def bind(self, param: Message) -> None:
        self.pool: str = param.pool
        self.pyramid_height = to_int(param.pyramid_height)
        # a single level is not flattened
        self.flat = self.pyramid_height != 1
        warn_of_stochastic(self)
        if self.pyramid_height < 1:
            self.refuse(
                "pyramid-height-missing",
                "SPP needs a `pyramid_height` of at least 1",
                "pyramid_height",
                help="add `pyramid_height: 3`",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        require_axes(self, bottom, 4, 4)
        if 0 in bottom[2:]:
            self.refuse(
                "empty-bottom",
                f"the bottom is {list(bottom)}; there is nothing to pool",
                "layer.bottom",
                index=0,
            )
        height, width = bottom[2:]
        levels = (self.level(level, height, width) for level in range(self.pyramid_height))
        self.levels = tuple(levels)
        bins = sum(prod(level.pooled) for level in self.levels)
        pooled = (bottom[1] * bins,) if self.flat else (bottom[1], *self.levels[0].pooled)
        top = (bottom[0], *pooled)
        self.check_size(top, "pyramid_height")
        # set up twice on the same blob, the second time on what has become of it
        if self.flat:
            refuse_in_place(self)
        warn_in_place(self)
        return [top]

    def level(self, level: int, height: int, width: int) -> PoolLevel:
        """The window of one level (spp_layer.cpp, GetPoolingParam)."""
        bins = 1 << level
        kernel = -(-height // bins), -(-width // bins)
        pad = (kernel[0] * bins - height + 1) // 2, (kernel[1] * bins - width + 1) // 2
        if any(pad) and self.pool == "STOCHASTIC":
            self.refuse(
                "stochastic-pooling-with-pad",
                f"`pool: STOCHASTIC` takes no padding, which {bins} x {bins} bins need here",
                "pool",
            )
        if pad[0] >= kernel[0] or pad[1] >= kernel[1]:
            self.refuse(
                "pyramid-too-high",
                f"level {level + 1} of the pyramid has {bins} x {bins} bins, too many for "
                f"{height} x {width} pixels",
                "pyramid_height",
                help=f"write `pyramid_height: {level}`",
            )
        clip = any(pad)
        sizes = [
            pooled_size(size, k, k, p, clip=clip, floor=False)
            for size, k, p in zip((height, width), kernel, pad, strict=True)
        ]
        return PoolLevel(kernel, pad, (sizes[0], sizes[1]))

    def cost(self) -> Cost:
        planes = prod(self.bottom_shapes[0][:2])
        return Cost(0, planes * sum(prod(lv.kernel) * prod(lv.pooled) for lv in self.levels))
