"""Region proposals: the boxes that a region proposal network (RPN) finds most likely to hold something."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import inf, prod, sqrt
from typing import NamedTuple

from caffegen.text import Message
from caffegen.text.message import round_float

from .base import INT_MAX, Cost, Definition, Shape, count
from .blob_shape import require_axes, require_positive, to_int

__all__ = ["Anchor", "Proposal", "ProposalLayer", "read_param_str"]


class Anchor(NamedTuple):
    """A reference box around the first cell, corners in pixels of the image."""

    x1: float
    y1: float
    x2: float
    y2: float


class _Proposals(Definition):
    """What both share: anchors shifted over the map and moved by predictions, then the best of them.

    In order of rows, columns and anchors, a box is decoded as in Faster R-CNN, where sizes count
    both end pixels, and cut off at the image. Boxes smaller than `min_size` times the image's scale
    are dropped or, where `drops` is False, scored 0. The best `pre_nms` go through non-maximum
    suppression, of which the best `post_nms` come out. Of equal scores the first box is the better.
    """

    bottoms = count(3)
    tops = count(1, 2)
    run_time_axis = 0
    feat_stride: int
    anchors: tuple[Anchor, ...]
    min_size: float
    drops: bool
    # the bottom that holds the size of the image
    image_size_at = 2
    # where in bottom 2 the scale of the height and that of the width stand
    scales_at: tuple[int, int] = (2, 2)
    pre_nms: int
    post_nms: int
    nms_thresh: float

    def check_bottoms(self, bottoms: tuple[Shape, ...], number: int) -> None:
        """Refuse maps that don't hold 2 scores and 4 numbers for each anchor."""
        scores, deltas, info = bottoms
        require_axes(self, scores, 4, 4)
        for index, (shape, each) in enumerate(((scores, 2), (deltas, 4))):
            wanted = (scores[0], each * number, *scores[2:])
            if shape != wanted:
                self.refuse(
                    "channels-differ-from-parameters",
                    f"{number} anchors ask for {list(wanted)}, {each} channels each; bottom "
                    f"{index} is {list(shape)}",
                    "layer.bottom",
                    index=index,
                )
        if prod(info) < 3:
            self.refuse(
                "image-info-incomplete",
                f"bottom 2 holds the image's height, width and scale; it is {list(info)}",
                "layer.bottom",
                index=2,
            )

    def cost(self) -> Cost:
        scores = self.bottom_shapes[0]
        boxes = len(self.anchors) * prod(scores[2:])
        kept = min(boxes, self.pre_nms or boxes)
        return Cost(0, scores[0] * (20 * boxes + 10 * kept * min(kept, self.post_nms or kept)))


