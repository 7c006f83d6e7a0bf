"""What a message may hold: the types that the parser, the printer and messages are driven by.

The text layer knows no schema of its own; `caffegen.schema` hands it these types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["EnumType", "FieldType", "MessageType"]


class EnumType:
    """An enumeration: its words and numbers, both ways.

    `forks` has the words that are not of the schema proper, with the variants that have them.
    """

    __slots__ = ("forks", "name", "numbers", "words")

    def __init__(
        self,
        name: str,
        numbers: Mapping[str, int],
        forks: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.name = name
        self.numbers = dict(numbers)
        self.forks = dict(forks or {})
        self.words: dict[int, str] = {}
        for word, number in numbers.items():
            self.words.setdefault(number, word)


class FieldType:
    """One field of a message type.

    `kind` is protobuf's scalar name (`int32`, `float`, `string` ...), `enum` or `message`.
    `default` is what an unset field reads as; for an enum its word, for a message None. `forks` is
    None for a field of the schema proper, else the variants of the schema that have it.
    """

    __slots__ = (
        "_resolve", "_type", "default", "forks", "kind", "name", "number", "repeated", "type_name",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        number: int,
        kind: str,
        *,
        repeated: bool = False,
        default: Any = None,
        type_name: str | None = None,
        forks: tuple[str, ...] | None = None,
        resolve: Callable[[str], MessageType | EnumType] | None = None,
    ) -> None:
        self.name = name
        self.number = number
        self.kind = kind
        self.repeated = repeated
        self.default = default
        self.type_name = type_name
        self.forks = forks
        self._resolve = resolve
        self._type: MessageType | EnumType | None = None

    @property
    def type(self) -> Any:
        """The MessageType or EnumType of this field, looked up on first use; None for scalars."""
        if self._type is None and self._resolve is not None and self.type_name is not None:
            self._type = self._resolve(self.type_name)
        return self._type


class MessageType:
    """A message type: its name and its fields by name, in the order of the schema.

    `unset` has what an unset field reads as, for all but single messages. `message_class` is the
    class of such messages, `empty` one without values; both are made anew when a field is added.
    """

    __slots__ = ("_telling", "empty", "fields", "message_class", "name", "unset")

    def __init__(self, name: str, fields: Mapping[str, FieldType]) -> None:
        self.name = name
        self.fields: dict[str, FieldType] = {}
        self.message_class: type | None = None
        self.empty: Any = None
        self._telling: frozenset[str] | None = None
        self.unset: dict[str, Any] = {}
        for field in fields.values():
            self.put(field)

    @property
    def telling(self) -> frozenset[str]:
        """The fields that may tell which variant of the schema a message is of.

        They are those of forks, those that hold messages, and enums to which forks add words.
        """
        if self._telling is None:
            self._telling = frozenset(
                field.name
                for field in self.fields.values()
                if field.forks is not None
                or field.kind == "message"
                or (field.kind == "enum" and field.type.forks)
            )
        return self._telling

    def put(self, field: FieldType) -> None:
        """Add a field, or put it in the place of the one of its name."""
        self.fields[field.name] = field
        self._telling = None
        self.message_class = self.empty = None
        self.unset.pop(field.name, None)
        if field.repeated or field.kind != "message":
            self.unset[field.name] = () if field.repeated else field.default
