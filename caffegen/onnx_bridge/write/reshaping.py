"""Counting axes anew and repeating blobs, in ONNX."""

from __future__ import annotations

from caffegen.layer_types.reshaping import Flatten, Reshape, Tile

from .free import Dim, Dims
from .registry import writes
from .writer import LayerWriter, Target


@writes("Tile")
def tile(w: LayerWriter, d: Tile) -> None:
    """Tile, once along all other axes."""
    repeats = [1] * len(w.bottom_dims[0])
    repeats[d.axis_index] = d.tiles
    w.top("Tile", [w.bottoms[0], w.ints(*repeats)])


@writes("Flatten")
def flatten(w: LayerWriter, d: Flatten) -> None:
    """Flatten where all axes behind the first are merged, otherwise Reshape."""
    x, dims = w.bottoms[0], w.bottom_dims[0]
    if d.start == 1 and d.end == len(dims) > 1:
        w.top("Flatten", [x], axis=1)
        return
    before: Target = [(axis,) for axis in range(d.start)]
    merged: Target = [tuple(range(d.start, d.end)) or 1]
    behind: Target = [(axis,) for axis in range(d.end, len(dims))]
    w.reshape(x, dims, [*before, *merged, *behind], into=w.tops[0])


@writes("Reshape")
def reshape(w: LayerWriter, d: Reshape) -> None:
    """Reshape; sizes that are free are copied by ONNX's 0, or inferred by its -1."""
    x, dims, top = w.bottoms[0], w.bottom_dims[0], w.top_dims[0]
    assert top is not None
    if all(isinstance(size, int) for size in top):
        w.top("Reshape", [x, w.ints(*(size for size in top if isinstance(size, int)))])
        return
    # what each axis of the top is: a size, -1 for the inferred one, or an axis of the bottom
    origins: list[int | tuple[int]] = [(axis,) for axis in range(d.start)]
    origins += [dim or (index,) for index, dim in enumerate(d.dims, d.start)]
    origins += [(axis,) for axis in range(d.end, len(dims))]
    w.top("Reshape", [x, _shape(w, x, dims, origins)])


def _shape(w: LayerWriter, x: str, dims: Dims, origins: list[int | tuple[int]]) -> str:
    """What Reshape is told: 0 copies an axis in its place, one -1 is what the others leave."""
    sizes: list[Dim] = []
    for index, origin in enumerate(origins):
        size = dims[origin[0]] if isinstance(origin, tuple) else origin
        sizes.append(0 if isinstance(size, str) and origin == (index,) else size)
    moved = [index for index, size in enumerate(sizes) if isinstance(size, str)]
    if len(moved) == 1 and -1 not in sizes:
        sizes[moved[0]] = -1
        moved = []
    if not moved:
        return w.ints(*(size for size in sizes if isinstance(size, int)))
    whole = w.emit("Shape", [x])
    parts = []
    for size, origin in zip(sizes, origins, strict=True):
        if isinstance(size, int):
            parts.append(w.ints(size))
        elif isinstance(origin, tuple):
            parts.append(w.emit("Gather", [whole, w.ints(*origin)]))
    return w.emit("Concat", parts, axis=0)
