"""InnerProduct and Embed in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.layer_types.inner_product import Embed, InnerProduct

from .registry import Lowered, lowers

__all__ = ["EmbedWithBias", "LinearTransposed"]


@lowers("InnerProduct")
def inner_product(definition: InnerProduct) -> Lowered:
    """A Linear on the bottom, flattened from `axis` on."""
    weight = definition.blobs[0].shape
    blobs = ("weight", "bias") if definition.bias_term else ("weight",)
    last = definition.axis_index == len(definition.bottom_shapes[0]) - 1
    flatten = None if last else definition.axis_index
    if definition.transpose:
        return Lowered(LinearTransposed(*weight, bias=definition.bias_term), blobs, flatten)
    return Lowered(nn.Linear(weight[1], weight[0], bias=definition.bias_term), blobs, flatten)


class LinearTransposed(nn.Module):
    """A Linear whose weight is stored inputs first."""

    bias: nn.Parameter | None

    def __init__(self, inputs: int, outputs: int, *, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        if bias:
            self.bias = nn.Parameter(torch.empty(outputs))
        else:
            self.register_parameter("bias", None)

    def forward(self, bottom: Tensor) -> Tensor:
        return functional.linear(bottom, self.weight.t(), self.bias)


@lowers("Embed")
def embed(definition: Embed) -> Lowered:
    """An Embedding; indices of a floating-point type are cut to integers."""
    blobs = ("weight", "bias") if definition.bias_term else ("weight",)
    rows, columns = definition.blobs[0].shape
    return Lowered(EmbedWithBias(rows, columns, bias=definition.bias_term), blobs)


class EmbedWithBias(nn.Module):
    """The weight row of each index, and a bias on all of them."""

    bias: nn.Parameter | None

    def __init__(self, rows: int, columns: int, *, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, columns))
        if bias:
            self.bias = nn.Parameter(torch.empty(columns))
        else:
            self.register_parameter("bias", None)

    def forward(self, indices: Tensor) -> Tensor:
        top = functional.embedding(indices.long(), self.weight)
        return top if self.bias is None else top + self.bias
