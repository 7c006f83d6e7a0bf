"""What a message may hold: the types that the parser, the printer and messages are driven by.

The text layer knows no schema of its own; `caffegen.schema` hands it these types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["EnumType", "FieldType", "MessageType"]


class EnumType:
    """An enumeration: its words and numbers, both ways."""

    __slots__ = ("name", "numbers", "words")

    def __init__(self, name: str, numbers: Mapping[str, int]) -> None:
        self.name = name
        self.numbers = dict(numbers)
        self.words: dict[int, str] = {}
        for word, number in numbers.items():
            self.words.setdefault(number, word)


class FieldType:
    """One field of a message type.

    `kind` is protobuf's scalar name (`int32`, `float`, `string` ...), `enum` or `message`.
    `default` is what an unset field reads as; for an enum its word, for a message None.
    """

    __slots__ = ("_resolve", "_type", "default", "kind", "name", "number", "repeated", "type_name")

    def __init__(
        self,
        name: str,
        number: int,
        kind: str,
        *,
        repeated: bool = False,
        default: Any = None,
        type_name: str | None = None,
        resolve: Callable[[str], MessageType | EnumType] | None = None,
    ) -> None:
        self.name = name
        self.number = number
        self.kind = kind
        self.repeated = repeated
        self.default = default
        self.type_name = type_name
        self._resolve = resolve
        self._type: MessageType | EnumType | None = None

    @property
    def type(self) -> Any:
        """The MessageType or EnumType of this field, looked up on first use; None for scalars."""
        if self._type is None and self._resolve is not None and self.type_name is not None:
            self._type = self._resolve(self.type_name)
        return self._type


class MessageType:
    """A message type: its name and its fields by name, in the order of the schema."""

    __slots__ = ("fields", "name")

    def __init__(self, name: str, fields: Mapping[str, FieldType]) -> None:
        self.name = name
        self.fields = dict(fields)
