"""Layers that put values in another order, or zeros around them, in PyTorch."""

from __future__ import annotations

from torch import Tensor, nn

from caffegen.layer_types import reordering as definitions

from .four_axes import as_pictures, over_four_axes
from .registry import Lowered, lowers

__all__ = ["Flip", "Permute", "Reorg", "Several"]

Shape = tuple[int, ...]


@lowers("Permute", "Transpose")
def permute(definition: definitions.Permute | definitions.Transpose) -> Lowered:
    """The axes in another order; nothing where it is their own."""
    order = definition.order
    return Lowered(nn.Identity() if order == tuple(range(len(order))) else Permute(order))


class Permute(nn.Module):
    """The axes in another order."""

    def __init__(self, order: Shape) -> None:
        super().__init__()
        self.order = order

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.permute(self.order)

    def extra_repr(self) -> str:
        return f"{self.order}"


@lowers("ShuffleChannel")
def shuffle_channel(definition: definitions.ShuffleChannel) -> Lowered:
    """ChannelShuffle."""
    shuffle = nn.ChannelShuffle(definition.group)
    return Lowered(over_four_axes(len(definition.bottom_shapes[0]), shuffle))


@lowers("Flip", "Reverse")
def flip(definition: definitions.Flip | definitions.Reverse) -> Lowered:
    """Some axes from their end; nothing where there is none."""
    return Lowered(Flip(definition.axes) if definition.axes else nn.Identity())


class Flip(nn.Module):
    """Axes read from their end."""

    def __init__(self, axes: Shape) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.flip(self.axes)

    def extra_repr(self) -> str:
        return f"{self.axes}"


@lowers("Gather")
def gather(definition: definitions.Gather) -> Lowered:
    """The batches of one process: the bottoms themselves."""
    return Lowered(nn.Identity() if definition.bottom_count == 1 else Several())


class Several(nn.Module):
    """Any number of bottoms as they are."""

    def forward(self, *bottoms: Tensor) -> tuple[Tensor, ...]:
        return bottoms


@lowers("Padding")
def padding(definition: definitions.Padding) -> Lowered:
    """ZeroPad2d or ConstantPad2d; both cut where the padding is below 0."""
    (top, left), (bottom, right) = definition.before, definition.after
    sides = (left, right, top, bottom)
    pad = nn.ConstantPad2d(sides, definition.value) if definition.value else nn.ZeroPad2d(sides)
    return Lowered(over_four_axes(len(definition.bottom_shapes[0]), pad))


@lowers("Reorg")
def reorg(definition: definitions.Reorg) -> Lowered:
    """Darknet's reorg."""
    return Lowered(Reorg(definition.stride, reverse=definition.reverse))


class Reorg(nn.Module):
    """Values of squares of stride x stride as channels, or the other way (reorg_layer.hpp).

    The bottom is read as (N, C / stride^2, H stride, W stride) first, except with `reverse`.
    """

    def __init__(self, stride: int, *, reverse: bool) -> None:
        super().__init__()
        self.stride = stride
        self.reverse = reverse

    def forward(self, bottom: Tensor) -> Tensor:
        bottom = as_pictures(bottom)
        side = self.stride
        items, channels, height, width = bottom.shape
        few = channels // side**2
        if self.reverse:
            squares = bottom.reshape(items, side, side, few, height, width)
            spread = squares.permute(0, 3, 4, 1, 5, 2)
            return spread.reshape(items, few, height * side, width * side)
        squares = bottom.reshape(items, few, height, side, width, side)
        stacked = squares.permute(0, 3, 5, 1, 2, 4)
        return stacked.reshape(items, channels * side**2, height // side, width // side)

    def extra_repr(self) -> str:
        return f"{self.stride}, reverse={self.reverse}"
