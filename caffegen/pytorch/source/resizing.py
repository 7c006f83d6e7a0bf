"""How layers that bring pictures to another size are written."""

from __future__ import annotations

from typing import Any

from torch import nn

from .forms import Result, Shapes, Written, literal, writes, writes_shaped

__all__: list[str] = []

_PICTURE = 4


@writes("Upsample")
def upsample(module: nn.Upsample, _training: bool) -> Written:
    """torch.nn's own."""
    args: dict[str, Any] = {
        "size": None if module.size is None else literal(module.size),
        "scale_factor": None if module.scale_factor is None else literal(module.scale_factor),
        "mode": module.mode,
        "align_corners": module.align_corners,
    }
    return Written("nn.Upsample", args, {})


@writes("Interp")
def interp(module: Any, _training: bool) -> Result:
    """From corner to corner."""
    if module.like_bottom:
        return "its size is that of another blob"
    if module.nearest:
        return "it takes the nearest pixel from corner to corner, which torch.nn does not"
    args = {
        "size": None if module.size is None else tuple(module.size),
        "zoom": module.zoom,
        "shrink": module.shrink,
        "begin": module.begin,
        "end": module.end,
    }
    return Written("Interp", args, {})


@writes_shaped("Resize")
def resize(module: Any, shapes: Shapes) -> Result:
    """From the upper left corner."""
    if shapes[0] is None or len(shapes[0]) != _PICTURE:
        return "its bottom is no picture"
    args = {
        "size": None if module.size is None else tuple(module.size),
        "scale": (1.0, 1.0) if module.size else literal(tuple(map(float, module.scale))),
    }
    return Written("Resize", args, {})


@writes("MaxUnpool")
def max_unpool(module: Any, _training: bool) -> Written:
    """Values at the places that a mask gives."""
    height, width = module.growth
    return Written("MaxUnpool", {"height": tuple(height), "width": tuple(width)}, {})
