"""How convolutions are written that torch.nn has no module for: with axes moved, or edges added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from .forms import Result, Shapes, Written, square, writes, writes_shaped

__all__: list[str] = []

_MOST_AXES = 3


@writes_shaped("ConvolutionAnyAxes", "DeconvolutionAnyAxes")
def any_axes(module: Any, shapes: Shapes) -> Result:
    """A Linear over no axes, else torch.nn's convolution between what brings the axes to it."""
    axes = len(module.stride)
    transposed = type(module).__name__ == "DeconvolutionAnyAxes"
    if axes > _MOST_AXES:
        return f"torch.nn has convolutions over {_MOST_AXES} axes at the most, and it has {axes}"
    if axes == 0:
        return _linear(module, transposed=transposed)
    dilation = module.dilation
    tensors = {"weight": module.weight}
    if 0 in dilation:
        # all taps of such an axis read the same value
        taps = [index + 2 for index, value in enumerate(dilation) if value == 0]
        tensors["weight"] = nn.Parameter(module.weight.detach().sum(taps, keepdim=True))
        dilation = tuple(value or 1 for value in dilation)
    if module.bias is not None:
        tensors["bias"] = module.bias
    edges: Sequence[int] | str = [0] * 2 * axes
    if not transposed:
        edges = _edges(module, tensors["weight"], dilation, shapes)
    if isinstance(edges, str):
        return edges
    # edges on one side alone are a module of their own
    uneven = edges[::2] != edges[1::2]
    row = [
        _convolution(module, tensors, dilation, padded=uneven, transposed=transposed)
    ]  # fmt: skip
    if uneven:
        args = {"padding": tuple(edges), "value": 0.0}
        row.insert(0, Written(f"nn.ConstantPad{axes}d", args, {}))
    if module.axis > 1:
        lead = None if shapes[0] is None else shapes[0][1 : module.axis]
        if lead is None:
            return "the shape of its bottom is not known"
        row.insert(0, Written("nn.Flatten", {"start_dim": 0, "end_dim": module.axis - 1}, {}))
        row.append(Written("nn.Unflatten", {"dim": 0, "unflattened_size": (-1, *lead)}, {}))
    if len(row) > 1 and len(shapes) > 1:
        return "it takes several bottoms, on axes that torch.nn has no convolution for"
    return row


def _convolution(
    module: Any, tensors: dict[str, Tensor], dilation: tuple[int, ...], *, padded: bool,
    transposed: bool,
) -> Written:  # fmt: skip
    weight, group = tensors["weight"], module.group
    args = {
        "in_channels": weight.shape[0] if transposed else weight.shape[1] * group,
        "out_channels": weight.shape[1] * group if transposed else weight.shape[0],
        "kernel_size": square(tuple(weight.shape[2:])),
        "stride": square(module.stride),
        "padding": 0 if padded else square(module.pad),
    }
    rest = {"groups": group, "bias": module.bias is not None}
    if transposed:
        args |= rest | {"dilation": square(dilation)}
    else:
        args |= {"dilation": square(dilation)} | rest
    name = "ConvTranspose" if transposed else "Conv"
    return Written(f"nn.{name}{len(module.stride)}d", args, tensors)


def _edges(
    module: Any, weight: Tensor, dilation: tuple[int, ...], shapes: Shapes
) -> list[int] | str:
    """Zeros before and behind each axis, the last axis first: enough for one window."""
    found: list[int] = []
    for index in reversed(range(len(dilation))):
        extent = dilation[index] * (weight.shape[index + 2] - 1) + 1
        pad, missing = module.pad[index], 0
        for shape in shapes:
            if shape is None:
                return "the shape of its bottom is not known"
            missing = max(missing, extent - shape[module.axis + 1 + index] - 2 * pad)
        found += [pad, pad + missing]
    return found


def _linear(module: Any, *, transposed: bool) -> Result:
    if module.group > 1:
        return "torch.nn has no Linear by groups"
    weight = module.weight.detach().t() if transposed else module.weight
    tensors = {"weight": weight}
    if module.bias is not None:
        tensors["bias"] = module.bias
    args = {
        "in_features": weight.shape[1],
        "out_features": weight.shape[0],
        "bias": module.bias is not None,
    }
    return Written("nn.Linear", args, tensors)


@writes("Windows")
def windows(module: Any, _training: bool) -> Written:
    """Im2col."""
    args = {
        "kernel_size": tuple(module.kernel),
        "stride": tuple(module.stride),
        "padding": tuple(module.pad),
        "dilation": tuple(module.dilation),
        "axis": module.axis,
    }
    return Written("Windows", args, {})
