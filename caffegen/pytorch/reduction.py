"""Reduction and Softmax in PyTorch."""

from __future__ import annotations

from torch import Tensor, nn

from caffegen.layer_types import reduction as definitions

from .registry import Lowered, lowers

__all__ = ["Reduction"]


@lowers("Softmax")
def softmax(definition: definitions.Softmax) -> Lowered:
    """Softmax."""
    return Lowered(nn.Softmax(definition.axis_index))


@lowers("Reduction")
def reduction(definition: definitions.Reduction) -> Lowered:
    """A sum, mean, sum of absolute values or sum of squares over the last axes."""
    return Lowered(Reduction(definition.operation, definition.axis_index, definition.coeff))


class Reduction(nn.Module):
    """One number for all values from an axis to the last, times a coefficient."""

    def __init__(self, operation: str, axis: int, coeff: float = 1.0) -> None:
        super().__init__()
        self.operation = operation
        self.axis = axis
        self.coeff = coeff

    def forward(self, bottom: Tensor) -> Tensor:
        values = bottom.flatten(self.axis)
        if self.operation == "ASUM":
            values = values.abs()
        elif self.operation == "SUMSQ":
            values = values.square()
        top = values.mean(-1) if self.operation == "MEAN" else values.sum(-1)
        return top if self.coeff == 1 else top * self.coeff

    def extra_repr(self) -> str:
        return f"{self.operation}, axis={self.axis}, coeff={self.coeff:g}"
