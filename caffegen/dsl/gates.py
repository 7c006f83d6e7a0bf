"""Gates on a NetSpec: branches of a net that are weighed, value by value or channel by channel.

All of it is plain layers: a gate is a Sigmoid, 1 - gate a Power, the weighing a product of Eltwise
or a Scale, so nets with gates train and run wherever BVLC Caffe's layers do.
"""

from __future__ import annotations

from typing import NamedTuple

from .blocks import BlockNames, Branches, Conv, Feature, Join, Recipe, convolve
from .namespaces import layers as L  # noqa: N812
from .net_spec import NetSpec, Top

__all__ = [
    "SqueezeNames",
    "carried",
    "dropped_shortcut",
    "gated_sum",
    "gating",
    "scaled",
    "squeeze_and_excitation",
]


class SqueezeNames(NamedTuple):
    """The layer names of a squeeze-and-excitation block, in the order of its layers.

    `up` also names the blob of the weights, `scale` that of the weighed channels.
    """

    pool: str
    down: str
    relu: str
    up: str
    sigmoid: str
    flat: str
    scale: str


def carried(net: NetSpec, name: str, gate: Top, bottom: Top) -> Top:
    """`bottom * (1 - gate)`, value by value; the layers are `<name>_carry` and `<name>_carried`."""
    carry = net[f"{name}_carry"] = L.Power(gate, scale=-1, shift=1)
    return _product(net, f"{name}_carried", bottom, carry)


def gated_sum(
    net: NetSpec, name: str, transformed: Top, gate: Top, bottom: Top, carry: Top | None = None
) -> Top:
    """`transformed * gate + bottom * carry`, where carry is 1 - gate unless it is given.

    Srivastava, Greff, Schmidhuber, "Highway Networks" (2015), equations 2 and 3.
    """
    passed = _product(net, f"{name}_transformed", transformed, gate)
    if carry is None:
        kept = carried(net, name, gate, bottom)
    else:
        kept = _product(net, f"{name}_carried", bottom, carry)
    top: Top = L.Eltwise(passed, kept)
    net[name] = top
    return top


def gating(recipe: Recipe, bias: float, *, exclusive: bool) -> Join:
    """A join of blocks by a gate g(x), a 1x1 convolution of the block's input and a sigmoid.

    The shortcut is weighed by 1 - g(x), and, if the gates are `exclusive`, the main path by g(x).
    `bias` is where the gate's biases start (He et al. 2016, section 3.1).
    """
    biased = bool(recipe.convolution)
    fillers = {"bias_filler": {"type": "constant", "value": bias}} if biased else {}
    recipe = Recipe({**recipe.convolution, **fillers})

    def join(net: NetSpec, names: BlockNames, branches: Branches) -> Top:
        name = names.sum
        convolution = Conv(branches.main.channels, 1, branches.stride)
        gate = convolve(net, branches.bottom, f"{name}_gate", convolution, recipe, bias=True).top
        gate = net[f"{name}_gate_sigmoid"] = L.Sigmoid(gate, in_place=True)
        if exclusive:
            return gated_sum(net, name, branches.main.top, gate, branches.shortcut.top)
        kept = carried(net, name, gate, branches.shortcut.top)
        top: Top = L.Eltwise(kept, branches.main.top)
        net[name] = top
        return top

    return join


def scaled(shortcut: float, main: float) -> Join:
    """A join of blocks that adds shortcut and main path times constants."""

    def join(net: NetSpec, names: BlockNames, branches: Branches) -> Top:
        top: Top = L.Eltwise(branches.shortcut.top, branches.main.top, coeff=[shortcut, main])
        net[names.sum] = top
        return top

    return join


def dropped_shortcut(ratio: float) -> Join:
    """A join of blocks that drops a share of the shortcut's values while it trains."""

    def join(net: NetSpec, names: BlockNames, branches: Branches) -> Top:
        kept = net[f"{names.sum}_dropout"] = L.Dropout(branches.shortcut.top, dropout_ratio=ratio)
        top: Top = L.Eltwise(kept, branches.main.top)
        net[names.sum] = top
        return top

    return join


def squeeze_and_excitation(
    net: NetSpec, bottom: Feature, names: SqueezeNames, reduction: int, recipe: Recipe
) -> Feature:
    """Channels weighed by what is in all of them: global average, two 1x1 convolutions, sigmoid.

    The first convolution leaves a `reduction`-th of the channels. Scale wants the weights as N x C,
    so they are flattened first (Hu, Shen, Sun, "Squeeze-and-Excitation Networks", 2017, section 3).
    """
    pooled = net[names.pool] = L.Pooling(bottom.top, pool="AVE", global_pooling=True)
    few = max(1, bottom.channels // reduction)
    squeezed = Feature(pooled, bottom.channels, 1)
    down = convolve(net, squeezed, names.down, Conv(few, 1), recipe, bias=True)
    relu = net[names.relu] = L.ReLU(down.top, in_place=True)
    down = down._replace(top=relu)
    up = convolve(net, down, names.up, Conv(bottom.channels, 1), recipe, bias=True)
    weights = net[names.sigmoid] = L.Sigmoid(up.top, in_place=True)
    flat = net[names.flat] = L.Flatten(weights)
    top = net[names.scale] = L.Scale(bottom.top, flat, axis=0)
    return bottom._replace(top=top)


def _product(net: NetSpec, name: str, *bottoms: Top) -> Top:
    top: Top = L.Eltwise(*bottoms, operation="PROD")
    net[name] = top
    return top
