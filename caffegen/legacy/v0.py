"""Layers of the first generation: everything in one nested `layer`, types in small letters.

Given: layers { layer { name: "c" type: "conv" num_output: 4 kernelsize: 3 } bottom: "x" top: "c" }
Result: layers { name: "c" type: CONVOLUTION bottom: "x" top: "c"
                 convolution_param { num_output: 4 kernel_size: 3 } }
"""

from __future__ import annotations

from caffegen.text import Message, MessageType

from .findings import Findings, named
from .places import child, heading, place_of, put, replace_layers, successor, take
from .v0_padding import fold_padding
from .v1 import V1_TYPE_NAMES

__all__ = ["upgrade_v0", "v0_type_name"]

# upgrade_proto.cpp, UpgradeV0LayerType
_TYPES = {
    "accuracy": "ACCURACY",
    "bnll": "BNLL",
    "concat": "CONCAT",
    "conv": "CONVOLUTION",
    "data": "DATA",
    "dropout": "DROPOUT",
    "euclidean_loss": "EUCLIDEAN_LOSS",
    "flatten": "FLATTEN",
    "hdf5_data": "HDF5_DATA",
    "hdf5_output": "HDF5_OUTPUT",
    "im2col": "IM2COL",
    "images": "IMAGE_DATA",
    "infogain_loss": "INFOGAIN_LOSS",
    "innerproduct": "INNER_PRODUCT",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MULTINOMIAL_LOGISTIC_LOSS",
    "pool": "POOLING",
    "relu": "RELU",
    "sigmoid": "SIGMOID",
    "softmax": "SOFTMAX",
    "softmax_loss": "SOFTMAX_LOSS",
    "split": "SPLIT",
    "tanh": "TANH",
    "window_data": "WINDOW_DATA",
}
_PARAMS = {
    "concat": "concat_param",
    "conv": "convolution_param",
    "data": "data_param",
    "dropout": "dropout_param",
    "hdf5_data": "hdf5_data_param",
    "images": "image_data_param",
    "infogain_loss": "infogain_loss_param",
    "innerproduct": "inner_product_param",
    "lrn": "lrn_param",
    "pool": "pooling_param",
    "window_data": "window_data_param",
}
_WEIGHTED = ("conv", "innerproduct")
_WINDOWS = ("conv", "pool")
_SOURCES = ("data", "hdf5_data", "images", "window_data")
_WINDOW_DATA = ("window_data",)
# V0 field -> field of today, and the types that have it (UpgradeV0LayerParameter)
_FIELDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "num_output": ("num_output", _WEIGHTED),
    "biasterm": ("bias_term", _WEIGHTED),
    "weight_filler": ("weight_filler", _WEIGHTED),
    "bias_filler": ("bias_filler", _WEIGHTED),
    "pad": ("pad", _WINDOWS),
    "kernelsize": ("kernel_size", _WINDOWS),
    "group": ("group", ("conv",)),
    "stride": ("stride", _WINDOWS),
    "pool": ("pool", ("pool",)),
    "dropout_ratio": ("dropout_ratio", ("dropout",)),
    "local_size": ("local_size", ("lrn",)),
    "alpha": ("alpha", ("lrn",)),
    "beta": ("beta", ("lrn",)),
    "k": ("k", ("lrn",)),
    "source": ("source", (*_SOURCES, "infogain_loss")),
    "batchsize": ("batch_size", _SOURCES),
    "rand_skip": ("rand_skip", ("data", "images")),
    "shuffle_images": ("shuffle", ("images",)),
    "new_height": ("new_height", ("images",)),
    "new_width": ("new_width", ("images",)),
    "concat_dim": ("concat_dim", ("concat",)),
    "det_fg_threshold": ("fg_threshold", _WINDOW_DATA),
    "det_bg_threshold": ("bg_threshold", _WINDOW_DATA),
    "det_fg_fraction": ("fg_fraction", _WINDOW_DATA),
    "det_context_pad": ("context_pad", _WINDOW_DATA),
    "det_crop_mode": ("crop_mode", _WINDOW_DATA),
    "hdf5_output_param": ("", ("hdf5_output",)),  # a whole message
}
_TRANSFORM = {
    "scale": "scale",
    "meanfile": "mean_file",
    "cropsize": "crop_size",
    "mirror": "mirror",
}
_TAKEN = ("name", "blobs", "blobs_lr", "weight_decay")
_NET_FIELDS = ("name", "input", "input_dim", "force_backward")


def v0_type_name(type: str) -> str | None:
    """The layer type of today for a V0 type; None for one that V0 did not have."""
    word = _TYPES.get(type)
    return V1_TYPE_NAMES[word] if word else None


