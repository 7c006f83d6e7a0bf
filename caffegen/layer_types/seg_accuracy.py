"""How well a segmentation fits."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import Cost, Definition, Shape, count
from .four_axes import four_axes
from .in_place import refuse_in_place

__all__ = ["SegAccuracy"]


class SegAccuracy(Definition):
    """Three measures of a segmentation: accuracy, mean recall and mean intersection over union.

    ## Shape
    Bottom 0 (N, C, H, W): scores. Bottom 1 (N, 1, H, W): class numbers. Top (1, 1, 1, 3).

    ## Differs from PyTorch
    No counterpart: from the counts of pairs of true and best class. Of equal scores the last is the
    best. Recall is averaged over the classes that occur; an intersection over union of a class that
    neither occurs nor is seen is 1.

    ## Forks
    DeepLab's and PSPNet's (seg_accuracy_layer.cpp). `metric` is not read. With `reset: false` counts
    add up from batch to batch, which is not computed.
    """

    type = "SegAccuracy"
    param = "seg_accuracy_param"
    bottoms = count(2)

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        self.ignore_labels: tuple[int, ...] = tuple(param.ignore_label)
        if not param.reset:
            self.obstacle = "with `reset: false` its counts add up over all batches so far"

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        scores, labels = (four_axes(self, bottom) for bottom in bottoms)
        if labels != (scores[0], 1, *scores[2:]):
            self.refuse(
                "label-count-differs",
                f"bottom 1 has a class number for each pixel, {[scores[0], 1, *scores[2:]]}; it is "
                f"{list(bottoms[1])}",
                "layer.bottom",
                index=1,
            )
        self.classes = scores[1]
        return [(1, 1, 1, 3)]

    def cost(self) -> Cost:
        # a comparison for each score
        return Cost(0, prod(self.bottom_shapes[0]))
