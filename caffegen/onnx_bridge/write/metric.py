"""Accuracy and ArgMax in ONNX."""

from __future__ import annotations

from math import prod

import numpy as np
from onnx import TensorProto

from caffegen.layer_types.metric import Accuracy, ArgMax

from .free import Dims
from .loss import known_classes
from .registry import writes
from .writer import LayerWriter, Target

_TO_THE_FRONT = -(2**63)


@writes("Accuracy")
def accuracy(w: LayerWriter, d: Accuracy) -> None:
    """The true score by GatherElements, and a count of the scores that are not below it."""
    scores, dims, axis = w.bottoms[0], w.bottom_dims[0], d.axis_index
    target: Target = [(index,) if index != axis else 1 for index in range(len(dims))]
    classes, kept = known_classes(w, target, d.ignore_label)
    own = w.emit("GatherElements", [scores, classes], axis=axis)
    rivals = w.emit("GreaterOrEqual", [scores, own])
    rank = w.reduce("ReduceSum", _ones(w, rivals), [axis])
    hits = w.emit("LessOrEqual", [rank, w.number(d.top_k)])
    if kept is None:
        w.top("ReduceMean", [_ones(w, hits)], keepdims=0)
    else:
        hits = w.emit("And", [hits, kept])
        _share(w, _ones(w, hits), _ones(w, kept), None, 0)
    if len(w.tops) > 1:
        _per_class(w, d, classes, hits, kept)


def _per_class(w: LayerWriter, d: Accuracy, classes: str, hits: str, kept: str | None) -> None:
    """Top 1: a row of classes for each label, in which its own is marked, and the sums of these."""
    number = w.fixed(w.bottom_dims[0], d.axis_index, "top 1 has a share for each class")
    column = w.ints(-1, 1)
    rows = w.emit("Reshape", [classes, column])
    own = w.emit("Equal", [rows, w.constant(np.arange(number, dtype=np.int64))])
    if kept is not None:
        own = w.emit("And", [own, w.emit("Reshape", [kept, column])])
    right = w.emit("And", [own, w.emit("Reshape", [hits, column])])
    _share(w, _ones(w, right), _ones(w, own), 0, 1)


def _share(w: LayerWriter, part: str, whole: str, axis: int | None, top: int) -> None:
    """The sum of one by the sum of the other, along an axis or of all; 0 where there is nothing."""
    axes = [] if axis is None else [w.ints(axis)]
    counted, total = (w.emit("ReduceSum", [x, *axes], keepdims=0) for x in (part, whole))
    w.top("Div", [counted, w.emit("Max", [total, w.number(1)])], top)


def _ones(w: LayerWriter, marks: str) -> str:
    return w.emit("Cast", [marks], to=TensorProto.FLOAT)


@writes("ArgMax")
def argmax(w: LayerWriter, d: ArgMax) -> None:
    """ArgMax and ReduceMax for the largest value, TopK for several; places become floats."""
    x, dims = w.bottoms[0], w.bottom_dims[0]
    if d.axis_index is not None:
        chosen = _Largest(w, x, dims, d.axis_index, d.top_k)
        if d.out_max_val:
            chosen.values(w.tops[0])
        else:
            chosen.places(w.tops[0])
        return
    sizes = [size for size in dims[1:] if isinstance(size, int)]
    flat: Dims = (dims[0], prod(sizes) if len(sizes) == len(dims) - 1 else "")
    items = x if len(dims) == 2 else w.emit("Flatten", [x], axis=1)
    chosen = _Largest(w, items, flat, 1, d.top_k)
    target: Target = [(0,), 1, d.top_k, *(1,) * (len(dims) - 3)]
    found: Dims = (dims[0], d.top_k)
    if not d.out_max_val:
        w.reshape(chosen.places(), found, target, into=w.tops[0])
        return
    rows = [w.reshape(row, found, target) for row in (chosen.places(), chosen.values())]
    w.top("Concat", rows, axis=1)


class _Largest:
    """The largest values along an axis, and their places: of equal ones the last comes first."""

    def __init__(self, w: LayerWriter, x: str, dims: Dims, axis: int, number: int) -> None:
        self.w = w
        self.x = x
        self.size = dims[axis]
        self.axis = axis
        self.number = number
        self.found: list[str] = []

    def top_k(self) -> list[str]:
        """Values and places from the end: TopK prefers the first of equal ones."""
        if not self.found:
            w = self.w
            backwards = [w.ints(-1), w.ints(_TO_THE_FRONT), w.ints(self.axis), w.ints(-1)]
            turned = w.emit("Slice", [self.x, *backwards])
            self.found = w.emit_many("TopK", [turned, w.ints(self.number)], 2, axis=self.axis)
        return self.found

    def values(self, into: str | None = None) -> str:
        """The values, the largest first."""
        if self.number == 1:
            return self.w.reduce("ReduceMax", self.x, [self.axis], into=into)
        found = self.top_k()[0]
        return found if into is None else self.w.emit("Identity", [found], into=into)

    def places(self, into: str | None = None) -> str:
        """Their places, as floats."""
        w = self.w
        if self.number == 1:
            place = w.emit("ArgMax", [self.x], axis=self.axis, keepdims=1, select_last_index=1)
        else:
            place = w.emit("Sub", [self.last_place(), self.top_k()[1]])
        return w.emit("Cast", [place], into=into, to=TensorProto.FLOAT)

    def last_place(self) -> str:
        """The largest place there is."""
        w = self.w
        if isinstance(self.size, int):
            return w.ints(self.size - 1)
        size = w.emit("Gather", [w.emit("Shape", [self.x]), w.ints(self.axis)])
        return w.emit("Sub", [size, w.ints(1)])
