"""Joining, cutting up and handing on blobs, in PyTorch."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from caffegen.layer_types import branching as definitions

from .registry import Lowered, lowers

__all__ = ["Concat", "Silence", "Slice", "Split"]


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
