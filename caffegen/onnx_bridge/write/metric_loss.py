"""Losses of distance in ONNX: their values."""

from __future__ import annotations

from caffegen.layer_types.metric_loss import CenterLoss, L1Loss, TripletLoss

from .loss import _like_first, _one_per_item, _rows, _size
from .registry import writes
from .writer import LayerWriter


@writes("L1Loss")
def l1_loss(w: LayerWriter, d: L1Loss) -> None:  # noqa: ARG001 - no facts
    """ReduceSum of the Abs of the difference, by the batch."""
    difference = w.emit("Sub", [w.bottoms[0], _like_first(w)])
    total = w.emit("ReduceSum", [w.emit("Abs", [difference])], keepdims=0)
    w.top("Div", [total, _size(w, w.bottoms[0], w.bottom_dims[0], [0])])


@writes("TripletLoss")
def triplet_loss(w: LayerWriter, d: TripletLoss) -> None:
    """Relu of the difference of two squared distances, and half its mean."""
    anchors, likes, others = (_rows(w, index) for index in range(3))
    near, far = (
        w.reduce("ReduceSumSquare", w.emit("Sub", [anchors, x]), [1]) for x in (likes, others)
    )
    apart = w.emit("Add", [w.emit("Sub", [near, far]), w.number(d.margin)])
    mean = w.emit("ReduceMean", [w.emit("Relu", [apart])], keepdims=0)
    w.top("Mul", [mean, w.number(0.5)])


@writes("CenterLoss")
def center_loss(w: LayerWriter, d: CenterLoss) -> None:
    """The distance to the rows of the centres that Gather picks."""
    labels = w.emit("Reshape", [_one_per_item(w, 1), w.ints(-1)])
    centers = w.emit("Gather", [w.blob(0), labels], axis=0)
    difference = w.emit("Sub", [_rows(w, 0), centers])
    if d.distance_type == "L1":
        total = w.emit("ReduceSum", [w.emit("Abs", [difference])], keepdims=0)
    else:
        squares = w.emit("ReduceSumSquare", [difference], keepdims=0)
        total = w.emit("Mul", [squares, w.number(0.5)])
    w.top("Div", [total, _size(w, w.bottoms[0], w.bottom_dims[0], [0])])
