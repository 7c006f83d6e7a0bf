"""Eltwise, Scale and Bias in ONNX."""

from __future__ import annotations

from caffegen.layer_types.elementwise import Bias, Eltwise, Scale

from .registry import writes
from .writer import LayerWriter

Shape = tuple[int, ...]


@writes("Eltwise")
def eltwise(w: LayerWriter, d: Eltwise) -> None:
    """Add or Sum, Max, or a chain of Mul."""
    if d.operation == "PROD":
        product, last = w.bottoms[0], w.bottoms[-1]
        for x in w.bottoms[1:-1]:
            product = w.emit("Mul", [product, x])
        w.top("Mul", [product, last])
    elif d.operation == "MAX":
        w.top("Max", w.bottoms)
    elif d.coeffs == (1, -1):
        w.top("Sub", w.bottoms)
    else:
        terms = [
            x if coeff == 1 else w.emit("Mul", [x, w.number(coeff)])
            for x, coeff in zip(w.bottoms, d.coeffs, strict=True)
        ]
        w.top("Add" if len(terms) == 2 else "Sum", terms)


@writes("Scale")
def scale(w: LayerWriter, d: Scale) -> None:
    """Mul, and Add where there is a bias."""
    factor = _operand(w, d)
    if not d.bias_term:
        w.top("Mul", [w.bottoms[0], factor])
        return
    index = len(d.blobs) - 1
    shape = d.blobs[index].shape
    rank = len(w.bottom_dims[0])
    # with a factor without axes the bias may still have some, from `axis` on
    axis = d.axis(d.raw_axis, rank) if shape else 0
    product = w.emit("Mul", [w.bottoms[0], factor])
    w.top("Add", [product, w.blob(index, _along(shape, axis, rank))])


@writes("Bias")
def bias(w: LayerWriter, d: Bias) -> None:
    """Add."""
    w.top("Add", [w.bottoms[0], _operand(w, d)])


def _operand(w: LayerWriter, d: Scale | Bias) -> str:
    """The factor or bias, with axes of 1 behind it so that it broadcasts along the right axes."""
    rank = len(w.bottom_dims[0])
    if not d.from_bottom:
        return w.blob(0, _along(d.operand_shape, d.axis_index, rank))
    dims = w.bottom_dims[1]
    behind = (1,) * (rank - d.axis_index - len(dims)) if dims else ()
    return w.reshape(w.bottoms[1], dims, [*((axis,) for axis in range(len(dims))), *behind])


def _along(shape: Shape, axis: int, rank: int) -> Shape:
    return (*shape, *(1,) * (rank - axis - len(shape))) if shape else ()