def upgrade_v0(net: Message, findings: Findings) -> Message:
    """The net with its V0 layers as V1 layers and padding folded; one V0 layer makes it a V0 net.

    Of a V0 net Caffe keeps the layers, name, input, input_dim and force_backward and drops the
    rest, input_shape among it (upgrade_proto.cpp, UpgradeV0Net).
    """
    if not any("layer" in layer._values for layer in net._values.get("layers", ())):
        return net
    folded = fold_padding(net, findings)
    new = successor(net._type, net)
    for name in _NET_FIELDS:
        take(net, name, new)
    _report_mixture(net, findings)
    for name in net._values:
        if name not in _NET_FIELDS and name not in ("layer", "layers"):
            _report_lost(net, name, "a V0 net", findings)
    layer_type: MessageType = net._type.fields["layers"].type
    old = folded.layers
    layers = [_upgrade_layer(layer, layer_type, findings) for layer in old]
    places = [place_of(folded, "layers", index) for index in range(len(old))]
    return replace_layers(new, "layers", layers, places)


def _report_mixture(net: Message, findings: Findings) -> None:
    """Layers in a V0 net that are not V0: those of today go whole, V1 layers keep their blobs."""
    first = next(i for i, layer in enumerate(net.layers) if layer.has("layer"))
    there = heading(place_of(net, "layers", first))
    mend = "write every layer as `layer { ... }` with its type in quotes"
    if net.has("layer"):
        lost = named(layer.name for layer in net.layer)
        findings.fault(
            "mixed-layer-versions",
            f"`layer` stands beside V0 `layers`; Caffe loses {lost}",
            heading(place_of(net, "layer")),
            mend,
            there,
        )
    later = [i for i, layer in enumerate(net.layers) if not layer.has("layer")]
    if later:
        lost = named(net.layers[i].name for i in later)
        findings.fault(
            "mixed-layer-versions",
            f"V1 `layers` stand among V0 ones; Caffe keeps only the bottoms and tops of {lost}",
            heading(place_of(net, "layers", later[0])),
            mend,
            there,
        )


def _report_lost(message: Message, name: str, owner: str, findings: Findings) -> None:
    findings.warning(
        "field-lost-in-upgrade",
        f"`{name}` is lost: Caffe does not carry it over from {owner}",
        place_of(message, name),
        "upgrade the file, then set it again",
    )


def _upgrade_layer(old: Message, layer_type: MessageType, findings: Findings) -> Message:
    new = successor(layer_type, old)
    take(old, "bottom", new)
    take(old, "top", new)
    nested: Message | None = old._values.get("layer")
    if nested is None:
        return new
    for name in old._values:
        if name not in ("bottom", "top", "layer"):
            _report_lost(old, name, "outside the nested `layer`", findings)
    new.carry_text(nested)
    for name in _TAKEN:
        take(nested, name, new)
    if nested.has("type"):
        _set_type(nested, new, findings)
    for name in nested._values:
        if name not in _TAKEN and name != "type":
            _place_field(nested, name, new, findings)
    return new


def _set_type(nested: Message, new: Message, findings: Findings) -> None:
    word = _TYPES.get(nested.type)
    if word is not None:
        put(new, "type", word, nested, place_of(nested, "type"))
        return
    from caffegen.schema.suggest import nearest

    new._broken = True  # the layer has a type, though none that is known
    near = nearest(nested.type, _TYPES)
    findings.fault(
        "unknown-v0-layer-type",
        f"V0 has no layer type `{nested.type}`" + (f"; did you mean `{near}`?" if near else ""),
        place_of(nested, "type"),
        f"it has {', '.join(_TYPES)} and padding",
    )


def _place_field(nested: Message, name: str, new: Message, findings: Findings) -> None:
    """Give a V0 parameter its place in the parameters of its layer's type."""
    place = place_of(nested, name)
    value = nested._values[name]
    if name in _TRANSFORM:
        put(child(new, "transform_param", nested, place), _TRANSFORM[name], value, nested, place)
        return
    field, types = _FIELDS.get(name, ("", ()))
    if nested.type in types:
        if not field:
            take(nested, name, new)
            return
        param = child(new, _PARAMS[nested.type], nested, place)
        if param._type.fields[field].kind == "uint32":
            value &= 0xFFFFFFFF  # new_height was signed; C++ wraps
        put(param, field, value, nested, place)
        return
    findings.warning(
        "v0-field-without-use",
        f"`{name}` means nothing to a V0 layer of type `{nested.type}`; Caffe drops it",
        place,
        f"it belongs to {', '.join(types)}" if types else "",
    )
