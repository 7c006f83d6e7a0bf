"""Losses in PyTorch, with Caffe's normalisation, floors and gradients.

Labels are class numbers of an integer or a floating-point type; the latter are cut to integers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.layer_types import loss as definitions

from .registry import Lowered, lowers

__all__ = ["ContrastiveLoss", "EuclideanLoss", "HingeLoss", "MultinomialLogisticLoss"]

# kLOG_THRESHOLD (loss_layer.hpp): no probability counts as less
LOG_THRESHOLD = 1e-20


@lowers("EuclideanLoss")
def euclidean_loss(_definition: definitions.EuclideanLoss) -> Lowered:
    """Half the squared distance per item."""
    return Lowered(EuclideanLoss())


class EuclideanLoss(nn.Module):
    """The sum of squared differences, divided by twice the batch size."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        distance = first - second.reshape(first.shape)
        return distance.square().sum() / (2 * first.shape[0])


@lowers("HingeLoss")
def hinge_loss(definition: definitions.HingeLoss) -> Lowered:
    """The margin loss of a one-against-all classifier."""
    return Lowered(HingeLoss(definition.norm))


class HingeLoss(nn.Module):
    """max(0, 1 - x) for the true class and max(0, 1 + x) for the others, or the squares; over N."""

    def __init__(self, norm: str) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        rows = scores.reshape(scores.shape[0], -1)
        index = _one_per_item(labels, rows).unsqueeze(1)
        signs = torch.ones_like(rows).scatter(1, index, -1.0)
        margins = functional.relu(1 + signs * rows)
        if self.norm == "L2":
            margins = margins.square()
        return margins.sum() / rows.shape[0]

    def extra_repr(self) -> str:
        return self.norm


@lowers("MultinomialLogisticLoss")
def multinomial_logistic_loss(_definition: definitions.MultinomialLogisticLoss) -> Lowered:
    """Minus the logarithm of the true class's probability."""
    return Lowered(MultinomialLogisticLoss())


class MultinomialLogisticLoss(nn.Module):
    """Minus the logarithm of probabilities, floored at 1e-20, below which there is no gradient."""

    def forward(self, probabilities: Tensor, labels: Tensor) -> Tensor:
        rows = probabilities.reshape(probabilities.shape[0], -1)
        picked = rows.gather(1, _one_per_item(labels, rows).unsqueeze(1))
        return -picked.clamp(min=LOG_THRESHOLD).log().sum() / rows.shape[0]


@lowers("ContrastiveLoss")
def contrastive_loss(definition: definitions.ContrastiveLoss) -> Lowered:
    """Pulls similar pairs together, pushes other pairs apart."""
    return Lowered(ContrastiveLoss(definition.margin, legacy=definition.legacy_version))


class ContrastiveLoss(nn.Module):
    """d^2 for similar pairs, max(margin - d, 0)^2 for others; over 2N.

    `legacy` has max(margin - d^2, 0) for the others. In the gradient 1e-4 is added to the distance
    that is divided by (contrastive_loss_layer.cpp, Backward_cpu), so that equal pairs have one.
    """

    def __init__(self, margin: float, *, legacy: bool = False) -> None:
        super().__init__()
        self.margin = margin
        self.legacy = legacy

    def forward(self, first: Tensor, second: Tensor, similar: Tensor) -> Tensor:
        rows = (first - second.reshape(first.shape)).reshape(first.shape[0], -1)
        squared = rows.square().sum(1)
        if self.legacy:
            apart = functional.relu(self.margin - squared)
        else:
            distance = squared.detach().sqrt()
            # adds nothing but the gradient
            slope = (squared - squared.detach()) / (2 * (distance + 1e-4))
            apart = functional.relu(self.margin - distance - slope).square()
        losses = squared.where(_one_per_item(similar, rows) != 0, apart)
        return losses.sum() / (2 * rows.shape[0])

    def extra_repr(self) -> str:
        return f"margin={self.margin:g}, legacy={self.legacy}"


def _one_per_item(labels: Tensor, rows: Tensor) -> Tensor:
    """The first label of every item; Caffe reads that many, and no more."""
    return labels.long().flatten()[: rows.shape[0]]
