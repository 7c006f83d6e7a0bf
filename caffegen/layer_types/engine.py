"""The `engine` field: which of its implementations Caffe takes; what it computes stays the same."""

from __future__ import annotations

from caffegen.text import Message

from .base import Definition

__all__ = ["check_engine"]


def check_engine(definition: Definition, param: Message) -> None:
    """Report `engine: CUDNN`, which a Caffe without cuDNN refuses (layer_factory.cpp)."""
    if param.engine == "CUDNN":
        definition.fault(
            "engine-needs-cudnn",
            "`engine: CUDNN` is refused by every Caffe that is built without cuDNN",
            "engine",
            help="remove it; a Caffe with cuDNN takes it by itself",
        )