class Proposal(_Proposals):
    """Turns the maps of a region proposal network into boxes, the likeliest first.

    ## Shape
    Bottoms: scores (N, 2A, H, W), background before foreground; moves (N, 4A, H, W); image height,
    width and scale, and where there is a fourth number, the scales of height and width apart. A is
    `ratio` times `scale`. Tops: R regions (R, 5) of image, x1, y1, x2, y2, and their scores (R).
    R, at most N * `post_nms_topn`, is known only when the net runs.

    ## Differs from PyTorch
    No counterpart.

    ## Forks
    All mark boxes below `min_size` by a score of 0 (proposal_layer.cpp, transform_box), and read one
    `im_info` for the whole batch. The anchors differ: with an `im_info` of 3 numbers, which the
    forks would read past the end of, they are py-faster-rcnn's, as in OpenCV; with more, PVANet
    takes `scale` times `base_size`, rounding last, and happynear takes it for pixels, where none is
    below `base_size`. The forks' order of equal scores is that of their quicksort; here the first
    comes first.
    """

    type = "Proposal"
    param = "proposal_param"
    drops = False

    def bind(self, param: Message) -> None:
        self.feat_stride = to_int(param.feat_stride)
        self.base_size = to_int(param.base_size)
        self.min_size = float(param.min_size)
        self.pre_nms = to_int(param.pre_nms_topn)
        self.post_nms = to_int(param.post_nms_topn)
        self.nms_thresh = param.nms_thresh
        self.each(
            lambda: require_positive(self, "feat_stride", self.feat_stride),
            lambda: require_positive(self, "base_size", self.base_size),
            lambda: require_positive(self, "pre_nms_topn", self.pre_nms),
            lambda: require_positive(self, "post_nms_topn", self.post_nms),
            lambda: self.check_anchors(param, "ratio"),
            lambda: self.check_anchors(param, "scale"),
        )

    def check_anchors(self, param: Message, field: str) -> None:
        """Refuse ratios or scales that make no anchors."""
        if not param.get(field):
            self.refuse(
                "anchors-missing",
                f"Proposal has no `{field}`, and so no anchors",
                help=f"add `{field}: {'1' if field == 'ratio' else '8'}`",
            )
        for index, value in enumerate(param.get(field)):
            if not 0 < value < inf:
                limit = "finite" if value > 0 else "above 0"
                self.refuse(
                    "size-not-positive", f"`{field}` is {value}; it must be {limit}", field,
                    index=index,
                )  # fmt: skip

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        values = prod(bottoms[2])
        self.anchors = self.choose_anchors(values)
        self.scales_at = (2, 3) if values > 3 else (2, 2)
        self.check_bottoms(bottoms, len(self.anchors))
        rois = bottoms[0][0] * self.post_nms
        return [(rois, 5), (rois,)]

    def choose_anchors(self, values: int) -> tuple[Anchor, ...]:
        """The anchors of the fork that the layer is written for."""
        param = self.layer.get(self.param)
        ratios, scales = list(param.ratio), list(param.scale)
        if values == 3:
            return rounded_first(self.base_size, ratios, scales)
        if min(scales) < self.base_size:
            return rounded_last(self.base_size, ratios, scales)
        if self.dialect != "happynear":
            self.refuse(
                "dialect-undecided",
                f"happynear's Caffe reads `scale` ({scales[0]:g}) as pixels, PVANet's as so many "
                f"times `base_size` ({self.base_size}), and nothing here tells which is meant",
                "scale",
                help="say `--dialect happynear` if that is meant",
            )
        return rounded_last(self.base_size, ratios, [s / self.base_size for s in scales])


class ProposalLayer(_Proposals):
    """Turns the maps of a region proposal network into boxes, the likeliest first: py-faster-rcnn's.

    A Python layer, but a well-known one (lib/rpn/proposal_layer.py), computed here by caffegen's
    own code. In TEST it passes 6000 boxes to non-maximum suppression and at most 300 on, in TRAIN
    12000 and 2000; overlaps above 0.7 are suppressed, boxes below 16 pixels of the unscaled image
    dropped: what lib/fast_rcnn/config.py says, unless a run's own `--cfg` file says otherwise.

    ## Shape
    Bottoms: scores (1, 2A, H, W), background before foreground; moves (1, 4A, H, W); image height,
    width and scale. A is 3 times the number of `scales` in `param_str`, 9 by default. Tops: R
    regions (R, 5) of image (always 0), x1, y1, x2, y2, and their scores (R, 1). R is known only
    when the net runs; it is set up as 1.

    ## Differs from PyTorch
    No counterpart.

    ## Forks
    Any Caffe with Python layers. `ratios` and `base_size` are read as in soeaver's py-RFCN-priv.
    """

    type = "rpn.proposal_layer.ProposalLayer"
    param = "python_param"
    drops = True
    min_size = 16.0
    nms_thresh = round_float(0.7)

    def bind(self, param: Message) -> None:
        self.pre_nms, self.post_nms = (12000, 2000) if self.phase == "TRAIN" else (6000, 300)
        try:
            given = read_param_str(param.param_str)
        except ValueError as error:
            self.refuse("param-str-not-read", f"{error} in the `param_str` of a ProposalLayer",
                        "param_str", help="write `param_str: \"'feat_stride': 16\"`")  # fmt: skip
        unread = sorted(given.keys() - {"feat_stride", "scales", "ratios", "base_size"})
        if unread:
            self.refuse(
                "param-str-not-read",
                f"py-faster-rcnn's ProposalLayer reads no `{unread[0]}` from its `param_str`",
                "param_str",
            )
        stride, base = given.get("feat_stride", ()), given.get("base_size", (16.0,))
        if not _is_whole(stride):
            self.refuse(
                "param-str-not-read",
                "a ProposalLayer needs `feat_stride`, the pixels from cell to cell, in its "
                "`param_str`",
                "param_str",
                help="write `param_str: \"'feat_stride': 16\"`",
            )
        self.feat_stride = int(stride[0])
        self.anchors_given = not given.keys().isdisjoint({"ratios", "scales"})
        ratios = given.get("ratios", (0.5, 1.0, 2.0))
        scales = given.get("scales", (8.0, 16.0, 32.0))
        if not _is_whole(base) or not all(0 < number < inf for number in (*ratios, *scales)):
            self.refuse(
                "param-str-not-read",
                "the `base_size` of a ProposalLayer is a whole number of pixels, its `ratios` and "
                "`scales` are above 0",
                "param_str",
            )
        self.anchors = rounded_first(int(base[0]), ratios, scales)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        self.check_bottoms(bottoms, self.anchors_of_its_own(bottoms) or len(self.anchors))
        if bottoms[0][0] != 1:
            self.refuse(
                "proposals-of-one-image",
                f"a ProposalLayer takes one image; bottom 0 has {bottoms[0][0]}",
                "layer.bottom",
                index=0,
            )
        return [(1, 5), (1, 1)]

    def anchors_of_its_own(self, bottoms: tuple[Shape, ...]) -> int:
        """How many anchors the net's own copy of the layer has, where that is another number; or 0."""
        scores, deltas, _ = bottoms
        number = scores[1] // 2 if len(scores) == 4 else 0
        wanted = (*scores[:1], 4 * number, *scores[2:])
        if self.anchors_given or number in (0, len(self.anchors)) or deltas != wanted:
            return 0
        said = (
            f"the maps are for {number} anchors, py-faster-rcnn's ProposalLayer has "
            f"{len(self.anchors)}: the net's own is another"
        )
        self.warn(
            "anchors-of-its-own", said, "param_str",
            help="write its `scales` and `ratios` into the `param_str`",
        )  # fmt: skip
        self.obstacle = said
        return number


