"""Caffe's schema: message and enum types by name, made from the tables when they are asked for."""

from __future__ import annotations

from caffegen.schema.tables import ENUMS, MESSAGES
from caffegen.text.types import EnumType, FieldType, MessageType

__all__ = ["enum_type", "message_type"]

# A type is compared by identity, so there may be one object of each: setdefault decides a race.
_messages: dict[str, MessageType] = {}
_enums: dict[str, EnumType] = {}


def message_type(name: str) -> MessageType:
    """The message type of this name, such as `LayerParameter`; KeyError when there is none."""
    found = _messages.get(name)
    if found is None:
        fields = {row[0]: _field(*row) for row in MESSAGES[name]}
        found = _messages.setdefault(name, MessageType(name, fields))
    return found


def enum_type(name: str) -> EnumType:
    """The enum of this dotted name, such as `PoolingParameter.PoolMethod`; KeyError if none."""
    found = _enums.get(name)
    if found is None:
        found = _enums.setdefault(name, EnumType(name, ENUMS[name]))
    return found


def _field(
    name: str, number: int, label: str, type_name: str, default: str | bytes | float | None
) -> FieldType:
    repeated = label in ("repeated", "packed")
    if type_name in MESSAGES:
        kind = "message"
    elif type_name in ENUMS:
        kind = "enum"
    else:
        return FieldType(name, number, type_name, repeated=repeated, default=default)
    return FieldType(
        name,
        number,
        kind,
        repeated=repeated,
        default=default,
        type_name=type_name,
        resolve=message_type if kind == "message" else enum_type,
    )
