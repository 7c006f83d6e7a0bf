"""YOLO's losses in PyTorch: the one that needs no labelled boxes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from caffegen.layer_types import yolo_training as definitions

from .registry import Lowered, lowers, refuse

__all__ = ["MaskLoss"]


@lowers("YoloSeg")
def yolo_seg(definition: definitions.YoloSeg) -> Lowered:
    """Squared differences of sigmoids and masks."""
    return Lowered(MaskLoss(definition.object_scale))


class MaskLoss(nn.Module):
    """The sum of the squares of scaled differences over the batch size (yolo_seg.cpp, Forward_cpu).

    Where the mask is set, the difference counts the more, the rarer its class is in the batch.
    """

    def __init__(self, object_scale: float) -> None:
        super().__init__()
        self.object_scale = object_scale

    def forward(self, bottom: Tensor, masks: Tensor, counts: Tensor) -> Tensor:
        with torch.no_grad():
            masks = masks.reshape(bottom.shape)
            plane = bottom.shape[2] * bottom.shape[3]
            counts = counts.reshape(-1, bottom.shape[1])
            share = counts.sum(0) / (plane - counts).sum(0)
            weight = self.object_scale * (2 - share)[None, :, None, None]
            scale = torch.where(masks > 0.5, weight, self.object_scale)
            delta = (bottom.sigmoid() - masks) * scale
        loss: Tensor = _GivenGradient.apply(bottom, delta)  # type: ignore[no-untyped-call]
        return loss

    def extra_repr(self) -> str:
        return f"object_scale={self.object_scale:g}"


class _GivenGradient(torch.autograd.Function):
    """The sum of squares of a gradient that is given, over the batch size; backward hands it back."""

    @staticmethod
    def forward(ctx: Any, bottom: Tensor, delta: Tensor) -> Tensor:
        ctx.save_for_backward(delta)
        return (delta * delta).sum() / bottom.shape[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (delta,) = ctx.saved_tensors
        return delta * (gradients[0] / delta.shape[0]), None


@lowers("RegionLoss", "Yolov3")
def map_loss(definition: definitions.RegionLoss | definitions.Yolov3) -> Lowered:
    """Refused: what it hands back is not the gradient of what it gives."""
    raise refuse(
        definition,
        "it trains by gradients written out by hand, box by box, which are not those of the loss "
        "that it gives; train with the Caffe that it comes from, and build the TEST net here",
    )


@lowers("EvalDetection")
def eval_detection(definition: definitions.EvalDetection) -> Lowered:
    """Refused: a measurement against labels that is read by a script of its fork."""
    raise refuse(
        definition,
        "it counts hits and misses for a script of intel's Caffe; take the map that it reads, "
        f"`{definition.layer.bottom[0]}`, as the output",
    )
