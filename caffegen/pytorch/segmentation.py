"""Rarer layers of segmentation in PyTorch."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from caffegen.layer_types import segmentation as definitions

from .four_axes import as_pictures
from .registry import Lowered, lowers, refuse

__all__ = ["ConfusionMatrix", "SegmentationEvaluate"]


@lowers("ConfusionMatrix")
def confusion_matrix(definition: definitions.ConfusionMatrix) -> Lowered:
    """How often each class is taken for each other."""
    return Lowered(ConfusionMatrix(definition.axis_index))


class ConfusionMatrix(nn.Module):
    """For each true class, the shares of the classes taken for it."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        classes = scores.shape[self.axis]
        # the search begins with class 0 at -1
        best = scores.clamp(min=-1).argmax(self.axis).flatten()
        seen = functional.one_hot(best, classes).to(scores.dtype)
        true = functional.one_hot(labels.long().flatten(), classes).to(scores.dtype)
        counts = true.T @ seen
        return counts / counts.sum(1, keepdim=True)

    def extra_repr(self) -> str:
        return f"axis={self.axis}"


@lowers("SegmentationEvaluate")
def segmentation_evaluate(definition: definitions.SegmentationEvaluate) -> Lowered:
    """Intersections over unions."""
    return Lowered(SegmentationEvaluate(definition.threshold))


class SegmentationEvaluate(nn.Module):
    """The intersection over union of each mask of the first item."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, masks: Tensor, true: Tensor) -> Tensor:
        seen, wanted = (as_pictures(rows)[0].flatten(1) > self.threshold for rows in (masks, true))
        hits = (seen & wanted).sum(1)
        union = (seen | wanted).sum(1).clamp(min=1)
        return (hits.to(masks.dtype) / union).reshape(1, 1, 1, -1)

    def extra_repr(self) -> str:
        return f"{self.threshold:g}"


@lowers("AssistedExcitation")
def assisted_excitation(definition: definitions.AssistedExcitation) -> Lowered:
    """Refused: it depends on the iteration."""
    raise refuse(
        definition,
        "it depends on how far the training has gone; leave it out, as the net without it is meant",
    )


@lowers("MultiStageMeanfield")
def multi_stage_meanfield(definition: definitions.MultiStageMeanfield) -> Lowered:
    """Refused: it filters on a lattice."""
    raise refuse(
        definition,
        "it filters on a permutohedral lattice, an approximation that follows its implementation; "
        "build the net up to its bottoms",
    )
