"""Cross-entropies in PyTorch, with Caffe's normalisation, floors and gradients.

Labels are class numbers of an integer or a floating-point type; the latter are cut to integers.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.errors import CaffegenError
from caffegen.layer_types import cross_entropy as definitions
from caffegen.weights import open_binaryproto

from .loss import LOG_THRESHOLD
from .registry import Lowered, lowers

__all__ = ["InfogainLoss", "SigmoidCrossEntropyLoss", "SoftmaxWithLoss"]


# FLT_MIN, as softmax_loss_layer.cpp floors probabilities
SMALLEST_NORMAL = 1.1754943508222875e-38


def floored(logarithms: Tensor, floor: float) -> Tensor:
    """The values, but none below the floor; the gradient passes as if there were none."""
    top = logarithms.detach().clamp(min=floor)
    finite = logarithms.clamp(min=torch.finfo(logarithms.dtype).min)
    # adds nothing but the gradient
    return top + (finite - finite.detach())


class _Normalized(nn.Module):
    """What the losses share whose sum is divided by a count of choice, never by less than 1."""

    def __init__(self, definition: definitions._Normalized) -> None:
        super().__init__()
        self.normalization = definition.normalization
        self.pre_fixed_normalizer = definition.pre_fixed_normalizer
        self.ignore_label = definition.ignore_label

    def normalize(self, total: Tensor, kept: Tensor | None, outer: int, count: int) -> Tensor:
        """The total over `count` labels, of which `kept` marks those that are not ignored."""
        if self.normalization == "NONE":
            return total
        if self.normalization == "BATCH_SIZE":
            return total / max(1, outer)
        if self.normalization == "PRE_FIXED":
            return total / max(1, self.pre_fixed_normalizer)
        if self.normalization == "VALID" and kept is not None:
            return total / kept.sum().clamp(min=1)
        return total / max(1, count)

    def extra_repr(self) -> str:
        return f"normalization={self.normalization}, ignore_label={self.ignore_label}"


class _OverClasses(_Normalized):
    """What the losses share that take a softmax of scores along an axis of classes."""

    def __init__(self, definition: definitions.SoftmaxWithLoss | definitions.InfogainLoss) -> None:
        super().__init__(definition)
        self.axis = definition.axis_index
        self.prob_top = definition.top_count > 1

    def known(self, labels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Class numbers, 0 for ignored ones, and which are not ignored."""
        index = labels.long()
        if self.ignore_label is None:
            return index, None
        kept = index != self.ignore_label
        return index.where(kept, 0), kept

    def tops(
        self, losses: Tensor, kept: Tensor | None, scores: Tensor
    ) -> Tensor | tuple[Tensor, Tensor]:
        """The loss from the losses of all positions; with it the softmax, if asked for."""
        if kept is not None:
            losses = losses.where(kept, 0)
        outer = math.prod(scores.shape[: self.axis])
        loss = self.normalize(losses.sum(), kept, outer, losses.numel())
        return (loss, scores.softmax(self.axis)) if self.prob_top else loss

    def extra_repr(self) -> str:
        return f"axis={self.axis}, {super().extra_repr()}"


@lowers("SoftmaxWithLoss")
def softmax_with_loss(definition: definitions.SoftmaxWithLoss) -> Lowered:
    """Cross-entropy of a softmax against class numbers."""
    return Lowered(SoftmaxWithLoss(definition))


class SoftmaxWithLoss(_OverClasses):
    """Minus the logarithm of the true class's softmax, floored at the smallest normal number."""

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        places = (*scores.shape[: self.axis], 1, *scores.shape[self.axis + 1 :])
        index, kept = self.known(labels.reshape(places))
        picked = scores.log_softmax(self.axis).gather(self.axis, index)
        return self.tops(-floored(picked, math.log(SMALLEST_NORMAL)), kept, scores)


@lowers("InfogainLoss")
def infogain_loss(definition: definitions.InfogainLoss) -> Lowered:
    """Cross-entropy in which every pair of true and predicted class has a weight."""
    return Lowered(InfogainLoss(definition))


class InfogainLoss(_OverClasses):
    """Minus the sum over classes of H[label, class] log(probability), floored at 1e-20.

    H is bottom 2, or comes from a file, which is read when the module is made.
    """

    H: Tensor | None

    def __init__(self, definition: definitions.InfogainLoss) -> None:
        super().__init__(definition)
        matrix = None
        if definition.source is not None:
            matrix = _read_matrix(definition.source, definition.classes)
        self.register_buffer("H", matrix, persistent=False)

    def forward(
        self, scores: Tensor, labels: Tensor, matrix: Tensor | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        rows = scores.log_softmax(self.axis).movedim(self.axis, -1)
        index, kept = self.known(labels.reshape(rows.shape[:-1]))
        weights = self.H if matrix is None else matrix
        assert weights is not None
        weights = weights.detach().to(rows.dtype).reshape(rows.shape[-1], -1)[index]
        losses = -(weights * floored(rows, math.log(LOG_THRESHOLD))).sum(-1)
        return self.tops(losses, kept, scores)


def _read_matrix(path: str, classes: int) -> Tensor:
    blob = open_binaryproto(path)
    if blob.size != classes * classes:
        raise CaffegenError(
            f"`{path}` holds {blob.size} values; {classes} classes take an infogain matrix of "
            f"{classes * classes}"
        )
    return torch.from_numpy(np.array(blob.array(), np.float32).reshape(classes, classes))


@lowers("SigmoidCrossEntropyLoss")
def sigmoid_cross_entropy_loss(definition: definitions.SigmoidCrossEntropyLoss) -> Lowered:
    """Cross-entropy of independent yes-or-no answers."""
    return Lowered(SigmoidCrossEntropyLoss(definition))


class SigmoidCrossEntropyLoss(_Normalized):
    """Binary cross-entropy of scores before the sigmoid; targets cut to `ignore_label` drop out."""

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        targets = targets.detach().reshape(scores.shape)
        losses = functional.binary_cross_entropy_with_logits(
            scores, targets.to(scores.dtype), reduction="none"
        )
        kept = None
        if self.ignore_label is not None:
            kept = targets.long() != self.ignore_label
            losses = losses.where(kept, 0)
        return self.normalize(losses.sum(), kept, scores.shape[0], losses.numel())
