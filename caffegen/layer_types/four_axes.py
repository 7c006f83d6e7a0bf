"""Layers that count every bottom as (N, C, H, W), as the oldest parts of Caffe and many forks do."""

from __future__ import annotations

from .base import Definition, Shape

__all__ = ["four_axes", "legacy_size"]


def four_axes(definition: Definition, bottom: Shape, index: int = 0) -> Shape:
    """The shape as num, channels, height and width: missing axes are 1 (blob.hpp, LegacyShape).

    Refuses a bottom of more axes, as Caffe does; `index` says which bottom it is.
    """
    if len(bottom) > 4:
        definition.refuse(
            "more-than-four-axes",
            f"{definition.type} takes blobs of up to 4 axes; the bottom has {len(bottom)}",
            "layer.bottom",
            index=index,
        )
    return bottom + (1,) * (4 - len(bottom))


def legacy_size(shape: Shape, axis: int) -> int:
    """The size of one of the four old axes, 1 where the blob has fewer (Blob::LegacyShape)."""
    return shape[axis] if axis < len(shape) else 1
