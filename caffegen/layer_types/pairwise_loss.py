"""Losses of rarer forks: of codes, of covariance, of transport, and SqueezeDet's."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import Cost, Shape, count
from .blob_shape import to_int
from .four_axes import four_axes
from .in_place import refuse_in_place
from .loss import _Loss

__all__ = [
    "PairwiseLoss",
    "QuantizationLoss",
    "SVRLoss",
    "SqueezeDetLoss",
    "WassersteinLoss",
    "XCovLoss",
]


class SVRLoss(_Loss):
    """The sum of absolute differences between scores and targets, per item of the batch.

    ## Shape
    Two bottoms with the same first size and as many values per item. The top has no axes.

    ## Differs from PyTorch
    `l1_loss` divides by the number of values; here the sum is divided by the first size of bottom 0.
    Bottom 1 gets no gradient.

    ## Forks
    That of image quality nets, as proposed to BVLC (svr_loss_layer.cpp).
    """

    type = "SVRLoss"

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        self.check_batches(bottoms)
        self.check_items(bottoms)
        return [()]

    def cost(self) -> Cost:
        # per value: subtract, absolute value, sum
        return Cost(0, 3 * prod(self.bottom_shapes[0]))


class XCovLoss(_Loss):
    """Half the squared cross-covariance of two blobs over the batch: it drives them apart.

    ## Shape
    Bottoms (N, ...) and (N, ...), each item as a row of values. Top (1, 1, 1, 1).

    ## Differs from PyTorch
    No counterpart: |A^T B / N|^2 / 2, where A and B are the rows less their means (Cheung et al.,
    Discovering Hidden Factors of Variation in Deep Networks, arXiv:1412.6583).

    ## Forks
    Its authors', as proposed to BVLC (xcov_loss_layer.cpp).
    """

    type = "XCovLoss"

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        for bottom in bottoms:
            four_axes(self, bottom)
        self.check_batches(bottoms)
        return [(1, 1, 1, 1)]

    def cost(self) -> Cost:
        first, second = (prod(shape) for shape in self.bottom_shapes)
        items = max(1, self.bottom_shapes[0][0])
        products = first * second // items
        return Cost(products, 2 * (first + second) + 2 * products // items)


class PairwiseLoss(_Loss):
    """Wants codes of items that share a label to agree, and of others not to: -log likelihood.

    For a product p of two codes and s = 1 where their labels share one, log(1 + exp(p)) - s p; from
    `threshold` on p (1 - s), where there is one.

    ## Shape
    Bottom 0 (N, ...): codes. Bottom 1 (N, ...): labels, 1 for each that an item has. The top has no
    axes; it is the mean over all N x N pairs.

    ## Differs from PyTorch
    No counterpart; `binary_cross_entropy_with_logits` of the products, where no threshold is met.
    The layer's own gradient is that of the formula without a threshold.

    ## Forks
    That of Deep Hashing Networks (pairwise_loss_layer.cu).
    """

    type = "PairwiseLoss"
    param = "pairwise_param"

    def bind(self, param: Message) -> None:
        self.threshold: float = param.threshold

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        self.check_batches(bottoms)
        return [()]

    def cost(self) -> Cost:
        items = self.bottom_shapes[0][0]
        products = items * sum(prod(shape) for shape in self.bottom_shapes)
        return Cost(products, 5 * items * items)


class QuantizationLoss(_Loss):
    """Wants every value of a code near 1 or -1: the mean of log cosh(|x| - 1).

    ## Shape
    Bottom: any shape. The top has no axes.

    ## Differs from PyTorch
    No counterpart. From |x| - 1 > `threshold` on, where that is above 0, |x| - 1 - log 2. The
    layer's own gradient is divided by the number of items, not of values.

    ## Forks
    That of Deep Hashing Networks (quantization_loss_layer.cu).
    """

    type = "QuantizationLoss"
    param = "quantization_param"
    bottoms = count(1)

    def bind(self, param: Message) -> None:
        self.threshold: float = param.threshold

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        return [()]

    def cost(self) -> Cost:
        return Cost(0, 5 * prod(self.bottom_shapes[0]))


class WassersteinLoss(_Loss):
    """The cost of moving predicted probabilities to the true ones, at given distances of classes.

    ## Shape
    Bottom 0 (N, ...): probabilities of K classes. Bottom 1 (N, 1 or K, 1, 1): class numbers or
    probabilities. The top has no axes.

    ## Differs from PyTorch
    No counterpart. The distances stand in a file (`ground_metric`), the transport is regularised and
    found in `scaling_iter` rounds, and the gradient is that of the dual problem (Frogner et al.,
    Learning with a Wasserstein Loss, arXiv:1506.05439): neither is computed here.

    ## Forks
    Its authors', as proposed to BVLC (wasserstein_loss_layer.cpp).
    """

    type = "WassersteinLoss"
    param = "wasserstein_param"

    def bind(self, param: Message) -> None:
        self.ground_metric: str = param.ground_metric
        if not self.ground_metric:
            self.fault(
                "required-field-missing",
                "WassersteinLoss needs `ground_metric`, the file with the distances of the classes",
                "ground_metric",
                help='add `ground_metric: "..."`',
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        self.check_batches(bottoms)
        labels = four_axes(self, bottoms[1])
        classes = prod(bottoms[0][1:])
        if labels[2:] != (1, 1) or labels[1] not in (1, classes):
            self.refuse(
                "label-count-differs",
                f"bottom 1 has a class number or {classes} probabilities for each item; it is "
                f"{list(bottoms[1])}",
                "layer.bottom",
                index=1,
            )
        return [()]


class SqueezeDetLoss(_Loss):
    """The loss of SqueezeDet: of classes, of confidence and of boxes at once.

    ## Shape
    Bottoms: probabilities of classes, confidences (N, H, W, anchors), changes of boxes (N, H, W,
    4 anchors), and the true boxes of BboxData. The top has no axes.

    ## Differs from PyTorch
    No counterpart: anchors are matched to the true boxes inside of the layer, which also prints what
    it detects. It is not computed.

    ## Forks
    That of OpenCV's training example (squeezedet_loss_layer.cpp of kvmanohar22's).
    """

    type = "SqueezeDetLoss"
    param = "squeezedet_param"
    bottoms = count(4)
    reads_loss_param = True

    def bind(self, param: Message) -> None:
        self.anchors = to_int(param.anchors_per_grid)
        sizes = len(param.anchor_shapes)
        if sizes != 2 * self.anchors:
            self.fault(
                "anchor-sizes-count",
                f"`anchor_shapes` is given {sizes} times for {self.anchors} anchors, each of which "
                "has a width and a height",
                "anchor_shapes",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        boxes = four_axes(self, bottoms[2])
        if boxes[3] != 4 * self.anchors:
            self.refuse(
                "bottom-counts-differ",
                f"bottom 2 has 4 numbers for each of {self.anchors} anchors in its last axis; it is "
                f"{list(bottoms[2])}",
                "layer.bottom",
                index=2,
            )
        return [()]
