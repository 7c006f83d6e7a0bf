"""Convolution, its transpose, and the unrolling that Caffe computes both with."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from math import prod

from caffegen.text import Message

from .base import INT_MAX, BlobSpec, Cost, Definition, Refused, Shape, Window, count
from .blob_shape import require_axes, require_values, to_int, warn_if_empty
from .engine import check_engine
from .in_place import warn_in_place
from .spatial import Spatial, count_windows, resolve_spatial
from .weight_blobs import check_weights

__all__ = ["Convolution", "ConvolutionDepthwise", "Deconvolution", "DepthwiseConvolution", "Im2col"]


class _Sliding(Definition):
    """What all three share: a kernel over the axes behind the channels, and `convolution_param`."""

    param = "convolution_param"
    spatial: Spatial

    def resolve(self, bottom: Shape) -> None:
        """Resolve the axis of the channels, and the kernel over the axes behind it."""
        param = self.layer.get(self.param)
        self.axis_index = self.axis(param.axis, len(bottom))
        self.channels = bottom[self.axis_index]
        self.spatial_axes = len(bottom) - self.axis_index - 1
        self.each(self.check_channels, lambda: self.bind_spatial(param))

    def check_channels(self) -> None:
        """Report channels that do not go with the parameters."""

    def bind_spatial(self, param: Message) -> None:
        """Resolve the kernel."""
        self.spatial = resolve_spatial(self, param, self.spatial_axes)
        self.kernel, self.stride, self.pad, self.dilation = self.spatial

    def axes_behind(self, bottom: Shape) -> int | None:
        """How many axes lie behind the channels; None for a bottom that the layer does not take."""
        rank, axis = len(bottom), self.layer.get(self.param).axis
        return int((-axis if axis < 0 else rank - axis) - 1) if -rank <= axis < rank else None

    def check_alone(self, bottoms: Sequence[Shape | None] = ()) -> None:
        bottom = bottoms[0] if bottoms else None
        with suppress(Refused):
            axes = None if bottom is None else self.axes_behind(bottom)
            resolve_spatial(self, self.layer.get(self.param), axes)
        super().check_alone(bottoms)

    @property
    def window(self) -> Window:
        return Window(*self.spatial)


class _Convolving(_Sliding):
    """What Convolution and Deconvolution share (base_conv_layer.cpp)."""

    bottoms = count(1, None)
    tops = count(1, None)
    equal_counts = True

    def bind(self, param: Message) -> None:
        self.num_output = to_int(param.num_output)
        self.group = to_int(param.group)
        self.bias_term: bool = param.bias_term
        self.weight_filler: Message = param.weight_filler
        self.bias_filler: Message = param.bias_filler
        # the faults of these two are told here; with them there is no shape
        self.outputs_fit = False
        if self.num_output < 1:
            self.fault(
                "num-output-zero", f"{self.type} needs a `num_output` of at least 1", "num_output"
            )
        elif self.group < 1:
            self.fault("group-zero", f"`group` is {self.group}; it must be at least 1", "group")
        elif self.num_output % self.group:
            self.fault(
                "group-does-not-divide",
                f"`num_output` ({self.num_output}) is not a multiple of `group` ({self.group})",
                "group",
                other=("num_output", "the outputs to be shared out"),
            )
        else:
            self.outputs_fit = True
        self.check_cudnn(param)

    def check_cudnn(self, param: Message) -> None:
        """Report cuDNN, with the second reason where it can't dilate (layer_factory.cpp)."""
        if param.engine == "CUDNN" and any(dilation > 1 for dilation in param.dilation):
            self.fault(
                "cudnn-with-dilation",
                "`engine: CUDNN` can't dilate; Caffe refuses it with `dilation`",
                "engine",
                help="remove `engine`",
                other=("dilation", "the dilation is here"),
            )
        else:
            check_engine(self, param)

    def check_alike(self, bottoms: tuple[Shape, ...]) -> None:
        """Refuse bottoms of more than one shape."""
        for index, other in enumerate(bottoms[1:], 1):
            if other != bottoms[0]:
                self.refuse(
                    "bottoms-differ",
                    f"all bottoms of {self.type} have one shape; bottom 0 is {list(bottoms[0])}, "
                    f"bottom {index} is {list(other)}",
                    "layer.bottom",
                    index=index,
                )

    def check_channels(self) -> None:
        if self.outputs_fit and self.channels % self.group:
            self.refuse(
                "group-does-not-divide",
                f"the bottom's {self.channels} channels are not a multiple of `group` "
                f"({self.group})",
                "group",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        self.each(lambda: self.resolve(bottom), lambda: self.check_alike(bottoms))
        if not self.outputs_fit:
            raise Refused
        self.bind_blobs()
        spatial = self.output_sizes(bottom[self.axis_index + 1 :])
        top = (*bottom[: self.axis_index], self.num_output, *spatial)
        self.check_size(top, "num_output")
        self.check_columns(bottom, top)
        if self.bias_term and 0 in spatial:
            self.refuse("empty-top", f"the top is {list(top)}: Caffe can't add a bias to no values")
        warn_if_empty(self, top)
        warn_in_place(self)
        return [top] * max(1, self.top_count)

    def weight_fillers(self) -> list[tuple[str, Message | None]]:
        blobs: list[tuple[str, Message | None]] = [("weight", self.weight_filler)]
        return [*blobs, ("bias", self.bias_filler)] if self.bias_term else blobs

    def bind_blobs(self) -> None:
        weight = (*self.weight_channels(), *self.kernel)
        self.check_size(weight, "num_output")
        self.blobs = (BlobSpec("weight", weight, self.weight_filler),)
        if self.bias_term:
            self.blobs += (BlobSpec("bias", (self.num_output,), self.bias_filler),)
        check_weights(self, stored_exact=True)

    def check_columns(self, bottom: Shape, top: Shape) -> None:
        """Refuse what does not fit the buffer of unrolled windows, which holds one item."""
        channels, windows = self.columns(bottom, top)
        values = channels * prod(self.kernel) * prod(windows)
        if values > INT_MAX:
            self.refuse(
                "column-buffer-too-large",
                f"Caffe unrolls an item into {values} values; a blob holds 2147483647 at most",
                help="make the input, the kernel or the channels smaller",
            )

    def columns(self, bottom: Shape, top: Shape) -> tuple[int, Shape]:
        """The channels that are unrolled, and the windows on each spatial axis."""
        raise AssertionError

    def weight_channels(self) -> tuple[int, int]:
        """The first two axes of the weight blob."""
        raise AssertionError

    def output_sizes(self, sizes: Shape) -> Shape:
        """The spatial axes of the top."""
        raise AssertionError


class Convolution(_Convolving):
    """Slides learned filters over the spatial axes and sums over the channels of a group.

    ## Shape
    Bottoms: any number of one shape, (..., C, spatial...); channels on `axis_index`. Tops: as many,
    with C replaced by `num_output` and each spatial size by (size + 2 pad - extent) / stride + 1,
    where extent = dilation (kernel - 1) + 1 and the division truncates towards zero as C's does: a
    kernel larger than the padded input still gives one window if the stride is above what is
    missing.

    ## Blobs
    weight (num_output, C / group, kernel...); bias (num_output) unless `bias_term: false`.

    ## Differs from PyTorch
    Any number of spatial axes (none, too), any axis for the channels, and several bottoms through
    the same weights. Where a window goes past the padded input, it reads zeros there. A dilation of
    0 is taken.
    """

    type = "Convolution"

    def weight_channels(self) -> tuple[int, int]:
        return self.num_output, self.channels // self.group

    def output_sizes(self, sizes: Shape) -> Shape:
        return count_windows(self, sizes, self.spatial)

    def columns(self, bottom: Shape, top: Shape) -> tuple[int, Shape]:
        return self.channels, top[self.axis_index + 1 :]

    def cost(self) -> Cost:
        per_output = prod(self.kernel) * (self.channels // self.group)
        outputs = sum(prod(top) for top in self.top_shapes if top is not None)
        return Cost(outputs * per_output, outputs if self.bias_term else 0)


class DepthwiseConvolution(Convolution):
    """A convolution in which every channel has filters of its own, made fast for MobileNet.

    ## Shape
    As Convolution.

    ## Blobs
    As Convolution: weight (num_output, C / group, kernel...), so (C, 1, kernel...) where `group` is
    the number of channels, as it is meant to be; bias (num_output) unless `bias_term: false`.

    ## Differs from PyTorch
    `Conv2d` with `groups`; the same.

    ## Forks
    yonghenglh6/DepthwiseConvolution, and MobileNet-YOLO's (depthwise_conv_layer.cpp). The CPU computes
    what `group` says; the GPU always one filter for each channel, and without dilation. `engine` has
    no effect.
    """

    type = "DepthwiseConvolution"

    def check_cudnn(self, param: Message) -> None:
        """Nothing to check: there is one engine."""

    def resolve(self, bottom: Shape) -> None:
        super().resolve(bottom)
        told = f"the bottom has {self.channels} channels; on GPUs DepthwiseConvolution"
        if self.outputs_fit and (self.group, self.num_output) != (self.channels, self.channels):
            self.warn(
                "depthwise-not-by-channel",
                f"{told} computes as if `group` ({self.group}) and `num_output` "
                f"({self.num_output}) were {self.channels} too, on CPUs as they say",
                "group" if self.group != self.channels else "num_output",
                help="use Convolution, or make them the number of channels",
            )
        if any(dilation > 1 for dilation in self.dilation):
            self.warn(
                "depthwise-not-by-channel",
                "on GPUs DepthwiseConvolution leaves out the `dilation`, on CPUs it dilates",
                "dilation",
                help="use Convolution with `group`",
            )


class ConvolutionDepthwise(Convolution):
    """A convolution of every channel with one filter of its own.

    ## Shape
    One bottom (N, C, H, W); top (N, C, windows...), as Convolution with `group` and `num_output` C,
    whatever the file says of those.

    ## Blobs
    weight (C, 1, kernel...); bias (C) unless `bias_term: false`.

    ## Differs from PyTorch
    `Conv2d` with `groups=C`; the same.

    ## Forks
    The pull request 5665 to BVLC (conv_dw_layer.cpp), in Caffes for ShuffleNet, Xception and
    MobileNet-SSD. Its code reads `pad` and `stride` even where there is none; here they are 0 and 1.
    """

    type = "ConvolutionDepthwise"
    bottoms = count(1)
    tops = count(1)

    def bind(self, param: Message) -> None:
        self.bias_term = param.bias_term
        self.weight_filler = param.weight_filler
        self.bias_filler = param.bias_filler
        self.outputs_fit = True

    def resolve(self, bottom: Shape) -> None:
        require_axes(self, bottom, 4, 4)
        super().resolve(bottom)

    def axes_behind(self, bottom: Shape) -> int | None:
        return super().axes_behind(bottom) if len(bottom) == 4 else None

    def check_channels(self) -> None:
        require_values(self, self.bottom_shapes[0], (self.channels,))
        self.num_output = self.group = self.channels
        param = self.layer.get(self.param)
        for field in ("num_output", "group"):
            if param.has(field) and to_int(param.get(field)) != self.channels:
                self.warn(
                    "depthwise-not-by-channel",
                    f"ConvolutionDepthwise does not read `{field}` ({param.get(field)}); it is the "
                    f"number of channels, {self.channels}",
                    field,
                    help=f"write `{field}: {self.channels}`, or use Convolution",
                )


class Deconvolution(_Convolving):
    """The transpose of a convolution: every input value paints its filter into the output.

    ## Shape
    As Convolution, with each spatial size becoming stride (size - 1) + extent - 2 pad.

    ## Blobs
    weight (C, num_output / group, kernel...); bias (num_output) unless `bias_term: false`.

    ## Differs from PyTorch
    ConvTranspose with output_padding 0; Caffe's `group` counts the same way.
    """

    type = "Deconvolution"

    def weight_channels(self) -> tuple[int, int]:
        return self.channels, self.num_output // self.group

    def output_sizes(self, sizes: Shape) -> Shape:
        return tuple(self.output_size(size, index) for index, size in enumerate(sizes))

    def output_size(self, size: int, index: int) -> int:
        """The size of one spatial axis of the top."""
        painted = self.stride[index] * (size - 1) + self.spatial.extent[index]
        pad = self.pad[index]
        if pad and painted - 2 * pad < 0:
            at = "pad" if self.layer.convolution_param.has("pad") else ("pad_h", "pad_w")[index]
            self.refuse(
                "pad-exceeds-output",
                f"`{at}` ({pad}) takes {2 * pad} away from an output of {painted}",
                at,
            )
        return painted - 2 * pad

    def columns(self, bottom: Shape, top: Shape) -> tuple[int, Shape]:
        return self.num_output, bottom[self.axis_index + 1 :]

    def cost(self) -> Cost:
        per_input = prod(self.kernel) * (self.num_output // self.group)
        inputs = sum(prod(bottom) for bottom in self.bottom_shapes)
        outputs = sum(prod(top) for top in self.top_shapes if top is not None)
        return Cost(inputs * per_input, outputs if self.bias_term else 0)


class Im2col(_Sliding):
    """Writes every window of a convolution as a column, so that the convolution becomes a product.

    ## Shape
    Bottom (..., C, spatial...), channels on `axis_index`; top (..., C * prod(kernel), windows...),
    as many windows as a Convolution has.

    ## Differs from PyTorch
    `unfold` flattens the windows into one axis; here they keep their spatial axes.
    """

    type = "Im2col"

    def axes_behind(self, bottom: Shape) -> int | None:
        return super().axes_behind(bottom) or None

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        if self.axis(self.layer.get(self.param).axis, len(bottom)) == len(bottom) - 1:
            self.refuse(
                "no-spatial-axes",
                f"Im2col needs axes behind `axis`; the bottom is {list(bottom)}",
                "axis",
            )
        self.resolve(bottom)
        windows = count_windows(self, bottom[self.axis_index + 1 :], self.spatial)
        top = (*bottom[: self.axis_index], self.channels * prod(self.kernel), *windows)
        self.check_size(top)
        warn_if_empty(self, top)
        warn_in_place(self)
        return [top]

    def cost(self) -> Cost:
        return Cost()
