"""Accuracy and ArgMax in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from caffegen.layer_types import metric as definitions

from .registry import Lowered, lowers

__all__ = ["Accuracy", "ArgMax"]


@lowers("Accuracy")
def accuracy(definition: definitions.Accuracy) -> Lowered:
    """The share of predictions whose true class is among the best scores."""
    return Lowered(Accuracy(definition))


class Accuracy(nn.Module):
    """Top-k accuracy; a score equal to the true one counts against it (accuracy_layer.cpp)."""

    def __init__(self, definition: definitions.Accuracy) -> None:
        super().__init__()
        self.axis = definition.axis_index
        self.top_k = definition.top_k
        self.ignore_label = definition.ignore_label
        self.per_class = definition.per_class_top

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        classes = scores.shape[self.axis]
        places = (*scores.shape[: self.axis], 1, *scores.shape[self.axis + 1 :])
        index = labels.long().reshape(places)
        kept = torch.ones_like(index, dtype=torch.bool)
        if self.ignore_label is not None:
            kept = index != self.ignore_label
            index = index.where(kept, 0)
        # the true class is no better than itself, whence the -1
        better = (scores >= scores.gather(self.axis, index)).sum(self.axis, keepdim=True) - 1
        right = ((better < self.top_k) & kept).to(scores.dtype)
        number = kept.to(scores.dtype)
        top = right.sum() / number.sum().clamp(min=1)
        if not self.per_class:
            return top
        nothing = scores.new_zeros(classes)
        shares = [nothing.index_add(0, index.flatten(), part.flatten()) for part in (right, number)]
        return top, shares[0] / shares[1].clamp(min=1)

    def extra_repr(self) -> str:
        return f"axis={self.axis}, top_k={self.top_k}, ignore_label={self.ignore_label}"


@lowers("ArgMax")
def arg_max(definition: definitions.ArgMax) -> Lowered:
    """The places of the largest values, or the values, or both."""
    return Lowered(ArgMax(definition.axis_index, definition.top_k, values=definition.out_max_val))


class ArgMax(nn.Module):
    """The places of the `top_k` largest values; of equal ones the larger place comes first.

    Places are numbers of at least single precision, so that large ones stay exact. There is no
    gradient, not even to the values (argmax_layer.hpp).
    """

    def __init__(self, axis: int | None, top_k: int, *, values: bool) -> None:
        super().__init__()
        self.axis = axis
        self.top_k = top_k
        self.values = values

    def forward(self, bottom: Tensor) -> Tensor:
        bottom = bottom.detach()
        if self.axis is not None:
            values, places = self.largest(bottom, self.axis)
            return values if self.values else places
        values, places = self.largest(bottom.reshape(bottom.shape[0], -1), 1)
        rows = torch.stack((places, values), 1) if self.values else places.unsqueeze(1)
        return rows.reshape(*rows.shape, *(1,) * (bottom.dim() - 3))

    def largest(self, bottom: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        """The largest values along an axis and their places, best first."""
        # what comes first among equals in the reversed order has the larger place
        reversed_order = bottom.flip(axis)
        if self.top_k == 1:
            values, index = reversed_order.max(axis, keepdim=True)
        else:
            values, index = reversed_order.sort(dim=axis, descending=True, stable=True)
            values, index = values.narrow(axis, 0, self.top_k), index.narrow(axis, 0, self.top_k)
        places = bottom.shape[axis] - 1 - index
        return values, places.to(torch.promote_types(bottom.dtype, torch.float32))

    def extra_repr(self) -> str:
        return f"axis={self.axis}, top_k={self.top_k}, values={self.values}"
