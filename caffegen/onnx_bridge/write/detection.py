"""DetectionOutput in ONNX, row for row in Caffe's order, and the refusal of DetectionEvaluate.

Of every image and class the candidates are sorted first, so that a box's place in the table of
(images, classes, candidates) is its place in the output too: whatever order a runtime gives to the
result of NonMaxSuppression, it only marks places in that table.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from caffegen.layer_types.detection import DetectionEvaluate, DetectionOutput

from .boxes import Corners, decoded
from .free import Dim
from .registry import writes
from .writer import LayerWriter

# no score is below this, and none that counts is equal to it (detection_output_layer.cpp: -FLT_MAX)
_LOWEST = float(np.finfo(np.float32).min)
_INT_MAX = 2**31 - 1


@writes("DetectionEvaluate")
def detection_evaluate(w: LayerWriter, d: DetectionEvaluate) -> None:  # noqa: ARG001 - as every writer
    """Refused: it measures a detector, and a model that is run has no truth to measure by."""
    raise w.refusal(
        "it holds detections against the boxes that are really there, which is a test's work and "
        "no model's; ask for its bottom as the output"
    )


@writes("DetectionOutput")
def detection_output(w: LayerWriter, d: DetectionOutput) -> None:
    """Decoded boxes, TopK for each class, NonMaxSuppression, TopK for each image, NonZero."""
    if not d.labels or d.top_k == 0 or d.keep_top_k == 0:
        w.top("Unsqueeze", [_nothing(w), w.ints(0, 1)])
        return
    _Detections(w, d).write()


class _Detections:
    """The values between the nodes; L labels, K candidates of each, all as it runs."""

    def __init__(self, w: LayerWriter, d: DetectionOutput) -> None:
        self.w = w
        self.d = d
        self.labels = w.constant(np.array(d.labels, np.int64))
        priors = w.bottom_dims[2][2]
        self.priors: Dim = priors // 4 if isinstance(priors, int) else priors
        self.limit: int | None = None
        if isinstance(self.priors, int):
            self.limit = self.priors if d.top_k < 0 else min(d.top_k, self.priors)

    def write(self) -> None:
        """All of it."""
        w = self.w
        best, order = self.candidates()
        boxes = self.chosen(order)
        lanes = w.emit("Flatten", [best], axis=2)
        kept = self.limited(best, self.survivors(lanes, boxes))
        places = w.emit("Transpose", [w.emit("NonZero", [kept])], perm=[1, 0])
        rows = self.rows(places, w.emit("Flatten", [best], axis=1), boxes)
        # behind the rows stands what is given where there are none
        nothing = _nothing(w)
        number, images = (
            w.emit("Slice", [w.emit("Shape", [x]), w.ints(0), w.ints(1)]) for x in (rows, nothing)
        )
        empty = w.emit("Equal", [number, w.ints(0)])
        end = w.emit("Where", [empty, images, number])
        both = w.emit("Concat", [rows, nothing], axis=0)
        w.top("Unsqueeze", [w.emit("Slice", [both, w.ints(0), end, w.ints(0)]), w.ints(0, 1)])

    def candidates(self) -> tuple[str, str]:
        """Scores and priors (N, L, K) of the best candidates, best first."""
        w, d = self.w, self.d
        table = w.emit("Reshape", [w.bottoms[1], w.ints(0, -1, d.num_classes)])
        table = w.emit("Transpose", [table], perm=[0, 2, 1])
        if len(d.labels) < d.num_classes:
            table = w.emit("Gather", [table, self.labels], axis=1)
        best, order = w.emit_many("TopK", [table, self.count(table)], 2, axis=2)
        return best, order

    def count(self, table: str) -> str:
        """K: how many candidates of each class are looked at."""
        w = self.w
        if self.limit is not None:
            return w.ints(self.limit)
        all_of_them = w.emit("Slice", [w.emit("Shape", [table]), w.ints(2), w.ints(3)])
        if self.d.top_k < 0:
            return all_of_them
        return w.emit("Min", [all_of_them, w.ints(self.d.top_k)])

    def chosen(self, order: str) -> str:
        """The candidates' boxes (N, L K, 4)."""
        w, d = self.w, self.d
        if d.share_location:
            flat = w.emit("Flatten", [order], axis=1)
            boxes = decoded(w, d, w.emit("Reshape", [w.bottoms[0], w.ints(0, -1, 4)]))
            return w.emit("GatherND", [boxes, w.emit("Unsqueeze", [flat, w.ints(2)])], batch_dims=1)
        said = w.emit("Reshape", [w.bottoms[0], w.ints(0, -1, d.num_classes, 4)])
        said = w.emit("Transpose", [said], perm=[0, 2, 1, 3])
        boxes = decoded(w, d, w.emit("Gather", [said, self.labels], axis=1))
        index = w.emit("Unsqueeze", [order, w.ints(3)])
        found = w.emit("GatherND", [boxes, index], batch_dims=2)
        return w.emit("Reshape", [found, w.ints(0, -1, 4)])

    def survivors(self, lanes: str, boxes: str) -> str:
        """1 for each candidate (N L, K) that no better one drives out, 0 for the others."""
        w, d = self.w, self.d
        threshold = _LOWEST if d.confidence_threshold is None else d.confidence_threshold
        if d.nms_threshold > 1:
            above = w.emit("Greater", [lanes, w.number(threshold)])
            return w.emit("Cast", [above], to=TensorProto.FLOAT)
        if self.limit is None:
            shape = w.emit("Concat", [w.emit("Shape", [lanes]), w.ints(4)], axis=0)
        else:
            shape = w.ints(-1, self.limit, 4)
        corners = Corners(w, w.emit("Reshape", [boxes, shape]))
        if d.code_type != "CENTER_SIZE":
            corners = corners.upright()
        if d.adaptive:
            return self.survivors_one_by_one(lanes, corners, threshold)
        marks = [w.constant(np.array([x], np.float32)) for x in (d.nms_threshold, threshold)]
        most = w.ints(_INT_MAX if self.limit is None else self.limit)
        scores = w.emit("Unsqueeze", [lanes, w.ints(1)])
        found = w.emit("NonMaxSuppression", [corners.boxes, scores, most, *marks])
        places = w.emit("Gather", [found, w.ints(0, 2)], axis=1)
        number = w.emit("Slice", [w.emit("Shape", [found]), w.ints(0), w.ints(1)])
        ones = w.emit("ConstantOfShape", [number], value=_value(1))
        zeros = w.emit("ConstantOfShape", [w.emit("Shape", [lanes])], value=_value(0))
        return w.emit("ScatterND", [zeros, places, ones])

    def survivors_one_by_one(self, lanes: str, corners: Corners, threshold: float) -> str:
        """As `survivors`, where the threshold falls with each that stays: a Scan over candidates."""
        w, d = self.w, self.d
        alive = w.emit("Transpose", [w.emit("Greater", [lanes, w.number(threshold)])], perm=[1, 0])
        number = w.emit("Gather", [w.emit("Shape", [lanes]), w.constant(np.array(1, np.int64))])
        zero, one = (w.constant(np.array(value, np.int64)) for value in (0, 1))
        places = w.emit("Range", [zero, number, one])
        zeros = w.emit("ConstantOfShape", [w.emit("Shape", [lanes])], value=_value(0))
        first = w.emit("Gather", [lanes, w.ints(0)], axis=1)
        limits = w.emit(
            "ConstantOfShape", [w.emit("Shape", [first])], value=_value(d.nms_threshold)
        )
        turned = w.emit("Transpose", [corners.boxes], perm=[1, 0, 2])
        areas = corners.areas()
        names = [w.own_name(word) for word in ("kept", "limit", "box", "alive_now", "place")]
        kept, limit, box, now, place = names
        start = len(w.graph.nodes)
        shared = corners.shared(w.emit("Unsqueeze", [box, w.ints(1)]))
        own = w.emit("Gather", [areas, place], axis=1)
        own = w.emit("Unsqueeze", [own, w.ints(1)])
        overlap = w.emit("Div", [shared, w.emit("Sub", [w.emit("Add", [own, areas]), shared])])
        over = w.emit("Cast", [w.emit("Greater", [overlap, limit])], to=TensorProto.FLOAT)
        beaten = w.reduce("ReduceMax", w.emit("Mul", [over, kept]), [1], keepdims=False)
        free = w.emit("Not", [w.emit("Cast", [beaten], to=TensorProto.BOOL)])
        stays = w.emit("And", [free, now])
        column = w.emit("Unsqueeze", [stays, w.ints(1)])
        here = w.emit("And", [column, w.emit("Equal", [places, place])])
        kept_now = w.emit("Where", [here, w.number(1), kept])
        high = w.emit("Greater", [limit, w.number(0.5)])
        falls = w.emit("And", [column, high])
        limit_now = w.emit("Where", [falls, w.emit("Mul", [limit, w.number(d.eta)]), limit])
        nodes = w.graph.nodes[start:]
        del w.graph.nodes[start:]
        kinds = (TensorProto.FLOAT,) * 3 + (TensorProto.BOOL, TensorProto.INT64)
        body = helper.make_graph(
            nodes,
            w.own_name("candidate"),
            [
                helper.make_tensor_value_info(name, kind, None)
                for name, kind in zip(names, kinds, strict=True)
            ],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
                for name in (kept_now, limit_now)
            ],
        )
        inputs = [zeros, limits, turned, alive, places]
        return w.emit_many("Scan", inputs, 2, body=body, num_scan_inputs=3)[0]

    def limited(self, best: str, kept: str) -> str:
        """What is kept as (N, L K), and of each image the best `keep_top_k`."""
        w, d = self.w, self.d
        number = len(d.labels)
        flat = w.reshape(best, (w.bottom_dims[0][0], number, self.limit or ""), [(0,), (1, 2)])
        shape = w.emit("Shape", [flat])
        mask = w.emit("Reshape", [kept, shape])
        most = None if self.limit is None else number * self.limit
        if d.keep_top_k < 0 or (most is not None and most <= d.keep_top_k):
            return mask
        taken = w.emit("Cast", [mask], to=TensorProto.BOOL)
        scores = w.emit("Where", [taken, flat, w.number(_LOWEST)])
        limit = w.ints(d.keep_top_k)
        if most is None:
            there = w.emit("Slice", [shape, w.ints(1), w.ints(2)])
            limit = w.emit("Min", [there, limit])
        _, index = w.emit_many("TopK", [scores, limit], 2, axis=1)
        zeros = w.emit("ConstantOfShape", [shape], value=_value(0))
        marked = w.emit("GatherElements", [mask, index], axis=1)
        return w.emit("ScatterElements", [zeros, index, marked], axis=1)

    def rows(self, places: str, best: str, boxes: str) -> str:
        """(rows, 7) of the places (rows, 2) in scores (N, L K) and boxes (N, L K, 4)."""
        w = self.w
        image, place = (w.emit("Gather", [places, w.ints(i)], axis=1) for i in (0, 1))
        width = self.w.ints(self.limit) if self.limit is not None else self.width(best)
        label = w.emit("Gather", [self.labels, w.emit("Div", [place, width])])
        score = w.emit("Unsqueeze", [w.emit("GatherND", [best, places]), w.ints(1)])
        named = [w.emit("Cast", [x], to=TensorProto.FLOAT) for x in (image, label)]
        corners = w.emit("GatherND", [boxes, places])
        return w.emit("Concat", [*named, score, corners], axis=1)

    def width(self, best: str) -> str:
        """K, computed in the graph."""
        w = self.w
        whole = w.emit("Slice", [w.emit("Shape", [best]), w.ints(1), w.ints(2)])
        return w.emit("Div", [whole, w.ints(len(self.d.labels))])


def _nothing(w: LayerWriter) -> str:
    """The row of each image where nothing at all is found: its number, and -1."""
    images = w.bottom_dims[0][0]
    if isinstance(images, int):
        rows = np.full((images, 7), -1, np.float32)
        rows[:, 0] = np.arange(images)
        return w.constant(rows)
    zero, one = (w.constant(np.array(value, np.int64)) for value in (0, 1))
    shape = w.emit("Shape", [w.bottoms[0]])
    index = w.emit("Range", [zero, w.emit("Gather", [shape, zero]), one])
    column = w.emit("Unsqueeze", [w.emit("Cast", [index], to=TensorProto.FLOAT), w.ints(1)])
    return w.emit("Pad", [column, w.ints(0, 0, 0, 6), w.number(-1)], mode="constant")


def _value(number: float) -> object:
    return numpy_helper.from_array(np.array([number], np.float32))
