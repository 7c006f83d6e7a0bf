"""Layers for sequences without an alignment, in ONNX; there is no CTC loss in it."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, numpy_helper

from caffegen.layer_types.sequence import (
    ContinuationIndicator,
    CTCLoss,
    CtcLoss,
    LabelsequenceAccuracy,
)

from .registry import writes
from .writer import LayerWriter

# behind the end of a sequence; no label is so low
_NOTHING = -(2**40)


@writes("ContinuationIndicator")
def continuation_indicator(w: LayerWriter, d: ContinuationIndicator) -> None:
    """A constant; for a free batch Expand of a column."""
    items = w.top_dims[0][1]
    column = np.ones((d.time_step, 1), np.float32)
    column[0] = 0
    if isinstance(items, int):
        w.top("Expand", [w.constant(column), w.ints(d.time_step, items)])
        return
    size = w.emit("Gather", [w.emit("Shape", [w.bottoms[0]]), w.ints(d.axis_index)])
    shape = w.emit("Concat", [w.ints(d.time_step), size], axis=0)
    w.top("Expand", [w.constant(column), shape])


@writes("CTCLoss", "CtcLoss")
def ctc_loss(w: LayerWriter, d: CTCLoss | CtcLoss) -> None:  # noqa: ARG001 - refused
    """Refused: a sum over paths, step by step."""
    raise w.refusal(
        "ONNX has no CTC loss; take the scores that it reads, "
        f"`{w.node.message.bottom[0]}`, as the output"
    )


@writes("LabelsequenceAccuracy")
def labelsequence_accuracy(w: LayerWriter, d: LabelsequenceAccuracy) -> None:
    """ArgMax, what is kept put side by side by CumSum and ScatterElements, and a comparison."""
    steps = w.fixed(w.bottom_dims[0], 1, "its steps are compared one by one")
    columns = w.fixed(w.bottom_dims[1], 1, "its labels are compared one by one")
    best = w.emit("ArgMax", [w.bottoms[0]], axis=2, keepdims=0)
    blank = w.constant(np.array(d.blank, np.int64))
    # what comes before the first step is a blank
    shifted = w.emit("Slice", [best, w.ints(0), w.ints(steps - 1), w.ints(1)])
    begin = w.emit(
        "ConstantOfShape", [_column(w, best)],
        value=numpy_helper.from_array(np.array([d.blank], np.int64)),
    )  # fmt: skip
    before = w.emit("Concat", [begin, shifted], axis=1) if steps > 1 else begin
    unlike = w.emit("Not", [w.emit("Equal", [best, before])])
    said = w.emit("Not", [w.emit("Equal", [best, blank])])
    kept = w.emit("And", [unlike, said])
    labels = w.bottoms[1]
    given = w.emit("Not", [w.emit("Equal", [labels, w.number(d.blank)])])
    whole = w.emit("Cast", [labels], to=TensorProto.INT64)
    nothing = w.constant(np.array(_NOTHING, np.int64))
    packed = []
    width = steps + columns
    sizes = w.emit("Concat", [_rows(w, best), w.ints(width)], axis=0)
    empty = w.emit(
        "ConstantOfShape", [sizes], value=numpy_helper.from_array(np.array([_NOTHING], np.int64))
    )
    for numbers, mask in ((best, kept), (whole, given)):
        counted = w.emit("CumSum", [w.emit("Cast", [mask], to=TensorProto.INT64), w.ints(1)])
        place = w.emit("Sub", [counted, w.ints(1)])
        # the last column is never reached by what is kept
        place = w.emit("Where", [mask, place, w.ints(width - 1)])
        values = w.emit("Where", [mask, numbers, nothing])
        packed.append(w.emit("ScatterElements", [empty, place, values], axis=1))
    equal = w.emit("Cast", [w.emit("Equal", packed)], to=TensorProto.FLOAT)
    w.top("ReduceMean", [w.reduce("ReduceMin", equal, [1])], keepdims=0)


def _rows(w: LayerWriter, x: str) -> str:
    """The number of rows of a value, as a list of one."""
    return w.emit("Gather", [w.emit("Shape", [x]), w.ints(0)])


def _column(w: LayerWriter, x: str) -> str:
    """The shape of one column of a value."""
    return w.emit("Concat", [_rows(w, x), w.ints(1)], axis=0)
