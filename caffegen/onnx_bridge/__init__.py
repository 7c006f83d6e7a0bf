"""The bridge to ONNX: `save(net, "net.onnx")` writes a net that computes what Caffe computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["Refusal", "save", "to_model"]

if TYPE_CHECKING:
    from .export import save, to_model
    from .write.registry import Refusal


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.util import find_spec

    from caffegen.errors import MissingExtra

    if find_spec("onnx") is None:
        raise MissingExtra("writing ONNX", "onnx")
    from importlib import import_module

    module = "write.registry" if name == "Refusal" else "export"
    return getattr(import_module(f"{__name__}.{module}"), name)
