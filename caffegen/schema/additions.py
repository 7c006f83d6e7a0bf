"""What a user adds to the schema: fields, messages and words of their own.

Additions hold for the whole process, and only ever add. A whole caffe.proto is added by
`own_proto.add_proto`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from caffegen.errors import CaffegenError
from caffegen.schema import SCALARS, _enums, _messages, enum_type, message_type
from caffegen.text.types import EnumType, FieldType, MessageType

__all__ = ["add_field", "add_message", "add_words", "has_own_schema", "is_message", "new_field"]

_FIRST_NUMBER = 30001  # behind those of forks.py; the numbers are our own
_EMPTY: dict[str, Any] = {"bool": False, "bytes": b"", "float": 0.0, "double": 0.0, "string": ""}
_LABELS = ("optional", "repeated", "required")
#: The paths of the schemas that were added whole.
own_schemas: list[str] = []


def add_field(message: str, field: str, kind: str, default: Any = None) -> None:
    """Add a field to a message: `add_field("LayerParameter", "fold_param", "FoldParameter")`.

    `kind` is a scalar of protobuf (`uint32`, `float`, `string` ...) or the name of a message or an
    enum, with `repeated` before it for a list. CaffegenError where the field is there already.
    """
    owner = _known_message(message)
    if field in owner.fields:
        raise CaffegenError(f"{message} has a field `{field}` already")
    label, _, type_name = kind.rpartition(" ")
    if label not in ("", *_LABELS):
        raise CaffegenError(f"`{kind}` is no kind of field; write `repeated float` or `float`")
    owner.put(new_field(owner, field, type_name, default, repeated=label == "repeated"))


def add_message(name: str, /, **fields: Any) -> None:
    """Add a message: `add_message("FoldParameter", times=("uint32", 1), axis="repeated int32")`.

    Each field is its kind, or its kind and its default.
    """
    if is_message(name):
        raise CaffegenError(f"there is a message {name} already")
    _messages[name] = MessageType(name, {})
    for field, given in fields.items():
        kind, default = given if isinstance(given, tuple) else (given, None)
        add_field(name, field, kind, default)


def add_words(enum: str, *words: str) -> None:
    """Add words to an enum, or a new enum with these words."""
    try:
        found = enum_type(enum)
    except KeyError:
        found = _enums[enum] = EnumType(enum, {})
    for word in words:
        found.forks.pop(word, None)
        if word not in found.numbers:
            number = max(found.words, default=-1) + 1
            found.numbers[word] = number
            found.words[number] = word


def has_own_schema() -> bool:
    """Whether the user gave a schema of their own, against which a text is then held."""
    return bool(own_schemas)


def is_message(name: str) -> bool:
    """Whether there is a message type of this name."""
    try:
        message_type(name)
    except KeyError:
        return False
    return True


def _known_message(name: str) -> MessageType:
    try:
        return message_type(name)
    except KeyError:
        raise CaffegenError(f"there is no message {name}; add it with `add_message`") from None


def new_field(
    owner: MessageType, name: str, type_name: str, default: Any, *, repeated: bool
) -> FieldType:
    """A field with a number of our own; its type must be there already."""
    number = max([_FIRST_NUMBER - 1, *(f.number for f in owner.fields.values())]) + 1
    kind = type_name
    resolve: Callable[[str], MessageType | EnumType] | None = None
    if type_name not in SCALARS:
        if is_message(type_name):
            kind, resolve = "message", message_type
        else:
            try:
                words = enum_type(type_name).numbers
            except KeyError:
                raise CaffegenError(
                    f"`{name}` is of the type `{type_name}`, and there is no such type"
                ) from None
            kind, resolve = "enum", enum_type
            default = next(iter(words), "") if default is None else default
    if default is None and kind != "message":
        default = _EMPTY.get(kind, 0)
    return FieldType(
        name, number, kind, repeated=repeated, default=default,
        type_name=type_name if resolve is not None else None, resolve=resolve,
    )  # fmt: skip
