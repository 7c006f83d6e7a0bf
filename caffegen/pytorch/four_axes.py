"""Bottoms of fewer axes as (N, C, H, W), for layers that know no others."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["FourAxes", "as_pictures", "over_four_axes"]


def as_pictures(bottom: Tensor) -> Tensor:
    """The bottom with axes of size 1 behind, up to four."""
    return bottom.reshape(*bottom.shape, *(1,) * (4 - bottom.dim()))


class FourAxes(nn.Module):
    """Axes of size 1 behind, up to four."""

    def forward(self, bottom: Tensor) -> Tensor:
        return as_pictures(bottom)


def over_four_axes(rank: int, module: nn.Module) -> nn.Module:
    """The module itself for bottoms of four axes, else behind a FourAxes."""
    return module if rank == 4 else nn.Sequential(FourAxes(), module)
