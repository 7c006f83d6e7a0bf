"""PriorBox in ONNX: a constant where the sizes are fixed, else computed from them."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from caffegen.layer_types.prior_box import PriorBox

from .free import Dim, Dims
from .initialiser import Array
from .registry import writes
from .writer import LayerWriter


@writes("PriorBox")
def prior_box(w: LayerWriter, d: PriorBox) -> None:
    """An initialiser, for maps and images of fixed sizes; Range, Sub, Add and Div for free ones."""
    cells = _plane(w.bottom_dims[0])
    image = d.image or _plane(w.bottom_dims[1])
    fixed = [size for size in (*cells, *image) if isinstance(size, int)]
    if len(fixed) < 4:
        _computed(w, d, cells, image)
        return
    height, width, image_height, image_width = fixed

    def values() -> Array:
        return _priors(d, (height, width), (image_height, image_width))

    shape = (1, 2, height * width * len(d.boxes) * 4)
    w.top("Identity", [w.derived("priors", shape, values)])


def _plane(dims: Dims) -> tuple[Dim, Dim]:
    """Height and width, 1 for axes that are not there."""
    sizes = (*dims[2:], 1, 1)
    return sizes[0], sizes[1]


def _priors(d: PriorBox, cells: tuple[int, int], image: tuple[int, int]) -> Array:
    """The boxes as shares of the image, and the variances of each, (1, 2, 4 priors)."""
    step = d.step or (image[0] / cells[0], image[1] / cells[1])
    y, x = ((np.arange(cells[axis]) + d.offset) * step[axis] for axis in (0, 1))
    centres = np.stack(np.meshgrid(x, y), -1)[:, :, None]
    half = np.array(d.boxes) / 2
    whole = np.array((image[1], image[0]))
    corners = np.concatenate([(centres - half) / whole, (centres + half) / whole], -1)
    if d.clip:
        corners = corners.clip(0, 1)
    variances = np.broadcast_to(np.array(d.variances), corners.shape)
    return np.stack([corners.reshape(-1), variances.reshape(-1)])[None].astype(np.float32)


def _computed(w: LayerWriter, d: PriorBox, cells: tuple[Dim, Dim], image: tuple[Dim, Dim]) -> None:
    """The boxes of maps whose size is known when the model runs."""
    numbers = [_number(w, 0, axis, cells[axis]) for axis in (0, 1)]
    sizes = [_number(w, 1, axis, image[axis]) for axis in (0, 1)]
    lines = [_centres(w, d, axis, numbers[axis], sizes[axis]) for axis in (0, 1)]
    grid = w.emit("Concat", [*(_along(w, number) for number in numbers), w.ints(1, 1)], axis=0)
    # (H, W, 1, 2): x and y of every cell
    columns = w.emit("Expand", [w.emit("Reshape", [lines[1], w.ints(1, -1, 1, 1)]), grid])
    rows = w.emit("Expand", [w.emit("Reshape", [lines[0], w.ints(-1, 1, 1, 1)]), grid])
    centres = w.emit("Concat", [columns, rows], axis=3)
    half = w.constant((np.array(d.boxes) / 2).astype(np.float32))
    whole = w.emit(
        "Cast", [w.emit("Concat", [_along(w, sizes[1]), _along(w, sizes[0])], axis=0)],
        to=TensorProto.FLOAT,
    )  # fmt: skip
    ends = [w.emit("Div", [w.emit(op, [centres, half]), whole]) for op in ("Sub", "Add")]
    corners = w.emit("Concat", ends, axis=3)
    if d.clip:
        corners = w.emit("Clip", [corners, w.number(0), w.number(1)])
    one = w.constant(np.array(d.variances, np.float32))
    variances = w.emit("Expand", [one, w.emit("Shape", [corners])])
    both = [w.emit("Reshape", [x, w.ints(1, 1, -1)]) for x in (corners, variances)]
    w.top("Concat", both, axis=1)


def _number(w: LayerWriter, bottom: int, axis: int, size: Dim) -> str:
    """Height (axis 0) or width (axis 1) of a bottom as an int64 without axes."""
    if isinstance(size, int):
        return w.constant(np.array(size, np.int64))
    shape = w.emit("Shape", [w.bottoms[bottom]])
    return w.emit("Gather", [shape, w.constant(np.array(2 + axis, np.int64))])


def _along(w: LayerWriter, number: str) -> str:
    """A number without axes as a list of one."""
    return w.emit("Reshape", [number, w.ints(1)])


def _centres(w: LayerWriter, d: PriorBox, axis: int, number: str, size: str) -> str:
    """Where the cells have their centres along one axis, in pixels."""
    zero, one = (w.constant(np.array(value, np.int64)) for value in (0, 1))
    index = w.emit("Cast", [w.emit("Range", [zero, number, one])], to=TensorProto.FLOAT)
    moved = w.emit("Add", [index, w.number(d.offset)])
    if d.step is not None:
        return w.emit("Mul", [moved, w.number(d.step[axis])])
    parts = [w.emit("Cast", [x], to=TensorProto.FLOAT) for x in (size, number)]
    return w.emit("Mul", [moved, w.emit("Div", parts)])
