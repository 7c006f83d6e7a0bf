"""Nets whose weights are not all there, for commands that run or write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caffegen.loader import Net
    from caffegen.net import Node

__all__ = ["first_with_weights", "refuse_missing_weights"]


def first_with_weights(net: Net) -> Node | None:
    """The first layer that has weights; None in a net without any."""
    return next(
        (n for n in net.graph.nodes if n.definition is not None and n.definition.blobs), None
    )


def refuse_missing_weights(net: Net) -> None:
    """Refuse a net some of whose layers its weights hold nothing for, with all that was found."""
    from caffegen.diagnostics import NetError

    if any(found.name == "layer-without-weights" for found in net.diagnostics):
        raise NetError([found._replace(severity="error") for found in net.diagnostics])
