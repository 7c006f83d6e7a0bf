"""Layers that move values without computing: join, cut, repeat, pick, and count the axes anew."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import NoReturn

from caffegen.text import Message

from .base import Cost, Definition, Shape, count
from .blob_shape import MAX_AXES, require_values, to_int
from .in_place import refuse_in_place, warn_in_place

__all__ = [
    "BatchReindex",
    "Concat",
    "Crop",
    "Filter",
    "Flatten",
    "Reshape",
    "Silence",
    "Slice",
    "Split",
    "Tile",
]


class _Moving(Definition):
    """A layer that costs nothing but the moving of its values."""

    def cost(self) -> Cost:
        return Cost()

    def check_axes(self, top: Shape, at: str) -> None:
        """Refuse a top of more axes than a blob has."""
        if len(top) > MAX_AXES:
            self.refuse(
                "more-than-32-axes",
                f"the top has {len(top)} axes; a blob has {MAX_AXES} at most",
                at,
            )


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
        if self.slice_points and self.top_count and len(self.slice_points) != self.top_count - 1:
            self.refuse(
                "slice-point-count",
                f"{self.top_count} tops take {self.top_count - 1} slice points, not "
                f"{len(self.slice_points)}",
                "slice_point",
            )
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
        self.check_axes(top, "end_axis")
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
        if self.dims.count(-1) > 1:
            self.refuse(
                "two-inferred-dimensions",
                "`shape` has more than one -1; one size alone can be inferred",
                "shape.dim",
                index=self.last_inferred(),
            )
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
        self.check_axes(tuple(top), "shape")
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


class Crop(_Moving):
    """Cuts a blob to the size of another one.

    ## Shape
    Bottom 0 gives the values, bottom 1 the sizes from `axis_index` on. Axes before it are taken
    whole. The cut begins at `offsets`, one per axis of bottom 0, 0 before `axis_index`.

    ## Differs from PyTorch
    Plain slicing.
    """

    type = "Crop"
    param = "crop_param"
    bottoms = count(2)

    def bind(self, param: Message) -> None:
        self.raw_axis: int = param.axis
        self.raw_offsets: tuple[int, ...] = tuple(param.offset)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom, reference = bottoms
        rank = len(bottom)
        self.axis_index = axis = self.axis(self.raw_axis, rank)
        offsets = self.raw_offsets or (0,)
        if len(offsets) == 1:
            offsets *= rank - axis
        elif len(offsets) != rank - axis:
            self.refuse(
                "crop-offset-count",
                f"`offset` is given {len(offsets)} times for {rank - axis} axes",
                "offset",
                help=f"give it once, or {rank - axis} times",
            )
        self.offsets: Shape = (*(0,) * axis, *offsets)
        for index in range(axis, rank):
            self.check_axis(bottom, reference, index)
        top = (*bottom[:axis], *reference[axis:rank])
        if top != bottom:
            warn_in_place(self)
        return [top]

    def check_axis(self, bottom: Shape, reference: Shape, index: int) -> None:
        """Refuse a cut that goes past the edge of one axis."""
        if index >= len(reference):
            self.refuse(
                "crop-reference-axes",
                f"a Crop from axis {self.axis_index} on needs a size for axis {index}; bottom 1 "
                f"has {len(reference)} axes",
                "layer.bottom",
                index=1,
            )
        offset = self.offsets[index]
        if bottom[index] - offset < reference[index]:
            from_offset = f" from {offset} on" if offset else ""
            self.refuse(
                "crop-past-edge",
                f"axis {index} has {bottom[index]} values; {reference[index]}{from_offset} go past "
                "its end",
                "offset" if offset else "layer.bottom",
                index=(index - self.axis_index if len(self.raw_offsets) > 1 else 0)
                if offset
                else 1,
            )


class BatchReindex(_Moving):
    """Picks items of the batch by their numbers, in any order and as often as wanted.

    ## Shape
    Bottom 0 (N, ...); bottom 1 (M): numbers from 0 to N - 1. Top (M, ...).

    ## Differs from PyTorch
    `index_select` on axis 0 with the numbers given as floats.
    """

    type = "BatchReindex"
    bottoms = count(2)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom, numbers = bottoms
        if len(numbers) != 1:
            self.refuse(
                "wrong-number-of-axes",
                f"bottom 1 of a BatchReindex has one axis, not {len(numbers)}",
                "layer.bottom",
                index=1,
            )
        warn_in_place(self)
        top = (*numbers, *bottom[1:])
        self.check_size(top)
        return [top]


class Filter(_Moving):
    """Passes on the items of the batch that a selector marks.

    ## Shape
    Bottoms: any number (N, ...), and as the last one the selector, N numbers; items whose number is
    not 0 pass. Tops: one for each but the selector. How many items they have is known only when the
    net runs; until then they have the shapes of their bottoms, as Caffe sets them up
    (filter_layer.cpp, Reshape).

    ## Differs from PyTorch
    Indexing by a mask.
    """

    type = "Filter"
    bottoms = count(2, None)
    tops = count(1, None)

    def bind(self, param: Message) -> None:
        if self.top_count and self.bottom_count > 1 and self.top_count != self.bottom_count - 1:
            self.refuse(
                "wrong-number-of-tops",
                f"a Filter makes one top for each bottom but the selector; `{self.name}` has "
                f"{self.bottom_count} bottoms and {self.top_count} tops",
                "layer.top",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        *filtered, selector = bottoms
        if not selector or any(size != 1 for size in selector[1:]):
            self.refuse(
                "selector-not-flat",
                f"the selector holds one number per item; bottom {len(filtered)} is "
                f"{list(selector)}",
                "layer.bottom",
                index=len(filtered),
            )
        if selector[0] == 0:
            self.refuse(
                "empty-bottom",
                "the selector of a Filter has no values; Caffe reads it when it is set up",
                "layer.bottom",
                index=len(filtered),
            )
        for index, bottom in enumerate(filtered):
            if not bottom or bottom[0] != selector[0]:
                self.refuse(
                    "batch-sizes-differ",
                    f"the selector has {selector[0]} items, bottom {index} is {list(bottom)}",
                    "layer.bottom",
                    index=index,
                )
        warn_in_place(self)
        return list(filtered)
