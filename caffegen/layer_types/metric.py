"""Measures of a classifier that no gradient comes back from."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import Cost, Definition, Shape, count
from .in_place import warn_in_place
from .loss import check_label_count

__all__ = ["Accuracy", "ArgMax"]


class Accuracy(Definition):
    """The share of predictions whose true class is among the best scores.

    ## Shape
    Bottom 0 (..., C, ...): scores, classes on `axis_index`. Bottom 1: a class number for every
    position outside that axis, in any shape of that count. Top 0 has no axes. Top 1, where there is
    one, is (C): the share per class of the label, 0 for classes without a label.

    ## Differs from PyTorch
    No counterpart. A score equal to the true one counts against it, so that a net with constant
    outputs scores 0. Labels of `ignore_label` are left out. There is no gradient.
    """

    type = "Accuracy"
    param = "accuracy_param"
    bottoms = count(2)
    tops = count(1, 2)

    def bind(self, param: Message) -> None:
        self.top_k: int = param.top_k
        self.raw_axis: int = param.axis
        self.ignore_label: int | None = param.ignore_label if param.has("ignore_label") else None
        self.per_class_top = self.top_count > 1

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        warn_in_place(self)
        scores, labels = bottoms
        self.axis_index = axis = self.axis(self.raw_axis, len(scores))
        self.classes = scores[axis]
        self.outer_count = prod(scores[:axis])
        self.inner_count = prod(scores[axis + 1 :])
        check_label_count(self, self.outer_count * self.inner_count, labels)
        if not prod(labels):
            self.refuse("label-count-differs", "bottom 1 has no labels", "layer.bottom", index=1)
        if self.top_k > self.classes:
            self.refuse(
                "top-k-exceeds-classes",
                f"`top_k` is {self.top_k}, but there are {self.classes} classes",
                "top_k",
            )
        return [(), (self.classes,)]

    def cost(self) -> Cost:
        return Cost(0, prod(self.bottom_shapes[0]))


class ArgMax(Definition):
    """The places of the largest values: the classes that a net has chosen.

    ## Shape
    With `axis`: the bottom's shape with that axis `top_k` long. Without: (N, 1, k), or (N, 2, k)
    with `out_max_val`, over all values of an item, with as many axes as the bottom if it has more.

    ## Differs from PyTorch
    `topk`, with the places as floats; of equal values the one with the larger place comes first.
    Without `axis` and with `out_max_val` places and values stand in two rows; with `axis` and
    `out_max_val` the top holds the values alone. There is no gradient.
    """

    type = "ArgMax"
    param = "argmax_param"

    def bind(self, param: Message) -> None:
        self.out_max_val: bool = param.out_max_val
        self.top_k: int = param.top_k
        self.raw_axis: int | None = param.axis if param.has("axis") else None
        # resolved against the bottom's rank; None when items are taken whole
        self.axis_index: int | None = None
        if self.top_k == 0:
            self.refuse("top-k-zero", "`top_k` is 0; it must be at least 1", "top_k")

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        if self.raw_axis is not None:
            axis = self.axis_index = self.axis(self.raw_axis, len(bottom))
            self.check_top_k(bottom[axis], f"axis {axis}")
            top = (*bottom[:axis], self.top_k, *bottom[axis + 1 :])
        else:
            if not bottom:
                self.refuse(
                    "axis-out-of-range", "the bottom of an ArgMax without `axis` needs an axis",
                    "layer.bottom", index=0,
                )  # fmt: skip
            self.check_top_k(prod(bottom[1:]), "an item")
            ones = (1,) * (len(bottom) - 3)
            top = (bottom[0], 2 if self.out_max_val else 1, self.top_k, *ones)
        if top != bottom:
            warn_in_place(self)
        return [top]

    def check_top_k(self, values: int, where: str) -> None:
        """Refuse a `top_k` larger than the number of values to choose from."""
        if self.top_k > values:
            self.refuse(
                "top-k-exceeds-classes",
                f"`top_k` is {self.top_k}, but {where} has {values} values",
                "top_k",
            )

    def cost(self) -> Cost:
        return Cost(0, prod(self.bottom_shapes[0]))
