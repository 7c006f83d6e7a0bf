"""Convolution, Deconvolution and Im2col in PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.layer_types.convolution import Convolution, Deconvolution, Im2col

from .registry import Lowered, lowers

__all__ = ["ConvolutionAnyAxes", "DeconvolutionAnyAxes", "Windows"]

Shape = tuple[int, ...]

_FUNCTIONS: dict[int, Callable[..., Tensor]] = {
    1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d,
}  # fmt: skip
_TRANSPOSES: dict[int, Callable[..., Tensor]] = {
    1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d,
}  # fmt: skip
_Maker = Callable[..., nn.Module]
_CONVOLUTIONS: dict[int, _Maker] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_DECONVOLUTIONS: dict[int, _Maker] = {
    1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d,
}  # fmt: skip


@lowers("Convolution", "ConvolutionDepthwise", "DepthwiseConvolution")
def convolution(definition: Convolution) -> Lowered:
    """Conv1d, Conv2d or Conv3d; a module of our own for other axes, and for several bottoms."""
    if not _is_plain(definition) or _outgrows(definition):
        return Lowered(ConvolutionAnyAxes(definition), _blobs(definition))
    return _of_torch(definition, _CONVOLUTIONS)


@lowers("Deconvolution")
def deconvolution(definition: Deconvolution) -> Lowered:
    """ConvTranspose1d, ConvTranspose2d or ConvTranspose3d; else a module of our own."""
    if not _is_plain(definition):
        return Lowered(DeconvolutionAnyAxes(definition), _blobs(definition))
    return _of_torch(definition, _DECONVOLUTIONS)


@lowers("Im2col")
def im2col(definition: Im2col) -> Lowered:
    """The windows as channels, over any number of spatial axes."""
    return Lowered(Windows(definition))


def _blobs(definition: Convolution | Deconvolution) -> tuple[str, ...]:
    return ("weight", "bias") if definition.bias_term else ("weight",)


def _of_torch(definition: Convolution | Deconvolution, makers: dict[int, _Maker]) -> Lowered:
    """The module of torch.nn for so many spatial axes."""
    module = makers[definition.spatial_axes](
        definition.channels,
        definition.num_output,
        definition.kernel,
        stride=definition.stride,
        padding=definition.pad,
        dilation=definition.dilation,
        groups=definition.group,
        bias=definition.bias_term,
    )
    return Lowered(module, _blobs(definition))


def _is_plain(definition: Convolution | Deconvolution) -> bool:
    """Whether a module of torch.nn takes this: one bottom, (N, C, 1 to 3 spatial axes)."""
    return (
        definition.bottom_count == 1
        and definition.axis_index == 1
        and 1 <= definition.spatial_axes <= 3
        and 0 not in definition.dilation
    )


def _outgrows(definition: Convolution) -> bool:
    """Whether the kernel is larger than the padded input, which torch.nn refuses."""
    sizes = definition.bottom_shapes[0][definition.axis_index + 1 :]
    return any(
        size + 2 * pad < dilation * (kernel - 1) + 1
        for size, kernel, pad, dilation in zip(
            sizes, definition.kernel, definition.pad, definition.dilation, strict=True
        )
    )


class _AnyAxes(nn.Module):
    """Weights of Caffe's shapes, applied to each bottom with the leading axes as one batch."""

    bias: nn.Parameter | None
    # (N, C, spatial...), weight and dilation to (N, num_output, spatial...), without the bias
    compute: Callable[[Tensor, Tensor, Shape], Tensor]

    def __init__(self, definition: Convolution | Deconvolution) -> None:
        super().__init__()
        self.axis = definition.axis_index
        self.group = definition.group
        self.stride = definition.stride
        self.pad = definition.pad
        self.dilation = definition.dilation
        self.num_output = definition.num_output
        self.weight = nn.Parameter(torch.empty(definition.blobs[0].shape))
        if definition.bias_term:
            self.bias = nn.Parameter(torch.empty(definition.num_output))
        else:
            self.register_parameter("bias", None)

    def forward(self, *bottoms: Tensor) -> Tensor | tuple[Tensor, ...]:
        tops = tuple(self.apply_to(bottom) for bottom in bottoms)
        return tops[0] if len(tops) == 1 else tops

    def apply_to(self, bottom: Tensor) -> Tensor:
        """One bottom through the weights."""
        lead = bottom.shape[: self.axis]
        folded = bottom.reshape(-1, *bottom.shape[self.axis :])
        weight: Tensor = self.weight
        dilation = self.dilation
        if 0 in dilation:
            # all taps of such an axis read the same value
            axes = [index + 2 for index, value in enumerate(dilation) if value == 0]
            weight = weight.sum(axes, keepdim=True)
            dilation = tuple(value or 1 for value in dilation)
        result = self.compute(folded, weight, dilation)
        if self.bias is not None:
            result = result + self.bias.reshape(-1, *(1,) * (result.dim() - 2))
        return result.reshape(*lead, *result.shape[1:])

    def extra_repr(self) -> str:
        return (
            f"{list(self.weight.shape)}, axis={self.axis}, stride={self.stride}, pad={self.pad}, "
            f"dilation={self.dilation}, group={self.group}"
        )


