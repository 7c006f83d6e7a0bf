"""What a layer computes, as facts that can be compared: parameters resolved, forms of writing aside."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from caffegen.diagnostics import Report
from caffegen.layer_types import Definition, Refused
from caffegen.layer_types.fork_fields import foreign_effects
from caffegen.layer_types.spatial import resolve_spatial
from caffegen.net import Node
from caffegen.text import Message

__all__ = ["layer_facts", "shown"]

# facts that are found with the shapes, and say nothing of the size of the input
_RESOLVED = (
    "axis_index", "start", "end", "kernel", "stride", "pad", "dilation", "offsets", "shape", "sizes",
)  # fmt: skip
# ... and what they stand for
_WRITTEN = frozenset(
    {
        "raw_axis", "raw_end_axis", "raw_num_axes", "raw_offsets", "raw_old_axis", "slice_points",
    }
)  # fmt: skip
# of these the others are worked out, or they serve the definition alone
_WORKED_OUT = frozenset(
    {
        "base_scale", "constant", "flat", "from_bottom", "gradient_in_place", "inner_scale",
        "log_base", "mask", "ops_per_value", "outer_scale", "outputs_fit", "per_class_top",
        "prob_top", "refilled", "static_input",
    }
)  # fmt: skip
_OF_ALL = frozenset(
    {
        "blobs", "bottom_count", "bottom_shapes", "dialect", "forks", "layer", "name", "obstacle",
        "phase", "refused", "report", "top_count", "top_shapes",
    }
)  # fmt: skip
# what only the solver, or only training, looks at
_TRAINING = frozenset(
    {"bias_filler", "filler", "moving_average_fraction", "stable_prod_grad", "weight_filler"}
)


def layer_facts(node: Node, *, training: bool) -> dict[str, Hashable]:
    """The resolved parameters of a layer; `training` adds what only learning depends on.

    Of a layer that nothing defines, and of fields that no schema has, it is the text.
    """
    layer, definition = node.message, node.definition
    facts: dict[str, Hashable] = {}
    if definition is None or not definition.known:
        for field, value in layer.set_fields():
            if field.name.endswith("_param"):
                facts[field.name] = _plain(value)
    else:
        facts.update(_of_definition(definition, training=training))
        params = (definition.param, "loss_param", "softmax_param")
        for _, path, _ in foreign_effects(layer, params):
            param, _, name = path.partition(".")
            facts[name] = _plain(layer.get(param).get(name))
    facts.update(_unknown(layer))
    if training:
        facts.update(_learning(node))
    return facts


def _of_definition(definition: Definition, *, training: bool) -> Iterator[tuple[str, Hashable]]:
    found = vars(definition)
    bound = vars(type(definition)(definition.layer, definition.phase, Report(), definition.forks))
    known = bool(definition.top_shapes)
    for name, value in bound.items():
        if name in _OF_ALL or name in _WORKED_OUT or (known and name in _WRITTEN):
            continue
        if training or name not in _TRAINING:
            yield name, _plain(value)
    if not known:
        yield from _unshaped(definition)
        return
    for name in _RESOLVED:
        if name in found and name not in bound and not (name == "kernel" and found.get("pooled")):
            yield name, _plain(found[name])
    if "operand_shape" in found:
        yield "num_axes", len(found["operand_shape"])
    if not definition.bottom_count:
        yield "shapes", definition.top_shapes


def _unshaped(definition: Definition) -> Iterator[tuple[str, Hashable]]:
    """The window of a layer whose bottom is not known, as if it were an image."""
    param = definition.layer.get(definition.param) if definition.param else None
    if definition.param == "convolution_param" and param is not None:
        yield "axis_index", param.axis
        try:
            spatial = resolve_spatial(
                type(definition)(definition.layer, dialect=definition.forks), param, 2
            )
        except Refused:
            return
        yield from spatial._asdict().items()


def _unknown(layer: Message) -> dict[str, Hashable]:
    """The fields that no schema has, in the layer and in its parameters: their text."""
    found: dict[str, list[str]] = {}
    for _, field in layer.odd_fields() if layer.odd else ():
        found.setdefault(field.name, []).append(" ".join(field.text.split()))
    return {name: texts[0] if len(texts) == 1 else tuple(texts) for name, texts in found.items()}


def _learning(node: Node) -> Iterator[tuple[str, Hashable]]:
    layer = node.message
    blobs = len(node.definition.blobs) if node.definition is not None else len(layer.param)
    specs = [*layer.param, *[None] * (blobs - len(layer.param))]
    for field in ("lr_mult", "decay_mult"):
        yield field, tuple(1.0 if spec is None else spec.get(field) for spec in specs)
    default = [float(index == 0) for index in range(len(node.top))]
    loss = node.definition is not None and node.definition.loss
    weights = tuple(layer.loss_weight) or tuple(default if loss else [0.0] * len(node.top))
    if any(weights):
        yield "loss_weight", weights
    if layer.propagate_down:
        yield "propagate_down", tuple(layer.propagate_down)


def _plain(value: Any) -> Hashable:
    if isinstance(value, Message):
        fields = value.message_type.fields
        return tuple(
            (name, _plain(value.get(name)))
            for name, field in fields.items()
            if value.has(name) or (field.kind != "message" and not field.repeated)
        )
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item) for item in value)
    if isinstance(value, (set, frozenset)):
        return tuple(sorted(map(repr, value)))
    if isinstance(value, Mapping):
        return tuple((key, _plain(item)) for key, item in value.items())
    return value if isinstance(value, Hashable) else repr(value)


def shown(value: object) -> str:
    """A fact as a person writes it."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if not isinstance(value, tuple):
        return str(value)
    pairs = [item for item in value if isinstance(item, tuple) and len(item) == 2]
    if value and len(pairs) == len(value) and all(isinstance(name, str) for name, _ in pairs):
        return "{ " + " ".join(f"{name}: {shown(item)}" for name, item in pairs) + " }"
    return "[" + ", ".join(map(shown, value)) + "]"
