"""SegAccuracy in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.layer_types import seg_accuracy as definitions

from .four_axes import as_pictures
from .registry import Lowered, lowers

__all__ = ["SegAccuracy"]


@lowers("SegAccuracy")
def seg_accuracy(definition: definitions.SegAccuracy) -> Lowered:
    """Accuracy, mean recall and mean intersection over union."""
    return Lowered(SegAccuracy(definition.ignore_labels))


class SegAccuracy(nn.Module):
    """The three measures, from how often each true class is taken for each other."""

    def __init__(self, ignore_labels: tuple[int, ...]) -> None:
        super().__init__()
        self.ignore_labels = ignore_labels

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        scores = as_pictures(scores)
        classes = scores.shape[1]
        # of equal scores the last
        best = classes - 1 - scores.flip(1).argmax(1).flatten()
        wanted = labels.long().flatten()
        for label in self.ignore_labels:
            best, wanted = best[wanted != label], wanted[wanted != label]
        true = functional.one_hot(wanted, classes).to(scores.dtype)
        counts = true.T @ functional.one_hot(best, classes).to(scores.dtype)
        hits, truth, seen = counts.diag(), counts.sum(1), counts.sum(0)
        accuracy = hits.sum() / counts.sum().clamp(min=1)
        recall = (hits / truth.clamp(min=1)).sum() / (truth > 0).sum().clamp(min=1)
        union = truth + seen - hits
        overlap = (hits / union.clamp(min=1)).where(union > 0, 1.0).mean()
        return torch.stack([accuracy, recall, overlap]).reshape(1, 1, 1, 3)

    def extra_repr(self) -> str:
        return f"ignore_labels={self.ignore_labels}"
