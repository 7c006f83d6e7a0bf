"""The way back from a pooling: each value to where it came from, or over all of its window."""

from __future__ import annotations

import math
from math import prod

from caffegen.text import Message
from caffegen.text.message import round_float

from .base import Cost, Definition, Refused, Shape, Window, count
from .blob_shape import require_axes, to_int
from .in_place import refuse_in_place
from .resizing import check_mask
from .spatial import hw_fields

__all__ = ["MaxUnpool", "UnPooling", "Unpooling"]

Pair = tuple[int, int]
_HW = ("_h", "_w")


class _Unpooling(Definition):
    """What the three share: a window, of which the top is made as a pooling would take it apart.

    `method` is MASK (each value to the place that bottom 1 gives), FIRST and FIXED (to the first, or
    the middle, place of its window), AVE and DIV (shares of it over the window), TILE and REP (the
    whole of it). Windows add up in AVE and TILE; in DIV and REP that is divided by their number.

    `growth` has a factor and a summand for height and width: the new size is factor * size + summand.
    """

    param = "unpooling_param"
    bottoms = count(1, 2)
    method: str
    kernel: Pair
    stride: Pair
    pad: Pair
    growth: tuple[Pair, Pair]

    def pair(self, param: Message, whole: str, stem: str, *, required: bool = False) -> Pair:
        """Height and width from the one field or from both of `_h` and `_w`; one way or the other."""
        fields = hw_fields(self, param, whole, stem)
        if fields is None and required:
            self.refuse(
                "required-field-missing", f"{self.type} needs `{whole}`", help=f"add `{whole}: 2`"
            )
        height, width = fields or (whole, whole)
        return to_int(param.get(height)), to_int(param.get(width))

    def bind_window(self, param: Message, prefix: str = "") -> None:
        """Resolve kernel, stride and padding, each on its own."""

        def pair(name: str, whole: str, stem: str, *, required: bool = False) -> None:
            found = self.pair(param, prefix + whole, prefix + stem, required=required)
            setattr(self, name, found)

        self.each(
            lambda: pair("kernel", "kernel_size", "kernel", required=True),
            lambda: pair("stride", "stride", "stride"),
            lambda: pair("pad", "pad", "pad"),
        )

    def check_window(self, param: Message, prefix: str = "") -> None:
        """Refuse a window without extent or motion, and padding as large as it."""
        self.each(
            lambda: self.refuse_below_one(param, prefix, "kernel-size-zero", "kernel", self.kernel),
            lambda: self.refuse_below_one(param, prefix, "stride-zero", "stride", self.stride),
        )
        for pad, kernel in zip(self.pad, self.kernel, strict=True):
            if any(self.pad) and pad >= kernel:
                self.refuse(
                    "pad-not-below-kernel",
                    f"the padding ({pad}) is not below the kernel ({kernel})",
                    self.named(param, prefix + "pad"),
                )

    def refuse_below_one(
        self, param: Message, prefix: str, name: str, word: str, values: Pair
    ) -> None:
        """Refuse a pair of which one is below 1."""
        if min(values) < 1:
            self.refuse(
                name,
                f"the {word} is {values[0]} x {values[1]}; it must be at least 1",
                self.named(param, prefix + word),
            )

    def named(self, param: Message, stem: str) -> str:
        """The field by which a pair was given, `""` where it follows from the bottoms."""
        fields = (stem, stem + "_size", stem + "_h")
        return next((field for field in fields if field in param._values), "")

    def by_window(self) -> tuple[Pair, Pair]:
        """The growth by which the top is as large as all windows, less the padding."""
        height, width = (
            (stride, kernel - 2 * pad - stride)
            for kernel, stride, pad in zip(self.kernel, self.stride, self.pad, strict=True)
        )
        return height, width

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        require_axes(self, bottom, 4, 4)
        if self.method == "MASK":
            check_mask(self, bottoms)
        sizes = [
            factor * size + summand
            for size, (factor, summand) in zip(bottom[2:], self.growth, strict=True)
        ]
        if min(sizes) < 1:
            self.refuse(
                "pad-exceeds-output", f"the top would have {sizes[0]} x {sizes[1]} pixels",
                "layer.top", index=0,
            )  # fmt: skip
        top = (*bottom[:2], *sizes)
        self.check_size(top)
        return [top]

    @property
    def window(self) -> Window | None:
        """None: a value of the top sees few of the bottom, as in a Deconvolution."""
        return None

    def cost(self) -> Cost:
        if self.method in ("MASK", "FIRST", "FIXED"):
            return Cost()
        return Cost(0, prod(self.bottom_shapes[0]) * prod(self.kernel))


