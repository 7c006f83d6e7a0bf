"""A net as OpenCV 4's Caffe importer has to be told it, where it takes the forks' words otherwise.

What it deviates in and what can be said exactly in other words is said so; the weights stay as they are.
A layer that it lacks, or would compute to something else whatever it is told, is left out; what reads
such a layer is given another runtime's values where they are known, else it is left out too.
Unknown numbers reach OpenCV's layers by their names, which is how these are given what its schema of
Caffe's fields lacks; the sign of such a number is lost on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from caffegen.schema import message_type
from caffegen.text import Message, Source, parse
from caffegen.text.message import round_float

if TYPE_CHECKING:
    from caffegen.loader import Net
    from caffegen.net import Node

__all__ = ["Accent", "in_its_accent"]

# MVN's default, which is too small to matter where it is added
_MVN_EPS = round_float(1e-9)
_NOTHING: Mapping[str, Any] = MappingProxyType({})
# layers without bottoms that are not the place of a net's inputs
_MAKE_VALUES = ("DummyData", "Parameter")


class Accent(NamedTuple):
    """The layers that OpenCV is told of, what was put in other words, and why layers are left out.

    `left_out` has the reason for each layer that is left out itself, and not for those behind it;
    `kept` names the layers that are told, `computed` says that they are more than inputs. `given`
    has the blobs in whose place another runtime's values are read, by the name of their input;
    `unread` names inputs that are not told, since nothing that is told reads them.
    """

    net: Message
    changes: tuple[str, ...]
    left_out: dict[str, str]
    kept: frozenset[str]
    computed: bool
    given: dict[str, str]
    unread: frozenset[str]


class _Unspeakable(Exception):
    """A layer that OpenCV computes to something else; the text is the reason."""


class _Said(NamedTuple):
    """The layers that stand for one, and the change in words, if there is one."""

    layers: list[Message]
    change: str


# the layer in other words; None where it can be told as it stands
_Rule = Callable[["Node", Any], "_Said | None"]


def in_its_accent(
    net: Net, lacks: Collection[str] = (), known: Mapping[str, Any] = _NOTHING
) -> Accent:
    """The net as OpenCV reads it right, layer by layer.

    `lacks` are the types of layers that it has not; `known` has another runtime's values of blobs.
    """
    layers: list[Message] = []
    changes: dict[str, None] = {}
    left_out: dict[str, str] = {}
    kept: set[str] = set()
    silent: set[int] = set()
    given: dict[str, str] = {}
    for node in net.graph.nodes:
        unsaid = [value for value in node.inputs if value is not None and id(value) in silent]
        if any(net.graph.final.get(v.name) is not v or v.name not in known for v in unsaid):
            silent.update(id(value) for value in node.outputs)
            continue
        try:
            said = _say(node, lacks)
        except _Unspeakable as reason:
            left_out[node.name] = f"`{node.name}` ({node.type}): {reason}"
            silent.update(id(value) for value in node.outputs)
            continue
        for value in unsaid:
            if value.name not in given.values():
                given[f"{value.name}/known"] = value.name
                layers.append(_input(f"{value.name}/known", known[value.name].shape))
        kept.add(node.name)
        renamed = {value.name: f"{value.name}/known" for value in unsaid}
        layers.extend(_reading(_readable(layer), renamed) for layer in said.layers)
        if said.change:
            changes[said.change] = None
    computed = any(layer.bottom for layer in layers)
    layers, unread = _without_unread(layers)
    whole = net.message.shallow_copy()
    whole.set("layer", layers)
    return Accent(
        whole, tuple(changes), left_out, frozenset(kept), computed, given, frozenset(unread)
    )


def _without_unread(layers: list[Message]) -> tuple[list[Message], set[str]]:
    """The layers without the inputs that none of them reads, on which OpenCV stops; their names."""
    read = {bottom for layer in layers for bottom in layer.bottom}
    found: list[Message] = []
    unread: set[str] = set()
    for layer in layers:
        tops = list(layer.top)
        kept = [index for index, top in enumerate(tops) if top in read]
        if layer.type != "Input" or len(kept) == len(tops):
            found.append(layer)
            continue
        unread.update(top for top in tops if top not in read)
        shapes = list(layer.input_param.shape)
        # one shape for all tops, or one for each
        found += [
            _input(tops[index], shapes[index if len(shapes) > 1 else 0].dim)
            for index in kept
            if shapes
        ]
    return found, unread


def _say(node: Node, lacks: Collection[str]) -> _Said:
    """The layer in words that OpenCV takes; raises _Unspeakable where there are none."""
    rule = _RULES.get(node.type)
    said = rule(node, node.definition) if rule is not None and node.definition else None
    if said is not None:
        return said
    if node.type in lacks:
        if node.bottom or node.type in _MAKE_VALUES:
            raise _Unspeakable("OpenCV has no such layer")
        inputs = [(value.name, value.shape) for value in node.outputs if value.shape is not None]
        return _Said([_input(*row) for row in inputs], f"{node.type} as Input")
    return _Said([node.message], "")


def _input(blob: str, shape: Iterable[int]) -> Message:
    dims = " ".join(f"dim: {size}" for size in shape)
    layer = _layer(f'type: "Input" input_param {{ shape {{ {dims} }} }}')
    layer.set("name", blob)
    layer.set("top", [blob])
    return layer


def _reading(layer: Message, names: Mapping[str, str]) -> Message:
    """The layer with bottoms under other names; `layer` is this module's own."""
    if any(bottom in names for bottom in layer.bottom):
        layer.set("bottom", [names.get(bottom, bottom) for bottom in layer.bottom])
    return layer


