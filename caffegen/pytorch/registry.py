"""Which function lowers which layer type to PyTorch; what is refused, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from caffegen import plugins
from caffegen.errors import CaffegenError
from caffegen.layer_types import FAMILIES, Definition

__all__ = ["BlobKeeper", "Lowered", "Lowering", "Refusal", "lowering_of", "lowers", "refuse"]


class Refusal(CaffegenError):
    """A layer that PyTorch can't compute as Caffe does, with the reason."""


class Lowered(NamedTuple):
    """A module for one layer, and the attributes that hold its blobs, in Caffe's order and shapes.

    The module takes the bottoms and returns the top, or a tuple of tops. It is built on the meta
    device: the attributes named in `blobs` (dotted for submodules) are given their values later,
    and nothing else in it may hold a tensor, but for empty ones that show the device. With
    `flatten` the first bottom is flattened from that axis on before the module is called.
    """

    module: nn.Module
    blobs: tuple[str, ...] = ()
    flatten: int | None = None


class BlobKeeper(Protocol):
    """A module whose tensors are not Caffe's blobs one to one, and which knows both ways."""

    def from_caffe(self, blobs: list[Tensor]) -> list[Tensor]:
        """Caffe's blobs to the tensors that the module holds."""

    def to_caffe(self, tensors: list[Tensor]) -> list[Tensor]:
        """The tensors that the module holds to Caffe's blobs."""


Lowering = Callable[[Any], Lowered]
_LOWERINGS: dict[str, Lowering] = {}


def lowers(*types: str) -> Callable[[Lowering], Lowering]:
    """Register a function that lowers a definition of these layer types."""

    def register(function: Lowering) -> Lowering:
        for name in types:
            if not function.__module__.startswith("caffegen."):
                plugins.refuse_own(name)
            if name in _LOWERINGS:
                raise AssertionError(f"two PyTorch lowerings for {name}")
            _LOWERINGS[name] = function
        return function

    return register


def refuse(definition: Definition, reason: str) -> Refusal:
    """A refusal that names the layer; the caller raises it."""
    return Refusal(
        f"layer `{definition.name}` ({definition.layer.type}) has no PyTorch form: {reason}"
    )


def lowering_of(type_name: str) -> Lowering | None:
    """The lowering of a layer type; None when there is none."""
    if type_name not in _LOWERINGS:
        for family, names in FAMILIES.items():
            if type_name in names:
                _import_family(f"{__package__}.{family}")
    return _LOWERINGS.get(type_name) or plugins.lowering_of(type_name)


def _import_family(name: str) -> None:
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
