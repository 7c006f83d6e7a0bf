"""DetectionOutput in PyTorch; DetectionEvaluate stands in `evaluate.py`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from caffegen.layer_types import detection as definitions

from .boxes import decode, survivors
from .evaluate import DetectionEvaluate
from .registry import Lowered, lowers

__all__ = ["DetectionEvaluate", "DetectionOutput"]


@lowers("DetectionEvaluate")
def detection_evaluate(definition: definitions.DetectionEvaluate) -> Lowered:
    """Detections marked as true or false."""
    return Lowered(DetectionEvaluate(definition))


@lowers("DetectionOutput")
def detection_output(definition: definitions.DetectionOutput) -> Lowered:
    """A detector's boxes, decoded and thinned out."""
    return Lowered(DetectionOutput(definition))


class DetectionOutput(nn.Module):
    """Rows (1, 1, rows, 7) of image, class, score and corners: by image, by class, best first.

    Of equal scores the earlier prior comes first, and the lower class stays. Without any detection
    there is a row of -1 for each image. There is no gradient (detection_output_layer.hpp).
    """

    def __init__(self, definition: definitions.DetectionOutput) -> None:
        super().__init__()
        self.classes = definition.num_classes
        self.labels = definition.labels
        self.share_location = definition.share_location
        self.code_type = definition.code_type
        self.variance_encoded_in_target = definition.variance_encoded_in_target
        self.confidence_threshold = definition.confidence_threshold
        self.nms_threshold = definition.nms_threshold
        self.eta = definition.eta
        self.top_k = definition.top_k
        self.keep_top_k = definition.keep_top_k

    def forward(self, locations: Tensor, scores: Tensor, priors: Tensor, *_shown: Tensor) -> Tensor:
        number = locations.shape[0]
        boxes = self.decoded(locations.detach(), priors.detach())
        labels = torch.tensor(self.labels, device=scores.device)
        table = scores.detach().reshape(number, -1, self.classes)[:, :, labels].transpose(1, 2)
        best, order = self.candidates(table)
        shared = self.share_location
        boxes = boxes.expand(-1, len(self.labels), -1, -1) if shared else boxes[:, labels]
        chosen = boxes.gather(2, order.unsqueeze(3).expand(-1, -1, -1, 4))
        alive = torch.ones_like(best, dtype=torch.bool)
        if self.confidence_threshold is not None:
            alive = best > self.confidence_threshold
        kept = survivors(
            chosen.flatten(0, 1), alive.flatten(0, 1), self.nms_threshold, self.eta
        ).reshape(best.shape)
        kept = self.limited(best, kept)
        return self.listed(kept, best, chosen, labels)[None, None]

    def listed(self, kept: Tensor, best: Tensor, boxes: Tensor, labels: Tensor) -> Tensor:
        """The rows (rows, 7) of what is kept, or those of -1 where nothing is."""
        number = kept.shape[0]
        images = torch.arange(number, device=kept.device).to(best.dtype)
        named = (images[:, None, None].expand_as(best), labels[:, None].to(best).expand_as(best))
        table = torch.cat((torch.stack((*named, best), 3), boxes), 3).flatten(1, 2)
        nothing = best.new_full((number, 1, 7), -1)
        nothing[:, 0, 0] = images
        marks = torch.cat((kept.flatten(1), ~kept.any().expand(number, 1)), 1)
        return torch.cat((table, nothing), 1)[marks]

    def decoded(self, locations: Tensor, priors: Tensor) -> Tensor:
        """The boxes (N, location classes, priors, 4)."""
        corners, variances = priors[:1].reshape(2, -1, 4)
        said = locations.reshape(locations.shape[0], corners.shape[0], -1, 4).transpose(1, 2)
        return decode(
            said, corners, variances, self.code_type, encoded=self.variance_encoded_in_target
        )

    def candidates(self, table: Tensor) -> tuple[Tensor, Tensor]:
        """Of scores (N, labels, priors) those to be looked at, best first, and their priors."""
        best, order = table.sort(dim=2, descending=True, stable=True)
        limit = best.shape[2] if self.top_k < 0 else min(self.top_k, best.shape[2])
        exported = torch.compiler.is_compiling()
        if self.confidence_threshold is not None and best.numel() and not exported:
            above = (best > self.confidence_threshold).sum(2).max()
            limit = min(limit, int(above))
        return best[:, :, :limit], order[:, :, :limit]

    def limited(self, best: Tensor, kept: Tensor) -> Tensor:
        """Of what is kept, the best `keep_top_k` of each image."""
        if self.keep_top_k < 0:
            return kept
        flat = best.flatten(1).masked_fill(~kept.flatten(1), float("-inf"))
        order = flat.sort(dim=1, descending=True, stable=True).indices[:, : self.keep_top_k]
        among = torch.zeros_like(flat, dtype=torch.bool).scatter(1, order, True)
        return kept & among.reshape(kept.shape)

    def extra_repr(self) -> str:
        return (
            f"{self.classes} classes, {self.code_type}, "
            f"confidence_threshold={self.confidence_threshold}, "
            f"nms_threshold={self.nms_threshold:g}, top_k={self.top_k}, "
            f"keep_top_k={self.keep_top_k}"
        )
