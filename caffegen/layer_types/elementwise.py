"""Layers that combine blobs value by value: sums, products, maxima, and factors along some axes."""

from __future__ import annotations

from math import prod
from typing import NoReturn

from caffegen.text import Message

from .base import BlobSpec, Cost, Definition, Shape, count
from .blob_shape import require_values
from .in_place import warn_in_place, warn_in_place_gradient
from .weight_blobs import check_weights, constant_filler, stored_shape

__all__ = ["Bias", "Eltwise", "Scale"]


class Eltwise(Definition):
    """Adds, multiplies or takes the maximum of blobs of one shape, value by value.

    ## Shape
    Bottoms: two or more of one shape, in any rank. Top: that shape.

    ## Differs from PyTorch
    `operation` SUM weighs each bottom by its coefficient (`coeffs`, by default ones); nothing is
    broadcast. With `stable_prod_grad: false` Caffe divides the product by the bottom for its
    gradient, which fails at 0.
    """

    type = "Eltwise"
    param = "eltwise_param"
    bottoms = count(2, None)
    fork_bottoms = (count(1), "FlowNet's")

    def bind(self, param: Message) -> None:
        self.operation: str = param.operation
        self.stable_prod_grad: bool = param.stable_prod_grad
        self.coeffs: tuple[float, ...] = tuple(param.coeff) or (1.0,) * self.bottom_count
        self.each(self.check_coeff_count, lambda: self.check_operation(param))

    def check_coeff_count(self) -> None:
        """Refuse coefficients that are not one for each bottom."""
        if len(self.coeffs) != self.bottom_count:
            self.refuse(
                "coeff-count",
                f"`coeff` has {len(self.coeffs)} value{'' if len(self.coeffs) == 1 else 's'} for "
                f"{self.bottom_count} bottoms",
                "coeff",
                help="give it once per bottom, or not at all",
            )

    def check_operation(self, param: Message) -> None:
        """Refuse coefficients where the operation takes none."""
        if param.coeff and self.operation == "PROD":
            self.refuse(
                "coeff-without-sum",
                "`coeff` is set, but a product takes none; a SUM does",
                "coeff",
                help="remove `coeff`",
                other=("operation", "the operation is here"),
            )
        if param.coeff and self.operation == "MAX":
            self.warn("coeff-without-sum", "`coeff` has no effect on a maximum", "coeff")

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        for index, other in enumerate(bottoms[1:], 1):
            if other != bottoms[0]:
                self.refuse(
                    "eltwise-shapes-differ",
                    f"the bottoms of Eltwise have one shape; bottom 0 is {list(bottoms[0])}, "
                    f"bottom {index} is {list(other)}",
                    "layer.bottom",
                    index=index,
                )
        # SUM and MAX clear the top first, and with it the bottom
        if self.operation == "PROD":
            warn_in_place_gradient(self)
        else:
            warn_in_place(self)
        return [bottoms[0]]

    def cost(self) -> Cost:
        values = prod(self.bottom_shapes[0])
        if self.operation == "SUM" and any(coeff != 1 for coeff in self.coeffs):
            return Cost(self.bottom_count * values)
        return Cost(0, (self.bottom_count - 1) * values)


class _AlongAxes(Definition):
    """What Scale and Bias share: an operand that lies along some axes of the first bottom.

    `operand_shape` is its shape, `axis_index` the first axis that it lies along (0 for an operand
    without axes), `from_bottom` whether it is the second bottom and not a weight blob.
    """

    bottoms = count(1, 2)
    in_place = True
    operand_shape: Shape
    axis_index: int
    word = ""

    def bind(self, param: Message) -> None:
        self.raw_axis: int = param.axis
        self.raw_num_axes: int = param.num_axes
        self.from_bottom = self.bottom_count > 1
        # with values in the text Caffe does not look at it
        if self.raw_num_axes < -1 and not self.from_bottom and not self.layer.has("blobs"):
            self.refuse_num_axes(self.raw_num_axes)

    def refuse_num_axes(self, num_axes: int) -> NoReturn:
        """Refuse a number of axes below -1."""
        self.refuse(
            "num-axes-out-of-range",
            f"`num_axes` is {num_axes}; it counts axes, or is -1 for all",
            "num_axes",
        )

    def blob_shape(self, bottom: Shape, num_axes: int) -> Shape:
        """The shape of a weight blob that lies along `num_axes` axes of the bottom."""
        axis = self.axis(self.raw_axis, len(bottom))
        if num_axes < -1:
            self.refuse_num_axes(num_axes)
        end = len(bottom) if num_axes == -1 else axis + num_axes
        if end > len(bottom):
            self.refuse(
                "num-axes-out-of-range",
                f"`num_axes` ({num_axes}) from axis {axis} on goes past the bottom's "
                f"{len(bottom)} axes",
                "num_axes",
                other=("axis", "the first axis is here"),
            )
        return bottom[axis:end]

    def place(self, bottom: Shape, operand: Shape) -> None:
        """Resolve the axis of the operand, and refuse one that does not fit along the bottom."""
        self.operand_shape = operand
        self.axis_index = axis = self.axis(self.raw_axis, len(bottom)) if operand else 0
        along = bottom[axis : axis + len(operand)]
        if along != operand:
            self.refuse(
                "operand-shape-differs",
                f"the {self.word} is {list(operand)}, but the first bottom is {list(along)} from "
                f"axis {axis} on",
                "layer.bottom" if self.from_bottom else "layer.blobs",
                index=1 if self.from_bottom else 0,
                help="set `axis` to where it begins",
            )

    def operand(self, bottoms: tuple[Shape, ...]) -> Shape:
        """The shape of the second bottom, of values in the text, or else by `num_axes`."""
        if self.from_bottom:
            return bottoms[1]
        if self.layer.has("blobs"):
            return stored_shape(self.layer.blobs[0])
        return self.blob_shape(bottoms[0], self.raw_num_axes)