def _is_whole(numbers: Sequence[float]) -> bool:
    """Whether it is one number, whole and at least 1, as an int of Caffe's can be."""
    return len(numbers) == 1 and 1 <= numbers[0] <= INT_MAX and numbers[0] % 1 == 0


def _box(centre: float, width: float, height: float) -> Anchor:
    """The corners of a box whose sizes count both end pixels."""
    right, bottom = 0.5 * (width - 1), 0.5 * (height - 1)
    return Anchor(centre - right, centre - bottom, centre + right, centre + bottom)


def rounded_first(
    base: int, ratios: Sequence[float], scales: Sequence[float]
) -> tuple[Anchor, ...]:
    """py-faster-rcnn's anchors (generate_anchors.py): a rounded box for each ratio, times each scale."""
    boxes = []
    for ratio in ratios:
        width = round(sqrt(base * base / ratio))
        height = round(width * ratio)
        boxes += [_box(0.5 * (base - 1), width * scale, height * scale) for scale in scales]
    return tuple(boxes)


def rounded_last(base: int, ratios: Sequence[float], scales: Sequence[float]) -> tuple[Anchor, ...]:
    """PVANet's anchors (proposal_layer.cpp, generate_anchors): rounded once they are scaled."""
    boxes = []
    for ratio in ratios:
        width = round_float(sqrt(base * base / ratio))
        height = round_float(width * ratio)
        boxes += [
            _box(
                0.5 * (base - 1),
                int(width * scale - 1 + 0.5) + 1,
                int(height * scale - 1 + 0.5) + 1,
            )
            for scale in scales
        ]
    return tuple(boxes)


_ENTRY = re.compile(
    r"""\s*(?P<quote>['"]?)(?P<key>\w+)(?P=quote)\s*:\s*
    (?:(?P<number>[-+.\deE]+)|(?:!!python/tuple\s*)?[\[(](?P<list>[-+.\deE,\s]*)[\])])\s*,?""",
    re.VERBOSE,
)


def read_param_str(text: str) -> dict[str, tuple[float, ...]]:
    """The numbers and lists of numbers by key in a `param_str`, one YAML mapping.

    Raises ValueError with what could not be read.
    """
    found = {}
    text = text.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1].strip()
    at = 0
    while at < len(text):
        entry = _ENTRY.match(text, at)
        numbers = (entry["number"] or entry["list"] or "").split(",") if entry else []
        try:
            values = tuple(float(number) for number in numbers if number.strip())
        except ValueError:
            values = ()
        if entry is None or not values:
            raise ValueError(f"can't read `{text[at:].strip().splitlines()[0]}`")
        found[entry["key"]] = values
        at = entry.end()
    return found
