"""BatchNorm's three blobs as today's Caffe trains them: never.

Given: param { lr_mult: 1 } param { } param { decay_mult: 1 }, on a BatchNorm layer
Result: param { lr_mult: 0 decay_mult: 0 }, three times

Only layers with exactly three `param` blocks are touched (upgrade_proto.cpp, UpgradeNetBatchNorm);
one, two or four of them are left to the layer itself, which refuses them.
"""

from __future__ import annotations

from caffegen.text import Message

from .findings import Findings
from .places import place_of, replace_layers

__all__ = ["upgrade_batch_norm"]


def upgrade_batch_norm(net: Message, _findings: Findings) -> Message:
    """The net with the learning rates of BatchNorm's statistics at 0, where all three are given."""
    layers = net._values.get("layer")
    if not layers or not any(_trains_statistics(layer) for layer in layers):
        return net
    upgraded = [_freeze(layer) if _trains_statistics(layer) else layer for layer in layers]
    places = [place_of(net, "layer", index) for index in range(len(layers))]
    return replace_layers(net, "layer", upgraded, places)


def _trains_statistics(layer: Message) -> bool:
    values = layer._values
    if values.get("type") != "BatchNorm" or len(values.get("param", ())) != 3:
        return False
    return any(
        spec._values.get("lr_mult") != 0 or spec._values.get("decay_mult") != 0
        for spec in values["param"]
    )


def _freeze(layer: Message) -> Message:
    new = layer.shallow_copy()
    new._values["param"] = [_frozen(spec) for spec in layer._values["param"]]
    return new


def _frozen(spec: Message) -> Message:
    new = spec.shallow_copy()
    for name in ("lr_mult", "decay_mult"):
        new._values[name] = 0.0
        new._places.setdefault(name, spec._place)
    return new
