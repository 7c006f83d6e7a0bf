"""A message as the prototxt gave it: typed values by field name, and where each was written."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from .source import Source, Span
from .types import FieldType, MessageType

__all__ = ["INT_RANGE", "FieldError", "Message", "UnknownField"]

_F32 = struct.Struct("<f")
INT_RANGE = {
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint32": (0, (1 << 32) - 1),
    "uint64": (0, (1 << 64) - 1),
}
# start of the field's name, start of its value, end of its value
Place = tuple[int, int, int]


class FieldError(Exception):
    """A value or a name that the message type does not allow; carries what a caller needs to say so.

    `kind` is `unknown-field`, `wrong-type`, `unknown-enum-word` or `out-of-range`.
    """

    def __init__(self, kind: str, message_type: MessageType, field: str, value: Any = None) -> None:
        self.kind = kind
        self.message_type = message_type
        self.field = field
        self.value = value
        super().__init__(f"{message_type.name}.{field}: {kind} {value!r}")


class UnknownField:
    """A field kept as it was written: the schema does not know it, or not its value."""

    __slots__ = ("name", "place", "text")

    def __init__(self, name: str, text: str, place: Place) -> None:
        self.name = name
        self.text = text
        self.place = place


def round_float(value: float) -> float:
    """The single-precision value that Caffe would hold for this number."""
    try:
        return float(_F32.unpack(_F32.pack(value))[0])
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def coerce(field: FieldType, value: Any, owner: MessageType) -> Any:
    """The value as the field stores it; raises FieldError when it can't."""
    kind = field.kind
    if kind == "enum":
        return _coerce_enum(field, value, owner)
    if kind == "bool":
        if isinstance(value, int) and value in (0, 1):
            return bool(value)
    elif kind in ("float", "double"):
        if isinstance(value, str):
            raise FieldError("wrong-type", owner, field.name, value)
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise FieldError("wrong-type", owner, field.name, value) from None
        return round_float(number) if kind == "float" else number
    elif kind in INT_RANGE:
        return _coerce_int(field, value, owner)
    elif kind == "string":
        if isinstance(value, str):
            return value
        if isinstance(value, bytes):
            return value.decode("utf-8", "surrogateescape")
    elif kind == "bytes":
        if isinstance(value, bytes):
            return value
        if isinstance(value, str):
            return value.encode("utf-8", "surrogateescape")
    elif kind == "message" and isinstance(value, Message) and value._type is field.type:
        return value.copy() if value is field.type.empty else value
    raise FieldError("wrong-type", owner, field.name, value)


def _coerce_enum(field: FieldType, value: Any, owner: MessageType) -> str:
    if isinstance(value, str):
        if value in field.type.numbers:
            return value
    elif isinstance(value, int) and not isinstance(value, bool) and value in field.type.words:
        return str(field.type.words[value])
    raise FieldError("unknown-enum-word", owner, field.name, value)


def _coerce_int(field: FieldType, value: Any, owner: MessageType) -> int:
    if isinstance(value, (float, str, bytes)):
        raise FieldError("wrong-type", owner, field.name, value)
    try:
        number = value.__index__()
    except AttributeError:
        raise FieldError("wrong-type", owner, field.name, value) from None
    low, high = INT_RANGE[field.kind]
    if not low <= number <= high:
        raise FieldError("out-of-range", owner, field.name, value)
    return int(number)


