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
    from .densenet import densenet
    from .fcn import fcn
    from .googlenet import googlenet
    from .highway import highway
    from .lenet import lenet
    from .mobilenet import mobilenet
    from .plain import plain
    from .preresnet import preresnet
    from .pspnet import pspnet
    from .resnet import resnet
    from .resnext import resnext
    from .segnet import segnet
    from .senet import senet
    from .shufflenet import shufflenet
    from .squeezenet import squeezenet
    from .ssd import ssd300
    from .ssd512 import ssd512
    from .unet import unet
    from .vgg import vgg
    from .wideresnet import wideresnet

__all__ = [
    "FAMILIES",
    "Architecture",
    "Depths",
    "Option",
    "ZooError",
    "alexnet",
    "architecture",
    "caffenet",
    "densenet",
    "fcn",
    "googlenet",
    "highway",
    "lenet",
    "mobilenet",
    "plain",
    "preresnet",
    "pspnet",
    "resnet",
    "resnext",
    "segnet",
    "senet",
    "shufflenet",
    "squeezenet",
    "ssd300",
    "ssd512",
    "unet",
    "vgg",
    "wideresnet",
]


def __getattr__(name: str) -> Any:
    if name in FAMILIES:
        return import_module(FAMILIES[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
