"""Where a value comes from, past layers that leave it as it is."""

from __future__ import annotations

from caffegen.net import Node, Value

__all__ = ["maker_of"]

# these move values, and change none
_MOVING = frozenset({"Dropout", "Flatten", "Permute", "Reshape", "Split"})


def maker_of(value: Value | None) -> Node | None:
    """The layer that computed the value; None for what nobody makes."""
    while value is not None and value.producer is not None:
        maker = value.producer
        if maker.type not in _MOVING or not maker.inputs:
            return maker
        value = maker.inputs[0]
    return None