class Scale(_AlongAxes):
    """Multiplies by a learned factor per channel and may add a bias: what follows a BatchNorm.

    ## Shape
    Top: as the first bottom. The factors lie along its axes from `axis_index` on: they are the
    second bottom if there is one, otherwise a blob over `num_axes` axes (-1: to the end; 0: one
    number).

    ## Blobs
    scale (`operand_shape`) if there is one bottom, 1 unless `filler` says otherwise; bias (the same
    shape) with `bias_term`.

    ## Differs from PyTorch
    A multiplication and an addition with broadcasting; BatchNorm's `weight` and `bias` there.
    """

    type = "Scale"
    param = "scale_param"
    word = "scale"

    def bind(self, param: Message) -> None:
        self.bias_term: bool = param.bias_term
        self.filler = constant_filler(param, "filler", 1)
        self.bias_filler: Message = param.bias_filler
        super().bind(param)

    def weight_fillers(self) -> list[tuple[str, Message | None]]:
        blobs: list[tuple[str, Message | None]] = []
        if not self.from_bottom:
            blobs.append(("scale", self.filler))
        return [*blobs, ("bias", self.bias_filler)] if self.bias_term else blobs

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        self.place(bottom, self.operand(bottoms))
        blobs = []
        if not self.from_bottom:
            blobs.append(BlobSpec("scale", self.operand_shape, self.filler))
        if self.bias_term:
            # checks `axis` even for an operand without axes (scale_layer.cpp, LayerSetUp)
            num_axes = len(self.operand_shape) if self.from_bottom else self.raw_num_axes
            bias = self.blob_shape(bottom, num_axes)
            blobs.append(BlobSpec("bias", bias, self.bias_filler))
        self.blobs = tuple(blobs)
        outer = prod(bottom[: self.axis_index])
        inner = prod(bottom[self.axis_index + len(self.operand_shape) :])
        require_values(self, bottom, (inner if self.bias_term else max(outer, inner),))
        check_weights(self)
        return [bottom]

    def cost(self) -> Cost:
        values = prod(self.bottom_shapes[0])
        return Cost(values) if self.bias_term else Cost(0, values)


class Bias(_AlongAxes):
    """Adds a learned number per channel, or a smaller blob along some axes.

    ## Shape
    Top: as the first bottom. The bias lies along its axes from `axis_index` on: it is the second
    bottom if there is one, otherwise a blob over `num_axes` axes (-1: to the end; 0: one number).

    ## Blobs
    bias (`operand_shape`) if there is one bottom, 0 unless `filler` says otherwise.

    ## Differs from PyTorch
    An addition with broadcasting.
    """

    type = "Bias"
    param = "bias_param"
    word = "bias"

    def bind(self, param: Message) -> None:
        self.filler: Message = param.filler
        super().bind(param)

    def weight_fillers(self) -> list[tuple[str, Message | None]]:
        return [] if self.from_bottom else [("bias", self.filler)]

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        self.place(bottom, self.operand(bottoms))
        if not self.from_bottom:
            self.blobs = (BlobSpec("bias", self.operand_shape, self.filler),)
        require_values(self, bottom, bottom[self.axis_index + len(self.operand_shape) :])
        check_weights(self)
        return [bottom]
