"""What a number or a word of the text comes to, by the kind of its field."""

from __future__ import annotations

from typing import Any

from .message import INT_RANGE, FieldError, coerce
from .tokens import Token
from .types import FieldType, MessageType

__all__ = ["BOOLS", "convert", "expected"]

BOOLS = {"true": True, "True": True, "t": True, "false": False, "False": False, "f": False}
_SPECIAL_FLOATS = {"inf": "inf", "infinity": "inf", "nan": "nan"}


def convert(field: FieldType, token: Token, owner: MessageType, *, negative: bool) -> Any:
    """The value of a number or a word; FieldError when the field's kind does not take it."""
    kind, text = field.kind, token.text
    wrong = FieldError("wrong-type", owner, field.name, text)
    if token.kind == "identifier":
        if kind == "enum" and not negative:
            return coerce(field, text, owner)
        if kind == "bool" and not negative and text in BOOLS:
            return BOOLS[text]
        if kind in ("float", "double") and text.lower() in _SPECIAL_FLOATS:
            number = float(_SPECIAL_FLOATS[text.lower()])
            return -number if negative else number
        raise wrong
    if kind in ("float", "double"):
        if token.kind == "integer" and len(text) > 1 and text[0] == "0":
            raise wrong  # C++ takes no hex and no octal here
        number = float(text.rstrip("fF"))
        return coerce(field, -number if negative else number, owner)
    if token.kind == "float" or kind in ("string", "bytes") or (negative and kind == "bool"):
        raise wrong
    base = 16 if text[:2].lower() == "0x" else 8 if text[0] == "0" and len(text) > 1 else 10
    if negative and kind.startswith("uint"):
        raise wrong
    if len(text) > 40:
        raise FieldError("out-of-range", owner, field.name, text)
    integer = int(text, base)
    integer = -integer if negative else integer
    if kind == "enum" and integer not in field.type.words:
        raise FieldError("unknown-enum-word", owner, field.name, text)
    return coerce(field, integer, owner)


def expected(field: FieldType) -> str:
    """What a field takes, as a sentence says it."""
    kind = field.kind
    if kind in INT_RANGE:
        return "an integer"
    if kind in ("float", "double"):
        return "a number"
    if kind == "bool":
        return "true or false"
    if kind == "enum":
        return "a word of its enum"
    return "a quoted string"
