"""R-FCN's training on the hardest examples: losses that tell each example's own, and the choice."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import Cost, Definition, Shape, count
from .blob_shape import to_int
from .cross_entropy import SoftmaxWithLoss, _Normalized
from .four_axes import four_axes
from .in_place import refuse_in_place
from .smooth_l1_loss import check_like_first

__all__ = ["BoxAnnotatorOHEM", "SmoothL1LossOHEM", "SoftmaxWithLossOHEM"]


class SoftmaxWithLossOHEM(SoftmaxWithLoss):
    """SoftmaxWithLoss that also gives the loss of every label, to choose the hardest by.

    ## Shape
    As SoftmaxWithLoss. Top 0 has no axes. Top 1 is the softmax, shaped as bottom 0. Top 2, shaped as
    bottom 1, holds the loss of each label, 0 where it is ignored.

    ## Differs from PyTorch
    As SoftmaxWithLoss; top 2 is `cross_entropy` with `reduction="none"`. PRE_FIXED divides by
    `pre_fixed_normalizer`. The gradient goes through top 0 alone.

    ## Forks
    intel and R-FCN's own. With 3 tops they leave top 1 without values; here it is the softmax. On a
    CPU intel's sum is wrong where labels are ignored; here it is that of its GPU code.
    """

    type = "SoftmaxWithLossOHEM"
    tops = count(1, 3)
    # unlike its model's, its softmax is given no weights
    check_second_top = _Normalized.check_second_top

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        return [*super().shapes(bottoms), bottoms[1]]


class SmoothL1LossOHEM(_Normalized):
    """SmoothL1Loss that also gives the loss of every box, to choose the hardest by.

    ## Shape
    Bottoms 0 and 1 (N, C, H, W): predictions and targets. Bottom 2, where there is one: weights of
    the differences. Top 0 has no axes. Top 1 (N, 1, H, W): the sums over C.

    ## Differs from PyTorch
    `smooth_l1_loss` with weights, summed and divided by `normalization`: N H W (FULL and VALID), N
    (BATCH_SIZE), `pre_fixed_normalizer` (PRE_FIXED) or 1 (NONE); never by less than 1. The gradient
    goes through top 0 alone; Caffe leaves the weight out of it, which is the same for weights of 0
    and 1. Without `loss_weight` the loss weighs 0.

    ## Forks
    intel and R-FCN's own.
    """

    type = "SmoothL1LossOHEM"
    bottoms = count(2, 3)
    tops = count(1, 2)
    loss = False

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        check_like_first(self, bottoms)
        number, _, height, width = four_axes(self, bottoms[0])
        self.outer_count, self.inner_count = number, height * width
        return [(), (number, 1, height, width)]

    def cost(self) -> Cost:
        # per value: subtract, absolute value, compare, square, sum; one product for the weight
        values = prod(self.bottom_shapes[0])
        return Cost(values, (3 + len(self.bottom_shapes)) * values)


class BoxAnnotatorOHEM(Definition):
    """Leaves the labels and weights of the hardest boxes of each image; blanks those of the others.

    ## Shape
    Bottom 0 (N, 5, H, W): boxes, the number of the image first. Bottom 1 (N, 1, H, W): the loss of
    each. Bottom 2 (N, 1, H, W): labels. Bottom 3 (N, C, H, W): weights of the box regression. Top 0
    (N, 1, H, W): the labels of the `roi_per_img` hardest boxes of each image, `ignore_label` for the
    others. Top 1 (N, C, H, W): their weights, 0 for the others.

    ## Differs from PyTorch
    No counterpart; no gradient. Of equally hard boxes the earlier are taken; Caffe leaves that open.

    ## Forks
    intel and R-FCN's own.
    """

    type = "BoxAnnotatorOHEM"
    param = "box_annotator_ohem_param"
    bottoms = count(4)
    tops = count(2)

    def bind(self, param: Message) -> None:
        self.roi_per_img = to_int(param.roi_per_img)
        self.ignore_label: int = param.ignore_label
        if self.roi_per_img < 1:
            self.refuse(
                "roi-per-img-zero",
                f"`roi_per_img` is {self.roi_per_img}; an image keeps at least 1 box",
                "roi_per_img",
                help="add `roi_per_img: 128`",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        number, _, height, width = four_axes(self, bottoms[0])
        channels = four_axes(self, bottoms[3])[1]
        for index, wanted in enumerate((5, 1, 1, channels)):
            if four_axes(self, bottoms[index]) != (number, wanted, height, width):
                self.refuse(
                    "bottom-counts-differ",
                    f"bottom {index} of BoxAnnotatorOHEM is (N, {wanted}, H, W) for N, H, W = "
                    f"{number}, {height}, {width}; it is {list(bottoms[index])}",
                    "layer.bottom",
                    index=index,
                )
        return [(number, 1, height, width), (number, channels, height, width)]

    def cost(self) -> Cost:
        boxes = prod(self.bottom_shapes[1])
        # sorting
        return Cost(0, boxes * max(1, boxes.bit_length()))
