"""A net as a program of torch.export."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from . import Settings
from .pytorch_source import refuse_onnx_options

if TYPE_CHECKING:
    from caffegen.loader import Net

__all__ = ["write"]


def write(net: Net, path: str, settings: Settings) -> str:
    """Write the .pt2 file; returns its size, and which axes of its inputs are free."""
    from caffegen.pytorch import build
    from caffegen.pytorch.save import save_exported

    refuse_onnx_options(settings)
    module = build(net, fuse=settings.fold)
    program = save_exported(path, module, sizes=settings.dynamic_size)
    told = [f"{os.path.getsize(path):,} bytes"]
    told.append("batch size free" if program.batch else "batch size as in the file")
    if program.sizes:
        told.append("height and width free")
    elif settings.dynamic_size:
        told.append(f"height and width as in the file: {program.reason}")
    return ", ".join(told)
