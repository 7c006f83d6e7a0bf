"""What happynear's Caffe does with features of faces: distances to centres, lengths put back."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import BlobSpec, Cost, Definition, Shape, count
from .blob_shape import to_int
from .four_axes import four_axes
from .in_place import warn_in_place
from .weight_blobs import check_weights

__all__ = ["ChannelScale", "InnerDistance"]


class InnerDistance(Definition):
    """The distance of every item to each of some centres: learned ones, or those of bottom 1.

    ## Shape
    Bottom 0: any rank; the axes from `axis_index` on are one item of `input_count` values. Bottom 1,
    if given: as many values per row. Top (axes before `axis_index`..., `centers`): as many as
    `num_output`, or as bottom 1 has rows.

    ## Blobs
    weight (`centers`, `input_count`), with `transpose` the other way round, unless bottom 1 is given.

    ## Differs from PyTorch
    `cdist`, squared for `distance_type: "L2"`; with "L1" the same. `normalize` brings learned centres
    to length 1 first. With `transpose` Caffe reads the values as if they were not.

    ## Forks
    happynear's (inner_distance_layer.cpp).
    """

    type = "InnerDistance"
    param = "inner_distance_param"
    bottoms = count(1, 3)

    def bind(self, param: Message) -> None:
        self.num_output = to_int(param.num_output)
        self.raw_axis: int = param.axis
        self.distance_type: str = param.distance_type
        self.learned: bool = self.bottom_count == 1
        self.normalize: bool = param.normalize and self.learned
        self.each(self.check_outputs, self.check_distance)
        if param.update_center_only and self.bottom_count == 2:
            self.obstacle = "with `update_center_only` bottom 1 is read as labels and as centres"

    def check_outputs(self) -> None:
        """Refuse learned centres that are none."""
        if self.learned and self.num_output < 1:
            self.refuse(
                "num-output-zero", "InnerDistance needs a `num_output` of at least 1", "num_output"
            )

    def check_distance(self) -> None:
        """Refuse a distance that there is not."""
        if self.distance_type not in ("L1", "L2"):
            self.refuse(
                "unknown-norm",
                f'there is no `distance_type: "{self.distance_type}"`; there are "L1" and "L2"',
                "distance_type",
            )

    def weight_fillers(self) -> list[tuple[str, Message | None]]:
        return [("weight", self.layer.get(self.param).weight_filler)] if self.learned else []

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        self.axis_index = axis = self.axis(self.raw_axis, len(bottom))
        self.input_count = prod(bottom[axis:])
        if self.learned:
            self.centers = self.num_output
            weight = (self.centers, self.input_count)
            if self.layer.get(self.param).transpose:
                weight = weight[::-1]
            self.check_size(weight, "num_output")
            filler = self.layer.get(self.param).weight_filler
            self.blobs = (BlobSpec("weight", weight, filler),)
            check_weights(self)
        else:
            self.centers = four_axes(self, bottoms[1], index=1)[0]
            if prod(bottoms[1][1:]) != self.input_count and not self.obstacle:
                self.refuse(
                    "bottom-counts-differ",
                    f"an item has {self.input_count} values, a row of bottom 1 has "
                    f"{prod(bottoms[1][1:])}",
                    "layer.bottom",
                    index=1,
                )
        warn_in_place(self)
        return [(*bottom[:axis], self.centers)]

    def cost(self) -> Cost:
        pairs = prod(self.top_shapes[0] or ()) * self.input_count
        return Cost(pairs if self.distance_type == "L2" else 0, 2 * pairs)


class ChannelScale(Definition):
    """Multiplies every channel of a place by the one number that bottom 1 has for the place.

    ## Shape
    Bottom 0 (N, C, H, W), bottom 1 with N H W values. Top 0 as bottom 0.

    ## Blobs
    With `global_scale` one factor (1), which the layer keeps itself.

    ## Differs from PyTorch
    A product with bottom 1 spread over the channels. With `do_forward: false` the top is bottom 0.

    ## Forks
    happynear's (channel_scale_layer.cpp). A `global_scale` is found while training and is not
    computed.
    """

    type = "ChannelScale"
    param = "channel_scale_param"
    bottoms = count(2)
    tops = count(1, 2)
    in_place = True

    def bind(self, param: Message) -> None:
        self.scales: bool = param.do_forward
        self.learned: bool = param.global_scale
        if self.learned:
            self.obstacle = "with `global_scale` its factor follows the batches it has seen"

    def weight_fillers(self) -> list[tuple[str, Message | None]]:
        return [("scale", None)] if self.learned else []

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        first = four_axes(self, bottoms[0])
        if bottoms[1][:1] != bottoms[0][:1] or prod(bottoms[1]) * first[1] != prod(first):
            self.refuse(
                "bottom-counts-differ",
                f"bottom 1 has a number for each place of bottom 0, {prod(first) // max(1, first[1])}"
                f" for {first[0]} items; it is {list(bottoms[1])}",
                "layer.bottom",
                index=1,
            )
        if self.learned:
            self.blobs = (BlobSpec("scale", (1,), None),)
        return [bottoms[0], (1,)]

    def cost(self) -> Cost:
        return Cost(0, prod(self.bottom_shapes[0]) if self.scales else 0)
