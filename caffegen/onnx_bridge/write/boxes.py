"""Boxes as corners in ONNX: decoded from what a net says of priors, and compared."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from caffegen.layer_types.detection import DetectionOutput

from .writer import LayerWriter

__all__ = ["Corners", "decoded"]


def decoded(w: LayerWriter, d: DetectionOutput, said: str) -> str:
    """Boxes (..., P, 4) from locations of that shape and the priors (bbox_util.cpp, DecodeBBox)."""
    both = w.emit("Reshape", [w.bottoms[2], w.ints(2, -1, 4)])
    first, second = (w.constant(np.array(index, np.int64)) for index in (0, 1))
    priors = Corners(w, w.emit("Gather", [both, first], axis=0))
    if not d.variance_encoded_in_target:
        said = w.emit("Mul", [said, w.emit("Gather", [both, second], axis=0)])
    if d.code_type == "CORNER":
        return w.emit("Add", [priors.boxes, said])
    sizes = w.emit("Sub", [priors.high, priors.low])
    if d.code_type == "CORNER_SIZE":
        twice = w.emit("Concat", [sizes, sizes], axis=-1)
        return w.emit("Add", [priors.boxes, w.emit("Mul", [said, twice])])
    parts = Corners(w, said)
    total = w.emit("Add", [priors.low, priors.high])
    middle = w.emit("Mul", [total, w.number(0.5)])
    centre = w.emit("Add", [w.emit("Mul", [parts.low, sizes]), middle])
    size = w.emit("Mul", [w.emit("Exp", [parts.high]), sizes])
    half = w.emit("Mul", [size, w.number(0.5)])
    ends = [w.emit(op, [centre, half]) for op in ("Sub", "Add")]
    return w.emit("Concat", ends, axis=-1)


class Corners:
    """Boxes (..., 4) and the two halves of their last axis."""

    def __init__(self, w: LayerWriter, boxes: str) -> None:
        self.w = w
        self.boxes = boxes
        self.low = self.part(boxes, 0)
        self.high = self.part(boxes, 2)

    def part(self, boxes: str, begin: int) -> str:
        """Two of the four values of each box."""
        w = self.w
        return w.emit("Slice", [boxes, w.ints(begin), w.ints(begin + 2), w.ints(-1)])

    def upright(self) -> Corners:
        """The boxes; those whose corners are swapped without any size.

        ONNX turns such corners round (NonMaxSuppression), in Caffe the boxes overlap nothing.
        """
        w = self.w
        right = w.emit("GreaterOrEqual", [self.high, self.low])
        ones = w.emit("Cast", [right], to=TensorProto.FLOAT)
        both = w.emit("Cast", [w.reduce("ReduceMin", ones, [-1])], to=TensorProto.BOOL)
        high = w.emit("Where", [both, self.high, self.low])
        return Corners(w, w.emit("Concat", [self.low, high], axis=-1))

    def areas(self) -> str:
        """Width times height."""
        w = self.w
        return w.reduce("ReduceProd", w.emit("Sub", [self.high, self.low]), [-1], keepdims=False)

    def shared(self, box: str) -> str:
        """The area that each box shares with another one, broadcast against it."""
        w = self.w
        low = w.emit("Max", [self.low, self.part(box, 0)])
        high = w.emit("Min", [self.high, self.part(box, 2)])
        sides = w.emit("Relu", [w.emit("Sub", [high, low])])
        return w.reduce("ReduceProd", sides, [-1], keepdims=False)
