"""Layers that bring pictures to another size, in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.layer_types import resizing as definitions

from .four_axes import as_pictures, over_four_axes
from .registry import Lowered, lowers, refuse

__all__ = ["Interp", "MaxUnpool", "Resize"]

Pair = tuple[int, int]


@lowers("Interp")
def interp(definition: definitions.Interp) -> Lowered:
    """Upsample with corners aligned where the size is given and nothing cut off; else ours."""
    plain = not (definition.nearest or definition.begin or definition.end)
    module: nn.Module = Interp(definition)
    if definition.like_bottom:
        return Lowered(module)
    if plain and definition.size is not None:
        module = nn.Upsample(definition.size, mode="bilinear", align_corners=True)
    return Lowered(over_four_axes(len(definition.bottom_shapes[0]), module))


class Interp(nn.Module):
    """Interpolation from corner to corner, of what is left inside a margin."""

    def __init__(self, definition: definitions.Interp) -> None:
        super().__init__()
        self.begin = definition.begin
        self.end = definition.end
        self.size = definition.size
        self.shrink = definition.shrink
        self.zoom = definition.zoom
        self.nearest = definition.nearest
        self.like_bottom = definition.like_bottom

    def forward(self, bottom: Tensor, *like: Tensor) -> Tensor:
        height, width = (size - self.end for size in bottom.shape[2:])
        bottom = bottom[:, :, self.begin : height, self.begin : width]
        size = tuple(like[0].shape[2:]) if like else self.size
        size = size or tuple((n - 1) // self.shrink * self.zoom + 1 for n in bottom.shape[2:])
        if self.nearest:
            rows, columns = (
                _nearest(bottom, axis, number) for axis, number in zip((2, 3), size, strict=True)
            )
            return bottom[:, :, rows[:, None], columns]
        return functional.interpolate(bottom, size, mode="bilinear", align_corners=True)

    def extra_repr(self) -> str:
        to = f"size={self.size}" if self.size else f"shrink={self.shrink}, zoom={self.zoom}"
        return f"{to}, begin={self.begin}, end={self.end}, nearest={self.nearest}"


def _nearest(bottom: Tensor, axis: int, number: int) -> Tensor:
    """The index nearest to each place from first to last, half way the later (util/interp.cpp).

    In single precision, as there, for every type of the bottom.
    """
    last = bottom.shape[axis] - 1
    step = torch.tensor(float(last), device=bottom.device) / max(1, number - 1)
    places = torch.arange(number, dtype=torch.float32, device=bottom.device) * step
    below = places.floor()
    share = places - below
    later = 1 - share <= share
    return (below + later).clamp(max=last).long()


@lowers("Resize")
def resize(definition: definitions.Resize) -> Lowered:
    """Interpolation from the upper left corner, which torch.nn has with other edges alone."""
    return Lowered(Resize(definition))


class Resize(nn.Module):
    """Interpolation between pixel i * old / new and the next, behind the last of which stands 0."""

    def __init__(self, definition: definitions.Resize) -> None:
        super().__init__()
        self.size = definition.size
        self.scale = definition.scale

    def forward(self, bottom: Tensor) -> Tensor:
        bottom = as_pictures(bottom)
        for axis in (2, 3):
            bottom = self.along(bottom, axis)
        return bottom

    def along(self, bottom: Tensor, axis: int) -> Tensor:
        """The rows, or the columns, of the new size."""
        old = bottom.shape[axis]
        if self.size is not None:
            new = self.size[axis - 2]
        else:
            # the product is cut in single precision
            new = int(torch.tensor(self.scale[axis - 2], dtype=torch.float32, device="cpu") * old)
        step = torch.tensor(float(old), device=bottom.device) / new
        places = torch.arange(new, dtype=torch.float32, device=bottom.device) * step
        first = places.floor()
        share = (places - first).to(bottom.dtype)
        share = share.reshape(-1, 1) if axis == 2 else share
        behind = (0, 1) if axis == 3 else (0, 0, 0, 1)
        nexts = functional.pad(bottom, behind).index_select(axis, first.long() + 1)
        return bottom.index_select(axis, first.long()) * (1 - share) + nexts * share

    def extra_repr(self) -> str:
        return f"size={self.size}" if self.size else f"scale={self.scale}"


@lowers("Upsample")
def upsample(definition: definitions.Upsample) -> Lowered:
    """Upsample, or MaxUnpool where there is a mask."""
    if definition.mask:
        return Lowered(MaxUnpool(definition.growth))
    # "nearest" multiplies by a rounded 1 / scale and may miss by one
    return Lowered(nn.Upsample(scale_factor=definition.scale, mode="nearest-exact"))


class MaxUnpool(nn.Module):
    """Each value at the place in its plane that the mask gives, 0 everywhere else.

    `growth` has a factor and a summand for the height and the width. Of two values for one place
    the later counts on a CPU, as in Caffe, and both get its gradient.
    """

    def __init__(self, growth: tuple[Pair, Pair]) -> None:
        super().__init__()
        self.growth = growth

    def forward(self, bottom: Tensor, mask: Tensor) -> Tensor:
        height, width = (
            factor * size + summand
            for size, (factor, summand) in zip(bottom.shape[2:], self.growth, strict=True)
        )
        planes = bottom.new_zeros((*bottom.shape[:2], height * width))
        top = planes.scatter(2, mask.long().flatten(2), bottom.flatten(2))
        return top.reshape(*bottom.shape[:2], height, width)

    def extra_repr(self) -> str:
        return f"growth={self.growth}"


@lowers("SimpleCrop")
def simple_crop(definition: definitions.SimpleCrop) -> Lowered:
    """Refused: it reads the size of a blob that is not handed to it."""
    raise refuse(definition, definition.obstacle)
