"""What is done to an image, once a matter of each data layer, now of transform_param.

Given: data_param { source: "db" scale: 2 mirror: true }, in a V1 layer of type DATA
Result: data_param { source: "db" } transform_param { scale: 2 mirror: true }

Layers of the current version keep the old fields, and Caffe ignores them there. A `transform_param`
inside of the data layer's own message, where it stood in August 2014, moves as well.
"""

from __future__ import annotations

from caffegen.text import Message

from .findings import Findings
from .places import place_of, replace_layers, take

__all__ = ["upgrade_data_transform"]

_PARAMS = {
    "DATA": "data_param",
    "IMAGE_DATA": "image_data_param",
    "WINDOW_DATA": "window_data_param",
}
_MOVED = ("scale", "mean_file", "crop_size", "mirror")


def upgrade_data_transform(net: Message, _findings: Findings) -> Message:
    """The net with the image fields of its V1 data layers in their transform_param.

    When one layer needs it, every data layer comes out with both messages, empty or not
    (upgrade_proto.cpp, CONVERT_LAYER_TRANSFORM_PARAM).
    """
    layers = net._values.get("layers")
    if not layers or not any(_has_moved_field(layer) for layer in layers):
        return net
    upgraded = [_upgrade(layer) for layer in layers]
    places = [place_of(net, "layers", index) for index in range(len(layers))]
    return replace_layers(net, "layers", upgraded, places)


def _has_moved_field(layer: Message) -> bool:
    name = _PARAMS.get(layer._values.get("type", ""))
    param = layer._values.get(name) if name else None
    return param is not None and any(
        field in param._values for field in (*_MOVED, "transform_param")
    )


def _upgrade(layer: Message) -> Message:
    name = _PARAMS.get(layer._values.get("type", ""))
    if name is None:
        return layer
    new = layer.shallow_copy()
    param = _own(new, name)
    transform = _own(new, "transform_param")
    inner = param._values.get("transform_param")
    if inner is not None:
        for field in inner._values:
            take(inner, field, transform)
        param.clear("transform_param")
    for field in _MOVED:
        take(param, field, transform)
        param.clear(field)
    return new


def _own(layer: Message, name: str) -> Message:
    """The message of a field as a copy that may be edited; an empty one where it was not set."""
    found: Message | None = layer._values.get(name)
    if found is None:
        empty: Message = layer.add(name)
        return empty
    own = found.shallow_copy()
    layer._values[name] = own
    return own
