"""Messages to prototxt text."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from math import isnan
from typing import Any

from .message import Message
from .types import FieldType

__all__ = ["print_float", "print_message", "print_value"]

# short facts that the field writes on one line
_INLINE = frozenset({"BlobShape", "FillerParameter", "InputParameter", "NetStateRule", "ParamSpec"})
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_F32 = struct.Struct("<f")


def print_message(message: Message, *, indent: int = 0) -> str:
    """The fields of a message, one a line, in the schema's order; parsing gives an equal message."""
    return "".join(f"{line}\n" for line in _lines(message, "  " * indent))


def _lines(message: Message, margin: str) -> Iterator[str]:
    for field, value in message.set_fields():
        for item in value if field.repeated else (value,):
            if field.kind != "message":
                yield f"{margin}{field.name}: {print_value(field, item)}"
            elif field.type.name in _INLINE and not item.odd:
                yield margin + _on_one_line(field.name, item)
            else:
                yield f"{margin}{field.name} {{"
                yield from _lines(item, margin + "  ")
                yield margin + "}"
    for unknown in message.unknown:
        yield from _as_written(unknown.text, margin)


def _as_written(text: str, margin: str) -> Iterator[str]:
    """The lines of a field that was kept as text, with their own margin traded for this one."""
    first, *rest = text.split("\n")
    bare = [line.strip() for line in rest]
    margins = [len(line[: len(line) - len(line.lstrip())].expandtabs()) for line in rest]
    own = min((width for width, line in zip(margins, bare) if line), default=0)
    yield margin + first.rstrip()
    for width, line in zip(margins, bare):
        yield f"{margin}{' ' * (width - own)}{line}" if line else ""


def _on_one_line(name: str, message: Message) -> str:
    parts = []
    for field, value in message.set_fields():
        for item in value if field.repeated else (value,):
            if field.kind == "message":
                parts.append(_on_one_line(field.name, item))
            else:
                parts.append(f"{field.name}: {print_value(field, item)}")
    return f"{name} {{ {' '.join(parts)} }}" if parts else f"{name} {{ }}"


def print_value(field: FieldType, value: Any) -> str:
    """One scalar as the text format writes it."""
    kind = field.kind
    if kind == "string":
        return f'"{_escape(value)}"'
    if kind == "bool":
        return "true" if value else "false"
    if kind == "float":
        return print_float(value)
    if kind == "bytes":
        return '"' + "".join(_escape_byte(byte) for byte in value) + '"'
    return str(value) if kind != "double" else repr(value)


def print_float(value: float) -> str:
    """The shortest decimal that reads back as the same single-precision value."""
    if isnan(value) or value in (float("inf"), float("-inf")):
        return str(value)
    for digits in (6, 7, 8):
        text = f"{value:.{digits}g}"
        if _F32.unpack(_F32.pack(float(text)))[0] == value:
            return text
    return f"{value:.9g}"


def _escape(text: str) -> str:
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    out = []
    for char in text:
        if char in _ESCAPES:
            out.append(_ESCAPES[char])
        elif "\udc80" <= char <= "\udcff":
            out.append(f"\\{ord(char) - 0xDC00:03o}")
        elif ord(char) < 32 or ord(char) == 127:
            out.append(f"\\{ord(char):03o}")
        else:
            out.append(char)
    return "".join(out)


def _escape_byte(byte: int) -> str:
    char = chr(byte)
    if char in _ESCAPES:
        return _ESCAPES[char]
    return char if 32 <= byte < 127 else f"\\{byte:03o}"
