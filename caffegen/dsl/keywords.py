"""Which message the keywords of a layer go to, and what is said when there is none."""

from __future__ import annotations

from typing import Any

from caffegen.schema import message_type
from caffegen.text import FieldError, Message

from .errors import did_you_mean, field_sentence
from .values import assign

__all__ = ["assign_keyword", "keyword_sentence"]

_OWN_PARAM: dict[str, str] = {}


def _own_param(type_name: str) -> str | None:
    """The field of LayerParameter with a type's own parameters: Pooling has `pooling_param`.

    Found by the message's name, as in pycaffe: a type without a message of its name has none.
    """
    if not _OWN_PARAM:
        for field in message_type("LayerParameter").fields.values():
            if field.name.endswith("_param") and field.type_name:
                _OWN_PARAM[field.type_name.removesuffix("Parameter")] = field.name
    return _OWN_PARAM.get(type_name)


def assign_keyword(layer: Message, type_name: str, key: str, value: Any) -> None:
    """One keyword of a layer: a field of the type's own message, otherwise of LayerParameter."""
    own = None if key.endswith("param") else _own_param(type_name)
    if own is not None and key in layer.field(own).type.fields:
        assign(layer, own, {key: value})
    else:
        assign(layer, key, value)


def keyword_sentence(type_name: str, error: FieldError) -> str:
    """What is wrong with a keyword of a layer, and what was probably meant."""
    if error.kind == "unknown-field" and error.message_type.name == "LayerParameter":
        return _unknown_keyword(type_name, error.field)
    return field_sentence(error)


def _unknown_keyword(type_name: str, key: str) -> str:
    """Where a keyword that a layer does not have may belong: another type, message or spelling."""
    from caffegen.layer_types import definition_class, known_types
    from caffegen.schema.suggest import nearest

    sentence = f"no field `{key}`"
    fields = message_type("LayerParameter").fields
    own = _own_param(type_name)
    if own is None:
        definition = definition_class(type_name)
        if definition is None:
            return f"{sentence}, and no such layer type{did_you_mean(type_name, known_types())}"
        # Deconvolution reads convolution_param, and pycaffe wants that written out
        held = fields[definition.param].type.fields if definition.param else {}
        word = key if key in held else nearest(key, held)
        if word:
            return f"{sentence} of its own; write `{definition.param}=dict({word}=...)`"
    near = did_you_mean(key, fields[own].type.fields) if own else ""
    if near:
        return sentence + near
    stems = {
        field.name: field.type.name.removesuffix("Parameter").lower()
        for field in fields.values()
        if field.name.endswith("param") and key in field.type.fields
    }
    # the loss_param of SoftmaxWithLoss, or every message with such a field
    names = [name for name, stem in stems.items() if stem in type_name.lower()] or list(stems)
    if len(names) == 1:
        return f"{sentence} of its own; write `{names[0]}=dict({key}=...)`"
    if not names:
        return sentence + did_you_mean(key, fields)
    return f"{sentence} of its own; it is a field of `{'`, `'.join(sorted(names))}`"
