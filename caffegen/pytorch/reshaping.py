"""Layers that move values without computing, in PyTorch."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from caffegen.layer_types import reshaping as definitions

from .registry import Lowered, lowers

__all__ = [
    "BatchReindex",
    "Concat",
    "Crop",
    "Filter",
    "InsertAxis",
    "Reshape",
    "Silence",
    "Slice",
    "Split",
    "Tile",
]

Shape = tuple[int, ...]


@lowers("Concat")
def concat(definition: definitions.Concat) -> Lowered:
    """Joins blobs along one axis."""
    return Lowered(Concat(definition.axis_index))


class Concat(nn.Module):
    """All bottoms joined along one axis."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, *bottoms: Tensor) -> Tensor:
        return torch.cat(bottoms, self.axis)

    def extra_repr(self) -> str:
        return f"axis={self.axis}"


@lowers("Slice")
def slice_(definition: definitions.Slice) -> Lowered:
    """Cuts a blob along one axis."""
    parts = max(1, definition.top_count)
    return Lowered(Slice(definition.axis_index, parts, definition.slice_points))


class Slice(nn.Module):
    """A blob cut before each of the points, or in equal parts where there are none."""

    def __init__(self, axis: int, parts: int, points: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.axis = axis
        self.parts = parts
        self.points = points

    def forward(self, bottom: Tensor) -> tuple[Tensor, ...]:
        if not self.points:
            # unlike `chunk`, refuses a size that the parts can't share evenly
            parts = torch.unflatten(bottom, self.axis, (self.parts, -1))
            return parts.unbind(self.axis)
        edges = (0, *self.points, bottom.shape[self.axis])
        sizes = [end - start for start, end in pairwise(edges)]
        return torch.split_with_sizes(bottom, sizes, self.axis)

    def extra_repr(self) -> str:
        cuts = f"points={self.points}" if self.points else f"parts={self.parts}"
        return f"axis={self.axis}, {cuts}"


@lowers("Split")
def split(definition: definitions.Split) -> Lowered:
    """Gives the same tensor several times."""
    return Lowered(Split(max(1, definition.top_count)))


class Split(nn.Module):
    """The bottom under several names."""

    def __init__(self, tops: int) -> None:
        super().__init__()
        self.tops = tops

    def forward(self, bottom: Tensor) -> tuple[Tensor, ...]:
        return (bottom,) * self.tops

    def extra_repr(self) -> str:
        return f"{self.tops}"


@lowers("Silence")
def silence(_definition: definitions.Silence) -> Lowered:
    """Takes blobs and makes none."""
    return Lowered(Silence())


class Silence(nn.Module):
    """Any bottoms, no tops."""

    def forward(self, *_bottoms: Tensor) -> tuple[Tensor, ...]:
        return ()


@lowers("Tile")
def tile(definition: definitions.Tile) -> Lowered:
    """Repeats a blob along one axis."""
    return Lowered(Tile(definition.axis_index, definition.tiles))


class Tile(nn.Module):
    """The bottom, again and again along one axis."""

    def __init__(self, axis: int, tiles: int) -> None:
        super().__init__()
        self.axis = axis
        self.tiles = tiles

    def forward(self, bottom: Tensor) -> Tensor:
        times = [1] * bottom.dim()
        times[self.axis] = self.tiles
        return bottom.repeat(times)

    def extra_repr(self) -> str:
        return f"axis={self.axis}, tiles={self.tiles}"


@lowers("Flatten")
def flatten(definition: definitions.Flatten) -> Lowered:
    """Flatten; an axis of size 1 where Caffe puts one in."""
    if definition.start == definition.end:
        return Lowered(InsertAxis(definition.start))
    return Lowered(nn.Flatten(definition.start, definition.end - 1))


class InsertAxis(nn.Module):
    """A new axis of size 1."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.unsqueeze(self.axis)

    def extra_repr(self) -> str:
        return f"{self.axis}"


@lowers("Reshape")
def reshape(definition: definitions.Reshape) -> Lowered:
    """Counts the same values in other axes."""
    return Lowered(Reshape(definition.start, definition.end, definition.dims))


class Reshape(nn.Module):
    """The axes from `start` to `end` become `dims`: 0 copies the axis of its place, -1 infers."""

    def __init__(self, start: int, end: int, dims: Shape) -> None:
        super().__init__()
        self.start = start
        self.end = end
        self.dims = dims

    def forward(self, bottom: Tensor) -> Tensor:
        old = bottom.shape
        new = [dim or old[place] for place, dim in enumerate(self.dims, self.start)]
        return bottom.reshape((*old[: self.start], *new, *old[self.end :]))

    def extra_repr(self) -> str:
        return f"{self.start}, {self.end}, dims={self.dims}"


@lowers("Crop")
def crop(definition: definitions.Crop) -> Lowered:
    """Cuts a blob to the size of another."""
    return Lowered(Crop(definition.axis_index, definition.offsets))


class Crop(nn.Module):
    """A window of bottom 0 from `offsets` on, of bottom 1's size in the axes from `axis` on."""

    def __init__(self, axis: int, offsets: Shape) -> None:
        super().__init__()
        self.axis = axis
        self.offsets = offsets

    def forward(self, bottom: Tensor, reference: Tensor) -> Tensor:
        top = bottom
        for axis in range(self.axis, bottom.dim()):
            top = top.narrow(axis, self.offsets[axis], reference.shape[axis])
        return top

    def extra_repr(self) -> str:
        return f"axis={self.axis}, offsets={self.offsets}"


@lowers("BatchReindex")
def batch_reindex(_definition: definitions.BatchReindex) -> Lowered:
    """Picks items of the batch by their numbers."""
    return Lowered(BatchReindex())


class BatchReindex(nn.Module):
    """The items of bottom 0 that the numbers in bottom 1 name, in their order."""

    def forward(self, bottom: Tensor, numbers: Tensor) -> Tensor:
        return bottom.index_select(0, numbers.long())


@lowers("Filter")
def filter_(_definition: definitions.Filter) -> Lowered:
    """Passes on the items of the batch that a selector marks."""
    return Lowered(Filter())


class Filter(nn.Module):
    """The items of the bottoms for which the last bottom is not 0.

    Their number is known only when the net runs: torch.compile takes that with
    `torch._dynamo.config.capture_dynamic_output_shape_ops`, torch.export as it is.
    """

    def forward(self, *bottoms: Tensor) -> tuple[Tensor, ...]:
        *filtered, selector = bottoms
        chosen = selector.flatten().nonzero().squeeze(1)
        return tuple(bottom.index_select(0, chosen) for bottom in filtered)
