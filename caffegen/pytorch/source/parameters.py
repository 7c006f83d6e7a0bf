"""What the arguments of a class are called, and which of them have a default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .forms import FORMS
from .items import Block, Join, Key, Leaf, walk
from .layout import MODULE_NAMES, branches
from .names import Names

if TYPE_CHECKING:
    from .classes import ClassDef, Param

__all__ = ["MISSING", "annotation", "name_params", "same"]

MISSING: Any = object()
_CHANNELS = frozenset({
    "in_channels", "out_channels", "num_features", "in_features", "out_features", "num_parameters",
    "groups",
})  # fmt: skip


def name_params(definition: ClassDef) -> None:
    """Name the parameters by what they do, and put those with a default last."""
    names = Names(MODULE_NAMES)
    operands = branches(definition.model.body)
    places = dict(walk(definition.model.body))
    wide = [param for param in definition.params if param.arg in _CHANNELS]
    joined = any(isinstance(i, Join) and i.form == "concat" for i in definition.model.body)
    for param in definition.params:
        place = places[param.key]
        wanted = param.arg
        if param in wide:
            wanted = _channels(param, wide, operands, definition, joined=joined)
        param.name = names.take(wanted)
        usual = _usual(place, param.arg)
        if usual is not MISSING and any(same(usual, value) for value in param.column):
            param.default = usual
    definition.params.sort(key=lambda param: param.default is not MISSING)


def _channels(
    param: Param, wide: list[Param], operands: dict[Key, int], definition: ClassDef, *, joined: bool
) -> str:
    if param is wide[0] and param.arg in ("in_channels", "in_features", "num_features"):
        return "in_channels"
    if not joined:
        made = [p for p in wide if _is_output(p, definition)]
        return "out_channels" if made and param is made[-1] else "channels"
    number = operands.get(param.key[:1])
    if number is None:
        return "channels"
    rest = [p for p in wide if operands.get(p.key[:1]) == number and p.arg == "out_channels"]
    return f"branch{number}" if not rest or param is rest[-1] else f"branch{number}_reduce"


def _is_output(param: Param, definition: ClassDef) -> bool:
    """Whether some item of the main way makes so many channels."""
    return any(
        bound is param and arg in ("out_channels", "out_features") and len(key) == 1
        for (key, arg), bound in definition.bound.items()
    )


def _usual(place: Any, arg: str) -> Any:
    if arg == "projection":
        return False
    if isinstance(place, Leaf) and arg not in _CHANNELS - {"groups"}:
        form = FORMS.get(place.call.kind)
        return MISSING if form is None else form.defaults.get(arg, MISSING)
    if isinstance(place, Block) and place.class_def is not None:
        inner = next((p for p in place.class_def.params if p.name == arg), None)
        return MISSING if inner is None else inner.default
    return MISSING


def same(one: Any, other: Any) -> bool:
    """Whether two arguments are written alike; True is no 1 here."""
    return type(one) is type(other) and bool(one == other)


def annotation(param: Param) -> str:
    """The type of a parameter."""
    found = sorted({_type(value) for value in param.column})
    return found[0] if len(found) == 1 else " | ".join(found)


def _type(value: Any) -> str:
    if isinstance(value, tuple):
        return f"tuple[{', '.join(_type(part) for part in value)}]"
    return "None" if value is None else type(value).__name__
