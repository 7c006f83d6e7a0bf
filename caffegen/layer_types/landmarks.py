"""Layers about points in pictures: maps with a spot at each, and the pieces around them."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import Cost, Definition, Shape, count
from .blob_shape import require_axes, to_int
from .four_axes import four_axes
from .in_place import refuse_in_place

__all__ = ["Hotspot", "SubRegion"]

Pair = tuple[int, int]


class _Points(Definition):
    """What both share: points as x and y in turn, in pixels of a picture of `data_size`."""

    def bind_points(self, param: Message) -> None:
        """The height and width of the picture that the points are of."""
        refuse_in_place(self)
        self.data_size: Pair = to_int(param.data_height), to_int(param.data_width)
        for field, size in zip(("data_height", "data_width"), self.data_size, strict=True):
            if size < 1:
                self.refuse(
                    "size-not-positive",
                    f"`{field}` is {size}; it must be at least 1",
                    field,
                    help=f"add `{field}: 224`, the size of the picture that the points are of",
                )

    def count_points(self, index: int, bottom: Shape) -> int:
        """How many points there are for each item; refuses half a point."""
        channels = four_axes(self, bottom)[1]
        if channels % 2:
            self.refuse(
                "rows-of-wrong-length",
                f"bottom {index} has an x and a y for each point; it is {list(bottom)}",
                "layer.bottom",
                index=index,
            )
        return channels // 2


class Hotspot(_Points):
    """A map for each point, with a normal distribution around it.

    ## Shape
    Bottom 0 (N, 2 points). Top (N, points, `output_height`, `output_width`); where one of them is 0,
    of the height and width of bottom 1.

    ## Differs from PyTorch
    No counterpart: exp(-r^2 / (2 s^2)) / (2 pi s^2) at a distance r, s the `gaussian_std`, and 0 from
    1e-4 down. With `mean_removed` points count from the middle of the picture.

    ## Forks
    happynear's (hotspot_layer.cpp). The points get no gradient.
    """

    type = "Hotspot"
    param = "hotspot_param"
    bottoms = count(1, 2)

    def bind(self, param: Message) -> None:
        self.bind_points(param)
        self.std: float = param.gaussian_std
        self.mean_removed: bool = param.mean_removed
        self.size: Pair = to_int(param.output_height), to_int(param.output_width)
        if self.std == 0:
            self.refuse("std-not-positive", "`gaussian_std` is 0; it divides", "gaussian_std")
        if not all(self.size) and self.bottom_count < 2:
            self.refuse(
                "new-size-incomplete",
                "Hotspot needs `output_height` and `output_width`, or a bottom 1 of the size",
                "output_height",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        points = self.count_points(0, bottoms[0])
        if not all(self.size):
            self.size = four_axes(self, bottoms[1])[2:]  # type: ignore[assignment]
        top = (four_axes(self, bottoms[0])[0], points, *self.size)
        self.check_size(top)
        return [top]

    def cost(self) -> Cost:
        return Cost(0, 8 * prod(self.top_shapes[0] or ()))


class SubRegion(_Points):
    """Pieces of pictures around points, of one size; 0 where a piece is outside.

    ## Shape
    Bottom 0 (N, C, H, W), bottom 1 (N, 2 points), bottom 2 as bottom 1: the true points. Top 0
    (N, points C, `region_height`, `region_width`), with `as_dim: 0` (points N, C, ...). Tops 1 and 2
    as bottom 1: from the piece's middle to the true point, and the middle.

    ## Differs from PyTorch
    No counterpart: pieces cut at whole pixels. Points count from the middle of the picture. Only
    bottom 0 gets a gradient.

    ## Forks
    happynear's (subregion_layer.cpp).
    """

    type = "SubRegion"
    param = "sub_region_param"
    bottoms = count(3)
    tops = count(1, 3)

    def bind(self, param: Message) -> None:
        self.bind_points(param)
        self.region: Pair = to_int(param.region_height), to_int(param.region_width)
        self.as_channels: bool = param.as_dim != 0
        for field, size in zip(("region_height", "region_width"), self.region, strict=True):
            if size < 1:
                self.refuse(
                    "size-not-positive", f"`{field}` is {size}; it must be at least 1", field
                )
        if self.top_count == 2:
            self.refuse(
                "wrong-number-of-tops",
                f"SubRegion makes 1 top or 3, `{self.name}` has 2",
                "layer.top",
                index=1,
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        require_axes(self, bottoms[0], 4, 4)
        points = self.count_points(1, bottoms[1])
        items, channels = bottoms[0][:2]
        for index in (1, 2):
            if prod(bottoms[index]) != items * 2 * points:
                self.refuse(
                    "bottom-counts-differ",
                    f"bottom {index} has an x and a y of {points} points for each of {items} items; "
                    f"it is {list(bottoms[index])}",
                    "layer.bottom",
                    index=index,
                )
        top = (items, channels * points) if self.as_channels else (items * points, channels)
        self.check_size((*top, *self.region), "region_height")
        return [(*top, *self.region), bottoms[1], bottoms[1]]

    def cost(self) -> Cost:
        return Cost()
