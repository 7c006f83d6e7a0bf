"""Families of architectures: `resnet(depth=101)` gives a NetSpec, `caffegen resnet` its prototxt.

Each family is a module that can be called, so `from caffegen.zoo import resnet` gives the builder
and `caffegen.zoo.resnet` the file with the paper's table. Nothing is imported before its use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .architecture import FAMILIES, Architecture, Depths, Option, ZooError, architecture

if TYPE_CHECKING:
    from .alexnet import alexnet
    from .caffenet import caffenet
    from .googlenet import googlenet
    from .lenet import lenet
    from .resnet import resnet
    from .squeezenet import squeezenet
    from .vgg import vgg

__all__ = [
    "FAMILIES",
    "Architecture",
    "Depths",
    "Option",
    "ZooError",
    "alexnet",
    "architecture",
    "caffenet",
    "googlenet",
    "lenet",
    "resnet",
    "squeezenet",
    "vgg",
]


def __getattr__(name: str) -> Any:
    if name in FAMILIES:
        return import_module(FAMILIES[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
