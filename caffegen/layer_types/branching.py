"""Layers where the paths of a net meet and part: they join blobs, cut them up, hand them on."""

from __future__ import annotations

from itertools import pairwise

from caffegen.text import Message

from .base import Shape, count
from .blob_shape import require_values
from .in_place import refuse_in_place, warn_in_place
from .reshaping import _Moving

__all__ = ["Concat", "Silence", "Slice", "Split"]


class _AlongAxis(_Moving):
    """What Concat and Slice share: an axis with an old name, which knows no negative numbers."""

    old_axis = ""

    def bind(self, param: Message) -> None:
        self.raw_axis: int | None = None if param.has(self.old_axis) else param.axis
        self.raw_old_axis: int = param.get(self.old_axis)
        if self.raw_axis is None and param.has("axis"):
            self.refuse(
                "axis-set-twice",
                f"`axis` and `{self.old_axis}` are both set; Caffe takes one or the other",
                self.old_axis,
                help=f"keep `axis`; `{self.old_axis}` is its old name",
                other=("axis", "the other is here"),
            )

    def resolve_axis(self, rank: int) -> int:
        """The axis counted from the front."""
        if self.raw_axis is not None:
            return self.axis(self.raw_axis, rank)
        return self.axis(self.raw_old_axis, rank, self.old_axis)


class Concat(_AlongAxis):
    """Joins blobs along one axis, by default the channels.

    ## Shape
    Bottoms: any number, of one shape but for `axis_index`. Top: that shape, with the sizes on
    `axis_index` (`sizes`) added up.

    ## Differs from PyTorch
    `cat`. `concat_dim` is the old name of `axis`.
    """

    type = "Concat"
    param = "concat_param"
    bottoms = count(1, None)
    old_axis = "concat_dim"

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        first = bottoms[0]
        self.axis_index = axis = self.resolve_axis(len(first))
        for index, other in enumerate(bottoms[1:], 1):
            if len(other) != len(first) or any(
                a != b for i, (a, b) in enumerate(zip(first, other, strict=False)) if i != axis
            ):
                self.refuse(
                    "concat-shapes-differ",
                    f"the bottoms of a Concat differ on axis {axis} alone; bottom 0 is "
                    f"{list(first)}, bottom {index} is {list(other)}",
                    "layer.bottom",
                    index=index,
                )
        self.sizes = tuple(bottom[axis] for bottom in bottoms)
        top = (*first[:axis], sum(self.sizes), *first[axis + 1 :])
        self.check_size(top)
        if len(bottoms) > 1:
            warn_in_place(self)
        else:
            # the top shares the bottom's memory, and an empty blob has none
            require_values(self, first)
        return [top]


class Slice(_AlongAxis):
    """Cuts a blob along one axis into several, by default the channels.

    ## Shape
    Tops: the bottom's shape with `sizes` on `axis_index`: cut before each `slice_point`, or in
    equal parts when there is none.

    ## Differs from PyTorch
    `split` with `sizes`. `slice_dim` is the old name of `axis`.
    """

    type = "Slice"
    param = "slice_param"
    tops = count(1, None)
    old_axis = "slice_dim"

    def bind(self, param: Message) -> None:
        super().bind(param)
        self.slice_points: tuple[int, ...] = tuple(param.slice_point)
        self.each(self.check_point_count, self.check_rising)

    def check_point_count(self) -> None:
        """Refuse points that do not go with the number of tops."""
        if self.slice_points and self.top_count and len(self.slice_points) != self.top_count - 1:
            self.refuse(
                "slice-point-count",
                f"{self.top_count} tops take {self.top_count - 1} slice points, not "
                f"{len(self.slice_points)}",
                "slice_point",
            )

    def check_rising(self) -> None:
        """Refuse points that do not rise."""
        for index, point in enumerate(self.slice_points):
            previous = self.slice_points[index - 1] if index else 0
            if point <= previous:
                self.refuse(
                    "slice-points-not-rising",
                    f"`slice_point` {point} does not lie behind {previous}",
                    "slice_point",
                    index=index,
                    help="slice points rise, and the first is at least 1",
                )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        self.axis_index = axis = self.resolve_axis(len(bottom))
        size, parts = bottom[axis], max(1, self.top_count)
        if parts > 1:
            refuse_in_place(self)
        else:
            require_values(self, bottom)
        if self.slice_points:
            self.sizes = self.cut_sizes(size)
        elif size % parts:
            self.refuse(
                "slice-uneven",
                f"axis {axis} has {size} values, which {parts} tops can't share evenly",
                "layer.top",
                help="add `slice_point`s, or change the number of tops",
            )
        else:
            self.sizes = (size // parts,) * parts
        return [(*bottom[:axis], part, *bottom[axis + 1 :]) for part in self.sizes]

    def cut_sizes(self, size: int) -> tuple[int, ...]:
        """The sizes between the slice points."""
        last = self.slice_points[-1]
        if last > size or self.top_count > size:
            self.refuse(
                "slice-point-past-end",
                f"`slice_point` {last} leaves nothing for the last top: axis {self.axis_index} has "
                f"{size} values",
                "slice_point",
                index=len(self.slice_points) - 1,
            )
        if last == size:
            self.warn(
                "slice-point-past-end",
                f"`slice_point` {last} is the end of axis {self.axis_index}: the last top is empty",
                "slice_point",
                index=len(self.slice_points) - 1,
            )
        edges = (0, *self.slice_points, size)
        return tuple(end - start for start, end in pairwise(edges))


class Split(_Moving):
    """Gives the same blob out under several names.

    ## Shape
    Every top has the bottom's shape.

    ## Differs from PyTorch
    Nothing to do: any number of layers may read a tensor. Caffe puts Splits in by itself.
    """

    type = "Split"
    tops = count(1, None)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        return [bottoms[0]] * max(1, self.top_count)


class Silence(_Moving):
    """Reads blobs and makes nothing, so that they are no outputs of the net.

    ## Shape
    Any bottoms, no tops.

    ## Differs from PyTorch
    No counterpart and no effect.
    """

    type = "Silence"
    bottoms = count(1, None)
    tops = count(0)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        return []
