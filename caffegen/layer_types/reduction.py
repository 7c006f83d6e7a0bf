"""Layers that bring the values along axes together: sums, and the softmax."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import Cost, Definition, Shape
from .blob_shape import require_values
from .engine import check_engine
from .in_place import warn_in_place

__all__ = ["Reduction", "Softmax"]


class Reduction(Definition):
    """One number for all values from an axis to the last: their sum, mean, or sum of squares.

    ## Shape
    The bottom's axes before `axis_index`; none of them for the default axis 0.

    ## Differs from PyTorch
    `sum`, `mean` and the like over all axes from `axis_index` on, times `coeff`. ASUM adds absolute
    values, SUMSQ squares.
    """

    type = "Reduction"
    param = "reduction_param"

    def bind(self, param: Message) -> None:
        self.operation: str = param.operation
        self.raw_axis: int = param.axis
        self.coeff: float = param.coeff

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        self.axis_index = axis = self.axis(self.raw_axis, len(bottom))
        self.reduced_count = prod(bottom[axis:])
        if self.operation in ("SUM", "MEAN"):
            require_values(self, bottom, bottom[axis:])
        warn_in_place(self)
        return [bottom[:axis]]

    def cost(self) -> Cost:
        values, results = prod(self.bottom_shapes[0]), prod(self.top_shapes[0] or ())
        scaled = results if self.coeff != 1 or self.operation == "MEAN" else 0
        if self.operation == "SUMSQ":
            return Cost(values, scaled)
        return Cost(0, (2 if self.operation == "ASUM" else 1) * values + scaled)


class Softmax(Definition):
    """Turns scores into probabilities: positive numbers with sum 1 along an axis.

    ## Shape
    The bottom's. Works in place.

    ## Differs from PyTorch
    `softmax` along `axis_index`, by default axis 1 whatever the number of axes.
    """

    type = "Softmax"
    param = "softmax_param"
    in_place = True

    def bind(self, param: Message) -> None:
        self.raw_axis: int = param.axis
        check_engine(self, param)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        self.axis_index = axis = self.axis(self.raw_axis, len(bottoms[0]))
        require_values(self, bottoms[0], (bottoms[0][axis],))
        return [bottoms[0]]

    def cost(self) -> Cost:
        # per score: compare, subtract, exponent, add, divide
        return Cost(0, 5 * prod(self.bottom_shapes[0]))
