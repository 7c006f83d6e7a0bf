"""Region proposals in ONNX, through NonMaxSuppression."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from caffegen.layer_types.proposal import Proposal, ProposalLayer

from .free import Dim
from .registry import writes
from .writer import LayerWriter


@writes("Proposal", "rpn.proposal_layer.ProposalLayer")
def proposal(w: LayerWriter, d: Proposal | ProposalLayer) -> None:
    """Boxes of each image: decoded, cut off, sorted by TopK, and what NonMaxSuppression leaves."""
    images = w.fixed(w.bottom_dims[0], 0, "its proposals are written image by image")
    info = w.emit("Reshape", [w.bottoms[2], w.ints(-1)])
    rows, scores = [], []
    for image in range(images):
        boxes, likely, large = _boxes(w, d, image, info)
        boxes, likely = _best(w, d, boxes, likely, large)
        ends = w.constant(np.array([0, 0, 1, 1], np.float32))
        # a box that counts both end pixels is as large as one whose end is 1 further
        selected = w.emit("NonMaxSuppression", [
            w.emit("Unsqueeze", [w.emit("Add", [boxes, ends]), w.ints(0)]),
            w.emit("Unsqueeze", [likely, w.ints(0, 1)]),
            w.ints(d.post_nms),
            w.constant(np.array([d.nms_thresh], np.float32)),
        ])  # fmt: skip
        kept = w.emit("Gather", [selected, w.constant(np.array(2, np.int64))], axis=1)
        rows.append(w.pad(w.emit("Gather", [boxes, kept], axis=0), 2, [0, 1], [0, 0], image))
        scores.append(w.emit("Gather", [likely, kept], axis=0))
    if images == 1:
        w.top("Identity", rows)
    else:
        w.top("Concat", rows, axis=0)
    if len(w.tops) > 1:
        shape = (-1,) if isinstance(d, Proposal) else (-1, 1)
        together = scores[0] if images == 1 else w.emit("Concat", scores, axis=0)
        w.top("Reshape", [together, w.ints(*shape)], 1)


def _boxes(
    w: LayerWriter, d: Proposal | ProposalLayer, image: int, info: str
) -> tuple[str, str, str]:
    """Corners (n, 4), scores (n) and whether a box is large enough (n), of one image."""
    number = len(d.anchors)
    height, width = w.bottom_dims[0][2:]
    deltas = w.emit("Gather", [w.bottoms[1], w.constant(np.array(image, np.int64))], axis=0)
    # to (H, W, anchors, 4)
    split = w.reshape(deltas, (4 * number, height, width), [number, 4, (1,), (2,)])
    moves = w.emit("Transpose", [split], perm=[2, 3, 0, 1])
    anchors = np.array(d.anchors, np.float32)
    sizes = w.constant(anchors[:, 2:] - anchors[:, :2] + 1)
    middles = w.constant(anchors[:, :2] + (anchors[:, 2:] - anchors[:, :2] + 1) / 2)
    grid = w.emit("Add", [_steps(w, d, width, 1), _steps(w, d, height, 0)])
    shift = w.emit("Mul", [_part(w, moves, 0, 2), sizes])
    centre = w.emit("Add", [shift, w.emit("Add", [grid, middles])])
    whole = w.emit("Mul", [w.emit("Exp", [_part(w, moves, 2, 4)]), sizes])
    half = w.emit("Mul", [whole, w.number(0.5)])
    edge = w.emit("Sub", [w.emit("Gather", [info, w.ints(1, 0)]), w.number(1)])
    low, high = (
        w.emit("Max", [w.emit("Min", [w.emit(op, [centre, half]), edge]), w.number(0)])
        for op in ("Sub", "Add")
    )
    least = w.emit("Gather", [info, w.ints(d.scales_at[1], d.scales_at[0])])
    least = w.emit("Mul", [least, w.number(d.min_size)])
    size = w.emit("Add", [w.emit("Sub", [high, low]), w.number(1)])
    both = w.emit("Cast", [w.emit("GreaterOrEqual", [size, least])], to=TensorProto.FLOAT)
    large = w.emit("Reshape", [w.reduce("ReduceMin", both, [3]), w.ints(-1)])
    corners = w.emit("Reshape", [w.emit("Concat", [low, high], axis=3), w.ints(-1, 4)])
    scores = w.emit("Gather", [w.bottoms[0], w.constant(np.array(image, np.int64))], axis=0)
    likely = w.emit("Transpose", [_part(w, scores, number, 2 * number, 0)], perm=[1, 2, 0])
    return corners, w.emit("Reshape", [likely, w.ints(-1)]), large


def _best(
    w: LayerWriter, d: Proposal | ProposalLayer, boxes: str, likely: str, large: str
) -> tuple[str, str]:
    """The boxes with the best scores, sorted; those that are too small are dropped or scored 0."""
    height, width = w.bottom_dims[0][2:]
    if d.drops:
        passes = w.emit("Cast", [large], to=TensorProto.BOOL)
        boxes = w.emit("Compress", [boxes, passes], axis=0)
        likely = w.emit("Compress", [likely, passes], axis=0)
    else:
        likely = w.emit("Mul", [likely, large])
    if not d.drops and isinstance(height, int) and isinstance(width, int):
        most = w.ints(min(d.pre_nms, len(d.anchors) * height * width))
    else:
        most = w.emit("Min", [w.emit("Shape", [likely]), w.ints(d.pre_nms)])
    likely, order = w.emit_many("TopK", [likely, most], 2, axis=0)
    return w.emit("Gather", [boxes, order], axis=0), likely


def _steps(w: LayerWriter, d: Proposal | ProposalLayer, size: Dim, axis: int) -> str:
    """How far the cells along an axis of the map (0: rows) lie from the first, in x and y."""
    step = np.zeros(2, np.float32)
    step[1 - axis] = d.feat_stride
    if isinstance(size, int):
        numbers = w.constant(np.arange(size, dtype=np.float32))
    else:
        shape = w.emit("Shape", [w.bottoms[0]])
        limit = w.emit("Gather", [shape, w.constant(np.array(2 + axis, np.int64))])
        zero, one = (w.constant(np.array(number, np.int64)) for number in (0, 1))
        numbers = w.emit("Range", [zero, limit, one])
        numbers = w.emit("Cast", [numbers], to=TensorProto.FLOAT)
    spread = w.ints(1, -1, 1, 1) if axis else w.ints(-1, 1, 1, 1)
    return w.emit("Mul", [w.emit("Reshape", [numbers, spread]), w.constant(step)])


def _part(w: LayerWriter, x: str, begin: int, end: int, axis: int = -1) -> str:
    """A cut along one axis."""
    return w.emit("Slice", [x, w.ints(begin), w.ints(end), w.ints(axis)])
