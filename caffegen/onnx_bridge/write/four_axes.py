"""Bottoms of fewer axes as (N, C, H, W), for layers that know no others."""

from __future__ import annotations

from .free import Dims
from .writer import LayerWriter

__all__ = ["as_pictures"]


def as_pictures(w: LayerWriter) -> tuple[str, Dims]:
    """The first bottom with axes of size 1 behind, up to four, and its sizes."""
    dims = w.bottom_dims[0]
    behind = (1,) * (4 - len(dims))
    x = w.reshape(w.bottoms[0], dims, [*((axis,) for axis in range(len(dims))), *behind])
    return x, dims + behind
