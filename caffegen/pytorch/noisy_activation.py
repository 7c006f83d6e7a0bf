"""Activations that draw while training, in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from caffegen.layer_types import noisy_activation as definitions

from .registry import Lowered, lowers

__all__ = ["Insanity", "SeLuDropout"]


@lowers("Insanity")
def insanity(definition: definitions.Insanity) -> Lowered:
    """A leaky ReLU with a slope of its own for each value while training."""
    return Lowered(Insanity(definition.low, definition.high, definition.mean))


class Insanity(nn.Module):
    """Values below 0 divided by a number drawn from low to high, or by their mean."""

    def __init__(self, low: float, high: float, mean: float) -> None:
        super().__init__()
        self.low, self.high, self.mean = low, high, mean

    def forward(self, bottom: Tensor) -> Tensor:
        below = bottom.clamp(max=0)
        if self.training:
            drawn = torch.rand_like(bottom) * (self.high - self.low) + self.low
            return bottom.clamp(min=0) + below / drawn
        return bottom.clamp(min=0) + below / self.mean

    def extra_repr(self) -> str:
        return f"{self.low:g}, {self.high:g}"


@lowers("SeLuDropout")
def selu_dropout(definition: definitions.SeLuDropout) -> Lowered:
    """Values dropped to alpha, and all scaled back."""
    return Lowered(SeLuDropout(definition))


class SeLuDropout(nn.Module):
    """In training values become alpha at random, and all are scaled; else nothing happens."""

    def __init__(self, definition: definitions.SeLuDropout) -> None:
        super().__init__()
        self.ratio = definition.ratio
        self.alpha = definition.alpha
        self.scale = definition.scale
        self.shift = definition.shift

    def forward(self, bottom: Tensor) -> Tensor:
        if not self.training:
            return bottom
        kept = torch.rand_like(bottom) >= self.ratio
        value: Tensor = torch.where(kept, bottom, self.alpha)
        scaled: Tensor = value * self.scale + self.shift
        return scaled

    def extra_repr(self) -> str:
        return f"{self.ratio:g}, alpha={self.alpha:g}"
