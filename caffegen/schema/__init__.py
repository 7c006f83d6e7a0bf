"""Caffe's schema: message and enum types by name, made from the tables when they are asked for.

The types are one superset: what BVLC Caffe has, and behind it what the forks add (`forks.py`) and
what a user's own schema does (`additions.py`).
"""

from __future__ import annotations

from caffegen.schema import forks
from caffegen.schema.tables import ENUMS, MESSAGES
from caffegen.text.types import EnumType, FieldType, MessageType

__all__ = ["SCALARS", "enum_type", "make_field", "message_type"]

# A type is compared by identity, so there may be one object of each: setdefault decides a race.
_messages: dict[str, MessageType] = {}
_enums: dict[str, EnumType] = {}
_FIRST_WORD = 1000  # the numbers of the forks' words begin here; they are our own
SCALARS = frozenset(
    {"bool", "bytes", "double", "float", "int32", "int64", "string", "uint32", "uint64"}
)


def message_type(name: str) -> MessageType:
    """The message type of this name, such as `LayerParameter`; KeyError when there is none."""
    found = _messages.get(name)
    if found is None:
        if name in MESSAGES:
            fields = {row[0]: make_field(*row) for row in MESSAGES[name]}
            fields |= {row[0]: make_field(*row) for row in forks.FIELDS.get(name, ())}
        else:
            fields = {row[0]: make_field(*row) for row in _fork_rows(name)}
        found = _messages.setdefault(name, MessageType(name, fields))
    return found


def _fork_rows(name: str) -> tuple[forks.Row, ...]:
    from caffegen.schema.fork_messages import MESSAGES as FORK_MESSAGES

    return FORK_MESSAGES[name]


def enum_type(name: str) -> EnumType:
    """The enum of this dotted name, such as `PoolingParameter.PoolMethod`; KeyError if none."""
    found = _enums.get(name)
    if found is None:
        words = ENUMS.get(name)
        if words is None:
            made = EnumType(name, forks.ENUMS[name])
        else:
            added = forks.WORDS.get(name, {})
            numbers = {word: _FIRST_WORD + index for index, word in enumerate(added)}
            by = {word: tuple(known_by.split()) for word, known_by in added.items()}
            made = EnumType(name, {**words, **numbers}, by)
        found = _enums.setdefault(name, made)
    return found


def make_field(
    name: str,
    number: int,
    label: str,
    type_name: str,
    default: str | bytes | float | None,
    by: str | None = None,
) -> FieldType:
    """The type of the field that a row of the tables describes."""
    repeated = label in ("repeated", "packed")
    known_by = None if by is None else tuple(by.split())
    if type_name in SCALARS:
        return FieldType(
            name, number, type_name, repeated=repeated, default=default, forks=known_by
        )
    kind = "enum" if type_name in ENUMS or type_name in forks.ENUMS else "message"
    return FieldType(
        name,
        number,
        kind,
        repeated=repeated,
        default=default,
        type_name=type_name,
        forks=known_by,
        resolve=message_type if kind == "message" else enum_type,
    )