class UnPooling(_Unpooling):
    """Spreads each value over its window: to the middle, in equal shares, or whole.

    ## Shape
    Bottom (N, C, H, W). Top (N, C, (H - 1) stride + kernel - 2 pad, ...), with `out_stride`,
    `out_kernel_size` and `out_pad`. A second bottom gives nothing but its height and width, from
    which all three follow.

    ## Differs from PyTorch
    No counterpart; DIV and REP are a transposed convolution with equal weights, divided by the
    number of windows at each place. FIXED puts the value into the middle of its window (of two
    middles the first), and of two values for one place the last counts.

    ## Forks
    That of SSD's author (unpooling_layer.cpp, branch fcn), by `unpool: FIXED`, DIV or REP.
    """

    type = "UnPooling"

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        self.method = param.unpool
        if self.method in ("MAX", "AVE", "TILE"):
            self.refuse(
                "unpooling-of-another-fork",
                f"`unpool: {self.method}` is a method of Unpooling; UnPooling has FIXED, DIV and REP",
                "unpool",
                help='write `type: "Unpooling"`',
            )
        self.bind_window(param, "out_")
        if self.bottom_count == 1:
            self.check_window(param, "out_")
            self.growth = self.by_window()

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        if len(bottoms) > 1:
            for bottom in bottoms:
                require_axes(self, bottom, 4, 4)
            self.fit(bottoms[0][2:], bottoms[1][2:])
        return super().shapes(bottoms[:1])

    def fit(self, small: Shape, large: Shape) -> None:
        """The window that makes about the second bottom's size of the first's (LayerSetUp)."""
        if 0 in (*small, *large):
            self.refuse(
                "empty-bottom", "a bottom without values says no window", "layer.bottom", index=0
            )
        ratios = [math.ceil(round_float(new / old)) for old, new in zip(small, large, strict=True)]
        strides = [1 if ratio == new else ratio for ratio, new in zip(ratios, large, strict=True)]
        pads = [
            math.floor(((old - 1) * stride + ratio - new) / 2)
            for old, stride, ratio, new in zip(small, strides, ratios, large, strict=True)
        ]
        self.kernel, self.stride, self.pad = (
            (values[0], values[1]) for values in (ratios, strides, pads)
        )
        self.check_window(self.layer.get(self.param), "out_")
        self.growth = self.by_window()


class Unpooling(_Unpooling):
    """Puts the values of a pooling back where they came from, or spreads them over their windows.

    ## Shape
    Bottom (N, C, H, W); bottom 1, where there is one, of that shape: the places of the values in
    their plane of the top, as the second top of a Pooling has them. Top (N, C, `unpool_size`,
    `unpool_size`) or (N, C, `unpool_h`, `unpool_w`).

    ## Differs from PyTorch
    `max_unpool2d` with the size given; without a mask the first place of each window. AVE and TILE
    are a transposed convolution with equal weights, cut off or filled up to the size. Of two values
    for one place the later counts; both get its gradient. The gradient of TILE is the derivative,
    which DeconvNet's divides by the size of the window.

    ## Forks
    DeconvNet's (HyeonwooNoh/caffe, unpooling_layer.cpp) by `unpooling_param`, which adds AVE and TILE
    to what the last pass left; here they begin at 0. With a `pooling_param` it is that of BVLC's pull
    request 3376: MAX with a mask, and a top of (H - 1) stride + kernel - 2 pad.
    """

    type = "Unpooling"

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        if self.layer.has("pooling_param") and not self.layer.has(self.param):
            self.bind_pooling(self.layer.pooling_param)
        else:
            self.bind_unpooling(param)

    def bind_unpooling(self, param: Message) -> None:
        """DeconvNet's: the size is given, the window has no padding."""
        method = param.unpool if param.has("unpool") else "MAX"
        if method in ("FIXED", "DIV", "REP"):
            self.refuse(
                "unpooling-of-another-fork",
                f"`unpool: {method}` is a method of UnPooling; Unpooling has MAX, AVE and TILE",
                "unpool",
                help='write `type: "UnPooling"`',
            )
        self.method = method
        if method == "MAX":
            self.method = "MASK" if self.bottom_count > 1 else "FIRST"
        self.bind_window(param)
        if any(self.pad):
            self.refuse(
                "padding-outward",
                f"the padding is {self.pad[0]} x {self.pad[1]}; Unpooling takes none",
                "pad" if param.has("pad") else "pad_h",
            )
        self.check_window(param)
        size = self.pair(param, "unpool_size", "unpool", required=True)
        self.growth = (0, size[0]), (0, size[1])

    def bind_pooling(self, param: Message) -> None:
        """That of the pull request: the fields of a Pooling."""
        if param.pool != "MAX" or self.bottom_count < 2:
            self.refuse(
                "unpooling-without-mask",
                f"an Unpooling by {param.pool} with {self.bottom_count} bottom"
                f"{'' if self.bottom_count == 1 else 's'}; with a `pooling_param` it takes MAX and a "
                "mask",
                "layer.bottom",
                index=0,
                help="add the second top of the Pooling as bottom 1",
            )
        self.method = "MASK"
        self.bind_window(param)
        self.check_window(param)
        self.growth = self.by_window()


class MaxUnpool(_Unpooling):
    """Puts the values of a max pooling back where they came from.

    ## Shape
    Bottoms (N, C, H, W): values, and their places in the planes of the top, as the second top of a
    Pooling has them. Top (N, C, (H - 1) stride + kernel - 2 pad, ...), with `pool_stride_h`,
    `pool_k_h`, `pool_pad_h` and those for the width.

    ## Differs from PyTorch
    `max_unpool2d`. Of two values for one place the later counts; both get its gradient.

    ## Forks
    OpenCV's name for it, and its fields.
    """

    type = "MaxUnpool"
    param = "max_unpool_param"
    bottoms = count(2)
    method = "MASK"

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        fields = [stem + hw for stem in ("pool_k", "pool_stride", "pool_pad") for hw in _HW]
        missing = [field for field in fields if not param.has(field)]
        for field in missing:
            self.fault(
                "required-field-missing", f"MaxUnpool needs `{field}`", help=f"add `{field}`"
            )
        if missing:
            raise Refused
        self.kernel = to_int(param.pool_k_h), to_int(param.pool_k_w)
        self.stride = to_int(param.pool_stride_h), to_int(param.pool_stride_w)
        self.pad = to_int(param.pool_pad_h), to_int(param.pool_pad_w)
        self.check_window(param)
        self.growth = self.by_window()
