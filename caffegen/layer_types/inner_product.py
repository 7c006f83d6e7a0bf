"""Matrix products with learned weights: the fully connected layer, and the look-up of rows."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import MAX_AXES, BlobSpec, Cost, Definition, Refused, Shape, count
from .blob_shape import require_values, to_int
from .four_axes import four_axes
from .in_place import warn_in_place
from .weight_blobs import check_weights

__all__ = ["Embed", "InnerProduct"]


class _Product(Definition):
    """What both share: `num_output`, a bias and two fillers."""

    def bind(self, param: Message) -> None:
        self.num_output = to_int(param.num_output)
        self.bias_term: bool = param.bias_term
        self.weight_filler: Message = param.weight_filler
        self.bias_filler: Message = param.bias_filler
        # the fault is told here; with it there is no shape
        self.outputs_fit = self.num_output > 0 or self.bottom_count > 1
        if not self.outputs_fit:
            self.fault(
                "num-output-zero", f"{self.type} needs a `num_output` of at least 1", "num_output"
            )

    def weight_fillers(self) -> list[tuple[str, Message | None]]:
        blobs: list[tuple[str, Message | None]] = [("weight", self.weight_filler)]
        return [*blobs, ("bias", self.bias_filler)] if self.bias_term else blobs

    def bind_blobs(self, weight: Shape, bottom: Shape, items: Shape) -> None:
        """The weight blob, and the bias if there is one, which takes an item to add to."""
        self.check_size(weight, "num_output")
        self.blobs = (BlobSpec("weight", weight, self.weight_filler),)
        if self.bias_term:
            self.blobs += (BlobSpec("bias", (self.num_output,), self.bias_filler),)
            require_values(self, bottom, items)
        check_weights(self)


class InnerProduct(_Product):
    """A fully connected layer: every output is a weighted sum of all values of an item.

    ## Shape
    Bottom: any rank. The axes from `axis_index` on are one item of `input_count` values; the top is
    (axes before it..., `num_output`).

    ## Blobs
    weight (`num_output`, `input_count`), with `transpose` (`input_count`, `num_output`); bias
    (`num_output`) unless `bias_term: false`.

    ## Differs from PyTorch
    `linear` behind a `flatten(axis_index)`.
    """

    type = "InnerProduct"
    param = "inner_product_param"
    fork_bottoms = (count(2, 3), "happynear's")

    def bind(self, param: Message) -> None:
        super().bind(param)
        self.transpose: bool = param.transpose
        self.raw_axis: int = param.axis

    def weight_fillers(self) -> list[tuple[str, Message | None]]:
        # the weight is a bottom, and so may the bias be
        return super().weight_fillers()[max(0, self.bottom_count - 1) :]

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        self.axis_index = axis = self.axis(self.raw_axis, len(bottom))
        self.input_count = prod(bottom[axis:])
        require_values(self, bottom, bottom[axis:])
        if not self.outputs_fit:
            raise Refused
        if len(bottoms) > 1:
            self.num_output = self.rows_of(bottoms[1])
            if self.bias_term and len(bottoms) == 2:
                self.blobs = (BlobSpec("bias", (self.num_output,), self.bias_filler),)
        else:
            weight = (self.num_output, self.input_count)
            self.bind_blobs(weight[::-1] if self.transpose else weight, bottom, bottom[:axis])
        top = (*bottom[:axis], self.num_output)
        self.check_size(top, "num_output")
        warn_in_place(self)
        return [top]

    def rows_of(self, weight: Shape) -> int:
        """The outputs that the weight in bottom 1 makes: its `num`, 1 if it has no axes.

        Caffe counts no further, and reads past the end of a bottom with too few values.
        """
        rows = four_axes(self, weight, index=1)[0]
        if prod(weight) < rows * self.input_count:
            self.refuse(
                "bottom-counts-differ",
                f"an item has {self.input_count} values, a row of bottom 1 has {prod(weight[1:])}",
                "layer.bottom",
                index=1,
            )
        return rows

    def cost(self) -> Cost:
        outputs = sum(prod(top) for top in self.top_shapes if top is not None)
        return Cost(outputs * self.input_count, outputs if self.bias_term else 0)


class Embed(_Product):
    """A table of learned vectors: every value of the bottom is the number of a row to look up.

    ## Shape
    Bottom: any rank, numbers from 0 to `input_dim` - 1. Top: the bottom's shape and an axis of
    `num_output` more.

    ## Blobs
    weight (`input_dim`, `num_output`); bias (`num_output`) unless `bias_term: false`.

    ## Differs from PyTorch
    `embedding`, with a bias, and the numbers as floats. A number out of range reads elsewhere in
    memory. The bottom gets no gradient.
    """

    type = "Embed"
    param = "embed_param"

    def bind(self, param: Message) -> None:
        super().bind(param)
        self.input_dim = to_int(param.input_dim)
        if self.input_dim < 1:
            self.refuse(
                "input-dim-zero",
                "Embed needs an `input_dim` of at least 1, the number of rows",
                "input_dim",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        if not self.outputs_fit:
            raise Refused
        bottom = bottoms[0]
        if len(bottom) == MAX_AXES:
            self.refuse(
                "more-than-32-axes",
                f"the top has one axis more than the bottom; a blob has {MAX_AXES} at most",
                "layer.top",
                index=0,
            )
        self.bind_blobs((self.input_dim, self.num_output), bottom, bottom)
        top = (*bottom, self.num_output)
        self.check_size(top, "num_output")
        warn_in_place(self)
        return [top]

    def cost(self) -> Cost:
        outputs = sum(prod(top) for top in self.top_shapes if top is not None)
        return Cost(0, outputs if self.bias_term else 0)
