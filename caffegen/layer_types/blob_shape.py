"""Shapes and sizes as the text gives them, and as Caffe's 32-bit integers hold them."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import Definition, Shape

__all__ = [
    "read_shape", "require_axes", "require_positive", "require_values", "to_int", "warn_if_empty",
]  # fmt: skip


def to_int(value: int) -> int:
    """A 64-bit or unsigned number as the int that Caffe keeps it in: `dim: 4294967298` is 2."""
    return ((value + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def require_positive(definition: Definition, field: str, value: int, at: str = "") -> int:
    """The value of a field that Caffe takes from 1 on, else a refusal; `at` is where it stands."""
    if value < 1:
        definition.refuse(
            "size-not-positive", f"`{field}` is {value}; it must be at least 1", at or field
        )
    return value


def read_shape(definition: Definition, shape: Message, at: str, index: int | None = None) -> Shape:
    """The shape that a BlobShape message stands for; refuses what Blob::Reshape refuses."""
    dims = tuple(to_int(dim) for dim in shape.dim)
    for dim in dims:
        if dim < 0:
            definition.refuse(
                "dimension-negative", f"`dim` is {dim}; a size is 0 or more", at, index=index
            )
    definition.check_size(dims, at, index)
    return dims


def require_axes(
    definition: Definition, bottom: Shape, least: int, most: int | None = None
) -> None:
    """Refuse a first bottom with fewer or more axes than the layer can count."""
    if len(bottom) >= least and (most is None or len(bottom) <= most):
        return
    if least == most:
        takes = f"{least} axes"
    else:
        takes = f"{least} axes or more" if most is None else f"{least} to {most} axes"
    layout = ", (N, C, H, W)" if least == most == 4 else ""
    definition.refuse(
        "wrong-number-of-axes",
        f"{definition.type} takes {takes}{layout}; the bottom is {list(bottom)}",
        "layer.bottom",
        index=0,
    )


def require_values(definition: Definition, bottom: Shape, what: Shape | None = None) -> None:
    """Refuse a first bottom of size 0, or with 0 in `what` of its axes.

    Caffe allocates no memory for an empty blob and dies on touching it (blob.cpp, cpu_data).
    """
    if prod(bottom if what is None else what) == 0:
        definition.refuse(
            "empty-bottom",
            f"the bottom is {list(bottom)}; {definition.type} can't be set up without values",
            "layer.bottom",
            index=0,
        )


def warn_if_empty(definition: Definition, top: Shape, at: str = "") -> None:
    """Warn of a top of size 0: Caffe sets the net up, and stops when it runs."""
    if 0 in top:
        definition.warn("empty-top", f"the top is {list(top)}: Caffe can't run on no values", at)