def _readable(layer: Message) -> Message:
    """The layer without the fillers and the fork's words on which OpenCV's parser stops."""
    found = layer.shallow_copy()
    for field, value in layer.set_fields():
        if not isinstance(value, Message):
            if field.forks is not None:
                found.clear(field.name)
            continue
        fillers = [inner.name for inner, _ in value.set_fields() if inner.name.endswith("filler")]
        if fillers:
            param = value.shallow_copy()
            for name in fillers:
                param.clear(name)
            found.set(field.name, param)
    return found


def _layer(text: str) -> Message:
    parsed = parse(Source(f"layer {{ {text} }}"), message_type("NetParameter"))
    layer: Message = parsed.message.layer[0]
    return layer


def _renamed(
    node: Node, kind: str, param: str = "", *, bottoms: Sequence[str], top: str = ""
) -> Message:
    """A layer of another type; with a `top` a new one in front, which is named as its top."""
    layer = _layer(f'type: "{kind}" {param}')
    layer.set("name", top or node.name)
    layer.set("bottom", bottoms)
    layer.set("top", [top] if top else node.top)
    return layer


def _with_numbers(layer: Message, kind: str = "", **numbers: float) -> Message:
    """The layer with numbers that OpenCV's schema lacks."""
    if min(numbers.values()) < 0:
        name, number = min(numbers.items(), key=lambda pair: pair[1])
        raise _Unspeakable(f"OpenCV's importer would drop the sign of `{name}` ({number:g})")
    found = layer.shallow_copy()
    found.carry_text(_layer(" ".join(f"{name}: {number!r}" for name, number in numbers.items())))
    if kind:
        found.set("type", kind)
    return found


def _with_param(node: Node, field: str, **values: Any) -> Message:
    """The layer with other values in one of its messages."""
    layer = node.message.shallow_copy()
    param = layer.get(field).shallow_copy()
    for name, value in values.items():
        param.set(name, value)
    layer.set(field, param)
    return layer


def _unset(node: Node, field: str, names: Iterable[str]) -> dict[str, Any]:
    """The values of fields that are not set, and of which OpenCV has another default, or none."""
    param = node.message.get(field)
    return {name: param.get(name) for name in names if not param.has(name)}


def _axpy(node: Node, _: Any) -> _Said:
    factors, multiplied, added = node.bottom
    scaled = f"{node.name}/scaled"
    return _Said(
        [
            _renamed(node, "Scale", "scale_param { axis: 0 }", bottoms=[multiplied, factors],
                     top=scaled),
            _renamed(node, "Eltwise", bottoms=[scaled, added]),
        ],
        "Axpy, of which OpenCV multiplies the third bottom, as Scale and Eltwise",
    )  # fmt: skip


def _depthwise(node: Node, facts: Any) -> _Said | None:
    param = node.message.convolution_param
    meant = facts.num_output, facts.group
    if node.type == "ConvolutionDepthwise" and (param.num_output, param.group) == meant:
        return None
    layer = _with_param(node, "convolution_param", num_output=meant[0], group=meant[1])
    layer.set("type", "Convolution")
    return _Said([layer], f"{node.type} as Convolution with `group`")


def _concat(node: Node, facts: Any) -> _Said | None:
    if not node.message.concat_param.has("concat_dim"):
        return None
    layer = _with_param(node, "concat_param", axis=facts.axis_index)
    return _Said([layer], "Concat's `concat_dim` as `axis`")


def _detections(node: Node, facts: Any) -> _Said | None:
    if facts.eta != 1:
        raise _Unspeakable("OpenCV's DetectionOutput reads no `eta`")
    if facts.variance_encoded_in_target:
        raise _Unspeakable(
            "with `variance_encoded_in_target` OpenCV takes priors without variances"
        )
    if facts.code_type == "CORNER_SIZE":
        raise _Unspeakable("OpenCV knows no `code_type: CORNER_SIZE`")
    names = ("share_location", "background_label_id", "code_type")
    unset = _unset(node, "detection_output_param", names)
    if facts.keep_top_k < 0:
        # as many as there can be: without a number OpenCV 4.14 writes past its memory
        unset["keep_top_k"] = facts.priors * len(facts.labels)
    nms = node.message.detection_output_param.nms_param
    if not nms.has("nms_threshold"):
        unset["nms_param"] = nms.shallow_copy()
        unset["nms_param"].set("nms_threshold", facts.nms_threshold)
    if not unset:
        return None
    return _Said(
        [_with_param(node, "detection_output_param", **unset)], "DetectionOutput's defaults"
    )


