"""The blocks of residual networks on a NetSpec: convolution units, residual branches, shortcuts.

Blocks take and give a `Feature`, a top with its channels and its size, since what a shortcut has
to do depends on both. Names are the caller's: every style of a network has its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .errors import DslError
from .namespaces import layers as L  # noqa: N812
from .net_spec import NetSpec, Top

__all__ = [
    "SHORTCUTS",
    "BlockNames",
    "Conv",
    "Feature",
    "Recipe",
    "UnitNames",
    "conv_bn_scale_relu",
    "max_pool",
    "pooled_size",
    "residual_block",
    "shortcut",
]

SHORTCUTS = ("A", "B", "C")


class Feature(NamedTuple):
    """A blob of square feature maps: its top, its channels, and its height (which is its width)."""

    top: Top
    channels: int
    size: int


class UnitNames(NamedTuple):
    """The layer names of a convolution unit; `conv` also names its blob."""

    conv: str
    batch_norm: str
    scale: str
    relu: str = ""


class BlockNames(NamedTuple):
    """The layer names of a residual block: the units of its main path, its projection, its end.

    `sum` also names the block's blob; the layers of a shortcut of option A are named from
    `projection.conv`.
    """

    main: tuple[UnitNames, ...]
    projection: UnitNames
    sum: str
    relu: str


class Recipe(NamedTuple):
    """What every unit of a net has in common: fields of its Convolution and BatchNorm layers."""

    convolution: Mapping[str, Any] = {}
    batch_norm: Mapping[str, Any] = {}


class Conv(NamedTuple):
    """One convolution of a block; padded so that at stride 1 the size stays."""

    num_output: int
    kernel_size: int
    stride: int = 1


def conv_bn_scale_relu(
    net: NetSpec,
    bottom: Feature,
    names: UnitNames,
    convolution: Conv,
    recipe: Recipe,
    *,
    bias: bool = False,
    relu: bool = True,
) -> Feature:
    """Convolution, BatchNorm, Scale and ReLU; all but the first in place.

    Caffe's BatchNorm only normalises: the learned scale and shift are the Scale layer's.
    """
    num_output, kernel_size, stride = convolution
    pad = kernel_size // 2
    fields: dict[str, Any] = {
        "num_output": num_output,
        "kernel_size": kernel_size,
        "pad": pad,
        "stride": stride,
        **recipe.convolution,
    }
    if not bias:
        fields["bias_term"] = False
    top = net[names.conv] = L.Convolution(bottom.top, **fields)
    top = net[names.batch_norm] = L.BatchNorm(top, in_place=True, **recipe.batch_norm)
    top = net[names.scale] = L.Scale(top, in_place=True, bias_term=True)
    if relu:
        top = net[names.relu] = L.ReLU(top, in_place=True)
    return Feature(top, num_output, (bottom.size + 2 * pad - kernel_size) // stride + 1)


def residual_block(
    net: NetSpec,
    bottom: Feature,
    names: BlockNames,
    convolutions: Sequence[Conv],
    recipe: Recipe,
    option: str,
) -> Feature:
    """Two convolutions (basic) or three (bottleneck), added to the shortcut, then a ReLU.

    `option` is the shortcut's (A, B or C); without one ("") the block is plain.
    """
    num_output = convolutions[-1].num_output
    stride = 1
    for convolution in convolutions:
        stride *= convolution.stride
    shorter = shortcut(net, bottom, names.projection, num_output, stride, recipe, option)
    feature = bottom
    last = len(convolutions) - 1
    for index, convolution in enumerate(convolutions):
        feature = conv_bn_scale_relu(
            net, feature, names.main[index], convolution, recipe, relu=index < last
        )
    top = feature.top
    if shorter is not None:
        top = net[names.sum] = L.Eltwise(shorter.top, top)
    top = net[names.relu] = L.ReLU(top, in_place=True)
    return Feature(top, num_output, feature.size)


def shortcut(
    net: NetSpec,
    bottom: Feature,
    names: UnitNames,
    num_output: int,
    stride: int,
    recipe: Recipe,
    option: str,
) -> Feature | None:
    """The shortcut of a block by the paper's option; None for a plain block ("").

    A is the identity, with zeros for the channels that are new; B the identity where the shape
    stays and a projection where it changes; C a projection always (He et al. 2015, section 3.3).
    """
    if option == "":
        return None
    same_shape = stride == 1 and num_output == bottom.channels
    if option == "C" or (option == "B" and not same_shape):
        projection = Conv(num_output, 1, stride)
        return conv_bn_scale_relu(net, bottom, names, projection, recipe, relu=False)
    if option not in SHORTCUTS:
        raise DslError(f"`{option}` is no shortcut option; there are A, B and C")
    if same_shape:
        return bottom
    sampled = _subsample(net, bottom, names.conv, stride) if stride > 1 else bottom
    return _pad_channels(net, sampled, names.conv, num_output)


def _pad_channels(net: NetSpec, bottom: Feature, name: str, num_output: int) -> Feature:
    """Zeros behind the channels: copies of the blob times 0, since Caffe has no layer of zeros.

    The zeros are exact in Caffe (power_layer.cpp fills them in); a runtime that multiplies gives
    NaN where the blob itself is infinite or NaN, which by then every later layer is, too.
    """
    copies, rest = divmod(num_output, bottom.channels)
    if rest or not copies:
        raise DslError(
            f"`{name}`: option A pads {bottom.channels} channels to a multiple of them, "
            f"not to {num_output}"
        )
    if copies == 1:
        return bottom
    zeros = net[f"{name}_zeros"] = L.Power(bottom.top, scale=0)
    top = net[name] = L.Concat(bottom.top, *[zeros] * (copies - 1))
    return Feature(top, num_output, bottom.size)


def _subsample(net: NetSpec, bottom: Feature, name: str, stride: int) -> Feature:
    """Every `stride`-th row and column, from the first on, as a 1x1 convolution would read them.

    Average pooling of single pixels, after cutting off the rows and columns behind the last one
    that is read: without the cut Caffe, which rounds up, would add a window outside the blob.
    """
    size = (bottom.size - 1) // stride + 1
    cut = _cut(net, bottom, f"{name}_cut", (size - 1) * stride + 1)
    top = net[f"{name}_sampled"] = L.Pooling(cut.top, pool="AVE", kernel_size=1, stride=stride)
    return Feature(top, bottom.channels, size)


def max_pool(
    net: NetSpec,
    bottom: Feature,
    name: str,
    *,
    kernel_size: int,
    stride: int,
    pad: int,
    floor: bool,
) -> Feature:
    """Max pooling whose size is rounded up, as Caffe rounds, or down, as most others do.

    Rounding down is made of plain layers: `round_mode: FLOOR` is new in BVLC Caffe, and OpenCV and
    older Caffes do not read it. Where both ways differ the last row and column are cut off.
    """
    fields: dict[str, Any] = {"pool": "MAX", "kernel_size": kernel_size, "stride": stride}
    if pad:
        fields["pad"] = pad
    up = pooled_size(bottom.size, kernel_size, stride, pad)
    down = (bottom.size + 2 * pad - kernel_size) // stride + 1
    size = down if floor else up
    if size < 1:
        raise DslError(f"`{name}`: a window of {kernel_size} does not fit a blob of {bottom.size}")
    if size == up:
        top = net[name] = L.Pooling(bottom.top, **fields)
        return Feature(top, bottom.channels, size)
    top = net[f"{name}_ceil"] = L.Pooling(bottom.top, **fields)
    return _cut(net, Feature(top, bottom.channels, up), name, size)


def pooled_size(size: int, kernel_size: int, stride: int, pad: int) -> int:
    """The size after pooling with Caffe's rounding (pooling_layer.cpp, Reshape)."""
    room = size + 2 * pad - kernel_size
    pooled = -(-room // stride) + 1
    if pad and (pooled - 1) * stride >= size + pad:
        pooled -= 1
    return pooled


def _cut(net: NetSpec, bottom: Feature, name: str, size: int) -> Feature:
    """The first `size` rows and columns; the rest is silenced, not an output of the net."""
    if size == bottom.size:
        return bottom
    rows, below = L.Slice(bottom.top, ntop=2, axis=2, slice_point=size)
    net[f"{name}_rows"], net[f"{name}_below"] = rows, below
    columns, beside = L.Slice(rows, ntop=2, axis=3, slice_point=size)
    net[name], net[f"{name}_beside"] = columns, beside
    net[f"{name}_rest"] = L.Silence(below, beside, ntop=0)
    return Feature(columns, bottom.channels, size)
