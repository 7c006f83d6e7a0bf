"""Layers of the second generation: `layers` with an enum for the type, now `layer` with a name.

Given: layers { type: CONVOLUTION blobs_lr: 1 blobs_lr: 2 weight_decay: 1 weight_decay: 0 }
Result: layer { type: "Convolution" param { lr_mult: 1 decay_mult: 1 }
                param { lr_mult: 2 decay_mult: 0 } }
"""

from __future__ import annotations

from caffegen.text import Message, MessageType
from caffegen.text.message import Place

from .findings import Findings, named
from .places import child, heading, place_of, put, replace_layers, successor, take
from .v1_crop import Offset, crop_offsets

__all__ = ["V1_TYPE_NAMES", "upgrade_v1"]

# word and number of V1LayerParameter.LayerType, and the name of today (upgrade_proto.cpp,
# UpgradeV1LayerType)
_TYPES = (
    ("NONE", 0, ""),
    ("ACCURACY", 1, "Accuracy"),
    ("BNLL", 2, "BNLL"),
    ("CONCAT", 3, "Concat"),
    ("CONVOLUTION", 4, "Convolution"),
    ("DATA", 5, "Data"),
    ("DROPOUT", 6, "Dropout"),
    ("EUCLIDEAN_LOSS", 7, "EuclideanLoss"),
    ("FLATTEN", 8, "Flatten"),
    ("HDF5_DATA", 9, "HDF5Data"),
    ("HDF5_OUTPUT", 10, "HDF5Output"),
    ("IM2COL", 11, "Im2col"),
    ("IMAGE_DATA", 12, "ImageData"),
    ("INFOGAIN_LOSS", 13, "InfogainLoss"),
    ("INNER_PRODUCT", 14, "InnerProduct"),
    ("LRN", 15, "LRN"),
    ("MULTINOMIAL_LOGISTIC_LOSS", 16, "MultinomialLogisticLoss"),
    ("POOLING", 17, "Pooling"),
    ("RELU", 18, "ReLU"),
    ("SIGMOID", 19, "Sigmoid"),
    ("SOFTMAX", 20, "Softmax"),
    ("SOFTMAX_LOSS", 21, "SoftmaxWithLoss"),
    ("SPLIT", 22, "Split"),
    ("TANH", 23, "TanH"),
    ("WINDOW_DATA", 24, "WindowData"),
    ("ELTWISE", 25, "Eltwise"),
    ("POWER", 26, "Power"),
    ("SIGMOID_CROSS_ENTROPY_LOSS", 27, "SigmoidCrossEntropyLoss"),
    ("HINGE_LOSS", 28, "HingeLoss"),
    ("MEMORY_DATA", 29, "MemoryData"),
    ("ARGMAX", 30, "ArgMax"),
    ("THRESHOLD", 31, "Threshold"),
    ("DUMMY_DATA", 32, "DummyData"),
    ("SLICE", 33, "Slice"),
    ("MVN", 34, "MVN"),
    ("ABSVAL", 35, "AbsVal"),
    ("SILENCE", 36, "Silence"),
    ("CONTRASTIVE_LOSS", 37, "ContrastiveLoss"),
    ("EXP", 38, "Exp"),
    ("DECONVOLUTION", 39, "Deconvolution"),
)

V1_TYPE_NAMES: dict[int | str, str] = {
    **{word: name for word, _, name in _TYPES},
    **{number: name for _, number, name in _TYPES},
}

# the words of forks that became a type of today, in the fork itself or in those that came after it;
# another word stays, for there is no such type. CROP does where its offset is found: see v1_crop.
_FORK_TYPES = {
    "BATCH_NORM": "BatchNorm",
    "BN": "BN",
    "INSANITY": "Insanity",
    "LOCAL": "Local",
    "LRN_MAP": "LRN",
    "NORMALIZE": "Normalize",
    "PARSE_EVALUATE": "ParseEvaluate",
    "PARSE_OUTPUT": "ParseOutput",
    "RELU6": "ReLU6",
    "ROIPOOLING": "ROIPooling",
    "ROI_POOLING": "ROIPooling",
    "SMOOTH_L1_LOSS": "SmoothL1Loss",
    "TRIPLET_LOSS": "TripletLoss",
    "UNPOOLING": "Unpooling",
}

# one value for each blob -> the field of ParamSpec
_SPECS = (
    ("param", "name"),
    ("blob_share_mode", "share_mode"),
    ("blobs_lr", "lr_mult"),
    ("weight_decay", "decay_mult"),
)
# done by hand, or gone: `layer` is what a V0 layer stood in
_NOT_TAKEN = frozenset({"type", "layer", *(name for name, _ in _SPECS)})


