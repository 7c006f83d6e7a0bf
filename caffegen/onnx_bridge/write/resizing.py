"""Layers that bring pictures to another size, in ONNX."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from caffegen.layer_types.resizing import Interp, Resize, SimpleCrop, Upsample

from .four_axes import as_pictures
from .free import Dims
from .initialiser import Array
from .registry import writes
from .writer import LayerWriter, Target

__all__ = ["place_by_mask", "spread"]

Pair = tuple[int, int]


@writes("Interp")
def interp(w: LayerWriter, d: Interp) -> None:
    """Resize with corners aligned, behind a Slice where a margin is cut off; NEAREST by Gather."""
    x, dims = as_pictures(w)
    if d.begin or d.end:
        ends = w.ints(*[-d.end if d.end else 2**63 - 1] * 2)
        x = w.emit("Slice", [x, w.ints(d.begin, d.begin), ends, w.ints(2, 3)])
        dims = (*dims[:2], *(n if isinstance(n, str) else n - d.begin - d.end for n in dims[2:]))
    top = w.top_dims[0]
    if d.nearest:
        why = "the nearest of its pixels are picked by number"
        rows, columns = (
            w.constant(_nearest(w.fixed(dims, axis, why), w.fixed(top, axis, why)))
            for axis in (2, 3)
        )
        w.top("Gather", [w.emit("Gather", [x, rows], axis=2), columns], axis=3)
        return
    sizes = [n for n in top if isinstance(n, int)]
    wanted = w.ints(*sizes) if len(sizes) == 4 else _interp_sizes(w, x, d)
    w.top(
        "Resize", [x, "", "", wanted], mode="linear",
        coordinate_transformation_mode="align_corners",
    )  # fmt: skip


def _interp_sizes(w: LayerWriter, x: str, d: Interp) -> str:
    """The sizes of the top, computed in the graph: (n - 1) // shrink * zoom + 1."""
    whole = w.emit("Shape", [x])
    if d.like_bottom:
        size = w.emit("Gather", [w.emit("Shape", [w.bottoms[1]]), w.ints(2, 3)])
    elif d.size is not None:
        size = w.ints(*d.size)
    else:
        steps = w.emit("Sub", [w.emit("Gather", [whole, w.ints(2, 3)]), w.ints(1)])
        kept = w.emit("Div", [steps, w.ints(d.shrink)])
        size = w.emit("Add", [w.emit("Mul", [kept, w.ints(d.zoom)]), w.ints(1)])
    return w.emit("Concat", [w.emit("Gather", [whole, w.ints(0, 1)]), size], axis=0)


def _nearest(old: int, new: int) -> Array:
    """The index nearest to each of `new` places, in the single precision of util/interp.cpp."""
    step = np.float32(old - 1) / np.float32(max(1, new - 1))
    places = np.arange(new, dtype=np.float32) * step
    below = np.floor(places)
    share = places - below
    later = np.float32(1) - share <= share
    index: Array = np.minimum(below + later, old - 1).astype(np.int64)
    return index


@writes("Resize")
def resize(w: LayerWriter, d: Resize) -> None:  # noqa: ARG001 - no facts
    """Products with the weights of the rows and of the columns: no Resize has 0 behind the edge."""
    x, dims = as_pictures(w)
    why = "its pixels are weighted by number"
    sizes = [(w.fixed(dims, axis, why), w.fixed(w.top_dims[0], axis, why)) for axis in (2, 3)]
    rows, columns = (_from_corner(old, new) for old, new in sizes)
    spread(w, x, rows, columns)


def _from_corner(old: int, new: int) -> Array:
    """The weight of each old place in each new one: of the two around i * old / new."""
    places = np.arange(new, dtype=np.float32) * (np.float32(old) / np.float32(new))
    first = np.floor(places).astype(np.int64)
    weights = np.zeros((new, old + 1), np.float32)
    index = np.arange(new)
    weights[index, first] = 1 - (places - first)
    weights[index, first + 1] = places - first
    return weights[:, :old]


def spread(w: LayerWriter, x: str, rows: Array, columns: Array) -> None:
    """Top 0: the product of a matrix (new, old) for rows, the pictures, and one for columns."""
    left = w.derived("rows", rows.shape, lambda: rows)
    right = w.derived("columns", columns.T.shape, lambda: np.ascontiguousarray(columns.T))
    w.top("MatMul", [w.emit("MatMul", [left, x]), right])


@writes("Upsample")
def upsample(w: LayerWriter, d: Upsample) -> None:
    """Resize that repeats pixels, or ScatterElements where there is a mask."""
    if d.mask:
        place_by_mask(w, d.growth)
        return
    scales = w.constant(np.array([1, 1, d.scale, d.scale], np.float32))
    w.top(
        "Resize", [w.bottoms[0], "", scales], mode="nearest",
        coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )  # fmt: skip


def place_by_mask(w: LayerWriter, growth: tuple[Pair, Pair]) -> None:
    """Top 0: zeros, into which ScatterElements puts bottom 0 at the places of bottom 1.

    MaxUnpool of ONNX counts places over the whole blob, not over one plane.
    """
    dims, top = w.bottom_dims[0], w.top_dims[0]
    planes: Target = [(0,), (1,), (2, 3)]
    values = w.reshape(w.bottoms[0], dims, planes)
    places = w.emit("Cast", [w.bottoms[1]], to=TensorProto.INT64)
    places = w.reshape(places, dims, planes)
    shape, flat = _grown(w, top, growth)
    zeros = w.emit("ConstantOfShape", [flat])
    placed = w.emit("ScatterElements", [zeros, places, values], axis=2)
    w.top("Reshape", [placed, shape])


def _grown(w: LayerWriter, top: Dims, growth: tuple[Pair, Pair]) -> tuple[str, str]:
    """The shape of the top, and that with height and width as one axis."""
    sizes = [size for size in top if isinstance(size, int)]
    if len(sizes) == 4:
        return w.ints(*sizes), w.ints(*sizes[:2], sizes[2] * sizes[3])
    whole = w.emit("Shape", [w.bottoms[0]])
    batch = w.emit("Gather", [whole, w.ints(0, 1)])
    if isinstance(top[2], int) and isinstance(top[3], int):
        size, area = w.ints(top[2], top[3]), w.ints(top[2] * top[3])
    else:
        factors, summands = (w.ints(growth[0][i], growth[1][i]) for i in (0, 1))
        old = w.emit("Gather", [whole, w.ints(2, 3)])
        size = w.emit("Add", [w.emit("Mul", [old, factors]), summands])
        area = w.reduce("ReduceProd", size, [0])
    return w.emit("Concat", [batch, size], axis=0), w.emit("Concat", [batch, area], axis=0)


@writes("SimpleCrop")
def simple_crop(w: LayerWriter, d: SimpleCrop) -> None:
    """Refused: it reads the size of a blob that is not handed to it."""
    raise w.refusal(d.obstacle)
