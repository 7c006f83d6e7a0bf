"""Axpy and MatMul in ONNX."""

from __future__ import annotations

from caffegen.layer_types.products import Axpy, MatMul

from .registry import writes
from .writer import LayerWriter


@writes("Axpy")
def axpy(w: LayerWriter, _: Axpy) -> None:
    """Mul and Add, with the factors stretched over height and width."""
    factors, x, y = w.bottoms
    dims, rank = w.bottom_dims[0], len(w.bottom_dims[1])
    if len(dims) != rank:
        factors = w.reshape(factors, dims, [(0,), (1,), *(1,) * (rank - 2)])
    w.top("Add", [w.emit("Mul", [factors, x]), y])


@writes("MatMul")
def matmul(w: LayerWriter, d: MatMul) -> None:
    """MatMul, behind a Transpose of what is to be transposed."""
    operands = []
    for x, dims, transposed in zip(
        w.bottoms, w.bottom_dims, (d.transpose_a, d.transpose_b), strict=True
    ):
        *lead, row, column = range(len(dims))
        order = [*lead, column, row]
        operands.append(w.emit("Transpose", [x], perm=order) if transposed else x)
    w.top("MatMul", operands)