class ConvolutionAnyAxes(_AnyAxes):
    """A convolution over any number of spatial axes, on any axis, of any number of bottoms.

    A kernel that does not fit into the padded input reads zeros behind it: Caffe's output size is
    cut towards zero, so that with a stride there is still one window (conv_layer.cpp,
    compute_output_shape).
    """

    def compute(self, bottom: Tensor, weight: Tensor, dilation: Shape) -> Tensor:
        pads: list[int] = []
        for index in range(len(dilation) - 1, -1, -1):
            size, pad = bottom.shape[index + 2], self.pad[index]
            extent = dilation[index] * (weight.shape[index + 2] - 1) + 1
            pads += [pad, pad + max(0, extent - size - 2 * pad)]
        if any(pads):
            bottom = functional.pad(bottom, pads)
        return _convolve(bottom, weight, self.stride, dilation, self.group)


class DeconvolutionAnyAxes(_AnyAxes):
    """A deconvolution over any number of spatial axes, on any axis, of any number of bottoms."""

    def compute(self, bottom: Tensor, weight: Tensor, dilation: Shape) -> Tensor:
        result = _transposed(bottom, weight, self.stride, dilation, self.group)
        for index, pad in enumerate(self.pad):
            if pad:
                result = result.narrow(index + 2, pad, result.shape[index + 2] - 2 * pad)
        return result


def _convolve(bottom: Tensor, weight: Tensor, stride: Shape, dilation: Shape, group: int) -> Tensor:
    """A convolution without padding; axes past the third are summed tap by tap."""
    axes = len(stride)
    if axes == 0:
        top = functional.conv1d(bottom.unsqueeze(-1), weight.unsqueeze(-1), groups=group)
        return top.squeeze(-1)
    if axes <= 3:
        convolve = _FUNCTIONS[axes]
        return convolve(bottom, weight, None, stride, 0, dilation, group)
    taps = weight.shape[2]
    count = (bottom.shape[2] - dilation[0] * (taps - 1) - 1) // stride[0] + 1
    batch = bottom.shape[0]
    total: Tensor | None = None
    for tap in range(taps):
        start = tap * dilation[0]
        rows = bottom[:, :, start : start + (count - 1) * stride[0] + 1 : stride[0]]
        rows = rows.movedim(2, 1).flatten(0, 1)
        part = _convolve(rows, weight[:, :, tap], stride[1:], dilation[1:], group)
        total = part if total is None else total + part
    assert total is not None
    return total.reshape(batch, count, *total.shape[1:]).movedim(1, 2)


def _transposed(
    bottom: Tensor, weight: Tensor, stride: Shape, dilation: Shape, group: int
) -> Tensor:
    """A deconvolution without padding; axes past the third are painted tap by tap."""
    axes = len(stride)
    if axes == 0:
        top = functional.conv_transpose1d(bottom.unsqueeze(-1), weight.unsqueeze(-1), groups=group)
        return top.squeeze(-1)
    if axes <= 3:
        transpose = _TRANSPOSES[axes]
        return transpose(bottom, weight, None, stride, 0, 0, group, dilation)
    taps, (batch, _, count) = weight.shape[2], bottom.shape[:3]
    rows = bottom.movedim(2, 1).flatten(0, 1)
    painted: Tensor | None = None
    for tap in range(taps):
        part = _transposed(rows, weight[:, :, tap], stride[1:], dilation[1:], group)
        part = part.reshape(batch, count, *part.shape[1:]).movedim(1, 2)
        if painted is None:
            length = stride[0] * (count - 1) + dilation[0] * (taps - 1) + 1
            painted = part.new_zeros((batch, part.shape[1], length, *part.shape[3:]))
        start = tap * dilation[0]
        painted[:, :, start : start + (count - 1) * stride[0] + 1 : stride[0]] += part
    assert painted is not None
    return painted


class Windows(nn.Module):
    """Im2col: (..., C, spatial...) to (..., C * prod(kernel), windows...)."""

    def __init__(self, definition: Im2col) -> None:
        super().__init__()
        self.axis = definition.axis_index
        self.kernel = definition.kernel
        self.stride = definition.stride
        self.pad = definition.pad
        self.dilation = definition.dilation

    def forward(self, bottom: Tensor) -> Tensor:
        first = self.axis + 1
        for index, pad in enumerate(self.pad):
            axis = first + index
            extent = self.dilation[index] * (self.kernel[index] - 1) + 1
            missing = max(0, extent - bottom.shape[axis] - 2 * pad)
            if pad or missing:
                behind = bottom.dim() - 1 - axis
                bottom = functional.pad(bottom, (*(0, 0) * behind, pad, pad + missing))
            bottom = bottom.unfold(axis, extent, self.stride[index])
            if self.dilation[index]:
                bottom = bottom[..., :: self.dilation[index]]
            else:
                bottom = bottom.expand(*bottom.shape[:-1], self.kernel[index])
        axes = len(self.kernel)
        order = [*range(first), *range(first + axes, first + 2 * axes), *range(first, first + axes)]
        return bottom.permute(order).flatten(self.axis, self.axis + axes)
