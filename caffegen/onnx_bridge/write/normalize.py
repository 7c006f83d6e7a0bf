"""Normalize and L2Norm in ONNX."""

from __future__ import annotations

from caffegen.layer_types.normalize import L2Norm, Normalize, NormalizeBBox

from .four_axes import as_pictures
from .registry import writes
from .writer import LayerWriter


@writes("Normalize", "NormalizeBBox")
def normalize(w: LayerWriter, d: Normalize | NormalizeBBox) -> None:
    """A sum of powers, its root, a Div, and a Mul by SSD's factor."""
    if d.channel_shared is None:
        x, dims = as_pictures(w)
    else:
        x, dims = w.bottoms[0], w.bottom_dims[0]
    powers = w.emit("Abs", [x]) if d.power == 1 else w.emit("Mul", [x, x])
    norm = w.reduce("ReduceSum", powers, d.axes)
    if d.eps:
        norm = w.emit("Add", [norm, w.number(d.eps)])
    if d.power == 2:
        norm = w.emit("Sqrt", [norm])
    if d.channel_shared is None:
        w.top("Div", [x, norm])
        if d.norm_top:
            w.top("Identity", [norm], 1)
        return
    shape = () if d.channel_shared else (d.channels, *(1,) * (len(dims) - 2))
    w.top("Mul", [w.emit("Div", [x, norm]), w.blob(0, shape)])


@writes("L2Norm")
def l2_norm(w: LayerWriter, d: L2Norm) -> None:
    """A Div by the norm; a norm of (almost) nothing counts as 1e-6."""
    x = w.bottoms[0]
    norm = w.emit("Max", [w.reduce("ReduceL2", x, d.axes), w.number(1e-6)])
    if d.length == 1:
        w.top("Div", [x, norm])
    else:
        w.top("Mul", [w.emit("Div", [x, norm]), w.number(d.length**0.5)])
