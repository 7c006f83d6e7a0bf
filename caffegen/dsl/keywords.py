"""Which message the keywords of a layer go to, and what is said when there is none."""

from __future__ import annotations

from typing import Any

from caffegen.schema import message_type
from caffegen.text import FieldError, FieldType, Message

from .errors import did_you_mean, field_sentence
from .values import assign

__all__ = ["assign_keyword", "keyword_sentence"]

_OWN_PARAMS: dict[str, list[FieldType]] = {}


def _own_params(type_name: str) -> list[FieldType]:
    """The fields of LayerParameter with a type's own parameters: Pooling has `pooling_param`.

    Found by the message's name, as in pycaffe: a type without a message of its name has none.
    BVLC's fields come first: `relu6_param` of a fork is a ReLUParameter too.
    """
    if not _OWN_PARAMS:
        for field in message_type("LayerParameter").fields.values():
            if field.name.endswith("_param") and field.type_name:
                name = field.type_name.removesuffix("Parameter")
                _OWN_PARAMS.setdefault(name, []).append(field)
    return _OWN_PARAMS.get(type_name, [])


def _holder(type_name: str, key: str) -> FieldType | None:
    """The field whose message has this keyword.

    Forks call one message by several names (`norm_param`, `normalize_param`): that of most forks
    which have the keyword too is meant.
    """
    holders = [field for field in _own_params(type_name) if key in field.type.fields]
    if len(holders) < 2 or holders[0].forks is None:
        return holders[0] if holders else None
    forks = set(holders[0].type.fields[key].forks or ())
    return max(holders, key=lambda field: len(forks.intersection(field.forks or ())))


def assign_keyword(layer: Message, type_name: str, key: str, value: Any) -> None:
    """One keyword of a layer: a field of the type's own message, otherwise of LayerParameter."""
    own = None if key.endswith("param") else _holder(type_name, key)
    if own is not None:
        assign(layer, own.name, {key: value})
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
    held_by = _holder(type_name, key)
    if held_by is not None:
        # pycaffe takes every keyword that ends so for a field of the layer itself
        return f"{sentence} of the layer; write `{held_by.name}=dict({key}=...)`"
    own = next(iter(_own_params(type_name)), None)
    if own is None:
        definition = definition_class(type_name)
        if definition is None:
            return f"{sentence}, and no such layer type{did_you_mean(type_name, known_types())}"
        # Deconvolution reads convolution_param, and pycaffe wants that written out
        held = fields[definition.param].type.fields if definition.param else {}
        word = key if key in held else nearest(key, held)
        if word:
            return f"{sentence} of its own; write `{definition.param}=dict({word}=...)`"
    near = did_you_mean(key, own.type.fields) if own else ""
    if near:
        return sentence + near
    holders = [f for f in fields.values() if f.name.endswith("param") and key in f.type.fields]
    # a fork's field is named where no other will do
    own_holders = [f for f in holders if f.forks is None and f.type.fields[key].forks is None]
    stems = {
        field.name: field.type.name.removesuffix("Parameter").lower()
        for field in own_holders or holders
    }
    # the loss_param of SoftmaxWithLoss, or every message with such a field
    names = [name for name, stem in stems.items() if stem in type_name.lower()] or list(stems)
    if len(names) == 1:
        return f"{sentence} of its own; write `{names[0]}=dict({key}=...)`"
    if not names:
        return sentence + did_you_mean(key, fields)
    return f"{sentence} of its own; it is a field of `{'`, `'.join(sorted(names))}`"
