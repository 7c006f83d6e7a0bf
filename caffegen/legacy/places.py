"""Fields that change their home and keep their place: a finding still points to the text."""

from __future__ import annotations

from typing import Any

from caffegen.text import Message, MessageType
from caffegen.text.message import Place

__all__ = ["child", "heading", "place_of", "put", "replace_layers", "successor", "take"]


def place_of(message: Message, name: str, index: int = 0) -> Place | None:
    """Where a field, or an element of a repeated one, was written."""
    found = message._places.get(name)
    if isinstance(found, list):
        return found[index] if index < len(found) else None
    place: Place | None = found
    return place


def heading(place: Place | None) -> Place | None:
    """The place of a message up to its opening brace: enough to point at."""
    return (place[0], place[1], place[1] + 1) if place else None


def successor(message_type: MessageType, old: Message) -> Message:
    """An empty message that stands where the old one stood and keeps its unknown fields."""
    new = Message(message_type)
    new._source, new._place = old._source, old._place
    new.carry_text(old)
    return new


def take(old: Message, name: str, new: Message, new_name: str | None = None) -> None:
    """Give a field of the old message to the new one as well, with its places."""
    if name not in old._values:
        return
    new_name = new_name or name
    value, places = old._values[name], old._places.get(name)
    new._values[new_name] = list(value) if isinstance(value, list) else value
    if places is not None:
        new._places[new_name] = list(places) if isinstance(places, list) else places
    if new._source is None:
        new._source = old._source


def put(new: Message, name: str, value: Any, old: Message, place: Place | None) -> None:
    """Set or append a value that came from the old message's text."""
    new._append(new._type.fields[name], value, place)
    if new._source is None:
        new._source = old._source


def child(new: Message, name: str, old: Message, place: Place | None) -> Message:
    """The message in a singular field; where there is none yet, a new one in this place.

    Only for fields that the step made itself; what it shares with the old message is never edited.
    """
    found: Message | None = new._values.get(name)
    if found is None:
        found = Message(new._type.fields[name].type)
        found._source, found._place = old._source, place
        put(new, name, found, old, place)
    return found


def replace_layers(
    net: Message, name: str, layers: list[Message], places: list[Place | None]
) -> Message:
    """A copy of the net with other layers in one field; without layers, without the field."""
    new = net.shallow_copy()
    new.clear(name)
    if layers:
        new._values[name] = layers
        new._places[name] = places
    return new
