"""The loss of box regression."""

from __future__ import annotations

from math import prod

from caffegen.text import Message
from caffegen.text.message import round_float

from .base import Cost, Shape, count
from .four_axes import four_axes
from .in_place import refuse_in_place
from .loss import _Loss

__all__ = ["SmoothL1Loss", "check_like_first"]

# forks whose layer leaves the loss weight at 0 where the file gives none
_WITHOUT_WEIGHT = frozenset({"fast-rcnn", "happynear", "intel", "yjxiong"})


def check_like_first(definition: _Loss, bottoms: tuple[Shape, ...]) -> None:
    """Refuse bottoms that are not shaped as the first, in num, channels, height and width."""
    for index, bottom in enumerate(bottoms):
        definition.refuse_many_axes(bottom, index)
    definition.check_batches(bottoms)
    first = four_axes(definition, bottoms[0])
    for index, bottom in enumerate(bottoms):
        if four_axes(definition, bottom) != first:
            definition.refuse(
                "bottom-counts-differ",
                f"the bottoms of {definition.type} have one shape; bottom 0 is "
                f"{list(bottoms[0])}, bottom {index} is {list(bottom)}",
                "layer.bottom",
                index=index,
            )


class SmoothL1Loss(_Loss):
    """A distance that is quadratic near 0 and linear behind: the loss of Fast R-CNN's boxes.

    ## Shape
    Bottoms 0 and 1: predictions and targets of one shape. Bottom 2: weights of the differences
    before the loss, bottom 3: weights of the losses, both in that shape. The top has no axes.

    ## Differs from PyTorch
    `smooth_l1_loss` with beta 1 / sigma^2, with weights, summed and divided by the first size, not
    by the number of values.

    ## Forks
    fast-rcnn and intel take 2 or 4 bottoms and `sigma`; ssd, nvidia, yjxiong, mobilenet-yolo and
    happynear 2 or 3 bottoms, and happynear a `turn_point`. With intel `normalization: NONE` divides
    by 1. Without `loss_weight` ssd, nvidia and mobilenet-yolo weigh the loss by 1, the others by 0.
    Those with 3 bottoms leave the weight out of the gradient, which is the same for weights of 0 and
    1; here it is the derivative.
    """

    type = "SmoothL1Loss"
    bottoms = count(2, 4)
    fork_tops = (count(2), "R-FCN's")
    reads_loss_param = True
    honours = frozenset({"LossParameter.normalization"})
    loss = True

    def bind(self, param: Message) -> None:
        layer = self.layer
        self.sigma_squared: float = round_float(layer.smooth_l1_loss_param.sigma**2)
        self.turn_point: float = layer.smoothl1_param.turn_point
        self.with_sigma = layer.has("smooth_l1_loss_param") or self.bottom_count == 4
        # the divisor is the first size, or 1
        self.by_batch = self.bind_normalization()
        if self.sigma_squared == 0:
            self.refuse(
                "sigma-zero", "`sigma` is 0; the loss divides by it", "layer.smooth_l1_loss_param"
            )
        if self.with_sigma and self.bottom_count == 3:
            self.refuse(
                "wrong-number-of-bottoms",
                f"a SmoothL1Loss with `sigma` has 2 or 4 bottoms; `{self.name}` has 3",
                "layer.bottom",
                index=2,
                help="add the outside weights as bottom 3",
            )
        if not layer.has("loss_weight"):
            self.loss = self.weighs_by_default()

    def bind_normalization(self) -> bool:
        """Whether the sum is divided by the batch size; intel alone reads `normalization`."""
        if self.forks and "intel" not in self.forks:
            if self.layer.has("loss_param"):
                self.warn(
                    "parameters-without-effect",
                    "SmoothL1Loss reads no `loss_param`; it normalises by the batch size alone",
                    "layer.loss_param",
                    help="remove it",
                )
            return True
        none: bool = self.layer.loss_param.normalization == "NONE"
        if none and self.dialect != "intel":
            self.refuse(
                "dialect-undecided",
                "`normalization: NONE` of a SmoothL1Loss divides by 1 in intel's Caffe, by the "
                "batch size in all others",
                "layer.loss_param",
                help="say `--dialect intel` if that is meant",
            )
        return not none

    def weighs_by_default(self) -> bool:
        """Whether the loss counts without a `loss_weight`."""
        if self.with_sigma or self.layer.has("smoothl1_param"):
            return False
        found = {fork not in _WITHOUT_WEIGHT for fork in self.forks}
        if len(found) == 1:
            return found.pop()
        if self.phase == "TRAIN":
            self.fault(
                "dialect-undecided",
                "a SmoothL1Loss without `loss_weight` weighs 1 in ssd's Caffe, 0 in others",
                help="add `loss_weight: 1`",
            )
        return True

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        check_like_first(self, bottoms)
        first, _, height, width = four_axes(self, bottoms[0])
        return [(), (first, 1, height, width)]

    def cost(self) -> Cost:
        # per value: subtract, absolute value, compare, square, sum; one product for each weight
        values = prod(self.bottom_shapes[0])
        return Cost(values, (3 + len(self.bottom_shapes)) * values)
