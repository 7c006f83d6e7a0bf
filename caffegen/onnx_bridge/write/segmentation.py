"""Rarer layers of segmentation in ONNX."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from caffegen.layer_types.segmentation import (
    AssistedExcitation,
    ConfusionMatrix,
    MultiStageMeanfield,
    SegmentationEvaluate,
)

from .registry import writes
from .writer import LayerWriter


@writes("ConfusionMatrix")
def confusion_matrix(w: LayerWriter, d: ConfusionMatrix) -> None:
    """MatMul of OneHot of the true and of the best classes, each row by its sum."""
    floor = w.emit("Max", [w.bottoms[0], w.number(-1)])
    best = w.emit("ArgMax", [floor], axis=d.axis_index, keepdims=0)
    true = w.emit("Cast", [w.bottoms[1]], to=TensorProto.INT64)
    seen, wanted = (_one_hot(w, numbers, d.classes) for numbers in (best, true))
    counts = w.emit("MatMul", [w.emit("Transpose", [wanted], perm=[1, 0]), seen])
    w.top("Div", [counts, w.emit("ReduceSum", [counts, w.ints(1)], keepdims=1)])


def _one_hot(w: LayerWriter, numbers: str, classes: int) -> str:
    flat = w.emit("Reshape", [numbers, w.ints(-1)])
    depth = w.constant(np.array(classes, np.int64))
    return w.emit("OneHot", [flat, depth, w.constant(np.array([0, 1], np.float32))], axis=1)


@writes("SegmentationEvaluate")
def segmentation_evaluate(w: LayerWriter, d: SegmentationEvaluate) -> None:
    """ReduceSum of And, by that of Or, of the first item's masks."""
    masks = []
    for x in w.bottoms:
        first = w.emit("Slice", [x, w.ints(0), w.ints(1), w.ints(0)])
        rows = w.emit("Reshape", [first, w.ints(1, 1, w.fixed(w.top_dims[0], 3, "its masks"), -1)])
        masks.append(w.emit("Greater", [rows, w.number(d.threshold)]))
    both, any_of = (
        w.emit("ReduceSum", [w.emit("Cast", [w.emit(op, masks)], to=TensorProto.FLOAT), w.ints(3)],
               keepdims=0)
        for op in ("And", "Or")
    )  # fmt: skip
    shares = w.emit("Div", [both, w.emit("Max", [any_of, w.number(1)])])
    w.top("Unsqueeze", [shares, w.ints(0)])


@writes("AssistedExcitation")
def assisted_excitation(w: LayerWriter, d: AssistedExcitation) -> None:  # noqa: ARG001 - refused
    """Refused: it depends on the iteration."""
    raise w.refusal("it depends on how far the training has gone; leave it out")


@writes("MultiStageMeanfield")
def multi_stage_meanfield(w: LayerWriter, d: MultiStageMeanfield) -> None:  # noqa: ARG001 - refused
    """Refused: it filters on a lattice."""
    raise w.refusal(
        "it filters on a permutohedral lattice, an approximation that follows its implementation"
    )
