"""The blocks of residual networks on a NetSpec: convolution units, residual branches, shortcuts.

Blocks take and give a `Feature`, a top with its channels and its size, since what a shortcut has
to do depends on both. Names are the caller's: every style of a network has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .errors import DslError
from .namespaces import layers as L  # noqa: N812
from .net_spec import NetSpec, Top

__all__ = [
    "ORDERS",
    "SHORTCUTS",
    "BlockNames",
    "Branches",
    "Conv",
    "Feature",
    "Join",
    "Order",
    "Recipe",
    "UnitNames",
    "activate",
    "add",
    "conv_bn_scale_relu",
    "convolve",
    "max_pool",
    "pad_channels",
    "pooled_size",
    "residual_block",
    "shortcut",
    "subsample",
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
    group: int = 1

    def size(self, size: int) -> int:
        """The height of what it makes of a blob of this height."""
        return (size + 2 * (self.kernel_size // 2) - self.kernel_size) // self.stride + 1


class Order(NamedTuple):
    """Where a block normalises and activates: words of `conv`, `bn` and `relu`.

    `unit` is what stands for each convolution of the main path, `last` for the last one, and `after`
    is what follows the sum.
    """

    unit: tuple[str, ...]
    last: tuple[str, ...]
    after: tuple[str, ...] = ()

    @property
    def before(self) -> tuple[str, ...]:
        """What a block does to its input before it convolves: its pre-activation."""
        return self.unit[: self.unit.index("conv")]

    @property
    def normalised(self) -> bool:
        """Whether the main path ends normalised, so that a projection has to be, too."""
        return "bn" in self.last[self.last.index("conv") :]


# He et al. 2016, "Identity Mappings in Deep Residual Networks", Figure 4 (a) to (e)
ORDERS = {
    "original": Order(("conv", "bn", "relu"), ("conv", "bn"), ("relu",)),
    "bn-after": Order(("conv", "bn", "relu"), ("conv",), ("bn", "relu")),
    "relu-before": Order(("conv", "bn", "relu"), ("conv", "bn", "relu")),
    "relu-only": Order(("relu", "conv", "bn"), ("relu", "conv", "bn")),
    "full": Order(("bn", "relu", "conv"), ("bn", "relu", "conv")),
}


class Branches(NamedTuple):
    """What a block joins: its input, its shortcut, its main path, and the stride of both."""

    bottom: Feature
    shortcut: Feature
    main: Feature
    stride: int


Join = Callable[[NetSpec, BlockNames, Branches], Top]


def convolve(
    net: NetSpec,
    bottom: Feature,
    name: str,
    convolution: Conv,
    recipe: Recipe,
    *,
    bias: bool = False,
) -> Feature:
    """A convolution alone."""
    fields: dict[str, Any] = {
        "num_output": convolution.num_output,
        "kernel_size": convolution.kernel_size,
        "pad": convolution.kernel_size // 2,
        "stride": convolution.stride,
        **recipe.convolution,
    }
    if convolution.group > 1:
        fields["group"] = convolution.group
    if not bias:
        fields["bias_term"] = False
    top = net[name] = L.Convolution(bottom.top, **fields)
    return Feature(top, convolution.num_output, convolution.size(bottom.size))


def activate(
    net: NetSpec,
    bottom: Feature,
    words: Iterable[str],
    names: UnitNames,
    recipe: Recipe,
    *,
    keep: bool = False,
) -> Feature:
    """BatchNorm with its Scale (`bn`) and ReLU (`relu`), in place; with `keep` into a blob of its own.

    Caffe's BatchNorm only normalises: the learned scale and shift are the Scale layer's.
    """
    top = bottom.top
    for word in words:
        in_place = not keep or top is not bottom.top
        if word == "relu":
            top = net[names.relu] = L.ReLU(top, in_place=in_place)
        else:
            top = net[names.batch_norm] = L.BatchNorm(top, in_place=in_place, **recipe.batch_norm)
            top = net[names.scale] = L.Scale(top, in_place=True, bias_term=True)
    return bottom._replace(top=top)


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
    """Convolution, BatchNorm, Scale and ReLU; all but the first in place."""
    feature = convolve(net, bottom, names.conv, convolution, recipe, bias=bias)
    return activate(net, feature, ("bn", "relu") if relu else ("bn",), names, recipe)


def add(net: NetSpec, names: BlockNames, branches: Branches) -> Top:
    """The sum of shortcut and main path, which is what makes a block residual."""
    top: Top = L.Eltwise(branches.shortcut.top, branches.main.top)
    net[names.sum] = top
    return top


def residual_block(
    net: NetSpec,
    bottom: Feature,
    names: BlockNames,
    convolutions: Sequence[Conv],
    recipe: Recipe,
    option: str,
    *,
    order: Order = ORDERS["original"],
    join: Join = add,
    activated: bool = False,
    dropout: float = 0,
    projection: int = 1,
) -> Feature:
    """Two convolutions (basic) or three (bottleneck), joined with the shortcut, then a ReLU.

    `option` is the shortcut's (A, B or C); without one ("") the block is plain. `order` is where it
    normalises and activates; `activated` says that the input has been through the pre-activation
    already. `dropout` is the share dropped of what the last convolution reads, `projection` the
    kernel of a projection.
    """
    stride = 1
    for convolution in convolutions:
        stride *= convolution.stride
    before = () if activated else order.before
    feature = activate(net, bottom, before, names.main[0], recipe, keep=True)
    shorter = shortcut(
        net, bottom, names.projection, convolutions[-1].num_output, stride, recipe, option,
        projected=feature, norm=order.normalised, kernel_size=projection,
    )  # fmt: skip
    last = len(convolutions) - 1
    for index, convolution in enumerate(convolutions):
        unit = names.main[index]
        words = order.last if index == last else order.unit
        at = words.index("conv")
        if index:
            feature = activate(net, feature, words[:at], unit, recipe)
        if dropout and index == last:
            top = L.Dropout(feature.top, in_place=True, dropout_ratio=dropout)
            net[f"{unit.conv}_dropout"] = top
            feature = feature._replace(top=top)
        feature = convolve(net, feature, unit.conv, convolution, recipe)
        feature = activate(net, feature, words[at + 1 :], unit, recipe)
    end = UnitNames(names.sum, f"{names.sum}_bn", f"{names.sum}_scale", names.relu)
    if shorter is not None:
        top = join(net, names, Branches(bottom, shorter, feature, stride))
        feature = feature._replace(top=top)
    return activate(net, feature, order.after, end, recipe)


def shortcut(
    net: NetSpec,
    bottom: Feature,
    names: UnitNames,
    num_output: int,
    stride: int,
    recipe: Recipe,
    option: str,
    *,
    projected: Feature | None = None,
    norm: bool = True,
    kernel_size: int = 1,
) -> Feature | None:
    """The shortcut of a block by the paper's option; None for a plain block ("").

    A is the identity, with zeros for the channels that are new; B the identity where the shape
    stays and a projection where it changes; C a projection always (He et al. 2015, section 3.3).
    A projection reads `projected`, if that is given, and is normalised unless `norm` is False.
    """
    if option == "":
        return None
    same_shape = stride == 1 and num_output == bottom.channels
    if option == "C" or (option == "B" and not same_shape):
        convolution = Conv(num_output, kernel_size, stride)
        feature = convolve(net, projected or bottom, names.conv, convolution, recipe)
        return activate(net, feature, ("bn",) if norm else (), names, recipe)
    if option not in SHORTCUTS:
        raise DslError(f"`{option}` is no shortcut option; there are A, B and C")
    if same_shape:
        return bottom
    sampled = subsample(net, bottom, names.conv, stride) if stride > 1 else bottom
    return pad_channels(net, sampled, names.conv, num_output)


def pad_channels(net: NetSpec, bottom: Feature, name: str, num_output: int) -> Feature:
    """Zeros behind the channels: copies of the blob times 0, since Caffe has no layer of zeros.

    The zeros are exact in Caffe (power_layer.cpp fills them in); a runtime that multiplies gives
    NaN where the blob itself is infinite or NaN, which by then every later layer is, too.
    """
    copies, rest = divmod(num_output, bottom.channels)
    if not copies:
        raise DslError(
            f"`{name}`: zeros make {bottom.channels} channels more, not fewer, so not {num_output}"
        )
    if num_output == bottom.channels:
        return bottom
    zeros = net[f"{name}_zeros"] = L.Power(bottom.top, scale=0)
    parts = [bottom.top, *[zeros] * (copies - 1)]
    if rest:
        few, spare = L.Slice(zeros, ntop=2, slice_point=rest)
        net[f"{name}_few"], net[f"{name}_spare"] = few, spare
        net[f"{name}_rest"] = L.Silence(spare, ntop=0)
        parts.append(few)
    top = net[name] = L.Concat(*parts)
    return Feature(top, num_output, bottom.size)


def subsample(net: NetSpec, bottom: Feature, name: str, stride: int) -> Feature:
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
