"""Layers that pick a part of a blob: a window of it, or some of its items."""

from __future__ import annotations

from caffegen.text import Message

from .base import Shape, count
from .blob_shape import require_axes
from .in_place import warn_in_place
from .reshaping import _Moving

__all__ = ["BatchReindex", "Crop", "Filter"]


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
        # it counts the items when it runs (batch_reindex_layer.cpp, Forward_cpu)
        require_axes(self, bottom, 1)
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
    run_time_axis = 0

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
