"""Layers for sequences without an alignment, as in reading text: what they need, and their losses."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import Cost, Definition, Shape, count
from .blob_shape import require_axes, require_positive, to_int
from .four_axes import four_axes, legacy_size
from .in_place import refuse_in_place
from .loss import _Loss

__all__ = ["CTCLoss", "ContinuationIndicator", "CtcLoss", "LabelsequenceAccuracy"]


class ContinuationIndicator(Definition):
    """Says to an LSTM that a sequence begins at step 0 and goes on to the last.

    ## Shape
    Top (`time_step`, N): zeros in the first row, ones in the others. N is the size of `axis` in a
    bottom of which nothing else is read, or without one `batch_size`.

    ## Differs from PyTorch
    No counterpart: an LSTM there begins anew in each call.

    ## Forks
    continuation_indicator_layer.cpp of xmfbit/warpctc-caffe; the older one has no bottom.
    """

    type = "ContinuationIndicator"
    param = "continuation_indicator_param"
    bottoms = count(0, 1)
    items: int

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        self.time_step = to_int(param.time_step)
        self.batch_size = to_int(param.batch_size)
        fields = ("time_step",) if self.bottom_count else ("time_step", "batch_size")
        for field in fields:
            require_positive(self, field, to_int(param.get(field)))

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        self.items = self.batch_size
        if bottoms:
            axis = self.axis(self.layer.get(self.param).axis, len(bottoms[0]))
            self.axis_index = axis
            self.items = bottoms[0][axis]
        top = (self.time_step, self.items)
        self.check_size(top)
        return [top]

    def cost(self) -> Cost:
        return Cost()


class CTCLoss(_Loss):
    """How unlikely a net's scores make a row of labels, over all ways to lay them along time.

    `blank` is the class that stands for no label, `delay` the number of steps that are left out at
    the beginning, `collapse` says that equal labels in succession are one.

    ## Shape
    Bottom 0 (T, N, C): scores, before the softmax. Bottom 1 (T, N): 0 where a sequence begins, which
    is step 0 and whatever lies behind it. Bottom 2 (T, N): labels, then a negative number. The top
    has no axes.

    ## Differs from PyTorch
    `ctc_loss` on the logarithm of a softmax, its sum divided by N; items without a label count 0. The
    gradient is that of the sum, not of the mean, and takes no weight of the loss
    (ctc_loss_layer.cpp, Backward_cpu); where no path fits it is the softmax.

    ## Forks
    BVLC's pull request 4681. Without `ctc_merge_repeated` repeated labels need no blank between them;
    that is not computed.
    """

    type = "CTCLoss"
    param = "ctc_loss_param"
    bottoms = count(3)

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        self.delay: int = param.output_delay
        self.collapse: bool = param.preprocess_collapse_repeated
        if not param.ctc_merge_repeated:
            self.obstacle = (
                "without `ctc_merge_repeated` the layer counts other paths than a CTC loss does"
            )
        if self.delay < 0:
            self.refuse(
                "size-not-positive",
                f"`output_delay` is {self.delay}; it must be at least 0",
                "output_delay",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        self.check_batches(bottoms)
        scores, going_on, labels = (four_axes(self, bottom) for bottom in bottoms)
        if scores[3] != 1:
            self.refuse(
                "wrong-number-of-axes",
                f"CTCLoss takes scores (T, N, C); bottom 0 is {list(bottoms[0])}",
                "layer.bottom",
                index=0,
            )
        for index, steps in ((1, going_on), (2, labels)):
            if steps != (*scores[:2], 1, 1):
                self.refuse(
                    "indicators-shape-differs",
                    f"bottom {index} has a number for each step of each sequence, {scores[0]} x "
                    f"{scores[1]}; it is {list(bottoms[index])}",
                    "layer.bottom",
                    index=index,
                )
        self.classes = scores[2]
        given: int = self.layer.get(self.param).blank_index
        self.blank = given if given >= 0 else self.classes - 1
        self.check_blank("blank_index")
        return [()]

    def check_blank(self, field: str) -> None:
        """Refuse a blank that is no class."""
        if not 0 <= self.blank < self.classes:
            self.refuse(
                "blank-out-of-range",
                f"`{field}` is {self.blank}, and the scores are of {self.classes} classes",
                field,
            )

    def cost(self) -> Cost:
        # the softmax; two passes over 2 T + 1 places at most, three sums of logarithms each
        scores = prod(self.bottom_shapes[0])
        steps, items = (legacy_size(self.bottom_shapes[0], axis) for axis in (0, 1))
        return Cost(0, 5 * scores + 6 * items * steps * (2 * steps + 1))


class CtcLoss(CTCLoss):
    """How unlikely a net's scores make a row of labels, over all ways to lay them along time.

    ## Shape
    Bottom 0 (T, N, `alphabet_size`): scores, before the softmax, of which the first `time_step` steps
    are read. Bottom 1 (N, L): labels, filled up with `blank_label`. The top has no axes.

    ## Differs from PyTorch
    `ctc_loss` on the logarithm of a softmax, its sum divided by N; items whose labels do not fit into
    the steps count 0. The gradient is that of the sum, not of the mean (ctc_loss_layer.cpp,
    Backward_cpu).

    ## Forks
    xmfbit/warpctc-caffe's, which calls Baidu's warp-ctc.
    """

    type = "CtcLoss"
    bottoms = count(2)

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        self.blank: int = param.blank_label
        self.classes = require_positive(self, "alphabet_size", to_int(param.alphabet_size))
        self.time_step = require_positive(self, "time_step", to_int(param.time_step))
        self.check_blank("blank_label")

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        scores, labels = bottoms
        require_axes(self, scores, 3, 3)
        if len(labels) != 2 or labels[0] != scores[1]:
            self.refuse(
                "label-count-differs",
                f"bottom 1 is {list(labels)}; it has a row of labels for each of {scores[1]} "
                "sequences",
                "layer.bottom",
                index=1,
            )
        if scores[2] != self.classes:
            self.refuse(
                "alphabet-size-differs",
                f"`alphabet_size` is {self.classes}; the scores are of {scores[2]} classes",
                "alphabet_size",
            )
        if scores[0] < self.time_step:
            self.refuse(
                "alphabet-size-differs",
                f"`time_step` is {self.time_step}; the scores are of {scores[0]} steps",
                "time_step",
            )
        return [()]


class LabelsequenceAccuracy(Definition):
    """The share of sequences that are read without a fault, by the best class of each step.

    ## Shape
    Bottom 0 (N, T, C): scores. Bottom 1 (N, L): labels, filled up with `blank_label`. The top has no
    axes.

    ## Differs from PyTorch
    No counterpart: of the best classes repetitions are dropped, then blanks, and what is left is held
    against the labels.

    ## Forks
    labelsequence_accuracy_layer.cpp of xmfbit/warpctc-caffe.
    """

    type = "LabelsequenceAccuracy"
    param = "labelsequence_accuracy_param"
    bottoms = count(2)

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        self.blank: int = param.blank_label

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        scores, labels = bottoms
        require_axes(self, scores, 3, 3)
        if len(labels) != 2 or labels[0] != scores[0]:
            self.refuse(
                "label-count-differs",
                f"bottom 1 is {list(labels)}; it has a row of labels for each of {scores[0]} "
                "sequences",
                "layer.bottom",
                index=1,
            )
        return [()]

    def cost(self) -> Cost:
        return Cost(0, sum(map(prod, self.bottom_shapes)))
