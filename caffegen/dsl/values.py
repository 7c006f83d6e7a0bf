"""Python arguments to message fields, by pycaffe's rules (net_spec.py, assign_proto).

A dict is a message, a list a repeated field; a repeated field takes a single value as a list of
one, and values given twice add up. A message field that is given nothing stays unset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from caffegen.text import FieldError, FieldType, Message

__all__ = ["assign"]

_SCALARS = frozenset({bool, float, int, str})


def assign(message: Message, name: str, value: Any) -> None:
    """Give a field of a message a Python value; FieldError where the two do not fit."""
    field = message.field(name)
    if type(value) not in _SCALARS:
        value = _plain(value)
    if not field.repeated:
        if field.kind == "message":
            _merge(message, field, value)
        else:
            message.set(name, value)
    elif field.kind == "message":
        for item in _items(value):
            message.add(name, _message(message, field, _plain(item)))
    else:
        for item in _items(value):
            message.add(name, _plain(item))


def _plain(value: Any) -> Any:
    """Scalars and arrays of numpy, or of what behaves so, as Python's own."""
    to_list = getattr(value, "tolist", None)
    return value if to_list is None else to_list()


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, (str, bytes, Mapping, Message)) or not isinstance(value, Iterable):
        return (value,)
    return value


def _message(owner: Message, field: FieldType, value: Any) -> Message:
    """A new message of a field's type; it counts as set even when it is empty."""
    if isinstance(value, Mapping):
        made = Message(field.type)
        for name, item in value.items():
            assign(made, name, item)
        return made
    if hasattr(value, "DESCRIPTOR"):
        from caffegen.schema.protobuf import from_protobuf

        value = from_protobuf(value)
    if isinstance(value, Message) and value.message_type is field.type:
        return value
    raise FieldError("wrong-type", owner.message_type, field.name, value)


def _merge(owner: Message, field: FieldType, value: Any) -> None:
    """Set the fields that a dict names in a single message; an empty dict sets nothing."""
    if not isinstance(value, Mapping):
        owner.set(field.name, _message(owner, field, value))
        return
    held = owner.has(field.name)
    target = owner.get(field.name) if held else Message(field.type)
    for name, item in value.items():
        assign(target, name, item)
    if not held and next(target.set_fields(), None) is not None:
        owner.set(field.name, target)
