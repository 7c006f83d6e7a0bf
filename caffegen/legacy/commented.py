"""Messages to text with comments: the printer's layout, opened up where a comment needs a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from caffegen.text import FieldType, Message, print_message
from caffegen.text.printer import print_value

from .comments import Comments
from .places import place_of

__all__ = ["Element", "Printer", "elements", "inside"]


class Element(NamedTuple):
    """One field of a message, or one element of a repeated one; `start` is -1 without a place."""

    owner: Message
    field: FieldType | None  # None for a field that the schema does not know
    value: Any
    start: int

    @property
    def name(self) -> str:
        """The field's name."""
        return str(self.value.name if self.field is None else self.field.name)


def elements(message: Message) -> Iterator[Element]:
    """The fields of a message as they are printed, those that the schema does not know last."""
    for field, value in message.set_fields():
        for index, item in enumerate(value if field.repeated else (value,)):
            place = place_of(message, field.name, index) if message._source else None
            yield Element(message, field, item, place[0] if place else -1)
    for unknown in message.unknown:
        yield Element(message, None, unknown, unknown.place[0])


class Printer:
    """Prints fields that came from a source; comments are taken out as they are printed."""

    def __init__(self, comments: Comments) -> None:
        self.comments = comments

    def lines(self, element: Element, margin: str) -> Iterator[str]:
        """The lines of one field, its comments with it."""
        for comment in self.comments.take("before", element.start):
            yield margin + comment
        field, value = element.field, element.value
        if field is None:
            yield margin + value.text + self.behind(element)
        elif not isinstance(value, Message):
            yield f"{margin}{field.name}: {print_value(field, value)}{self.behind(element)}"
        elif self.has_comments(element):
            yield from self.opened(element, margin)
        else:
            *plain, last = _plain(element)
            yield from (margin + line for line in plain)
            yield margin + last + self.behind(element)

    def opened(self, element: Element, margin: str) -> Iterator[str]:
        """A message over several lines, each of its fields with its comments."""
        opening = self.comments.take("opening", element.start)
        yield "  ".join([f"{margin}{element.name} {{", *opening])
        for inner in elements(element.value):
            yield from self.lines(inner, margin + "  ")
        for comment in self.comments.take("end", element.start):
            yield f"{margin}  {comment}"
        yield f"{margin}}}{self.behind(element)}"

    def behind(self, element: Element) -> str:
        return "".join(f"  {comment}" for comment in self.comments.take("behind", element.start))

    def has_comments(self, element: Element) -> bool:
        """Whether a comment goes inside the message.

        A message that the upgrade made begins where its first field was written, so a comment
        behind it is that field's; only what stood behind `blobs_lr` speaks of the whole blob.
        """
        kinds = self.comments.kinds_at(element.start)
        found = list(inside(element.value))
        if kinds == {"behind"}:
            whole = element.value.message_type.name == "ParamSpec"
            found = [inner for inner in found if not whole or inner.start != element.start]
        elif kinds:
            return True
        return any(self.comments.kinds_at(inner.start) for inner in found)


def inside(message: Message) -> Iterator[Element]:
    """Everything in a message, however deep, a message before what it holds."""
    for element in elements(message):
        yield element
        if isinstance(element.value, Message):
            yield from inside(element.value)


def _plain(element: Element) -> list[str]:
    """The lines of a field without comments, as the printer has them."""
    assert element.field is not None
    name, value = element.field.name, element.value
    holder = Message(element.owner.message_type)
    holder._values[name] = [value] if element.field.repeated else value
    return print_message(holder)[:-1].split("\n")
