"""The boxes that a single-shot detector starts from."""

from __future__ import annotations

from math import inf, sqrt

from caffegen.text import Message
from caffegen.text.message import round_float

from .base import Cost, Definition, Shape, count
from .blob_shape import to_int
from .four_axes import legacy_size
from .spatial import hw_fields

__all__ = ["PriorBox"]

# two aspect ratios that are nearer than this are one
_SAME_RATIO = 1e-6


class PriorBox(Definition):
    """Boxes of several sizes and shapes around every cell of a feature map.

    `boxes` holds width and height, in pixels of the image, of the boxes of a cell, in Caffe's order:
    for each `min_size` its square, the square of sqrt(min_size max_size) if there are `max_size`s,
    and one box for each other aspect ratio (with `flip` its inverse behind it). Sizes are cut to
    whole pixels: `min_size: 35.84` is 35.

    ## Shape
    Bottom 0 (N, C, H, W): the feature map. Bottom 1 (N, C, H, W): the image, not needed where
    `img_size` or `img_h` and `img_w` are given. Only the sizes of both count. Top (1, 2, H W
    `priors` 4): in row 0 the boxes as xmin, ymin, xmax, ymax in shares of the image, by rows of
    the map, in row 1 the variances of each.

    ## Differs from PyTorch
    No counterpart. A cell's centre lies at (index + `offset`) steps; a step is the size of the image
    over that of the map, unless `step` says otherwise.

    ## Forks
    ssd, intel, nvidia and mobilenet-yolo compute the same. OpenCV's importer does not cut sizes to
    whole pixels.
    """

    type = "PriorBox"
    param = "prior_box_param"
    bottoms = count(1, None)
    image: tuple[int, int] | None
    step: tuple[float, float] | None

    def bind(self, param: Message) -> None:
        self.clip: bool = param.clip
        self.offset: float = param.offset
        self.each(
            lambda: self.bind_boxes(param),
            lambda: self.bind_variances(param),
            lambda: self.bind_image(param),
            lambda: self.bind_step(param),
        )

    def bind_step(self, param: Message) -> None:
        """The distance of the cells."""
        self.step = self.bind_pair(param, "step", "step")

    def bind_image(self, param: Message) -> None:
        """The size of the image, where no bottom gives it."""
        image = self.bind_pair(param, "img_size", "img")
        self.image = None if image is None else (to_int(int(image[0])), to_int(int(image[1])))
        if self.image is None and self.bottom_count == 1:
            self.refuse(
                "image-size-missing",
                "a PriorBox with 1 bottom does not know the size of the image",
                help="add the image as second bottom, or `img_size`",
            )

    def bind_boxes(self, param: Message) -> None:
        """Width and height of the boxes of a cell."""
        least, most = self.bind_sizes(param)
        ratios = self.bind_ratios(param)
        found = []
        for index, size in enumerate(least):
            found.append((float(size), float(size)))
            if most:
                side = round_float(sqrt(size * most[index]))
                found.append((side, side))
            for ratio in ratios:
                root = sqrt(ratio)
                # a cut size of 0 gives an empty box
                found.append((round_float(size * root), round_float(size / root)))
        self.boxes = tuple(found)

    def bind_sizes(self, param: Message) -> tuple[list[int], list[int]]:
        """`min_size` and `max_size`, cut to integers."""
        if not param.min_size:
            self.refuse(
                "min-size-missing", "a PriorBox needs `min_size`", help="add `min_size: 30`"
            )
        if param.max_size and len(param.max_size) != len(param.min_size):
            self.refuse(
                "max-size-count",
                f"`max_size` is given {len(param.max_size)} times, `min_size` "
                f"{len(param.min_size)} times; each `min_size` has its own, or none has",
                "max_size",
            )
        for index, least in enumerate(param.min_size):
            self.check_positive("min_size", least, index)
            if param.max_size and not param.max_size[index] > least:
                self.refuse(
                    "max-size-not-above-min-size",
                    f"`max_size` {param.max_size[index]:g} is not above its `min_size` {least:g}",
                    "max_size",
                    index=index,
                    other=("min_size", "the `min_size` is here"),
                )
            if param.max_size:
                self.check_positive("max_size", param.max_size[index], index)
        return [int(size) for size in param.min_size], [int(size) for size in param.max_size]

    def bind_ratios(self, param: Message) -> list[float]:
        """The aspect ratios other than 1, each once, with `flip` each before its inverse."""
        found = [1.0]
        for index, ratio in enumerate(param.aspect_ratio):
            self.check_positive("aspect_ratio", ratio, index)
            if any(abs(round_float(ratio - other)) < _SAME_RATIO for other in found):
                continue
            found.append(ratio)
            if param.flip:
                found.append(round_float(1 / ratio))
        return found[1:]

    def bind_variances(self, param: Message) -> None:
        """The variance of each of a box's four values."""
        given = tuple(param.variance)
        if len(given) not in (0, 1, 4):
            self.refuse(
                "variance-count",
                f"`variance` is given {len(given)} times; a box has 1 or 4",
                "variance",
            )
        for index, variance in enumerate(given):
            self.check_positive("variance", variance, index)
        one, two, three, four = given if len(given) == 4 else (given or (round_float(0.1),)) * 4
        self.variances = one, two, three, four

    def bind_pair(self, param: Message, one: str, pair: str) -> tuple[float, float] | None:
        """Height and width from one field or from two; None where neither is written."""
        fields = hw_fields(self, param, one, pair)
        if fields is None:
            return None
        for field in fields:
            self.check_positive(field, param.get(field))
        return param.get(fields[0]), param.get(fields[1])

    def check_positive(self, field: str, value: float, index: int | None = None) -> None:
        """Refuse a size, a ratio, a variance or a step that is not above 0, or not finite."""
        if not 0 < value < inf:
            limit = "finite" if value > 0 else "above 0"
            self.refuse(
                "prior-box-not-positive",
                f"`{field}` is {value:g}; a PriorBox takes only what is {limit}",
                field,
                index=index,
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        for index, bottom in enumerate(bottoms[:2]):
            if len(bottom) > 4:
                self.refuse(
                    "wrong-number-of-axes",
                    f"PriorBox takes blobs of up to 4 axes; bottom {index} has {len(bottom)}",
                    "layer.bottom",
                    index=index,
                )
        self.cells = legacy_size(bottoms[0], 2), legacy_size(bottoms[0], 3)
        if not all(self.cells):
            self.refuse(
                "empty-bottom",
                f"the bottom is {list(bottoms[0])}; PriorBox can't be set up without values",
                "layer.bottom",
                index=0,
            )
        top = (1, 2, self.cells[0] * self.cells[1] * len(self.boxes) * 4)
        self.check_size(top)
        return [top]

    def cost(self) -> Cost:
        # per value of a box: half a side, added to the centre, over the size of the image
        return Cost(0, 3 * self.cells[0] * self.cells[1] * len(self.boxes) * 4)
