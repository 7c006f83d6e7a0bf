"""YOLO's losses, by which its maps of predictions are trained, and the measure of such maps."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import Definition, Shape, count
from .blob_shape import require_axes, require_positive, to_int
from .yolo import BOX, _Predictions, _priors

__all__ = ["EvalDetection", "RegionLoss", "YoloSeg", "Yolov3"]


class _MapLoss(_Predictions):
    """What the losses share: a top with no axes, loss weight 1, and a gradient of their own making.

    The loss is the sum of the squares of what the layer hands back as the gradient.
    """

    bottoms = count(2)
    tops = count(1)
    auto_top = True
    loss = True


class RegionLoss(_MapLoss):
    """Trains YOLOv2's map of predictions on labelled boxes; in TRAIN only.

    ## Shape
    Bottoms: a map (N, `num` * (5 + `num_class`), S, S); labels. Top: one number, no axes.

    ## Differs from PyTorch
    No counterpart; the gradient is not that of the number.

    ## Forks
    mobilenet-yolo takes labels (N, 1, 300, 5), 300 boxes of class, x, y, width and height. intel takes
    (1, 1, M, 8), as AnnotatedData makes them, clips the gradient, and can have a tree of classes.
    """

    type = "RegionLoss"
    param = "region_loss_param"

    def bind(self, param: Message) -> None:
        self.num_classes = require_positive(self, "num_class", to_int(param.num_class))
        self.num_box = require_positive(self, "num", to_int(param.num))

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        self.check_map(bottoms[0], 0)
        self.check_square(bottoms[0], 0)
        return [()]


class Yolov3(_MapLoss):
    """Trains one of YOLOv3's maps of predictions on labelled boxes; in TRAIN only.

    ## Shape
    Bottoms: a map (N, `num` * (5 + `num_class`), H, W); labels (N, 1, 300, 5), 300 boxes of class,
    x, y, width and height in parts of the image. Top: one number, no axes.

    ## Differs from PyTorch
    No counterpart; the gradient is not that of the number.

    ## Forks
    mobilenet-yolo.
    """

    type = "Yolov3"
    param = "yolov3_param"

    def bind(self, param: Message) -> None:
        self.num_classes = require_positive(self, "num_class", to_int(param.num_class))
        self.num_box = require_positive(self, "num", to_int(param.num))
        mask = list(param.mask)
        if len(mask) < self.num_box:
            self.refuse(
                "mask-groups-differ",
                f"{self.num_box} boxes need `mask` {self.num_box} times; it is given {len(mask)} "
                "times",
                "mask",
            )
        self.priors = _priors(self, list(param.biases), max(mask) + 1)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        self.check_map(bottoms[0], 0)
        if not bottoms[1] or bottoms[1][0] != bottoms[0][0]:
            self.refuse(
                "batch-sizes-differ",
                f"the bottoms of Yolov3 have one first size; bottom 0 is {list(bottoms[0])}, "
                f"bottom 1 {list(bottoms[1])}",
                "layer.bottom",
                index=1,
            )
        return [()]


class YoloSeg(Definition):
    """Trains maps of classes on masks by the squared differences of sigmoids; in TRAIN only.

    ## Shape
    Bottoms: scores (N, C, H, W); masks of as many values; how many pixels of each image are of each
    class (N, C). Top: one number, no axes.

    ## Differs from PyTorch
    No counterpart; the gradient is not that of the number.

    ## Forks
    mobilenet-yolo.
    """

    type = "YoloSeg"
    param = "yolo_seg_param"
    bottoms = count(3)
    tops = count(1)
    auto_top = True
    loss = True

    def bind(self, param: Message) -> None:
        self.object_scale: float = param.object_scale

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        require_axes(self, bottoms[0], 4, 4)
        if prod(bottoms[0]) != prod(bottoms[1]) or bottoms[0][0] != bottoms[1][0]:
            self.refuse(
                "label-count-differs",
                f"bottom 1 is {list(bottoms[1])}; YoloSeg takes a mask for each of "
                f"{list(bottoms[0])}",
                "layer.bottom",
                index=1,
            )
        return [()]


class EvalDetection(_Predictions):
    """Measures YOLOv2's map of predictions against labelled boxes, for a mean average precision.

    ## Shape
    Bottoms: a map (N, `num_object` * (5 + `num_class`), `side`, `side`); labels (1, 1, M, 8), as
    AnnotatedData makes them. Top (N, `num_class` + 4 * `num_object` * `side`^2): the number of labels
    of each class, then class, score, hit and miss of each box.

    ## Differs from PyTorch
    No counterpart.

    ## Forks
    intel, and only with an `nms` from 0 on: below that it finds no boxes.
    """

    type = "EvalDetection"
    param = "eval_detection_param"
    # more than the two that it reads stand in intel's own nets
    bottoms = count(2, None)
    tops = count(1)

    def bind(self, param: Message) -> None:
        self.num_classes = require_positive(self, "num_class", to_int(param.num_class))
        self.num_box = require_positive(self, "num_object", to_int(param.num_object))
        self.side = require_positive(self, "side", to_int(param.side))

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        wanted = self.side**2 * self.num_box * (BOX + self.num_classes)
        if prod(bottoms[0][1:]) != wanted:
            self.refuse(
                "channels-differ-from-parameters",
                f"{self.num_box} boxes of {BOX} numbers and {self.num_classes} classes in "
                f"{self.side} x {self.side} cells are {wanted} numbers; bottom 0 is "
                f"{list(bottoms[0])}",
                "layer.bottom",
                index=0,
            )
        return [(bottoms[0][0], self.num_classes + 4 * self.num_box * self.side**2)]
