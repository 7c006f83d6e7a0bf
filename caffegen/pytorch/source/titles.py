"""What the classes of a file are called, by what is in them."""

from __future__ import annotations

from .classes import ClassDef
from .forms import is_batch_norm
from .items import Block, Join, Leaf
from .names import Names

__all__ = ["name_classes"]

# a classifier's inception modules have at least so many ways
_MANY = 3


def name_classes(definitions: list[ClassDef], names: Names) -> None:
    """Give each class a name and a sentence."""
    for definition in definitions:
        name, definition.doc = _title(definition)
        definition.name = names.take(name)


def _title(definition: ClassDef) -> tuple[str, str]:
    body = definition.model.body
    leaves = [item for item in body if isinstance(item, Leaf)]
    joins = [item for item in body if isinstance(item, Join)]
    convs = [leaf for leaf in leaves if leaf.call.kind.startswith("nn.Conv")]
    kernels = [leaf.call.args["kernel_size"] for leaf in convs]
    forms = {join.form for join in joins}
    if any(leaf.call.kind == "nn.ChannelShuffle" for leaf in leaves):
        return "ShuffleUnit", "Convolutions by groups, and the channels dealt out anew."
    if "axpy" in forms and any("Pool" in leaf.call.kind for leaf in leaves):
        return "SqueezeExcitationBlock", "A residual block that scales each of its channels."
    if any(isinstance(item, Block) and item.optional for item in body) and "sum" in forms:
        always = not definition.switches and any(
            item.body for item in body if isinstance(item, Block) and item.optional
        )
        if always and _norm_first(leaves):
            return "ProjectionBlock", "A residual block whose shortcut is a convolution."
        if _norm_first(leaves):
            return "PreactivationBlock", "A residual block with its activations first."
        if len(convs) == 3 and kernels[0] == kernels[2] == 1:
            return "Bottleneck", "A residual block that is narrow in the middle."
        if len(convs) == 2:
            return "BasicBlock", "A residual block of two convolutions."
        return "ResidualBlock", "A residual block."
    if forms & {"scale", "product"}:
        if any("Pool" in leaf.call.kind for leaf in leaves):
            return "SqueezeExcitation", "Scales each channel by what all of them hold."
        return "GatedBlock", "A block that multiplies one way by another."
    if not convs and (forms & {"concat", "narrow"}):
        return "PadChannels", "A smaller picture, with zeros as further channels."
    if {"split", "concat"} <= forms and len(convs) <= 1:
        return "Regroup", "Channels cut apart and joined again along another axis."
    if "concat" in forms:
        return _joined(joins, convs)
    if not joins:
        if len(convs) == 1:
            return "ConvUnit", "A convolution and what follows it."
        if any(leaf.call.args["groups"] > 1 for leaf in convs):
            return "SeparableUnit", "A depthwise convolution, then one across channels."
    return "Block", "A part that the net repeats."


def _norm_first(leaves: list[Leaf]) -> bool:
    return bool(leaves) and is_batch_norm(leaves[0].call.kind)


def _joined(joins: list[Join], convs: list[Leaf]) -> tuple[str, str]:
    ways = max(len(join.inputs) for join in joins if join.form == "concat")
    if ways >= _MANY:
        return "Inception", f"{_NUMBERS.get(ways, str(ways))} ways side by side, joined."
    if len(convs) == 3:
        return "Fire", "A narrow convolution, then two wide ones side by side."
    return "DenseLayer", "A layer whose channels are joined to those of its input."


_NUMBERS = {3: "Three", 4: "Four", 5: "Five", 6: "Six"}
