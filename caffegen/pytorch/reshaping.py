"""Counting axes anew and repeating blobs, in PyTorch."""

from __future__ import annotations

from torch import Tensor, nn

from caffegen.layer_types import reshaping as definitions

from .registry import Lowered, lowers

__all__ = ["InsertAxis", "Reshape", "Tile"]

Shape = tuple[int, ...]


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
