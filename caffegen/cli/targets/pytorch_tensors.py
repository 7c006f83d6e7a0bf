"""The weights of a net as the state_dict of its PyTorch module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import Settings
from .pytorch_source import refuse_free_sizes, refuse_onnx_options

if TYPE_CHECKING:
    from caffegen.loader import Net

__all__ = ["write"]


def write(net: Net, path: str, settings: Settings) -> str:
    """Write the .safetensors file; returns how many tensors there are."""
    from caffegen.pytorch import build
    from caffegen.pytorch.save import need_safetensors, save_tensors

    refuse_onnx_options(settings)
    refuse_free_sizes(settings)
    need_safetensors()
    tensors = build(net, fuse=settings.fold).state_dict()
    save_tensors(path, tensors)
    return f"{len(tensors)} tensors"
