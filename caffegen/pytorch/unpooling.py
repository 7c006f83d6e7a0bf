"""The ways back from a pooling, in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from caffegen.layer_types import unpooling as definitions

from .registry import Lowered, lowers
from .resizing import MaxUnpool

__all__ = ["Spread"]

Unpooled = definitions.MaxUnpool | definitions.UnPooling | definitions.Unpooling


@lowers("MaxUnpool", "UnPooling", "Unpooling")
def unpooling(definition: Unpooled) -> Lowered:
    """By the places of a mask, or by windows."""
    if definition.method == "MASK":
        return Lowered(MaxUnpool(definition.growth))
    return Lowered(Spread(definition))


class Spread(nn.Module):
    """Each value over its window, which is a product of matrices for the rows and the columns."""

    def __init__(self, definition: Unpooled) -> None:
        super().__init__()
        self.method = definition.method
        self.kernel = definition.kernel
        self.stride = definition.stride
        self.pad = definition.pad
        self.growth = definition.growth

    # the second bottom of an UnPooling gave its size alone
    def forward(self, bottom: Tensor, _like: Tensor | None = None) -> Tensor:
        rows, columns = self.shares(bottom, 0), self.shares(bottom, 1)
        return rows @ bottom @ columns.T

    def shares(self, bottom: Tensor, axis: int) -> Tensor:
        """What each place of an axis gets of each old one: (new size, old size)."""
        factor, summand = self.growth[axis]
        kernel, stride, pad = self.kernel[axis], self.stride[axis], self.pad[axis]
        old = bottom.shape[axis + 2]
        new = factor * old + summand
        places = torch.arange(new, device=bottom.device)[:, None]
        starts = torch.arange(old, device=bottom.device) * stride - pad
        ends = starts + kernel
        if self.method in ("FIRST", "FIXED"):
            first = starts if self.method == "FIRST" else (starts + ends - 1) // 2
            hit = places == first.clamp(0, new - 1)
            # of several for one place the last
            last = hit & (hit.flip(1).cumsum(1).flip(1) == 1)
            return last.to(bottom.dtype)
        inside = (places >= starts) & (places < ends)
        shares = inside.to(bottom.dtype)
        if self.method in ("AVE", "DIV"):
            # the padding counts as part of a window, what lies behind it does not
            shares = shares / (ends.clamp(max=new + pad) - starts).clamp(min=1)
        if self.method in ("DIV", "REP"):
            shares = shares / inside.sum(1, keepdim=True).clamp(min=1)
        return shares

    def extra_repr(self) -> str:
        return f"{self.method}, kernel={self.kernel}, stride={self.stride}, pad={self.pad}"
