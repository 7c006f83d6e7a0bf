"""Padding was once a layer of its own; the convolution or pooling behind it takes it over.

Given: layers { layer { type: "padding" pad: 2 } bottom: "data" top: "pad" }
       layers { layer { type: "conv" kernelsize: 5 } bottom: "pad" top: "conv" }
Result: layers { layer { type: "conv" kernelsize: 5 pad: 2 } bottom: "data" top: "conv" }
"""

from __future__ import annotations

from typing import NamedTuple

from caffegen.text import Message
from caffegen.text.message import Place

from .findings import Findings
from .places import heading, place_of, put, replace_layers

__all__ = ["fold_padding", "v0_type"]


class _Written(NamedTuple):
    """A layer and where it stands."""

    layer: Message
    place: Place | None


def v0_type(layer: Message) -> str:
    """The type of the V0 layer in a `layers` entry; empty where it has none."""
    nested = layer._values.get("layer")
    return str(nested._values.get("type", "")) if nested is not None else ""


def fold_padding(net: Message, findings: Findings) -> Message:
    """The net without padding layers; each window behind one has its `pad` and reads its bottom.

    Blobs that nobody makes are not looked at here; the graph finds them (upgrade_proto.cpp,
    UpgradeV0PaddingLayers, ends on them).
    """
    layers = net.layers
    if not any(v0_type(layer) == "padding" for layer in layers):
        return net
    made_by: dict[str, _Written] = {}
    kept: list[Message] = []
    places: list[Place | None] = []
    for index, layer in enumerate(layers):
        written = _Written(layer, place_of(net, "layers", index))
        folded = layer
        for number, bottom in enumerate(layer.bottom):
            source = made_by.get(bottom)
            if source is not None and v0_type(source.layer) == "padding":
                folded = _fold(folded, number, written, source, findings)
        if v0_type(layer) != "padding":
            kept.append(folded)
            places.append(written.place)
        for top in layer.top:
            made_by[top] = written
    return replace_layers(net, "layers", kept, places)


def _fold(
    layer: Message, number: int, written: _Written, padding: _Written, findings: Findings
) -> Message:
    _check(written, padding, findings)
    new = layer.shallow_copy()
    source = padding.layer
    if source.has("bottom"):
        new._values["bottom"][number] = source.bottom[0]
        if "bottom" in new._places:
            new._places["bottom"][number] = place_of(source, "bottom")
    if v0_type(layer) in ("conv", "pool"):
        nested = layer.layer.shallow_copy()
        new._values["layer"] = nested
        given = source.layer
        place = place_of(given, "pad") or place_of(given, "type")
        nested.clear("pad")
        put(nested, "pad", given.pad, given, place)
    return new


def _check(written: _Written, padding: _Written, findings: Findings) -> None:
    kind, name = v0_type(written.layer), written.layer.layer.name
    here, there = heading(written.place), heading(padding.place)
    padding_name = padding.layer.layer.name
    if kind not in ("conv", "pool"):
        findings.fault(
            "padding-without-window",
            f"`{name}` ({kind or 'no type'}) reads the padding layer `{padding_name}`;"
            " only conv and pool take padding",
            here,
            "take the padding layer out",
            there,
        )
    for layer, field, place, wanted in (
        (written.layer, "bottom", here, name),
        (padding.layer, "bottom", there, padding_name),
        (padding.layer, "top", there, padding_name),
    ):
        count = len(layer.get(field))
        if count != 1:
            findings.fault(
                "padding-blob-count",
                f"`{wanted}` has {count} {field}s; a padding layer and its window take one",
                place,
                "",
                there if layer is written.layer else here,
            )
