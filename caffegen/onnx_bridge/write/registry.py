"""Which function writes which layer type as ONNX, and the refusal for what ONNX can't say."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from caffegen import plugins
from caffegen.errors import CaffegenError
from caffegen.layer_types import FAMILIES, Definition

if TYPE_CHECKING:
    from .writer import LayerWriter

__all__ = ["Refusal", "Writer", "refuse", "writer_of", "writes"]


class Refusal(CaffegenError):
    """A layer that ONNX can't compute as Caffe does, with the reason."""


Writer = Callable[["LayerWriter", Any], None]
_WRITERS: dict[str, Writer] = {}


def writes(*types: str) -> Callable[[Writer], Writer]:
    """Register a function that writes layers of these types."""

    def register(function: Writer) -> Writer:
        for name in types:
            if not function.__module__.startswith("caffegen."):
                plugins.refuse_own(name)
            if name in _WRITERS:
                raise AssertionError(f"two ONNX writers for {name}")
            _WRITERS[name] = function
        return function

    return register


def refuse(definition: Definition, reason: str) -> Refusal:
    """A refusal that names the layer; the caller raises it."""
    return Refusal(
        f"layer `{definition.name}` ({definition.layer.type}) has no ONNX form: {reason}"
    )


def writer_of(type_name: str) -> Writer | None:
    """The writer of a layer type; None when there is none."""
    if type_name not in _WRITERS:
        for family, names in FAMILIES.items():
            if type_name in names:
                import_module(f"{__package__}.{family}")
    return _WRITERS.get(type_name) or plugins.writer_of(type_name)
