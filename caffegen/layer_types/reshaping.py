"""Layers that count the axes of a blob anew, or repeat it along one."""

from __future__ import annotations

from math import prod
from typing import NoReturn

from caffegen.text import Message

from .base import Cost, Definition, Shape
from .blob_shape import require_values, to_int
from .in_place import refuse_in_place, warn_in_place

__all__ = ["Flatten", "Reshape", "Tile"]


class _Moving(Definition):
    """A layer that costs nothing but the moving of its values."""

    def cost(self) -> Cost:
        return Cost()


class Tile(_Moving):
    """Repeats a blob along one axis.

    ## Shape
    The bottom's, with `axis_index` `tiles` times as long.

    ## Differs from PyTorch
    `repeat` along one axis.
    """

    type = "Tile"
    param = "tile_param"

    def bind(self, param: Message) -> None:
        self.raw_axis: int = param.axis
        self.tiles: int = param.tiles if param.has("tiles") else 0
        if not param.has("tiles"):
            self.refuse("tiles-missing", "a Tile needs `tiles`", help="add `tiles: 2`")
        if self.tiles < 1:
            self.refuse(
                "tiles-not-positive", f"`tiles` is {self.tiles}; it must be at least 1", "tiles"
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        self.axis_index = axis = self.axis(self.raw_axis, len(bottom))
        top = (*bottom[:axis], bottom[axis] * self.tiles, *bottom[axis + 1 :])
        self.check_size(top, "tiles")
        if self.tiles > 1:
            warn_in_place(self)
        return [top]


class Flatten(_Moving):
    """Makes one axis of several, by default of all behind the first.

    ## Shape
    The axes from `start` up to, not including, `end` become their product.

    ## Differs from PyTorch
    `flatten(start, end - 1)`. An `end_axis` just before `axis` puts in an axis of size 1.
    """

    type = "Flatten"
    param = "flatten_param"

    def bind(self, param: Message) -> None:
        self.raw_axis: int = param.axis
        self.raw_end_axis: int = param.end_axis

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        bottom = bottoms[0]
        self.start = start = self.axis(self.raw_axis, len(bottom))
        self.end = end = self.axis(self.raw_end_axis, len(bottom), "end_axis") + 1
        if start > end:
            self.refuse(
                "flatten-ends-before-start",
                f"`axis` ({self.raw_axis}) lies behind `end_axis` ({self.raw_end_axis})",
                "axis",
                other=("end_axis", "the end is here"),
            )
        if start == end:
            self.warn(
                "flatten-of-no-axes",
                f"`end_axis` ({self.raw_end_axis}) lies just before `axis` ({self.raw_axis}): "
                "Caffe puts in an axis of size 1",
                "end_axis",
            )
        top = (*bottom[:start], prod(bottom[start:end]), *bottom[end:])
        self.check_size(top, "end_axis")
        return [top]


class Reshape(_Moving):
    """Counts the same values in other axes.

    ## Shape
    The axes from `start` up to, not including, `end` give way to `dims`. A 0 copies the bottom's
    axis of the same place, one -1 takes what is left. `template` is the top's shape with 0 where an
    axis of the bottom is copied in place and -1 where the size is inferred.

    ## Differs from PyTorch
    `reshape` knows no 0, and replaces all axes.
    """

    type = "Reshape"
    param = "reshape_param"

    def bind(self, param: Message) -> None:
        self.raw_axis: int = param.axis
        self.raw_num_axes: int = param.num_axes
        # `dim` is an int64 that Caffe keeps in an int
        self.dims: Shape = tuple(to_int(dim) for dim in param.shape.dim)
        self.each(self.check_dims, self.check_num_axes)

    def check_dims(self) -> None:
        """Refuse two sizes that are to be inferred."""
        if self.dims.count(-1) > 1:
            self.refuse(
                "two-inferred-dimensions",
                "`shape` has more than one -1; one size alone can be inferred",
                "shape.dim",
                index=self.last_inferred(),
            )

    def check_num_axes(self) -> None:
        """Refuse a number of axes below -1."""
        if self.raw_num_axes < -1:
            self.refuse(
                "num-axes-out-of-range",
                f"`num_axes` is {self.raw_num_axes}; it counts axes, or is -1 for all",
                "num_axes",
            )

    def last_inferred(self) -> int:
        """The place of the last -1."""
        return len(self.dims) - 1 - self.dims[::-1].index(-1)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        bottom = bottoms[0]
        # the top shares the bottom's memory, and an empty blob has none
        require_values(self, bottom)
        self.resolve_range(len(bottom))
        self.template: Shape = (*(0,) * self.start, *self.dims, *bottom[self.end :])
        top = list(self.template)
        top[: self.start] = bottom[: self.start]
        for index, dim in enumerate(self.dims, self.start):
            if dim == 0:
                if index >= len(bottom):
                    self.refuse(
                        "zero-copies-past-end",
                        f"`dim` 0 copies axis {index}, but the bottom has {len(bottom)} axes",
                        "shape.dim",
                        index=index - self.start,
                    )
                top[index] = bottom[index]
        if -1 in self.dims:
            top[self.start + self.last_inferred()] = self.inferred_size(bottom, top)
        self.check_size(tuple(top), "shape")
        if prod(top) != prod(bottom):
            self.refuse_count(bottom, top)
        return [tuple(top)]

    def resolve_range(self, rank: int) -> None:
        """The axes that are replaced: from `start` up to, not including, `end`."""
        start = self.raw_axis if self.raw_axis >= 0 else rank + self.raw_axis + 1
        if not 0 <= start <= rank:
            self.refuse(
                "axis-out-of-range",
                f"`axis` is {self.raw_axis}, but the bottom has {rank} axes",
                "axis",
                help=f"axes go from {-rank - 1} to {rank}",
            )
        end = rank if self.raw_num_axes == -1 else start + self.raw_num_axes
        if end > rank:
            self.refuse(
                "num-axes-out-of-range",
                f"`num_axes` ({self.raw_num_axes}) from axis {start} on goes past the bottom's "
                f"{rank} axes",
                "num_axes",
                other=("axis", "the first axis is here"),
            )
        self.start, self.end = start, end

    def inferred_size(self, bottom: Shape, top: list[int]) -> int:
        """What is left for the -1 of `dims`."""
        known = -prod(top)
        if prod(bottom) % known:
            self.refuse_count(bottom, top)
        return prod(bottom) // known

    def refuse_count(self, bottom: Shape, top: list[int]) -> NoReturn:
        """Refuse a shape of another count than the bottom's."""
        self.refuse(
            "reshape-count-differs",
            f"the bottom {list(bottom)} has {prod(bottom)} values, which don't go into {top}",
            "shape",
        )
