"""Messages to protobuf and back; the only door between caffegen's tree and the generated module.

Strings are text on our side, with surrogate escapes for bytes that are no UTF-8, as Caffe's files
may hold them; on the wire they are those bytes again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caffegen.schema import message_type
from caffegen.text import EnumType, FieldType, Message

if TYPE_CHECKING:
    from google.protobuf.message import Message as ProtobufMessage

__all__ = ["from_protobuf", "to_protobuf"]

_LENGTH_DELIMITED = 2


def to_protobuf(message: Message) -> ProtobufMessage:
    """The protobuf message with the same fields; what the schema does not know is left out."""
    from caffegen.schema import caffe_pb2

    made: ProtobufMessage = getattr(caffe_pb2, message.message_type.name)()
    _fill(made, message)
    return made


def _fill(target: Any, message: Message) -> None:
    for field, value in message.set_fields():
        name = field.name
        if field.kind == "message":
            if field.repeated:
                held = getattr(target, name)
                for item in value:
                    _fill(held.add(), item)
            else:
                child = getattr(target, name)
                child.SetInParent()
                _fill(child, value)
            continue
        items = value if field.repeated else (value,)
        if field.kind == "string":
            if not all(map(_is_utf8, items)):
                _merge_raw(target, field, items)
                continue
        elif field.kind == "enum":
            items = [field.type.numbers[word] for word in items]
        if field.repeated:
            getattr(target, name).extend(items)
        else:
            setattr(target, name, items[0])


def _is_utf8(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def _merge_raw(target: ProtobufMessage, field: FieldType, items: Any) -> None:
    """Set strings that are no UTF-8: Python's setters refuse them, the wire takes any bytes."""
    tag = _varint(field.number << 3 | _LENGTH_DELIMITED)
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
    """The message with the same fields as a protobuf message; unknown fields are left out."""
    made = Message(message_type(message.DESCRIPTOR.name))
    types = made.message_type.fields
    for descriptor, value in message.ListFields():
        field = types[descriptor.name]
        items = [_value(field, item) for item in value] if field.repeated else _value(field, value)
        made.set(field.name, items)
    return made


def _value(field: FieldType, value: Any) -> Any:
    if field.kind == "message":
        return from_protobuf(value)
    if field.kind == "enum":
        enum: EnumType = field.type
        return enum.words[value]
    # a string that is no UTF-8 comes as bytes; Message.set keeps it with surrogate escapes
    return value
