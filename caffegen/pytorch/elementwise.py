"""Eltwise, Scale and Bias in PyTorch."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from caffegen.layer_types import elementwise as definitions

from .registry import Lowered, lowers

__all__ = ["Bias", "Maximum", "Product", "Scale", "Sum", "align"]

Shape = tuple[int, ...]


@lowers("Eltwise")
def eltwise(definition: definitions.Eltwise) -> Lowered:
    """A sum, product or maximum of all bottoms."""
    if definition.operation == "PROD":
        return Lowered(Product())
    if definition.operation == "MAX":
        return Lowered(Maximum())
    return Lowered(Sum(definition.coeffs))


class Sum(nn.Module):
    """The sum of all bottoms, each times its coefficient."""

    def __init__(self, coeff: tuple[float, ...] = ()) -> None:
        super().__init__()
        self.coeff = () if all(value == 1 for value in coeff) else coeff

    def forward(self, *bottoms: Tensor) -> Tensor:
        if self.coeff:
            bottoms = tuple(
                bottom if value == 1 else bottom * value
                for bottom, value in zip(bottoms, self.coeff, strict=True)
            )
        top = bottoms[0] + bottoms[1]
        for bottom in bottoms[2:]:
            top = top + bottom
        return top

    def extra_repr(self) -> str:
        return ", ".join(f"{value:g}" for value in self.coeff)


class Product(nn.Module):
    """The product of all bottoms."""

    def forward(self, *bottoms: Tensor) -> Tensor:
        top = bottoms[0]
        for bottom in bottoms[1:]:
            top = top * bottom
        return top


class Maximum(nn.Module):
    """The largest of all bottoms; the gradient goes to one alone.

    On a tie of the first two that is the second; later ones must be larger (eltwise_layer.cpp).
    """

    def forward(self, *bottoms: Tensor) -> Tensor:
        top = torch.where(bottoms[0] > bottoms[1], bottoms[0], bottoms[1])
        for bottom in bottoms[2:]:
            top = torch.where(bottom > top, bottom, top)
        return top


def align(values: Tensor, bottom: Tensor, axis: int) -> Tensor:
    """The values with as many axes behind them as the bottom has behind those that they cover."""
    behind = bottom.dim() - axis - values.dim()
    return values.reshape(*values.shape, *(1,) * behind) if behind else values


@lowers("Scale")
def scale(definition: definitions.Scale) -> Lowered:
    """A product with learned factors, or with the second bottom; a bias behind it if asked for."""
    attributes = {"scale": "weight", "bias": "bias"}
    shapes = {attributes[spec.name]: spec.shape for spec in definition.blobs}
    module = Scale(definition.axis_index, shapes.get("weight"), shapes.get("bias"))
    return Lowered(module, tuple(shapes))


class Scale(nn.Module):
    """Factors over some axes of the bottom, from `axis` on, and a bias of their shape."""

    weight: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(self, axis: int, weight: Shape | None, bias: Shape | None) -> None:
        super().__init__()
        self.axis = axis
        self.register_parameter("weight", _parameter(weight))
        self.register_parameter("bias", _parameter(bias))

    def forward(self, bottom: Tensor, factors: Tensor | None = None) -> Tensor:
        factors = cast(Tensor, self.weight if factors is None else factors)
        top = bottom * align(factors, bottom, self.axis)
        return top if self.bias is None else top + align(self.bias, bottom, self.axis)

    def extra_repr(self) -> str:
        return f"axis={self.axis}"


@lowers("Bias")
def bias(definition: definitions.Bias) -> Lowered:
    """A sum with learned values, or with the second bottom."""
    if definition.from_bottom:
        return Lowered(Bias(definition.axis_index, None))
    return Lowered(Bias(definition.axis_index, definition.operand_shape), ("bias",))


class Bias(nn.Module):
    """Values added over some axes of the bottom, from `axis` on."""

    bias: nn.Parameter | None

    def __init__(self, axis: int, shape: Shape | None) -> None:
        super().__init__()
        self.axis = axis
        self.register_parameter("bias", _parameter(shape))

    def forward(self, bottom: Tensor, values: Tensor | None = None) -> Tensor:
        values = cast(Tensor, self.bias if values is None else values)
        return bottom + align(values, bottom, self.axis)

    def extra_repr(self) -> str:
        return f"axis={self.axis}"


def _parameter(shape: Shape | None) -> nn.Parameter | None:
    return None if shape is None else nn.Parameter(torch.empty(shape))
