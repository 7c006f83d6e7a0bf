"""Layers whose top is their bottom: what Caffe refuses, and what it takes and computes wrong."""

from __future__ import annotations

from .base import Definition

__all__ = ["in_place_tops", "refuse_in_place", "warn_in_place", "warn_in_place_gradient"]


def in_place_tops(definition: Definition) -> list[int]:
    """The tops that are written over the bottom of the same index."""
    layer = definition.layer
    pairs = zip(layer.top, layer.bottom, strict=False)
    return [index for index, (top, bottom) in enumerate(pairs) if top == bottom]


def refuse_in_place(definition: Definition) -> None:
    """Refuse a top that is its bottom, for layers that check for it or can't be set up so."""
    for index in in_place_tops(definition):
        definition.refuse(
            "unsupported-in-place",
            f"{definition.type} can't work in place, but its top "
            f"`{definition.layer.top[index]}` is its bottom",
            "layer.top",
            index=index,
            help="give the top a name of its own",
        )


def warn_in_place(definition: Definition) -> None:
    """Warn of a top that is its bottom, for layers that Caffe sets up so but can't run right."""
    for index in in_place_tops(definition):
        definition.warn(
            "in-place-overwrites-input",
            f"Caffe writes `{definition.layer.top[index]}` over the bottom that {definition.type} "
            "still needs; what it computes then is wrong",
            "layer.top",
            index=index,
            help="give the top a name of its own",
        )


def warn_in_place_gradient(definition: Definition) -> None:
    """Warn, in a training net, of layers whose gradient needs the bottom that they overwrote."""
    if definition.phase != "TRAIN":
        return
    for index in in_place_tops(definition):
        definition.warn(
            "in-place-gradient-wrong",
            f"in place, {definition.type} computes its gradient from its own output "
            f"`{definition.layer.top[index]}`, which is wrong",
            "layer.top",
            index=index,
            help="give the top a name of its own",
        )