def _inner_product(_: Node, facts: Any) -> None:
    if facts.transpose:
        raise _Unspeakable("OpenCV's InnerProduct reads no `transpose`")


def _interp(node: Node, facts: Any) -> _Said | None:
    param = node.message.interp_param
    if facts.nearest or facts.begin or facts.end:
        raise _Unspeakable("OpenCV's Interp knows neither `mode` nor `pad_beg` and `pad_end`")
    fields = {field.name for field, _ in param.set_fields()}
    if len(node.bottom) == 1 and fields in ({"height", "width"}, {"zoom_factor"}):
        return None
    height, width = facts.top_shapes[0][2:]
    text = f"interp_param {{ height: {height} width: {width} }}"
    return _Said([_renamed(node, "Interp", text, bottoms=node.bottom[:1])], "the size of Interp")


def _lrn(node: Node, facts: Any) -> _Said | None:
    unset = _unset(node, "lrn_param", ("alpha",))
    layer = _with_param(node, "lrn_param", **unset)
    if facts.k != 1:
        return _Said([_with_numbers(layer, bias=facts.k)], "LRN's `k`, which OpenCV calls `bias`")
    return _Said([layer], "LRN's default `alpha`") if unset else None


def _mat_mul(node: Node, facts: Any) -> _Said | None:
    if not facts.transpose_a and not facts.transpose_b:
        return None
    layer = _with_numbers(
        node.message, transA=int(facts.transpose_a), transB=int(facts.transpose_b)
    )
    layer.clear("matmul_param")
    return _Said([layer], "MatMul's transposes")


def _max_unpool(node: Node, _: Any) -> None:
    first = node.inputs[0]
    if first is not None and first.shape and first.shape[0] != 1:
        raise _Unspeakable(f"OpenCV's MaxUnpool takes one item; there are {first.shape[0]}")


def _permute(node: Node, facts: Any) -> _Said | None:
    if len(node.message.permute_param.order) == len(facts.order):
        return None
    return _Said([_with_param(node, "permute_param", order=facts.order)], "all axes of Permute")


def _mean_variance(_: Node, facts: Any) -> None:
    if facts.normalize_variance and facts.eps != _MVN_EPS:
        raise _Unspeakable(f"OpenCV's MVN adds `eps` ({facts.eps:g}) to another number")


def _prior_box(node: Node, _: Any) -> _Said | None:
    param = node.message.prior_box_param
    other = {**_unset(node, "prior_box_param", ("clip", "flip"))}
    if not param.has("variance"):
        other["variance"] = [0.1]
    for name in ("min_size", "max_size"):
        whole = [int(size) for size in param.get(name)]
        if whole != list(param.get(name)):
            other[name] = whole
    if not other:
        return None
    words = ", ".join(f"`{name}`" for name in other)
    return _Said(
        [_with_param(node, "prior_box_param", **other)], f"PriorBox's {words} as Caffe takes it"
    )


def _proposal(node: Node, facts: Any) -> None:
    if facts.min_size > 0:
        raise _Unspeakable(f"OpenCV's Proposal reads no `min_size` ({facts.min_size:g})")
    if facts.scales_at != (2, 2):
        raise _Unspeakable("OpenCV's Proposal has the anchors of an `im_info` of 3 numbers")
    if facts.bottom_shapes[0][0] != 1:
        raise _Unspeakable(f"OpenCV's Proposal takes one image; {node.bottom[0]} has more")


def _relu6(_: Node, facts: Any) -> None:
    if facts.negative_slope != 0:
        raise _Unspeakable("OpenCV's ReLU6 has no `negative_slope`")


def _reorg(node: Node, facts: Any) -> _Said:
    if facts.reverse:
        raise _Unspeakable("OpenCV's Reorg has no `reverse`")
    layer = _with_numbers(node.message, reorg_stride=facts.stride)
    layer.clear("reorg_param")
    return _Said([layer], "Reorg's `stride` as `reorg_stride`")


def _resize(_: Node, __: Any) -> None:
    raise _Unspeakable("OpenCV's Resize begins at another corner")


def _selu(node: Node, facts: Any) -> _Said:
    layer = _with_numbers(node.message, "Selu", alpha=facts.alpha, gamma=facts.scale)
    layer.clear("selu_param")
    return _Said([layer], "SeLu as Selu")


_RULES: dict[str, _Rule] = {
    "Axpy": _axpy,
    "Concat": _concat,
    "ConvolutionDepthwise": _depthwise,
    "DepthwiseConvolution": _depthwise,
    "DetectionOutput": _detections,
    "InnerProduct": _inner_product,
    "Interp": _interp,
    "LRN": _lrn,
    "MVN": _mean_variance,
    "MatMul": _mat_mul,
    "MaxUnpool": _max_unpool,
    "Permute": _permute,
    "PriorBox": _prior_box,
    "Proposal": _proposal,
    "ReLU6": _relu6,
    "Reorg": _reorg,
    "Resize": _resize,
    "SeLu": _selu,
}