def upgrade_v1(net: Message, findings: Findings) -> Message:
    """The net with every `layers` as a `layer`.

    Caffe ends on a net that has both (upgrade_proto.cpp, UpgradeV1Net); here it is a fault, and
    both kinds stand in the result as the text orders them, so that the rest can be checked.
    """
    if not net.has("layers"):
        return net
    layer_type: MessageType = net._type.fields["layer"].type
    old = net.layers
    layers = [_upgrade_layer(layer, layer_type) for layer in old]
    for index, offset in crop_offsets(old).items():
        _set_crop(layers[index], old[index], offset)
    places = [place_of(net, "layers", index) for index in range(len(old))]
    if net.has("layer"):
        _report_mixture(net, findings)
        layers, places = _in_text_order(net, layers, places)
    new = replace_layers(net, "layer", layers, places)
    new.clear("layers")
    return new


def _report_mixture(net: Message, findings: Findings) -> None:
    lost = [layer.name for layer in net.layers]
    findings.fault(
        "mixed-layer-versions",
        f"`layers` are mixed with `layer`; Caffe refuses the net, for it would lose {named(lost)}",
        heading(place_of(net, "layers")),
        "write every layer as `layer { ... }` with its type in quotes",
        heading(place_of(net, "layer")),
    )


def _in_text_order(
    net: Message, layers: list[Message], places: list[Place | None]
) -> tuple[list[Message], list[Place | None]]:
    """The upgraded layers and those of today; by place, or the upgraded ones first."""
    entries = list(zip(layers, places, strict=True))
    entries += [(layer, place_of(net, "layer", index)) for index, layer in enumerate(net.layer)]
    if all(place is not None for _, place in entries):
        entries.sort(key=lambda entry: entry[1][0] if entry[1] else 0)
    return [layer for layer, _ in entries], [place for _, place in entries]


def _upgrade_layer(old: Message, layer_type: MessageType) -> Message:
    new = successor(layer_type, old)
    for name in old._values:
        if name not in _NOT_TAKEN:
            take(old, name, new)
    if old.has("type"):
        put(new, "type", _type_name(old.type), old, place_of(old, "type"))
    else:
        _keep_type(old, new)
    _gather_specs(old, new)
    if old.type == "LRN_MAP":
        _set_lrn_map(old, new)
    return new


def _set_crop(layer: Message, old: Message, offset: Offset) -> None:
    """Make a layer with the word CROP the Crop of today, which is told its offset."""
    place = place_of(old, "type")
    layer.clear("type")
    put(layer, "type", "Crop", old, place)
    param = child(layer, "crop_param", old, place)
    if not param.has("offset"):
        put(param, "axis", 2, old, place)
        for number in offset:
            put(param, "offset", number, old, place)


def _set_lrn_map(old: Message, new: Message) -> None:
    """Make the LRN within maps of March 2014 the LRN that it was merged into (BVLC's 824c344)."""
    own: Message = old.lrn_map_param if old.has("lrn_map_param") else old.lrn_param
    place = place_of(old, "type")
    new.clear("lrn_map_param")
    new.clear("lrn_param")
    param = child(new, "lrn_param", old, place)
    for name in own._values:
        take(own, name, param)
    put(param, "norm_region", "WITHIN_CHANNEL", old, place)


def _type_name(word: str) -> str:
    return V1_TYPE_NAMES.get(word) or _FORK_TYPES.get(word, "" if word == "NONE" else word)


def _keep_type(old: Message, new: Message) -> None:
    """Make a word that no schema has the name of the type, so that the layer still bears it."""
    for field in old.unknown:
        word = field.text.partition(":")[2].strip()
        if field.name == "type" and word.isidentifier():
            new._unknown = [kept for kept in new.unknown if kept is not field] or None
            put(new, "type", word, old, field.place)


def _gather_specs(old: Message, new: Message) -> None:
    """One ParamSpec for each blob that any of the four lists speaks of."""
    count = max(len(old.get(name)) for name, _ in _SPECS)
    if not count:
        return
    spec_type: MessageType = new._type.fields["param"].type
    for index in range(count):
        spec = Message(spec_type)
        spec._source = old._source
        for name, spec_name in _SPECS:
            values = old.get(name)
            if index < len(values):
                place = place_of(old, name, index)
                spec._place = spec._place or place
                put(spec, spec_name, values[index], old, place)
        put(new, "param", spec, old, spec._place)
