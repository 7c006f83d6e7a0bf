"""What the DSL refuses, and the sentences that say so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from caffegen.errors import CaffegenError
from caffegen.text.message import INT_RANGE

if TYPE_CHECKING:
    from caffegen.text import FieldError

__all__ = ["DslError", "NotATop", "UnknownName", "did_you_mean", "field_sentence", "shown"]

_EXPECTED = {
    "bool": "True or False",
    "bytes": "bytes",
    "double": "a number",
    "enum": "a word of its enum",
    "float": "a number",
    "message": "a dict",
    "string": "a string",
}


class DslError(CaffegenError):
    """A net described in Python that no prototxt can hold.

    `layer` and `layer_type` name the layer as far as it is known, `field` the argument at fault.
    """

    def __init__(
        self, sentence: str, *, layer: str = "", layer_type: str = "", field: str = ""
    ) -> None:
        self.layer = layer
        self.layer_type = layer_type
        self.field = field
        super().__init__(sentence)


class NotATop(DslError, TypeError):
    """A layer was given, or a net was assigned, something that is not a Top."""


class UnknownName(DslError, AttributeError, KeyError):
    """A blob that the NetSpec does not hold, or a word that no enum of the schema has."""

    __str__ = CaffegenError.__str__  # KeyError would print the sentence in quotes


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """`; did you mean ...?`, or nothing where nothing is near."""
    from caffegen.schema.suggest import nearest

    found = nearest(word, candidates)
    return f"; did you mean `{found}`?" if found else ""


def shown(value: Any) -> str:
    """A value as a sentence quotes it: one line, not too long."""
    text = " ".join(repr(value).split())
    return f"`{text}`" if len(text) <= 60 else f"`{text[:57]}...`"


def field_sentence(error: FieldError) -> str:
    """What is wrong with a field: the field, the value, the rule and the nearest right word."""
    owner = error.message_type
    if error.kind == "unknown-field":
        return f"{owner.name} has no field `{error.field}`{did_you_mean(error.field, owner.fields)}"
    field = owner.fields[error.field]
    if error.kind == "unknown-enum-word":
        words = [word for word in field.type.numbers if word not in field.type.forks]
        if isinstance(error.value, str):
            near = did_you_mean(error.value, words) or f"; it takes one of {', '.join(words)}"
            return f"`{error.field}` knows no word `{error.value}`{near}"
        return f"`{error.field}` takes one of {', '.join(words)}, found {shown(error.value)}"
    expected = _EXPECTED.get(field.kind, "an integer")
    if error.kind == "out-of-range":
        low, high = INT_RANGE[field.kind]
        expected = f"{low} to {high}"
    elif field.repeated and field.kind != "message":
        expected += " or a list of them"
    elif field.repeated:
        expected += " or a list of dicts"
    return f"`{error.field}` takes {expected}, found {shown(error.value)}"
