"""Messages to protobuf and back; the only door between caffegen's tree and the generated module.

Strings are text on our side, with surrogate escapes for bytes that are no UTF-8, as Caffe's files
may hold them; on the wire they are those bytes again. Fields and enum words go by their names, so
that the module may be a fork's, where the numbers mean other things.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from caffegen.errors import CaffegenError
from caffegen.schema import message_type
from caffegen.text import FieldError, FieldType, Message

if TYPE_CHECKING:
    from google.protobuf.message import Message as ProtobufMessage

__all__ = ["from_protobuf", "to_protobuf"]

_LENGTH_DELIMITED = 2
_UNKNOWN = (
    "which caffegen does not know; give the schema with `caffegen.schema.own_proto.add_proto`"
)


def to_protobuf(message: Message, module: ModuleType | None = None) -> ProtobufMessage:
    """The protobuf message with the same fields, in BVLC's classes or in those of another module.

    `module` is what protoc makes of a caffe.proto, such as a fork's own `caffe_pb2`. What was kept
    as text is left out; CaffegenError for a field or a word that the module's schema has not.
    """
    if module is None:
        from caffegen.schema import caffe_pb2

        module = caffe_pb2
    made_by = getattr(module, message.message_type.name, None)
    if made_by is None:
        raise CaffegenError(f"`{module.__name__}` has no message {message.message_type.name}")
    made: ProtobufMessage = made_by()
    _fill(made, message)
    return made


def _fill(target: Any, message: Message) -> None:
    known = target.DESCRIPTOR.fields_by_name
    for field, value in message.set_fields():
        name = field.name
        descriptor = known.get(name)
        if descriptor is None:
            raise _missing(f"{target.DESCRIPTOR.name} has no field `{name}`", field.forks)
        items = value if field.repeated else (value,)
        repeated = _is_repeated(descriptor)
        if not repeated and len(items) > 1:
            raise CaffegenError(
                f"{target.DESCRIPTOR.name} takes `{name}` once, it is set {len(items)} times"
            )
        if field.kind == "message":
            held = getattr(target, name)
            for item in items:
                child = held.add() if repeated else held
                child.SetInParent()
                _fill(child, item)
            continue
        if field.kind == "string":
            if not all(map(_is_utf8, items)):
                _merge_raw(target, descriptor.number, items)
                continue
        elif field.kind == "enum":
            items = [_number(descriptor, field, word) for word in items]
        if repeated:
            getattr(target, name).extend(items)
        else:
            setattr(target, name, items[0])


def _number(descriptor: Any, field: FieldType, word: str) -> int:
    found = descriptor.enum_type.values_by_name.get(word)
    if found is None:
        raise _missing(f"`{field.name}` has no word `{word}`", field.type.forks.get(word))
    return int(found.number)


def _missing(said: str, by: Sequence[str] | None) -> CaffegenError:
    forks = f" (it is of {', '.join(by)})" if by else ""
    return CaffegenError(
        f"{said} in these protobuf classes{forks}; write text, or give the `caffe_pb2` of that Caffe"
    )


def _is_repeated(descriptor: Any) -> bool:
    """Whether a field takes several values; older protobufs tell it by a label."""
    found = getattr(descriptor, "is_repeated", None)
    return bool(descriptor.label == descriptor.LABEL_REPEATED if found is None else found)


def _is_utf8(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def _merge_raw(target: ProtobufMessage, number: int, items: Any) -> None:
    """Set strings that are no UTF-8: Python's setters refuse them, the wire takes any bytes."""
    tag = _varint(number << 3 | _LENGTH_DELIMITED)
    for item in items:
        data = item.encode("utf-8", "surrogateescape")
        target.MergeFromString(tag + _varint(len(data)) + data)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def from_protobuf(message: ProtobufMessage) -> Message:
    """The message with the same fields as a protobuf message of any Caffe's classes.

    What the wire brought and the classes do not know is left out; CaffegenError for a message, a
    field or a word of the classes that caffegen's own schema does not know.
    """
    name = _name_of(message.DESCRIPTOR)
    try:
        made = Message(message_type(name))
    except KeyError:
        raise CaffegenError(f"there is a message {name}, {_UNKNOWN}") from None
    types = made.message_type.fields
    for descriptor, value in message.ListFields():
        field = types.get(descriptor.name)
        if field is None:
            raise CaffegenError(f"{name} has the field `{descriptor.name}`, {_UNKNOWN}")
        repeated = _is_repeated(descriptor)
        items = [_value(descriptor, item) for item in (value if repeated else (value,))]
        if not field.repeated and len(items) > 1:
            raise CaffegenError(f"`{field.name}` is set {len(items)} times; caffegen takes it once")
        try:
            made.set(field.name, items if field.repeated else items[0])
        except FieldError as error:
            said = f"`{field.name}` of {name} is {error.value!r}"
            raise CaffegenError(f"{said}, {_UNKNOWN}") from None
    return made


def _name_of(descriptor: Any) -> str:
    """The dotted name of a message, without the package."""
    return str(descriptor.full_name.removeprefix(f"{descriptor.file.package}."))


def _value(descriptor: Any, value: Any) -> Any:
    if descriptor.message_type is not None:
        return from_protobuf(value)
    if descriptor.enum_type is not None:
        return descriptor.enum_type.values_by_number[value].name
    # a string that is no UTF-8 comes as bytes; Message.set keeps it with surrogate escapes
    return value