class Message:
    """Values by field name, with a place for every one that came from a text.

    Reading an unset field gives its default, an unset repeated field an empty tuple and an unset
    message an empty one that can't be changed; `add` makes one that can. Enum values are their words.
    """

    __slots__ = (
        "_broken",
        "_foreign",
        "_odd",
        "_place",
        "_places",
        "_source",
        "_type",
        "_unknown",
        "_values",
    )

    def __init__(self, message_type: MessageType, **values: Any) -> None:
        # every object has a class, which no slot names
        self.__class__ = message_type.message_class or _message_class(message_type)  # noqa: PLE0237
        self._type = message_type
        self._values: dict[str, Any] = {}
        self._places: dict[str, Any] = {}
        self._source: Source | None = None
        self._place: Place | None = None
        self._unknown: list[UnknownField] | None = None
        self._broken = False
        self._odd = False
        self._foreign: bool | None = None
        for name, value in values.items():
            self.set(name, value)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def get(self, name: str) -> Any:
        """The value of a field, or its default."""
        if name in self._values:
            return self._values[name]
        if name in self._type.unset:
            return self._type.unset[name]
        field = self._type.fields.get(name)
        if field is None:
            raise AttributeError(f"{self._type.name} has no field `{name}`")
        return field.type.empty or _empty(field.type)

    def has(self, name: str) -> bool:
        """Whether the field was set (for a repeated one: has an element)."""
        return name in self._values

    def field(self, name: str) -> FieldType:
        """The type of a field; FieldError when there is none of that name."""
        try:
            return self._type.fields[name]
        except KeyError:
            raise FieldError("unknown-field", self._type, name) from None

    def set(self, name: str, value: Any) -> None:
        """Set a field; a repeated field takes a sequence."""
        field = self.field(name)
        if field.repeated:
            if isinstance(value, (str, bytes, Message)) or not hasattr(value, "__iter__"):
                raise FieldError("wrong-type", self._type, name, value)
            items = [coerce(field, item, self._type) for item in value]
            self.clear(name)
            if items:
                self._values[name] = items
        else:
            item = coerce(field, value, self._type)
            self.clear(name)
            self._values[name] = item

    def add(self, name: str, value: Any = None) -> Any:
        """Append to a repeated field, or set a message field; returns the element.

        Without a value a new empty message is made.
        """
        field = self.field(name)
        item = Message(field.type) if value is None else coerce(field, value, self._type)
        self._append(field, item, None)
        return item

    def _append(self, field: FieldType, item: Any, place: Place | None) -> None:
        if field.repeated:
            self._values.setdefault(field.name, []).append(item)
            self._places.setdefault(field.name, []).append(place)
        else:
            self._values[field.name] = item
            self._places[field.name] = place

    def clear(self, name: str) -> None:
        """Unset a field."""
        self._values.pop(name, None)
        self._places.pop(name, None)

    def move(self, name: str, target: Message, target_name: str | None = None) -> None:
        """Move a field, with its places, to another message of a type that takes the same values."""
        if name not in self._values:
            return
        target_name = target_name or name
        target._values[target_name] = self._values.pop(name)
        places = self._places.pop(name, None)
        if places is not None:
            target._places[target_name] = places
            if target._source is None:
                target._source = self._source

    def set_fields(self) -> Iterator[tuple[FieldType, Any]]:
        """The fields that are set, in the schema's order, with their values."""
        values = self._values
        if len(values) <= 1:
            for name in values:
                yield self._type.fields[name], values[name]
            return
        for name, field in self._type.fields.items():
            if name in values:
                yield field, values[name]

    def span(
        self, name: str | None = None, index: int | None = None, *, value: bool = False
    ) -> Span | None:
        """Where the field (its element `index`), or without a name the message itself, was written.

        With `value` the span covers the value alone. None for what was not read from a text.
        """
        place: Place | None
        if name is None:
            place = self._place
        else:
            found = self._places.get(name)
            if isinstance(found, list):
                found = found[index or 0] if len(found) > (index or 0) else None
            place = found
        if place is None or self._source is None:
            return None
        return Span(self._source, place[1] if value else place[0], place[2])

    @property
    def unknown(self) -> tuple[UnknownField, ...]:
        """The fields that were kept as text, in its order."""
        return tuple(self._unknown or ())

    def misread(self, name: str | None = None) -> bool:
        """Whether a field of the type (this one) may be set to what could not be read."""
        if not self._unknown:
            return self._broken
        return self._broken or any(
            unknown.name in self._type.fields and name in (None, unknown.name)
            for unknown in self._unknown
        )

    @property
    def foreign(self) -> bool | None:
        """Whether a text that was read had anything of a fork; None for another message."""
        return self._foreign

    @property
    def odd(self) -> bool:
        """Whether anything in this message, or in one that it holds, was kept as text."""
        # one that was set twice may have taken what was kept as text with it
        return self._odd and next(self.odd_fields(), None) is not None

    def odd_fields(self) -> Iterator[tuple[str, UnknownField]]:
        """What was kept as text, here and below, each with the name of its message's type."""
        for unknown in self._unknown or ():
            yield self._type.name, unknown
        for value in self._values.values():
            for item in value if isinstance(value, list) else (value,):
                if isinstance(item, Message) and item._odd:
                    yield from item.odd_fields()

    def carry_text(self, other: Message) -> None:
        """Take over from another message what could not be read as fields."""
        self._odd = self._odd or other._odd
        if other._unknown:
            self._unknown = [*(self._unknown or ()), *other._unknown]
        self._broken = self._broken or other._broken

    @property
    def message_type(self) -> MessageType:
        """The type of this message."""
        return self._type

    def copy(self) -> Message:
        """A copy whose changes never reach this one; places are shared."""
        new = Message(self._type)
        new._source, new._place = self._source, self._place
        new.carry_text(self)
        for name, value in self._values.items():
            if isinstance(value, list):
                new._values[name] = [v.copy() if isinstance(v, Message) else v for v in value]
            else:
                new._values[name] = value.copy() if isinstance(value, Message) else value
        for name, place in self._places.items():
            new._places[name] = list(place) if isinstance(place, list) else place
        return new

    def shallow_copy(self) -> Message:
        """A copy that shares its child messages; for stages that replace fields, never edit them."""
        new = Message(self._type)
        new._source, new._place = self._source, self._place
        new.carry_text(self)
        new._values = {k: list(v) if isinstance(v, list) else v for k, v in self._values.items()}
        new._places = {k: list(v) if isinstance(v, list) else v for k, v in self._places.items()}
        return new

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return self._type.name == other._type.name and self._values == other._values

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{self._type.name} {', '.join(self._values)}>"


def _message_class(message_type: MessageType) -> type[Message]:
    """The class of a type's messages, with a property for each field.

    `__getattr__` on Message would say the same, and slow down every attribute that is there.
    """
    fields = {
        name: _read(name, message_type)
        for name in message_type.fields
        if not hasattr(Message, name)
    }
    made = type(message_type.name, (Message,), {"__slots__": (), **fields})
    message_type.message_class = made
    return made


def _read(name: str, message_type: MessageType) -> property:
    if name not in message_type.unset:
        return property(lambda message: message.get(name))
    default = message_type.unset[name]
    return property(lambda message: message._values.get(name, default))


class _Unchangeable(dict[str, Any]):
    """The values of a message that stands for one that is not there."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(
            "this message is not set, and can't be changed; `add` it to its parent first"
        )

    __setitem__ = setdefault = update = _refuse


def _empty(message_type: MessageType) -> Message:
    """What unset messages of a type read as: one for all of them."""
    made = Message(message_type)
    made._values = made._places = _Unchangeable()
    message_type.empty = made
    return made
