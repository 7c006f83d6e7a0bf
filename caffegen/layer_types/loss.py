"""Losses: one number that says how far the net is from its targets."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from caffegen.diagnostics import Report
from caffegen.text import Message, Span

from .base import Cost, Definition, Shape, count
from .four_axes import legacy_size
from .in_place import refuse_in_place, warn_in_place

__all__ = [
    "ContrastiveLoss",
    "EuclideanLoss",
    "HingeLoss",
    "MultinomialLogisticLoss",
    "check_label_count",
]


def check_label_count(definition: Definition, predictions: int, labels: Shape) -> None:
    """Refuse a bottom 1 that has not one label for each prediction."""
    if prod(labels) != predictions:
        definition.refuse(
            "label-count-differs",
            f"bottom 1 has {prod(labels)} labels for {predictions} predictions",
            "layer.bottom",
            index=1,
            help="every position outside the axis of the classes takes one label",
        )


class _Loss(Definition):
    """What all losses share (loss_layer.cpp): equal batches, a top with no axes, loss weight 1."""

    bottoms = count(2)
    tops = count(1)
    auto_top = True
    loss = True
    # loss_param is read by the losses that normalise in a way of choice, by no others
    reads_loss_param = False

    def __init__(
        self,
        layer: Message,
        phase: str = "TEST",
        report: Report | None = None,
        dialect: str | Sequence[str] = "",
    ) -> None:
        super().__init__(layer, phase, report, dialect)
        if layer.has("loss_param") and not self.reads_loss_param:
            self.warn(
                "parameters-without-effect",
                f"{self.type} reads no `loss_param`; it normalises by the batch size alone",
                "layer.loss_param",
                help="remove it",
            )
        if self.loss and self.top_count > 1 and self.tops.takes(self.top_count):
            self.check_second_top()

    def check_second_top(self) -> None:
        """Report a missing weight: the one that a loss gives itself is not enough for two tops."""
        number = self.top_count
        if not self.layer.has("loss_weight"):
            self.fault(
                "loss-weight-count",
                f"{self.type} with {number} tops takes {number} loss weights, `{self.name}` gives "
                "none",
                "layer.top",
                index=1,
                help=f"add `loss_weight: 1{' loss_weight: 0' * (number - 1)}`",
            )

    def check_batches(self, bottoms: tuple[Shape, ...]) -> None:
        """Refuse bottoms 0 and 1 whose first sizes differ."""
        for index in (0, 1):
            if not bottoms[index]:
                self.refuse(
                    "axis-out-of-range",
                    f"bottom {index} of {self.type} has no axes; it needs one for the batch",
                    "layer.bottom",
                    index=index,
                )
        first, second = bottoms[0][0], bottoms[1][0]
        if first != second:
            self.refuse(
                "batch-sizes-differ",
                f"the bottoms of {self.type} have one first size; bottom 0 has {first}, "
                f"bottom 1 has {second}",
                "layer.bottom",
                index=1,
            )

    def check_items(self, bottoms: tuple[Shape, ...]) -> None:
        """Refuse bottoms 0 and 1 whose items have other numbers of values."""
        first, second = prod(bottoms[0][1:]), prod(bottoms[1][1:])
        if first != second:
            self.refuse(
                "bottom-counts-differ",
                f"the bottoms have as many values per item; bottom 0 has {first}, bottom 1 has "
                f"{second}",
                "layer.bottom",
                index=1,
            )

    def loss_param_span(self, field: str) -> Span | None:
        """Where a field of loss_param was written."""
        span: Span | None = self.layer.loss_param.span(field)
        return span or self.at()

    def refuse_many_axes(self, shape: Shape, index: int) -> None:
        """Refuse a bottom with more than four axes, for layers that count by num and channels."""
        if len(shape) > 4:
            self.refuse(
                "wrong-number-of-axes",
                f"{self.type} takes blobs of up to 4 axes; bottom {index} has {len(shape)}",
                "layer.bottom",
                index=index,
            )

    def warn_many_axes(self, shape: Shape) -> None:
        """Warn of a bottom 0 with which Caffe sets up the layer but can't run it."""
        if len(shape) > 4:
            self.warn(
                "wrong-number-of-axes",
                f"Caffe sets up {self.type} on {len(shape)} axes, and stops when it runs: "
                "it counts in 4",
                "layer.bottom",
                index=0,
            )


class EuclideanLoss(_Loss):
    """Half the squared distance between two blobs, per item of the batch: a regression's loss.

    ## Shape
    Two bottoms with the same first size and as many values per item; their shapes may differ. The
    top has no axes.

    ## Differs from PyTorch
    `mse_loss` divides by the number of values; here the sum of squares is divided by twice the
    first size of bottom 0.
    """

    type = "EuclideanLoss"

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        self.check_batches(bottoms)
        self.check_items(bottoms)
        return [()]

    def cost(self) -> Cost:
        values = prod(self.bottom_shapes[0])
        return Cost(values, values)


