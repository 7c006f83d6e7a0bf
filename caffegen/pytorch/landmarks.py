"""Hotspot and SubRegion in PyTorch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from caffegen.layer_types import landmarks as definitions

from .registry import Lowered, lowers

__all__ = ["Hotspot", "SubRegion"]

_FLOOR = 1e-4  # hotspot_layer.cpp, kEps


@lowers("Hotspot")
def hotspot(definition: definitions.Hotspot) -> Lowered:
    """A spot for each point."""
    return Lowered(Hotspot(definition))


class Hotspot(nn.Module):
    """Maps with a normal distribution around each point."""

    def __init__(self, definition: definitions.Hotspot) -> None:
        super().__init__()
        self.size = definition.size
        self.data_size = definition.data_size
        self.std = definition.std
        self.middle = 0.5 if definition.mean_removed else 0.0

    def forward(self, points: Tensor, *_like: Tensor) -> Tensor:
        points = points.detach().reshape(points.shape[0], -1, 2)
        centers = [
            (points[..., axis, None] / data + self.middle) * number
            for axis, data, number in zip((1, 0), self.data_size, self.size, strict=True)
        ]
        rows, columns = (
            (center - torch.arange(number, device=points.device)).square()
            for center, number in zip(centers, self.size, strict=True)
        )
        squares = rows[..., None] + columns[..., None, :]
        spots = torch.exp(-0.5 * squares / self.std**2) * (0.5 / (math.pi * self.std**2))
        return torch.where(spots > _FLOOR, spots, 0)

    def extra_repr(self) -> str:
        return f"{self.size}, std={self.std:g}"


@lowers("SubRegion")
def sub_region(definition: definitions.SubRegion) -> Lowered:
    """Pieces around points."""
    return Lowered(SubRegion(definition))


class SubRegion(nn.Module):
    """Pieces of one size cut at whole pixels, and how far their middles are from true points."""

    def __init__(self, definition: definitions.SubRegion) -> None:
        super().__init__()
        self.region = definition.region
        self.data_size = definition.data_size
        self.as_channels = definition.as_channels
        self.tops = max(1, definition.top_count)

    def forward(self, bottom: Tensor, points: Tensor, true: Tensor) -> Tensor | tuple[Tensor, ...]:
        shape = points.shape
        points, true = (rows.detach().reshape(shape[0], -1, 2) for rows in (points, true))
        height, width = bottom.shape[2:]
        begins = [
            ((points[..., axis] / data + 0.5) * size - region // 2).floor()
            for axis, data, size, region in zip(
                (1, 0), self.data_size, (height, width), self.region, strict=True
            )
        ]
        rows, columns = (
            begin.long()[..., None] + torch.arange(number, device=bottom.device)
            for begin, number in zip(begins, self.region, strict=True)
        )
        inside = ((rows >= 0) & (rows < height))[..., None] & ((columns >= 0) & (columns < width))[
            :, :, None
        ]
        items = torch.arange(bottom.shape[0], device=bottom.device)[:, None, None, None]
        at = rows.clamp(0, height - 1)[..., None], columns.clamp(0, width - 1)[:, :, None]
        # (N, points, h, w, C)
        pieces = bottom[items, :, at[0], at[1]] * inside[..., None].to(bottom.dtype)
        pieces = pieces.permute(0, 1, 4, 2, 3)
        top = pieces.flatten(1, 2) if self.as_channels else pieces.transpose(0, 1).flatten(0, 1)
        if self.tops == 1:
            return top
        middles = torch.stack(
            [
                (begin + region / 2 + 0.5) / size * data
                for begin, region, size, data in zip(
                    begins[::-1], self.region[::-1], (width, height), self.data_size[::-1],
                    strict=True,
                )
            ],
            dim=-1,
        )  # fmt: skip
        half = torch.tensor(
            [size // 2 for size in self.data_size[::-1]], dtype=true.dtype, device=true.device
        )
        return top, (true + half - middles).reshape(shape), middles.reshape(shape)

    def extra_repr(self) -> str:
        return f"{self.region}, as_channels={self.as_channels}"
