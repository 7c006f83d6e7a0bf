"""R-FCN's losses of hard examples in ONNX, and the refusal of their choice."""

from __future__ import annotations

from caffegen.layer_types.ohem import BoxAnnotatorOHEM, SmoothL1LossOHEM, SoftmaxWithLossOHEM

from .cross_entropy import _FLT_MIN, _normalise, _softmax
from .loss import _cost, _like_first, known_classes
from .registry import writes
from .smooth_l1_loss import smooth_l1, weights
from .writer import LayerWriter, Target


@writes("SoftmaxWithLossOHEM")
def softmax_with_loss_ohem(w: LayerWriter, d: SoftmaxWithLossOHEM) -> None:
    """As SoftmaxWithLoss; the losses of all labels are top 2."""
    axis = d.axis_index
    target: Target = [(index,) if index != axis else 1 for index in range(len(w.bottom_dims[0]))]
    classes, kept = known_classes(w, target, d.ignore_label)
    own = w.emit("GatherElements", [_softmax(w, axis), classes], axis=axis)
    losses = _cost(w, own, _FLT_MIN)
    _normalise(w, d, losses, kept, range(axis))
    if len(w.tops) > 2:
        each = losses if kept is None else w.emit("Where", [kept, losses, w.number(0)])
        w.top("Reshape", [each, w.emit("Shape", [w.bottoms[1]])], 2)


@writes("SmoothL1LossOHEM")
def smooth_l1_loss_ohem(w: LayerWriter, d: SmoothL1LossOHEM) -> None:
    """Smooth L1 of weighted differences; the sums over the channels are top 1."""
    difference = w.emit("Sub", [w.bottoms[0], _like_first(w)])
    if len(w.bottoms) > 2:
        difference = w.emit("Mul", [difference, weights(w, 2)])
    losses = smooth_l1(w, difference)
    axes = len(w.bottom_dims[0])
    if axes < 4:
        losses = w.emit("Unsqueeze", [losses, w.ints(*range(axes, 4))])
    each = w.reduce("ReduceSum", losses, [1], into=w.tops[1] if len(w.tops) > 1 else None)
    _normalise(w, d, each, None, [0])


@writes("BoxAnnotatorOHEM")
def box_annotator_ohem(w: LayerWriter, d: BoxAnnotatorOHEM) -> None:  # noqa: ARG001 - as every writer
    """Refused: it serves training alone."""
    raise w.refusal("it picks the hardest boxes to train on, and a model to be run does not train")
