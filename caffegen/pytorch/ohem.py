"""R-FCN's training on the hardest examples in PyTorch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from caffegen.layer_types import ohem as definitions

from .cross_entropy import SMALLEST_NORMAL, _Normalized, _OverClasses, floored
from .registry import Lowered, lowers
from .smooth_l1_loss import smooth_l1

__all__ = ["BoxAnnotatorOHEM", "SmoothL1LossOHEM", "SoftmaxWithLossOHEM"]


@lowers("SoftmaxWithLossOHEM")
def softmax_with_loss_ohem(definition: definitions.SoftmaxWithLossOHEM) -> Lowered:
    """Cross-entropy of a softmax, in sum and for each label."""
    return Lowered(SoftmaxWithLossOHEM(definition))


class SoftmaxWithLossOHEM(_OverClasses):
    """SoftmaxWithLoss, with the softmax and the losses of all labels as further tops."""

    def forward(self, scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        places = (*scores.shape[: self.axis], 1, *scores.shape[self.axis + 1 :])
        index, kept = self.known(labels.reshape(places))
        picked = scores.log_softmax(self.axis).gather(self.axis, index)
        losses = -floored(picked, math.log(SMALLEST_NORMAL))
        if kept is not None:
            losses = losses.where(kept, 0)
        outer = math.prod(scores.shape[: self.axis])
        loss = self.normalize(losses.sum(), kept, outer, losses.numel())
        softmax = scores.detach().softmax(self.axis)
        return loss, softmax, losses.detach().reshape(labels.shape)


@lowers("SmoothL1LossOHEM")
def smooth_l1_loss_ohem(definition: definitions.SmoothL1LossOHEM) -> Lowered:
    """Smooth L1, in sum and for each box."""
    return Lowered(SmoothL1LossOHEM(definition))


class SmoothL1LossOHEM(_Normalized):
    """Smooth L1 of weighted differences, with the sums over channels as second top."""

    def forward(
        self, predictions: Tensor, targets: Tensor, weights: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        difference = predictions - targets.reshape(predictions.shape)
        if weights is not None:
            difference = difference * weights.detach().reshape(predictions.shape)
        losses = smooth_l1(difference)
        number, _, height, width = (*losses.shape, 1, 1, 1)[:4]
        loss = self.normalize(losses.sum(), None, number, number * height * width)
        each = losses.detach().reshape(number, -1, height, width).sum(1, keepdim=True)
        return loss, each


@lowers("BoxAnnotatorOHEM")
def box_annotator_ohem(definition: definitions.BoxAnnotatorOHEM) -> Lowered:
    """The choice of the hardest boxes of each image."""
    return Lowered(BoxAnnotatorOHEM(definition.roi_per_img, definition.ignore_label))


class BoxAnnotatorOHEM(nn.Module):
    """Labels and weights of the boxes with the largest losses of each image; no gradient."""

    def __init__(self, roi_per_img: int, ignore_label: int) -> None:
        super().__init__()
        self.roi_per_img = roi_per_img
        self.ignore_label = ignore_label

    def forward(
        self, boxes: Tensor, losses: Tensor, labels: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        number, height, width = boxes.shape[0], *(*boxes.shape[2:], 1, 1)[:2]
        places = (number, 1, height, width)
        images = boxes.detach().reshape(number, 5, height, width)[:, 0].flatten().long()
        hardest = losses.detach().flatten().sort(descending=True, stable=True).indices
        # by image, in each the hardest first
        order = hardest[images[hardest].sort(stable=True).indices]
        sorted_images = images[order].contiguous()
        rank = torch.arange(order.numel(), device=order.device)
        rank = rank - torch.searchsorted(sorted_images, sorted_images)
        taken = torch.zeros_like(images, dtype=torch.bool)
        taken = taken.scatter(0, order, rank < self.roi_per_img).reshape(places)
        chosen = labels.detach().reshape(places).where(taken, self.ignore_label)
        return chosen, weights.detach().reshape(number, -1, height, width).where(taken, 0)

    def extra_repr(self) -> str:
        return f"roi_per_img={self.roi_per_img}, ignore_label={self.ignore_label}"
