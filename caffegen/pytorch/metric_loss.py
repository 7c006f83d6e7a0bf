"""Losses of distance in PyTorch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.layer_types import metric_loss as definitions

from .loss import _one_per_item
from .registry import Lowered, lowers

__all__ = ["CenterLoss", "L1Loss", "TripletLoss"]


@lowers("L1Loss")
def l1_loss(_definition: definitions.L1Loss) -> Lowered:
    """The sum of absolute differences per item."""
    return Lowered(L1Loss())


class L1Loss(nn.Module):
    """The sum of absolute differences, divided by the batch size."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        distance = functional.l1_loss(first, second.reshape(first.shape), reduction="sum")
        return distance / first.shape[0]


@lowers("TripletLoss")
def triplet_loss(definition: definitions.TripletLoss) -> Lowered:
    """Squared distances of triplets, with a margin."""
    return Lowered(TripletLoss(definition.margin))


class TripletLoss(nn.Module):
    """max(0, margin + |a - p|^2 - |a - n|^2), summed, divided by twice the batch size."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, anchors: Tensor, likes: Tensor, others: Tensor) -> Tensor:
        anchors, likes, others = (rows.flatten(1) for rows in (anchors, likes, others))
        near = (anchors - likes).square().sum(1)
        far = (anchors - others).square().sum(1)
        return functional.relu(self.margin + near - far).sum() / (2 * anchors.shape[0])

    def extra_repr(self) -> str:
        return f"margin={self.margin:g}"


@lowers("CenterLoss")
def center_loss(definition: definitions.CenterLoss) -> Lowered:
    """The distance to the centres of classes, which are the layer's blob."""
    return Lowered(CenterLoss(definition), ("center",))


class CenterLoss(nn.Module):
    """Half the squared distance to the centre of the class, or the absolute one; over N."""

    def __init__(self, definition: definitions.CenterLoss) -> None:
        super().__init__()
        self.distance_type = definition.distance_type
        self.center = nn.Parameter(torch.empty(definition.num_output, definition.features))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        rows = features.flatten(1)
        index = _one_per_item(labels, rows)
        distance = rows - self.center.detach()[index]
        if self.distance_type == "L1":
            loss = distance.abs().sum() / rows.shape[0]
            step = distance.detach().sign()
        else:
            loss = distance.square().sum() / (2 * rows.shape[0])
            step = distance.detach()
        if not self.center.requires_grad:
            return loss
        sums = torch.zeros_like(self.center).index_add(0, index, step)
        number = torch.bincount(index, minlength=self.center.shape[0])
        moved: Tensor = _OwnStep.apply(  # type: ignore[no-untyped-call]
            loss, self.center, -sums / (1 + number)[:, None]
        )
        return moved

    def extra_repr(self) -> str:
        return f"{self.center.shape[0]}, {self.center.shape[1]}, {self.distance_type}"


class _OwnStep(torch.autograd.Function):
    """The loss as it is; the centres get a step that is no derivative and takes no loss weight."""

    @staticmethod
    def forward(ctx: Any, loss: Tensor, _center: Tensor, step: Tensor) -> Tensor:
        ctx.save_for_backward(step)
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        (step,) = ctx.saved_tensors
        return gradients[0], step, None
