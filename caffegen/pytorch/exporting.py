"""Whether a net is being made a program, in which no value may decide the way."""

from __future__ import annotations

import torch

__all__ = ["exporting"]


def exporting() -> bool:
    """Whether torch.export is looking on; before torch 2.7, which says it, any compiler."""
    asked = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)
    return bool(asked())
