"""SmoothL1Loss in PyTorch, as each fork has it."""

from __future__ import annotations

from torch import Tensor, nn

from caffegen.layer_types import smooth_l1_loss as definitions

from .registry import Lowered, lowers

__all__ = ["SmoothL1Loss", "smooth_l1"]


def smooth_l1(difference: Tensor, sigma_squared: float = 1.0, turn_point: float = 1.0) -> Tensor:
    """The loss of each difference: quadratic up to 1 / sigma^2, or up to the turn point; then linear.

    One of `sigma_squared` and `turn_point` is 1. At another turn point than 1 the loss jumps.
    """
    size = difference.abs()
    if turn_point != 1:
        line = size - turn_point + 0.5 * turn_point * turn_point
        return (0.5 * difference * difference).where(size < turn_point, line)
    line = size - 0.5 / sigma_squared
    return (0.5 * difference * difference * sigma_squared).where(size < 1 / sigma_squared, line)


@lowers("SmoothL1Loss")
def smooth_l1_loss(definition: definitions.SmoothL1Loss) -> Lowered:
    """The loss of box regression."""
    return Lowered(SmoothL1Loss(definition))


class SmoothL1Loss(nn.Module):
    """The sum over outside * loss(inside * (predictions - targets)), over the batch size or 1."""

    def __init__(self, definition: definitions.SmoothL1Loss) -> None:
        super().__init__()
        self.sigma_squared = definition.sigma_squared if definition.with_sigma else 1.0
        self.turn_point = 1.0 if definition.with_sigma else definition.turn_point
        self.by_batch = definition.by_batch

    def forward(
        self,
        predictions: Tensor,
        targets: Tensor,
        inside: Tensor | None = None,
        outside: Tensor | None = None,
    ) -> Tensor:
        difference = predictions - targets.reshape(predictions.shape)
        if inside is not None:
            difference = difference * inside.detach().reshape(predictions.shape)
        losses = smooth_l1(difference, self.sigma_squared, self.turn_point)
        if outside is not None:
            losses = losses * outside.detach().reshape(predictions.shape)
        total = losses.sum()
        return total / predictions.shape[0] if self.by_batch else total

    def extra_repr(self) -> str:
        return f"sigma_squared={self.sigma_squared:g}, turn_point={self.turn_point:g}"
