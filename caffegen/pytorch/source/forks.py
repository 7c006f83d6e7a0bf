"""How the layers of Caffe's forks are written; what would be no readable file is refused."""

from __future__ import annotations

import math
from typing import Any

from .forms import Result, Shapes, Written, literal, write_module, writes, writes_shaped

__all__: list[str] = []

_PICTURE = 4


def _trailing(shapes: Shapes) -> list[Written] | str:
    """Axes of size 1 behind those of the first bottom, up to four; nothing where it has four."""
    if shapes[0] is None:
        return "the shape of its bottom is not known"
    missing = _PICTURE - len(shapes[0])
    return [Written("trailing", {"0": missing}, {}, join=True)] if missing > 0 else []


@writes_shaped("FourAxes")
def four_axes(_module: Any, shapes: Shapes) -> list[Written] | str:
    """Axes of size 1 behind."""
    return _trailing(shapes)


@writes_shaped("Sequential")
def sequential(module: Any, shapes: Shapes) -> Result:
    """Modules in a row, of which only the first asks for shapes."""
    row: list[Written] = []
    for part in module:
        written = write_module(part, shapes, training=part.training)
        if isinstance(written, str):
            return written
        row += written
    return row


@writes_shaped("ChannelScale")
def channel_scale(module: Any, shapes: Shapes) -> Result | None:
    """A factor and a shift for each channel, behind axes of size 1."""
    row = _trailing(shapes)
    args = {"shape": tuple(module.weight.shape), "axis": 1, "bias": module.bias is not None}
    scale = Written("Scale", args, dict(module.state_dict(keep_vars=True)))
    return row if isinstance(row, str) else [*row, scale]


@writes_shaped("BatchStatistics")
def batch_statistics(module: Any, shapes: Shapes) -> Result:
    """The batch's own statistics in both phases."""
    row = _trailing(shapes)
    args = {"shape": tuple(module.weight.shape), "eps": literal(module.eps), "tops": module.tops}
    written = Written("BatchStatistics", args, dict(module.state_dict(keep_vars=True)))
    return row if isinstance(row, str) else [*row, written]


@writes("LeakyReLU6")
def leaky_relu6(module: Any, _training: bool) -> Result:
    """A leaky ReLU, cut off at 6."""
    slope = {"negative_slope": literal(module.slope), "inplace": False}
    bounds = {"min_val": -math.inf, "max_val": 6.0}
    return [Written("nn.LeakyReLU", slope, {}), Written("nn.Hardtanh", bounds, {})]


@writes("HardSigmoid")
def hard_sigmoid(module: Any, _training: bool) -> Result:
    """A line, cut off at 0 and 1."""
    line = {"scale": literal(module.alpha), "shift": literal(module.beta)}
    return [
        Written("Affine", line, {}), Written("nn.Hardtanh", {"min_val": 0.0, "max_val": 1.0}, {})
    ]  # fmt: skip


@writes("ScaledELU")
def scaled_elu(module: Any, _training: bool) -> Result:
    """An ELU times a number."""
    line = {"scale": literal(module.scale), "shift": 0.0}
    return [Written("nn.ELU", {"alpha": literal(module.alpha)}, {}), Written("Affine", line, {})]


@writes("CReLU")
def crelu(module: Any, _training: bool) -> Written:
    """Positive and negative parts."""
    args = {"axis": module.axis, "negative_slope": literal(float(module.slope))}
    return Written("CReLU", args, {})


@writes("UnscaledDropout")
def unscaled_dropout(module: Any, _training: bool) -> Result:
    """Dropout that does not scale what it keeps, and the share that is kept without training."""
    share = {"scale": literal(1 - module.p), "shift": 0.0}
    return [Written("nn.Dropout", {"p": literal(module.p)}, {}), Written("Affine", share, {})]


@writes("SpatialDropout")
def spatial_dropout(module: Any, _training: bool) -> Written:
    """Drops channels always."""
    return Written("AlwaysDropout2d", {"p": literal(module.ratio)}, {})


@writes_shaped("Reorg")
def reorg(module: Any, shapes: Shapes) -> Result:
    """Darknet's reorg."""
    row = _trailing(shapes)
    args = {"stride": module.stride, "reverse": module.reverse}
    return row if isinstance(row, str) else [*row, Written("Reorg", args, {})]


@writes("MatMul")
def matmul(module: Any, _training: bool) -> Written:
    """A product of matrices."""
    facts = {"0": module.transpose_a, "1": module.transpose_b}
    return Written("matmul", facts, {}, join=True)


@writes("L2Norm")
def l2_norm(module: Any, _training: bool) -> Written:
    """Vectors of one length."""
    args = {"length": literal(float(module.length)), "across_spatial": module.across_spatial}
    return Written("L2Norm", args, {})


@writes_shaped("PriorBox")
def prior_box(module: Any, shapes: Shapes) -> Result:
    """Boxes around each cell."""
    if any(shape is None or len(shape) != _PICTURE for shape in shapes):
        return "its bottoms are no pictures"
    args = {
        "boxes": tuple((literal(float(w)), literal(float(h))) for w, h in module.boxes),
        "variances": tuple(literal(float(value)) for value in module.variances),
        "step": None if module.step is None else literal(tuple(map(float, module.step))),
        "offset": literal(float(module.offset)),
        "image": None if module.image is None else tuple(module.image),
        "clip": module.clip,
    }
    return Written("PriorBox", args, {})


@writes("ROIPooling")
def roi_pooling(module: Any, _training: bool) -> Written:
    """Maxima over the cells of regions."""
    args = {"size": tuple(module.pooled), "scale": literal(module.spatial_scale)}
    return Written("RoIPool", args, {})


@writes("PSROIPooling")
def psroi_pooling(module: Any, _training: bool) -> Written:
    """Means over the cells of regions."""
    args = {
        "channels": module.output_dim,
        "size": module.group_size,
        "scale": literal(module.spatial_scale),
    }
    return Written("PositionPool", args, {})


@writes("ROIAlign", "RegionCorners")
def roi_align(_module: Any, _training: bool) -> str:
    """Refused: sampling by a rule of its own."""
    return "its samples between pixels follow rules at the edges that torch has no function for"


@writes("DetectionOutput", "DetectionEvaluate", "Proposals", "Detections", "Regions")
def boxes(_module: Any, _training: bool) -> str:
    """Refused: suppression, box after box."""
    return "it takes boxes or leaves them one after the other, in more code than the net itself"
