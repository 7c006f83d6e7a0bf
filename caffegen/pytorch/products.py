"""Axpy and MatMul in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from caffegen.layer_types import products as definitions

from .registry import Lowered, lowers

__all__ = ["Axpy", "MatMul"]


@lowers("Axpy")
def axpy(definition: definitions.Axpy) -> Lowered:
    """A sum: a x + y, with a factor for each channel."""
    factors, x, _ = map(len, definition.bottom_shapes)
    return Lowered(Axpy(x - factors))


class Axpy(nn.Module):
    """The factors of bottom 0, one for each channel, times bottom 1, plus bottom 2.

    `behind` is how many axes the factors have less than the others; they may also have more, of 1.
    """

    def __init__(self, behind: int = 0) -> None:
        super().__init__()
        self.behind = behind

    def forward(self, factors: Tensor, x: Tensor, y: Tensor) -> Tensor:
        shape = (*x.shape[:2], *(1,) * (x.dim() - 2))
        return torch.addcmul(y, factors.reshape(shape), x)


@lowers("MatMul")
def matmul(definition: definitions.MatMul) -> Lowered:
    """A product of matrices."""
    return Lowered(MatMul(transpose_a=definition.transpose_a, transpose_b=definition.transpose_b))


class MatMul(nn.Module):
    """The product of the matrices in the last two axes."""

    def __init__(self, *, transpose_a: bool, transpose_b: bool) -> None:
        super().__init__()
        self.transpose_a = transpose_a
        self.transpose_b = transpose_b

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.matmul(a.mT if self.transpose_a else a, b.mT if self.transpose_b else b)

    def extra_repr(self) -> str:
        return f"transpose_a={self.transpose_a}, transpose_b={self.transpose_b}"
