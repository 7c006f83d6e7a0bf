"""A net as a program of torch.export."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from . import Settings
from .pytorch_source import refuse_outputs

if TYPE_CHECKING:
    from caffegen.loader import Net

__all__ = ["write"]


def write(net: Net, path: str, settings: Settings) -> str:
    """Write the .pt2 file; returns its size and whether its batch size is free."""
    from caffegen.pytorch import build
    from caffegen.pytorch.save import save_exported

    refuse_outputs(settings)
    module = build(net, fuse=settings.fold)
    free = save_exported(path, module, sizes=settings.dynamic_size)
    batch = "batch size free" if free else "batch size as in the file"
    return f"{os.path.getsize(path):,} bytes, {batch}"
