"""Describe, check, convert and prove Caffe networks, without Caffe."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# public name -> the module that holds it; loaded on first use, so that `import caffegen` is cheap
_LAZY = {
    "CaffegenError": "caffegen.errors",
    "DslError": "caffegen.dsl",
    "FileError": "caffegen.errors",
    "Net": "caffegen.loader",
    "NetError": "caffegen.diagnostics",
    "NetSpec": "caffegen.dsl",
    "TEST": "caffegen.dsl",
    "TRAIN": "caffegen.dsl",
    "layers": "caffegen.dsl",
    "load": "caffegen.loader",
    "loads": "caffegen.loader",
    "params": "caffegen.dsl",
    "to_proto": "caffegen.dsl",
}
_SUBMODULES = ("onnx_bridge", "plugins", "pytorch", "verify", "zoo")

__all__ = [
    "TEST",
    "TRAIN",
    "CaffegenError",
    "DslError",
    "FileError",
    "Net",
    "NetError",
    "NetSpec",
    "__version__",
    "layers",
    "load",
    "loads",
    "params",
    "to_proto",
]

if TYPE_CHECKING:
    from caffegen.diagnostics import NetError
    from caffegen.dsl import TEST, TRAIN, DslError, NetSpec, layers, params, to_proto
    from caffegen.errors import CaffegenError, FileError
    from caffegen.loader import Net, load, loads


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(import_module(_LAZY[name]), name)
    elif name in _SUBMODULES:
        value = import_module(f"caffegen.{name}")
    else:
        raise AttributeError(f"module 'caffegen' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_SUBMODULES})
