"""SmoothL1Loss in ONNX: its value."""

from __future__ import annotations

from caffegen.layer_types.smooth_l1_loss import SmoothL1Loss

from .loss import _like_first, _size
from .registry import writes
from .writer import LayerWriter

__all__ = ["smooth_l1"]


def smooth_l1(
    w: LayerWriter, difference: str, sigma_squared: float = 1.0, turn_point: float = 1.0
) -> str:
    """The loss of each difference, one of `sigma_squared` and `turn_point` being 1."""
    size = w.emit("Abs", [difference])
    square = w.emit("Mul", [difference, difference])
    curve = w.emit("Mul", [square, w.number(0.5 * sigma_squared)])
    end = 1 / sigma_squared if turn_point == 1 else turn_point
    fall = 0.5 * end if turn_point == 1 else turn_point - 0.5 * turn_point * turn_point
    line = w.emit("Sub", [size, w.number(fall)])
    return w.emit("Where", [w.emit("Less", [size, w.number(end)]), curve, line])


@writes("SmoothL1Loss")
def smooth_l1_loss(w: LayerWriter, d: SmoothL1Loss) -> None:
    """Where on a half square and a line, with weights before and behind it, and ReduceSum."""
    difference = w.emit("Sub", [w.bottoms[0], _like_first(w)])
    if len(w.bottoms) > 2:
        difference = w.emit("Mul", [difference, weights(w, 2)])
    if d.with_sigma:
        losses = smooth_l1(w, difference, d.sigma_squared)
    else:
        losses = smooth_l1(w, difference, turn_point=d.turn_point)
    if len(w.bottoms) > 3:
        losses = w.emit("Mul", [losses, weights(w, 3)])
    if not d.by_batch:
        w.top("ReduceSum", [losses], keepdims=0)
        return
    total = w.emit("ReduceSum", [losses], keepdims=0)
    w.top("Div", [total, _size(w, w.bottoms[0], w.bottom_dims[0], [0])])


def weights(w: LayerWriter, bottom: int) -> str:
    """A further bottom in the shape of bottom 0."""
    if w.bottom_dims[bottom] == w.bottom_dims[0]:
        return w.bottoms[bottom]
    return w.emit("Reshape", [w.bottoms[bottom], w.emit("Shape", [w.bottoms[0]])])
