"""Losses of rarer forks in PyTorch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.layer_types import pairwise_loss as definitions

from .registry import Lowered, lowers, refuse

__all__ = ["PairwiseLoss", "QuantizationLoss", "SVRLoss", "XCovLoss"]


@lowers("SVRLoss")
def svr_loss(_definition: definitions.SVRLoss) -> Lowered:
    """The sum of absolute differences per item."""
    return Lowered(SVRLoss())


class SVRLoss(nn.Module):
    """The sum of absolute differences, divided by the batch size; targets get no gradient."""

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        wanted = targets.detach().reshape(scores.shape)
        return functional.l1_loss(scores, wanted, reduction="sum") / scores.shape[0]


@lowers("XCovLoss")
def xcov_loss(_definition: definitions.XCovLoss) -> Lowered:
    """Half the squared cross-covariance."""
    return Lowered(XCovLoss())


class XCovLoss(nn.Module):
    """|A^T B / N|^2 / 2 of rows less their means."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        first, second = (rows.flatten(1) for rows in (first, second))
        first, second = (rows - rows.mean(0) for rows in (first, second))
        covariance = first.T @ second / first.shape[0]
        return covariance.square().sum().reshape(1, 1, 1, 1) / 2


@lowers("PairwiseLoss")
def pairwise_loss(definition: definitions.PairwiseLoss) -> Lowered:
    """The cross-entropy of products of codes."""
    return Lowered(PairwiseLoss(definition.threshold))


class PairwiseLoss(nn.Module):
    """log(1 + exp(p)) - s p over all pairs; from the threshold on p (1 - s)."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, codes: Tensor, labels: Tensor) -> Tensor:
        codes, labels = codes.flatten(1), labels.flatten(1)
        products = codes @ codes.T
        alike = (labels @ labels.T > 0).to(products.dtype)
        losses = torch.logaddexp(products, torch.zeros_like(products)) - alike * products
        if self.threshold >= 0:
            losses = torch.where(products >= self.threshold, products * (1 - alike), losses)
        return losses.abs().mean()

    def extra_repr(self) -> str:
        return f"threshold={self.threshold:g}"


@lowers("QuantizationLoss")
def quantization_loss(definition: definitions.QuantizationLoss) -> Lowered:
    """The mean of log cosh(|x| - 1)."""
    return Lowered(QuantizationLoss(definition.threshold))


class QuantizationLoss(nn.Module):
    """The mean of log cosh(|x| - 1); past the threshold, of its asymptote."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, codes: Tensor) -> Tensor:
        apart = codes.abs() - 1
        losses = torch.logaddexp(apart, -apart) - math.log(2)
        if self.threshold > 0:
            losses = torch.where(apart > self.threshold, apart - math.log(2), losses)
        return losses.abs().mean()

    def extra_repr(self) -> str:
        return f"threshold={self.threshold:g}"


@lowers("WassersteinLoss")
def wasserstein_loss(definition: definitions.WassersteinLoss) -> Lowered:
    """Refused: its distances stand in a file."""
    raise refuse(
        definition,
        f"the distances of its classes stand in the file `{definition.ground_metric}`, and its "
        "gradient is not that of its value",
    )


@lowers("SqueezeDetLoss")
def squeezedet_loss(definition: definitions.SqueezeDetLoss) -> Lowered:
    """Refused: it matches anchors inside."""
    raise refuse(
        definition,
        "it matches anchors to true boxes while training; build the net up to its bottoms",
    )
