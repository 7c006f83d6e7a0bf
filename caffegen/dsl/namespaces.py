"""`layers` and `params`: every layer type as a function, every enum word as its number.

Both are driven by the schema, so that a new layer type needs no code here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from caffegen.schema import forks, message_type

from .errors import UnknownName, did_you_mean
from .net_spec import Function, Top

__all__ = ["layers", "params"]

_OURS = "caffegen.dsl."


class _Layers:
    """`layers.Convolution(bottom, num_output=64, ...)` makes the layer and gives its top.

    Any name is a layer type. Keywords are fields of the type's own message (ConvolutionParameter)
    or of LayerParameter; `ntop` is the number of tops, `in_place` writes them over the bottoms.
    With ntop=0 the layer itself comes back, with ntop above 1 a tuple of tops.
    """

    def __getattr__(self, type_name: str) -> Callable[..., Any]:
        if type_name.startswith("__"):
            raise AttributeError(type_name)

        def make(*bottoms: Top, **params: Any) -> Top | tuple[Top, ...] | Function:
            caller = sys._getframe(1)
            # a layer of a block belongs to the line that asks for the block
            while caller.f_back and caller.f_globals.get("__name__", "").startswith(_OURS):
                caller = caller.f_back
            place = (caller.f_code.co_filename, caller.f_lineno)
            function = Function(type_name, bottoms, params, place)
            if function.ntop == 0:
                return function
            return function.tops[0] if function.ntop == 1 else function.tops

        make.__name__ = make.__qualname__ = type_name
        return make


class _Words:
    """The enum words of one parameter message, each as its number."""

    def __init__(self, name: str) -> None:
        self._name = name
        owner = f"{name}Parameter"
        numbers: dict[str, int] = {}
        own: list[str] = []
        try:
            fields = message_type(owner).fields.values()
        except KeyError:
            raise UnknownName(f"`{name}` has no parameters{_near_type(name)}") from None
        for field in fields:
            if field.kind == "enum" and field.type.name.startswith(f"{owner}."):
                numbers.update(field.type.numbers)
                if field.forks is None:
                    own += [word for word in field.type.numbers if word not in field.type.forks]
        # PriorBox.CENTER_SIZE is a word of other messages' fields alone
        for enum, words in forks.ENUMS.items():
            if enum.startswith(f"{owner}."):
                numbers.update(words)
        self.__dict__.update(numbers)
        self._numbers = numbers
        self._own = tuple(own) or tuple(numbers)

    def __getattr__(self, word: str) -> int:
        if word.startswith("_"):
            raise AttributeError(word)
        numbers = self._numbers
        near = did_you_mean(word, numbers)
        if not near:
            near = f"; it has {', '.join(self._own)}" if self._own else "; it has no enum"
        raise UnknownName(f"{self._name}Parameter has no word `{word}`{near}", field=word)

    def __dir__(self) -> list[str]:
        return list(self._numbers)


class _Params:
    """`params.Pooling.MAX` is the number of the word MAX in PoolingParameter's enums."""

    def __getattr__(self, name: str) -> _Words:
        if name.startswith("__"):
            raise AttributeError(name)
        words = self.__dict__[name] = _Words(name)
        return words


def _near_type(name: str) -> str:
    from caffegen.schema.tables import MESSAGES

    return did_you_mean(name, [m[:-9] for m in MESSAGES if m.endswith("Parameter")])


layers: Any = _Layers()
params: Any = _Params()
