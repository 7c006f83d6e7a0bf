"""InnerProduct and Embed in ONNX."""

from __future__ import annotations

from onnx import TensorProto

from caffegen.layer_types.inner_product import Embed, InnerProduct

from .registry import writes
from .writer import LayerWriter, Target


@writes("InnerProduct")
def inner_product(w: LayerWriter, d: InnerProduct) -> None:
    """Gemm behind a Flatten; transB, since a row of Caffe's weight is an output."""
    x, dims, axis = w.bottoms[0], w.bottom_dims[0], d.axis_index
    operands = [w.blob(0), w.blob(1)] if d.bias_term else [w.blob(0)]
    rows = x if len(dims) == 2 and axis == 1 else w.emit("Flatten", [x], axis=axis)
    rows_are_outputs = int(not d.transpose)
    if axis == 1:
        w.top("Gemm", [rows, *operands], transB=rows_are_outputs)
        return
    made = w.emit("Gemm", [rows, *operands], transB=rows_are_outputs)
    target: Target = [*((old,) for old in range(axis)), d.num_output]
    w.reshape(made, dims, target, source=x, into=w.tops[0])


@writes("Embed")
def embed(w: LayerWriter, d: Embed) -> None:
    """Gather of the rows, and Add where there is a bias."""
    rows = w.emit("Cast", [w.bottoms[0]], to=TensorProto.INT64)
    if not d.bias_term:
        w.top("Gather", [w.blob(0), rows], axis=0)
        return
    w.top("Add", [w.emit("Gather", [w.blob(0), rows], axis=0), w.blob(1)])
