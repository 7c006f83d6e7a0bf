"""Losses of a classifier by cross-entropy, whose sum is divided by a count of choice."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import Cost, Shape, count
from .blob_shape import require_values
from .engine import check_engine
from .in_place import refuse_in_place
from .loss import _Loss, check_label_count

__all__ = ["InfogainLoss", "SigmoidCrossEntropyLoss", "SoftmaxWithLoss"]


class _Normalized(_Loss):
    """What the losses share whose sum is divided by a count of choice."""

    reads_loss_param = True
    honours = frozenset({"LossParameter.normalization"})
    # what stands when neither `normalization` nor `normalize` is written
    default_normalization = "VALID"
    outer_count: int
    inner_count: int

    def bind(self, param: Message) -> None:
        loss_param = self.layer.loss_param
        self.ignore_label: int | None = (
            loss_param.ignore_label if loss_param.has("ignore_label") else None
        )
        self.normalization: str = self.resolve_normalization(loss_param)
        # the divisor of PRE_FIXED, a word of intel's Caffe
        self.pre_fixed_normalizer: float = loss_param.pre_fixed_normalizer

    def resolve_normalization(self, loss_param: Message) -> str:
        """FULL, VALID, BATCH_SIZE, NONE or PRE_FIXED; the old `normalize` counts alone."""
        if loss_param.has("normalization"):
            if loss_param.has("normalize"):
                self.report.warning(
                    "normalize-and-normalization",
                    "`normalize` has no effect beside `normalization`",
                    self.loss_param_span("normalize"),
                    help="remove `normalize`",
                    other=(self.loss_param_span("normalization"), "this one counts"),
                    layer=self.name,
                )
            return str(loss_param.normalization)
        if loss_param.has("normalize"):
            return "VALID" if loss_param.normalize else "BATCH_SIZE"
        return self.default_normalization


class SoftmaxWithLoss(_Normalized):
    """Cross-entropy of a softmax against class numbers: the usual loss of a classifier.

    ## Shape
    Bottom 0 (..., C, ...): scores, classes on `axis_index`. Bottom 1: a class number for every
    position outside that axis, in any shape of that count whose first size is that of bottom 0.
    Top 0 has no axes. Top 1 would be the softmax, shaped as bottom 0, but no Caffe sets a layer with
    two tops up (softmax_loss_layer.cpp, LayerSetUp).

    ## Differs from PyTorch
    `cross_entropy` with class numbers given as floats and cut to integers. The sum is divided by
    `normalization`: VALID counts labels that are not `ignore_label`, FULL all of them, BATCH_SIZE
    the product of the axes before the classes, NONE divides by 1; never by less than 1.
    Probabilities are floored at the smallest normal float.
    """

    type = "SoftmaxWithLoss"
    param = "softmax_param"
    tops = count(1, 2)
    fork_tops = (count(3), "R-FCN's")

    def bind(self, param: Message) -> None:
        super().bind(param)
        self.raw_axis: int = param.axis
        self.prob_top = self.top_count > 1
        self.warn_of_softmax_engine()

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        self.check_batches(bottoms)
        self.split_axes(bottoms[0])
        check_label_count(self, self.outer_count * self.inner_count, bottoms[1])
        return [(), bottoms[0], bottoms[1]]

    def check_second_top(self) -> None:
        """Refuse a second top: the softmax inside is given the loss weights of both, and has one top."""
        self.fault(
            "loss-weight-count",
            "SoftmaxWithLoss takes no second top: with two loss weights the softmax inside is "
            "refused, with fewer the layer itself",
            "layer.top",
            index=1,
            help="remove the top; a Softmax layer gives the probabilities",
        )

    def warn_of_softmax_engine(self) -> None:
        """Warn of an `engine` that not every Caffe has; the softmax inside is made with it."""
        check_engine(self, self.layer.softmax_param)

    def split_axes(self, bottom: Shape) -> None:
        """The axis of the classes, their number, and the counts before and behind it."""
        self.axis_index = axis = self.axis(self.raw_axis, len(bottom))
        require_values(self, bottom, (bottom[axis],))
        self.classes = bottom[axis]
        self.outer_count = prod(bottom[:axis])
        self.inner_count = prod(bottom[axis + 1 :])

    def cost(self) -> Cost:
        # per score: compare, subtract, exponent, add, divide; per label: logarithm, subtract
        scores = prod(self.bottom_shapes[0])
        return Cost(0, 5 * scores + 2 * self.outer_count * self.inner_count)


class InfogainLoss(SoftmaxWithLoss):
    """SoftmaxWithLoss in which every pair of true and predicted class has a weight of its own.

    ## Shape
    As SoftmaxWithLoss, with the classes on infogain_loss_param's `axis`; a second top is the softmax.
    Bottom 2, where it is given, holds the (C, C) matrix of weights; otherwise the binaryproto file
    `source` does.

    ## Differs from PyTorch
    No counterpart: minus the sum over classes of H[label, class] log(probability), with the
    probability floored at 1e-20. The identity matrix gives SoftmaxWithLoss. With a second top the
    gradient of Caffe is not the derivative of its output (infogain_loss_layer.cpp, Forward_cpu).
    """

    type = "InfogainLoss"
    param = "infogain_loss_param"
    bottoms = count(2, 3)
    # its softmax is given a weight of its own
    check_second_top = _Normalized.check_second_top

    def bind(self, param: Message) -> None:
        super().bind(param)
        # the (C, C) matrix: a file, or None when it is bottom 2
        self.source: str | None = param.source if self.bottom_count < 3 else None
        if self.bottom_count == 2 and not param.has("source"):
            self.refuse(
                "infogain-matrix-missing",
                "an InfogainLoss needs its matrix as bottom 2 or from a file",
                help='add a third bottom, or `source: "matrix.binaryproto"`',
            )

    def resolve_normalization(self, loss_param: Message) -> str:
        if loss_param.has("normalize"):
            self.report.error(
                "deprecated-normalize",
                "an InfogainLoss takes no `normalize`, only `normalization`",
                self.loss_param_span("normalize"),
                help="write `normalization: VALID`",
                layer=self.name,
            )
        return str(loss_param.normalization)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        tops = super().shapes(bottoms)
        if len(bottoms) > 2 and prod(bottoms[2]) != self.classes**2:
            self.refuse(
                "infogain-matrix-size",
                f"bottom 2 has {prod(bottoms[2])} values; {self.classes} classes take a matrix of "
                f"{self.classes**2}",
                "layer.bottom",
                index=2,
            )
        return tops

    def cost(self) -> Cost:
        # the softmax, then per score: compare, logarithm, multiply and subtract
        scores = prod(self.bottom_shapes[0])
        return Cost(scores, 7 * scores)


class SigmoidCrossEntropyLoss(_Normalized):
    """Cross-entropy of independent yes-or-no answers, from their scores before the sigmoid.

    ## Shape
    Bottom 0: scores. Bottom 1: targets from 0 to 1, of the same count and first size. The top has
    no axes.

    ## Differs from PyTorch
    `binary_cross_entropy_with_logits` summed and divided by `normalization`: BATCH_SIZE (the
    default here) by the first size, VALID by the targets that are not `ignore_label`, FULL by all,
    NONE by 1; never by less than 1. `ignore_label` is held against the target cut to an integer, so
    that 0 drops every target below 1.
    """

    type = "SigmoidCrossEntropyLoss"
    fork_bottoms = (count(3), "MNC's")
    default_normalization = "BATCH_SIZE"

    def bind(self, param: Message) -> None:
        super().bind(param)
        if self.ignore_label == 0:
            self.report.warning(
                "ignore-label-zero",
                "`ignore_label` 0 drops every target below 1: targets are cut to integers",
                self.loss_param_span("ignore_label"),
                help="mark the targets to be ignored with another number, such as -1",
                layer=self.name,
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        self.check_batches(bottoms)
        self.outer_count, self.inner_count = bottoms[0][0], prod(bottoms[0][1:])
        if prod(bottoms[0]) != prod(bottoms[1]):
            self.refuse(
                "bottom-counts-differ",
                f"every score takes a target; bottom 0 has {prod(bottoms[0])} values, "
                f"bottom 1 has {prod(bottoms[1])}",
                "layer.bottom",
                index=1,
            )
        return [()]

    def cost(self) -> Cost:
        # per score: the sigmoid (4), and x (t - (x >= 0)) - log(1 + exp(x - 2 x (x >= 0))), summed
        return Cost(0, 14 * prod(self.bottom_shapes[0]))