class HingeLoss(_Loss):
    """The margin loss of a one-against-all linear classifier, the loss of a support vector machine.

    ## Shape
    Bottom 0 (N, ...): scores; all axes behind the first are one row of classes. Bottom 1: N class
    numbers. The top has no axes.

    ## Differs from PyTorch
    `multi_margin_loss` compares with the score of the true class; here every class has the fixed
    margin 1, with the sign turned for the true one. `norm` L1 sums, L2 sums squares; either is
    divided by N.
    """

    type = "HingeLoss"
    param = "hinge_loss_param"

    def bind(self, param: Message) -> None:
        self.norm: str = param.norm

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        warn_in_place(self)
        self.check_batches(bottoms)
        self.warn_many_axes(bottoms[0])
        self.classes = prod(bottoms[0][1:])
        if prod(bottoms[1][1:]) != 1:
            self.warn(
                "label-not-one-per-item",
                f"a HingeLoss reads one label per item; bottom 1 has {prod(bottoms[1][1:])}, and "
                "the labels of later items are never seen",
                "layer.bottom",
                index=1,
            )
        return [()]

    def cost(self) -> Cost:
        # per score: add, compare, sum (L2: multiply and sum)
        values = prod(self.bottom_shapes[0])
        return Cost(values, 2 * values) if self.norm == "L2" else Cost(0, 3 * values)


class MultinomialLogisticLoss(_Loss):
    """Minus the logarithm of the true class's probability, for nets that end in a softmax already.

    ## Shape
    Bottom 0 (N, ...): probabilities; all axes behind the first are one row of classes. Bottom 1
    (N, 1, 1, 1): class numbers; axes of size 1 may be left out. The top has no axes.

    ## Differs from PyTorch
    `nll_loss` takes logarithms; this takes probabilities, floors them at 1e-20, and divides the sum
    by N. It does not know `ignore_label`.
    """

    type = "MultinomialLogisticLoss"

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        warn_in_place(self)
        self.check_batches(bottoms)
        self.warn_many_axes(bottoms[0])
        self.refuse_many_axes(bottoms[1], 1)
        if any(size != 1 for size in bottoms[1][1:]):
            self.refuse(
                "label-not-one-per-item",
                f"{self.type} takes one label per item; bottom 1 is {list(bottoms[1])}",
                "layer.bottom",
                index=1,
            )
        self.classes = prod(bottoms[0][1:])
        return [()]

    def cost(self) -> Cost:
        # per item: compare, logarithm, subtract
        return Cost(0, 3 * self.bottom_shapes[0][0])


class ContrastiveLoss(_Loss):
    """Pulls the features of similar pairs together and pushes those of other pairs apart.

    ## Shape
    Bottoms 0 and 1 (N, C): the features of both sides. Bottom 2: N numbers, not 0 for similar
    pairs. Axes of size 1 may follow. The top has no axes.

    ## Differs from PyTorch
    `cosine_embedding_loss` and `hinge_embedding_loss` come near. Here a similar pair costs its
    squared distance d2, another one max(margin - sqrt(d2), 0) squared, or max(margin - d2, 0) with
    `legacy_version`; the sum is divided by 2N.
    """

    type = "ContrastiveLoss"
    param = "contrastive_loss_param"
    bottoms = count(3)

    def bind(self, param: Message) -> None:
        self.margin: float = param.margin
        self.legacy_version: bool = param.legacy_version

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        warn_in_place(self)
        for index, bottom in enumerate(bottoms):
            self.refuse_many_axes(bottom, index)
        first, second = (legacy_size(bottom, 1) for bottom in bottoms[:2])
        if first != second:
            self.refuse(
                "bottom-counts-differ",
                f"both sides have as many features; bottom 0 has {first}, bottom 1 has {second}",
                "layer.bottom",
                index=1,
            )
        for index in (0, 1):
            if any(size != 1 for size in bottoms[index][2:]):
                self.refuse(
                    "features-not-flat",
                    f"{self.type} takes features as (N, C); bottom {index} is "
                    f"{list(bottoms[index])}",
                    "layer.bottom",
                    index=index,
                    help="put a Flatten before it",
                )
        if any(size != 1 for size in bottoms[2][1:]):
            self.refuse(
                "label-not-one-per-item",
                f"{self.type} takes one label per pair; bottom 2 is {list(bottoms[2])}",
                "layer.bottom",
                index=2,
            )
        self.check_batches(bottoms)
        if prod(bottoms[2]) < bottoms[0][0]:
            self.warn(
                "label-count-differs",
                f"bottom 2 has {prod(bottoms[2])} labels for {bottoms[0][0]} pairs; Caffe reads "
                "past its end",
                "layer.bottom",
                index=2,
            )
        self.features = first
        return [()]

    def cost(self) -> Cost:
        # a subtraction and a square per feature; root, subtract, compare, square, sum per pair
        values = prod(self.bottom_shapes[0])
        return Cost(values, values + 5 * self.bottom_shapes[0][0])
