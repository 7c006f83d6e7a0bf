"""SegAccuracy in ONNX."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from caffegen.layer_types.seg_accuracy import SegAccuracy

from .four_axes import as_pictures
from .registry import writes
from .writer import LayerWriter


@writes("SegAccuracy")
def seg_accuracy(w: LayerWriter, d: SegAccuracy) -> None:
    """ArgMax and OneHot, whose product counts pairs of classes; the measures from its sums."""
    x, dims = as_pictures(w)
    classes = w.fixed(dims, 1, "its classes are counted one by one")
    best = w.emit("ArgMax", [x], axis=1, keepdims=0, select_last_index=1)
    labels = w.emit("Cast", [w.bottoms[1]], to=TensorProto.INT64)
    seen = _one_hot(w, best, classes)
    true = _one_hot(w, labels, classes)
    for label in d.ignore_labels:
        flat = w.emit("Reshape", [labels, w.ints(-1, 1)])
        kept = w.emit("Not", [w.emit("Equal", [flat, w.constant(np.array(label, np.int64))])])
        true = w.emit("Mul", [true, w.emit("Cast", [kept], to=TensorProto.FLOAT)])
    counts = w.emit("MatMul", [w.emit("Transpose", [true], perm=[1, 0]), seen])
    unit = w.constant(np.eye(classes, dtype=np.float32))
    hits = w.reduce("ReduceSum", w.emit("Mul", [counts, unit]), [1], keepdims=False)
    truth = w.reduce("ReduceSum", counts, [1], keepdims=False)
    union = w.emit(
        "Sub", [w.emit("Add", [truth, w.reduce("ReduceSum", counts, [0], keepdims=False)]), hits]
    )
    accuracy = _share(w, w.reduce("ReduceSum", hits, [0]), w.reduce("ReduceSum", truth, [0]))
    there = w.emit("Cast", [w.emit("Greater", [truth, w.number(0)])], to=TensorProto.FLOAT)
    recalls = w.reduce("ReduceSum", _share(w, hits, truth), [0])
    recall = _share(w, recalls, w.reduce("ReduceSum", there, [0]))
    any_at_all = w.emit("Greater", [union, w.number(0)])
    overlaps = w.emit("Where", [any_at_all, _share(w, hits, union), w.number(1)])
    overlap = w.reduce("ReduceMean", overlaps, [0])
    three = w.emit("Concat", [accuracy, recall, overlap], axis=0)
    w.top("Reshape", [three, w.ints(1, 1, 1, 3)])


def _one_hot(w: LayerWriter, numbers: str, classes: int) -> str:
    """A row for each number, 1 in its column."""
    flat = w.emit("Reshape", [numbers, w.ints(-1)])
    values = w.constant(np.array([0, 1], np.float32))
    return w.emit("OneHot", [flat, w.ints(classes), values], axis=1)


def _share(w: LayerWriter, part: str, whole: str) -> str:
    """A quotient; 0 of nothing is 0."""
    return w.emit("Div", [part, w.emit("Max", [whole, w.number(1)])])
