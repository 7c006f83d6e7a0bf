"""Pooling and SPP in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.layer_types.pooling import SPP, Pooling

from .registry import Lowered, lowers

__all__ = ["PoolingExact", "SpatialPyramid", "StochasticPooling"]

Pair = tuple[int, int]


@lowers("Pooling")
def pooling(definition: Pooling) -> Lowered:
    """MaxPool2d, AvgPool2d or their adaptive forms where they agree for every size; else ours."""
    most = definition.pool == "MAX"
    if definition.pool == "STOCHASTIC":
        window = None if definition.global_pooling else definition.kernel
        module = StochasticPooling(window, definition.stride, round_up=not definition.floor)
        return Lowered(module)
    if definition.global_pooling and not definition.mask:
        return Lowered(nn.AdaptiveMaxPool2d(1) if most else nn.AdaptiveAvgPool2d(1))
    kernel, stride, pad = definition.kernel, definition.stride, definition.pad
    round_up = not definition.floor
    if definition.mask or not agrees(kernel, stride, pad, round_up=round_up):
        return Lowered(PoolingExact(definition))
    if most:
        return Lowered(nn.MaxPool2d(kernel, stride, pad, ceil_mode=round_up))
    return Lowered(nn.AvgPool2d(kernel, stride, pad, ceil_mode=round_up, count_include_pad=True))


def agrees(kernel: Pair, stride: Pair, pad: Pair, *, round_up: bool) -> bool:
    """Whether torch.nn pools as Caffe does, for every size of the input.

    Both drop a last window that would start at or past size + pad, but Caffe only where some pad is
    above 0 (pooling_layer.cpp, Reshape). Without padding such a window needs a stride above the
    kernel. torch.nn takes no pad above half the kernel.
    """
    if any(2 * p > k for p, k in zip(pad, kernel, strict=True)):
        return False
    return not round_up or any(pad) or all(s <= k for s, k in zip(stride, kernel, strict=True))


class PoolingExact(nn.Module):
    """MAX and AVE with Caffe's windows where torch.nn has others; the mask of MAX as second top.

    The mask holds whole numbers as values of single precision, or double where the top's are.
    """

    def __init__(self, definition: Pooling) -> None:
        super().__init__()
        self.method = definition.pool
        self.kernel = None if definition.global_pooling else definition.kernel
        self.stride = definition.stride
        self.pad = definition.pad
        self.round_up = not definition.floor
        self.mask = definition.mask

    def forward(self, bottom: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        kernel = self.kernel or (bottom.shape[2], bottom.shape[3])
        windows = (kernel, self.stride, self.pad)
        if self.method == "AVE":
            return average(bottom, *windows, round_up=self.round_up)
        top, mask = maximum(bottom, *windows, round_up=self.round_up)
        # half precision would round indices above 256 or 2048
        exact = torch.promote_types(top.dtype, torch.float32)
        return (top, mask.to(exact)) if self.mask else top

    def extra_repr(self) -> str:
        return (
            f"{self.method}, kernel={self.kernel}, stride={self.stride}, pad={self.pad}, "
            f"round_up={self.round_up}"
        )


def maximum(
    bottom: Tensor, kernel: Pair, stride: Pair, pad: Pair, *, round_up: bool
) -> tuple[Tensor, Tensor]:
    """The largest value of each window, and its index in the plane (-1: window outside).

    Outside the input stands the lowest number of the type, Caffe's -FLT_MAX: what it gives for such
    a window.
    """
    if agrees(kernel, stride, pad, round_up=round_up):
        return functional.max_pool2d(bottom, kernel, stride, pad, 1, round_up, return_indices=True)
    height, width = bottom.shape[2:]
    edges = _edges(bottom, kernel, stride, pad, round_up=round_up)
    lowest = torch.finfo(bottom.dtype).min
    padded = functional.pad(bottom, edges, value=lowest)
    top, index = functional.max_pool2d(padded, kernel, stride, return_indices=True)
    row = index // padded.shape[3] - pad[0]
    column = index % padded.shape[3] - pad[1]
    outside = (row < 0) | (row >= height) | (column < 0) | (column >= width)
    return top, torch.where(outside, -1, row * width + column)


def average(bottom: Tensor, kernel: Pair, stride: Pair, pad: Pair, *, round_up: bool) -> Tensor:
    """The mean of each window; padding counts as zeros, what lies past it does not count.

    A window wholly outside gives 0, where Caffe divides 0 by a size that is not positive.
    """
    if agrees(kernel, stride, pad, round_up=round_up):
        return functional.avg_pool2d(bottom, kernel, stride, pad, round_up, count_include_pad=True)
    edges = _edges(bottom, kernel, stride, pad, round_up=round_up)
    height, width = bottom.shape[2:]
    counted = bottom.new_ones((1, 1, height + 2 * pad[0], width + 2 * pad[1]))
    behind = (0, edges[1] - pad[1], 0, edges[3] - pad[0])
    share = functional.avg_pool2d(functional.pad(counted, behind), kernel, stride)
    top = functional.avg_pool2d(functional.pad(bottom, edges), kernel, stride)
    return top / torch.where(share > 0, share, 1.0)


def _edges(
    bottom: Tensor, kernel: Pair, stride: Pair, pad: Pair, *, round_up: bool
) -> tuple[int, int, int, int]:
    """Padding (left, right, top, bottom) after which Caffe's windows fit exactly."""
    behind = []
    for axis in (0, 1):
        size, k, s, p = bottom.shape[axis + 2], kernel[axis], stride[axis], pad[axis]
        room = size + 2 * p - k
        count = (-(-room // s) if round_up else room // s) + 1
        if any(pad) and (count - 1) * s >= size + p:
            count -= 1
        behind.append((count - 1) * s + k - size - p)
    return pad[1], behind[1], pad[0], behind[0]


class StochasticPooling(nn.Module):
    """In TRAIN a value of each window, drawn with a chance in proportion to it; in TEST their mean
    by the same weights (pooling_layer.cu, StoPoolForwardTrain and StoPoolForwardTest).
    """

    def __init__(self, kernel: Pair | None, stride: Pair, *, round_up: bool) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride
        self.round_up = round_up

    def forward(self, bottom: Tensor) -> Tensor:
        kernel = self.kernel or (bottom.shape[2], bottom.shape[3])
        return self.pool(bottom, kernel, self.stride)

    def pool(self, bottom: Tensor, kernel: Pair, stride: Pair) -> Tensor:
        """The windows that lie over the bottom and past its end, where there is nothing to draw."""
        edges = _edges(bottom, kernel, stride, (0, 0), round_up=self.round_up)
        padded = functional.pad(bottom, edges)
        windows = padded.unfold(2, kernel[0], stride[0]).unfold(3, kernel[1], stride[1])
        windows = windows.flatten(-2)
        if not self.training:
            total = windows.sum(-1)
            weighted = (windows * windows).sum(-1)
            return torch.where(total > 0, weighted / torch.where(total > 0, total, 1.0), 0.0)
        running = windows.detach().cumsum(-1)
        threshold = torch.rand_like(running[..., -1:]) * running[..., -1:]
        drawn = (running < threshold).sum(-1, keepdim=True).clamp(max=windows.shape[-1] - 1)
        return windows.gather(-1, drawn).squeeze(-1)


@lowers("SPP")
def spatial_pyramid(definition: SPP) -> Lowered:
    """Poolings of 1, 2 x 2, 4 x 4 ... windows, flattened and joined."""
    return Lowered(SpatialPyramid(definition))


class SpatialPyramid(nn.Module):
    """Poolings whose windows follow from the input's size (spp_layer.cpp, GetPoolingParam)."""

    def __init__(self, definition: SPP) -> None:
        super().__init__()
        self.method = definition.pool
        self.height = definition.pyramid_height
        self.flat = definition.flat
        if self.method == "STOCHASTIC":
            self.stochastic = StochasticPooling(None, (1, 1), round_up=True)

    def forward(self, bottom: Tensor) -> Tensor:
        levels = [self.level(bottom, 2**index) for index in range(self.height)]
        if not self.flat:
            return levels[0]
        return torch.cat([level.flatten(1) for level in levels], 1)

    def level(self, bottom: Tensor, bins: int) -> Tensor:
        """One pooling of about bins x bins windows."""
        height, width = bottom.shape[2:]
        kernel = (-(-height // bins), -(-width // bins))
        pad = ((kernel[0] * bins - height + 1) // 2, (kernel[1] * bins - width + 1) // 2)
        if self.method == "STOCHASTIC":
            top: Tensor = self.stochastic.pool(bottom, kernel, kernel)
            return top
        if self.method == "AVE":
            return average(bottom, kernel, kernel, pad, round_up=True)
        return maximum(bottom, kernel, kernel, pad, round_up=True)[0]

    def extra_repr(self) -> str:
        return f"{self.method}, pyramid_height={self.height}"
