"""DummyData in PyTorch; the tops of Input and MemoryData are the caller's."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from caffegen.analysis.fill import filler_of
from caffegen.layer_types import given as definitions
from caffegen.weights.fillers import Filler, fan

from .registry import Lowered, lowers

__all__ = ["DummyData", "fill_anew"]


Shape = tuple[int, ...]


@lowers("DummyData")
def dummy_data(definition: definitions.DummyData) -> Lowered:
    """Tops of constant or random values."""
    shapes = [shape for shape in definition.top_shapes if shape is not None]
    return Lowered(DummyData(shapes, [filler_of(filler) for filler in definition.fillers]))


class DummyData(nn.Module):
    """Tops made up by fillers; random ones anew in each pass, by torch's generator."""

    like: Tensor

    def __init__(self, shapes: Sequence[Shape], fillers: Sequence[Filler]) -> None:
        super().__init__()
        self.shapes = tuple(shapes)
        self.fillers = tuple(fillers)
        # nothing comes in that would show the device
        self.register_buffer("like", torch.empty(0, device="cpu"), persistent=False)

    def forward(self) -> tuple[Tensor, ...]:
        return tuple(
            fill_anew(self.like, filler, shape)
            for filler, shape in zip(self.fillers, self.shapes, strict=True)
        )

    def extra_repr(self) -> str:
        tops = zip(self.fillers, self.shapes, strict=True)
        return ", ".join(f"{filler.type} {list(shape)}" for filler, shape in tops)


def fill_anew(like: Tensor, filler: Filler, shape: Shape) -> Tensor:
    """A tensor of the shape, filled on the device and in the type of another (filler.hpp)."""
    kind = filler.type
    if kind == "constant":
        return like.new_full(shape, filler.value)
    if kind == "bilinear":
        return _bilinear(like, shape)
    if kind == "gaussian":
        values = _normal(like, shape) * filler.std + filler.mean
        if filler.sparse < 0:
            return values
        return values * (_uniform(like, shape) < filler.sparse / shape[0])
    if kind == "msra":
        return _normal(like, shape) * math.sqrt(2 / fan(filler, shape))
    if kind == "xavier":
        scale = math.sqrt(3 / fan(filler, shape))
        return _uniform(like, shape) * (2 * scale) - scale
    if kind == "positive_unitball":
        rows = _uniform(like, shape).reshape(shape[0], -1)
        return (rows / rows.sum(1, keepdim=True)).reshape(shape)
    assert kind == "uniform", kind
    return _uniform(like, shape) * (filler.max - filler.min) + filler.min


def _uniform(like: Tensor, shape: Shape) -> Tensor:
    return torch.rand(shape, dtype=like.dtype, device=like.device)


def _normal(like: Tensor, shape: Shape) -> Tensor:
    return torch.randn(shape, dtype=like.dtype, device=like.device)


def _bilinear(like: Tensor, shape: Shape) -> Tensor:
    """The kernel of bilinear interpolation in every plane."""
    size = shape[3]
    factor = math.ceil(size / 2)
    places = torch.arange(size, dtype=like.dtype, device=like.device)
    line = 1 - (places / factor - (size - 1) / (2 * factor)).abs()
    return (line.unsqueeze(1) * line).expand(shape).clone()
