"""Normalize and L2Norm in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.layer_types import normalize as definitions

from .elementwise import align
from .four_axes import over_four_axes
from .registry import Lowered, lowers

__all__ = ["L2Norm", "Normalize"]

Shape = tuple[int, ...]
# the lower bound of an L2Norm's norm
_LEAST = 1e-6


@lowers("Normalize", "NormalizeBBox")
def normalize(definition: definitions.Normalize | definitions.NormalizeBBox) -> Lowered:
    """A division by a norm, with SSD's factor behind it or without one."""
    shared = definition.channel_shared
    module = Normalize(
        definition.power,
        definition.eps,
        across_spatial=definition.across_spatial,
        weight=None if shared is None else definition.blobs[0].shape,
        norm_top=definition.norm_top,
        norm_gradient=definition.norm_gradient,
    )
    if shared is not None:
        return Lowered(module, ("weight",))
    return Lowered(over_four_axes(len(definition.bottom_shapes[0]), module))


class Normalize(nn.Module):
    """x / (sum of |x|^power + eps)^(1/power), times a weight without axes or for each channel.

    The sum is over the item, or over its channels alone. With `norm_top` the norms are a second
    result.
    """

    weight: Tensor | None

    def __init__(
        self,
        power: int,
        eps: float,
        *,
        across_spatial: bool,
        weight: Shape | None,
        norm_top: bool = False,
        norm_gradient: bool = False,
    ) -> None:
        super().__init__()
        self.power = power
        self.eps = eps
        self.across_spatial = across_spatial
        self.norm_top = norm_top
        self.norm_gradient = norm_gradient
        self.register_parameter(
            "weight", None if weight is None else nn.Parameter(torch.empty(weight))
        )

    def forward(self, bottom: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        axes = tuple(range(1, bottom.dim())) if self.across_spatial else (1,)
        powers = bottom.abs() if self.power == 1 else bottom * bottom
        norm = powers.sum(axes, keepdim=True) + self.eps
        if self.power == 2:
            norm = norm.sqrt()
        top = bottom / norm
        if self.weight is not None:
            top = top * align(self.weight, bottom, 1 if self.weight.dim() else bottom.dim())
        if not self.norm_top:
            return top
        return top, norm if self.norm_gradient else norm.detach()

    def extra_repr(self) -> str:
        over = "item" if self.across_spatial else "channels"
        return f"L{self.power} over the {over}, eps={self.eps:g}"


@lowers("L2Norm")
def l2_norm(definition: definitions.L2Norm) -> Lowered:
    """A division by the length of the item, or of the pixel's channels."""
    return Lowered(L2Norm(definition.length**0.5, across_spatial=definition.across_spatial))


class L2Norm(nn.Module):
    """Vectors brought to a length: whole items, or the channels of each pixel."""

    def __init__(self, length: float, *, across_spatial: bool) -> None:
        super().__init__()
        self.length = length
        self.across_spatial = across_spatial

    def forward(self, bottom: Tensor) -> Tensor:
        if self.across_spatial:
            top = functional.normalize(bottom.flatten(1), eps=_LEAST).reshape(bottom.shape)
        else:
            top = functional.normalize(bottom, eps=_LEAST)
        return top if self.length == 1 else top * self.length

    def extra_repr(self) -> str:
        return f"{self.length:g}, over the {'item' if self.across_spatial else 'channels'}"
