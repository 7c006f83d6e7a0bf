"""A net's inputs, once fields of the net, now the tops of an Input layer in first place.

Given: input: "data" input_dim: 1 input_dim: 3 input_dim: 224 input_dim: 224
Result: layer { name: "input" type: "Input" top: "data"
                input_param { shape { dim: 1 dim: 3 dim: 224 dim: 224 } } }

Inputs without any sizes are dropped: so old caffemodels have them (upgrade_proto.cpp,
UpgradeNetInput). Sizes without an input are left alone, and Caffe passes over them.
"""

from __future__ import annotations

from collections.abc import Mapping

from caffegen.text import Message
from caffegen.text.message import Place

from .findings import Findings, named
from .places import child, place_of, put, replace_layers, take

__all__ = ["upgrade_inputs", "with_input_sizes"]

_AXES = 4  # of every blob whose sizes were given by input_dim


def with_input_sizes(net: Message, given: Mapping[str, tuple[int, ...]] | None) -> Message:
    """The net with sizes for inputs that have none, where the caller gives those of them all.

    Given: input: "data" and data=1,3,224,224
    Result: input: "data" input_shape { dim: 1 dim: 3 dim: 224 dim: 224 }
    """
    if not given or not net.has("input") or net.has("input_shape") or net.has("input_dim"):
        return net
    names: list[str] = net.input
    if not all(name in given for name in names):
        return net
    new = net.shallow_copy()
    for name in names:
        new.add("input_shape").set("dim", given[name])
    return new


def upgrade_inputs(net: Message, findings: Findings) -> Message:
    """The net with an Input layer instead of its input fields."""
    if not net.has("input"):
        return net
    if net.has("input_shape") or net.has("input_dim"):
        layers: list[Message] = [_input_layer(net, findings)]
        places = [place_of(net, "input")]
        for index, layer in enumerate(net.layer):
            layers.append(layer)
            places.append(place_of(net, "layer", index))
        new = replace_layers(net, "layer", layers, places)
    else:
        findings.warning(
            "input-without-shape",
            f"no sizes are given for the input {named(net.input)}; Caffe drops it",
            place_of(net, "input"),
            "give four `input_dim` for each `input`, or one `input_shape`",
        )
        new = net.shallow_copy()
    for name in ("input", "input_shape", "input_dim"):
        new.clear(name)
    return new


def _input_layer(net: Message, findings: Findings) -> Message:
    layer = Message(net._type.fields["layer"].type)
    layer._source, layer._place = net._source, place_of(net, "input")
    layer.set("name", "input")
    layer.set("type", "Input")
    take(net, "input", layer, "top")
    if net.has("input_shape"):
        param = child(layer, "input_param", net, place_of(net, "input_shape"))
        _take_shapes(net, param, findings)
    else:
        param = child(layer, "input_param", net, place_of(net, "input_dim"))
        _gather_dims(net, param, findings)
    return layer


def _take_shapes(net: Message, param: Message, findings: Findings) -> None:
    inputs, shapes = net.input, net.input_shape
    for index, shape in enumerate(shapes[: len(inputs)]):
        put(param, "shape", shape, net, place_of(net, "input_shape", index))
    if len(shapes) < len(inputs):
        findings.fault(
            "too-few-input-sizes",
            f"{len(shapes)} `input_shape` for {len(inputs)} inputs; each `input` takes its own",
            place_of(net, "input", len(shapes)),
            f"add the `input_shape` of {named(inputs[len(shapes) :])}",
            place_of(net, "input_shape", len(shapes) - 1),
        )
    elif len(shapes) > len(inputs):
        _left_over("input_shape", place_of(net, "input_shape", len(inputs)), findings)
    if net.has("input_dim"):
        _left_over("input_dim", place_of(net, "input_dim"), findings)


def _gather_dims(net: Message, param: Message, findings: Findings) -> None:
    inputs, dims = net.input, net.input_dim
    wanted = _AXES * len(inputs)
    for start in range(0, min(wanted, len(dims)), _AXES):
        place = place_of(net, "input_dim", start)
        shape = Message(param._type.fields["shape"].type)
        shape._source, shape._place = net._source, place
        for index in range(start, min(start + _AXES, len(dims))):
            put(shape, "dim", dims[index], net, place_of(net, "input_dim", index))
        put(param, "shape", shape, net, place)
    if len(dims) < wanted:
        findings.fault(
            "too-few-input-sizes",
            f"{len(dims)} `input_dim` for {len(inputs)} inputs; each `input` takes {_AXES}",
            place_of(net, "input", len(dims) // _AXES),
            "give blobs of fewer axes by `input_shape { dim: ... }`",
            place_of(net, "input_dim", len(dims) - 1),
        )
    elif len(dims) > wanted:
        _left_over("input_dim", place_of(net, "input_dim", wanted), findings)


def _left_over(name: str, place: Place | None, findings: Findings) -> None:
    findings.warning(
        "input-sizes-left-over",
        f"this `{name}` belongs to no `input`; Caffe passes over it",
        place,
        "remove it, or give the `input` that it belongs to",
    )
