"""YOLO: boxes read off maps of predictions."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from caffegen.text import Message

from .base import Cost, Definition, Shape, count
from .blob_shape import require_positive, to_int

__all__ = ["Prior", "PriorMap", "RegionOutput", "YoloDetectionOutput", "Yolov3DetectionOutput"]

# the numbers of a box before those of its classes: x, y, width, height, objectness
BOX = 5


class Prior(NamedTuple):
    """The size of a box before it is scaled by a prediction; `stride` of PriorMap tells its unit."""

    width: float
    height: float


class PriorMap(NamedTuple):
    """One map of predictions: its priors, in parts of a cell that is `stride` long."""

    priors: tuple[Prior, ...]
    stride: int


def _priors(definition: Definition, biases: list[float], least: int) -> tuple[Prior, ...]:
    """The pairs of numbers in `biases`; refuses fewer than `least` pairs."""
    if len(biases) < 2 * least:
        definition.refuse(
            "anchors-missing",
            f"{least} priors need {2 * least} `biases`, a width and a height each; "
            f"{definition.type} has {len(biases)}",
            "biases",
        )
    return tuple(Prior(*biases[at : at + 2]) for at in range(0, len(biases) - 1, 2))


class _Predictions(Definition):
    """What is read off maps (N, boxes * (5 + classes), H, W): box after box x, y, w, h, objectness,
    classes.
    """

    num_classes: int
    num_box: int

    def check_map(self, shape: Shape, index: int) -> None:
        """Refuse a bottom that is no such map."""
        if len(shape) != 4 or shape[1] != self.num_box * (BOX + self.num_classes):
            self.refuse(
                "channels-differ-from-parameters",
                f"{self.num_box} boxes of {BOX} numbers and {self.num_classes} classes are "
                f"{self.num_box * (BOX + self.num_classes)} channels; bottom {index} is "
                f"{list(shape)}",
                "layer.bottom",
                index=index,
            )

    def check_square(self, shape: Shape, index: int) -> None:
        """Refuse a map that is not as high as it is wide: the layer counts both by the width."""
        if shape[2] != shape[3]:
            self.refuse(
                "map-not-square",
                f"{self.type} takes maps as high as they are wide; bottom {index} is {list(shape)}",
                "layer.bottom",
                index=index,
            )

    def cost(self) -> Cost:
        return Cost(0, 10 * sum(prod(shape) for shape in self.bottom_shapes))


class _Detections(_Predictions):
    """What both outputs share: the candidates of all maps and images in one list, suppressed at once.

    The rows of the top are image, label, score, left, top, right and bottom, in parts of the image,
    the best score first. Label 0 is background; the image is always 0. A box goes when its overlap
    with a better one reaches `nms_threshold`, whatever their classes. Where nothing is found, there is
    a row for each image: its number, and -1 six times.
    """

    tops = count(1)
    run_time_axis = 2
    maps: tuple[PriorMap, ...]
    # whether a box stands for its best class alone, by a softmax; else for each class, by sigmoids
    best_class_only: bool
    confidence_threshold: float
    nms_threshold: float


class YoloDetectionOutput(_Detections):
    """Reads the boxes off YOLOv2's maps of predictions.

    Redmon and Farhadi, YOLO9000 (2016). A box stands for its best class, scored by objectness times
    the softmax of the classes, and counts from `confidence_threshold` on
    (yolo_detection_output_layer.cpp, Forward_cpu).

    ## Shape
    Bottoms: one or two maps (N, `num_box` * (5 + `num_classes`), S, S); further ones are not read.
    Top (1, 1, K, 7); K is known only when the net runs, and set up as 1.

    ## Differs from PyTorch
    No counterpart.

    ## Forks
    mobilenet-yolo. Of equal scores, whose order is open there, the first comes first here.
    """

    type = "YoloDetectionOutput"
    param = "yolo_detection_output_param"
    bottoms = count(1, None)
    best_class_only = True

    def bind(self, param: Message) -> None:
        self.num_classes = _num_classes(self, param)
        self.num_box = require_positive(self, "num_box", to_int(param.num_box))
        self.confidence_threshold = param.confidence_threshold
        self.nms_threshold = param.nms_threshold
        priors = _priors(self, list(param.biases), self.num_box)[: self.num_box]
        self.maps = (PriorMap(priors, 1),) * min(2, self.bottom_count)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        for index, shape in enumerate(bottoms[:2]):
            self.check_map(shape, index)
            self.check_square(shape, index)
        return [(1, 1, 1, 7)]


class Yolov3DetectionOutput(_Detections):
    """Reads the boxes off YOLOv3's maps of predictions.

    Redmon and Farhadi, YOLOv3 (2018). A box stands for each class whose sigmoid times the objectness
    is above `confidence_threshold` (yolov3_detection_output_layer.cpp, Forward_cpu).

    ## Shape
    Bottoms: `mask_group_num` maps (N, `num_box` * (5 + `num_classes`), H, W). Map i has the priors
    that the i-th part of `mask` numbers, in pixels of an image `anchors_scale` i times as large as
    the map. Top (1, 1, K, 7); K is known only when the net runs, and set up as 1.

    ## Differs from PyTorch
    No counterpart.

    ## Forks
    mobilenet-yolo. Of equal scores, whose order is open there, the first comes first here.
    """

    type = "Yolov3DetectionOutput"
    param = "yolov3_detection_output_param"
    bottoms = count(1, None)
    best_class_only = False

    def bind(self, param: Message) -> None:
        self.num_classes = _num_classes(self, param)
        self.num_box = require_positive(self, "num_box", to_int(param.num_box))
        self.confidence_threshold = param.confidence_threshold
        self.nms_threshold = param.nms_threshold
        self.gaussian_box: bool = param.gaussian_box
        groups, mask = param.mask_group_num, list(param.mask)
        if groups != self.bottom_count or not groups:
            self.refuse(
                "mask-groups-differ",
                f"`mask_group_num` is {groups}; `{self.name}` has {self.bottom_count} bottoms",
                "mask_group_num",
                help=f"write `mask_group_num: {self.bottom_count}`" if self.bottom_count else "",
            )
        each = len(mask) // groups
        for field, given, wanted in (
            ("mask", len(mask), (groups - 1) * each + self.num_box),
            ("anchors_scale", len(param.anchors_scale), groups),
        ):
            if given < wanted:
                self.refuse(
                    "mask-groups-differ",
                    f"{groups} maps of {self.num_box} boxes need `{field}` {wanted} times; it is "
                    f"given {given} times",
                    field,
                )
        priors = _priors(self, list(param.biases), max(mask) + 1)
        self.maps = tuple(
            PriorMap(
                tuple(priors[number] for number in mask[index * each :][: self.num_box]),
                param.anchors_scale[index],
            )
            for index in range(groups)
        )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        if not self.gaussian_box:
            for index, shape in enumerate(bottoms):
                self.check_map(shape, index)
        return [(1, 1, 1, 7)]


def _num_classes(definition: Definition, param: Message) -> int:
    if not param.has("num_classes"):
        definition.refuse(
            "num-classes-missing",
            f"{definition.type} needs `num_classes`",
            help="add `num_classes: 20`",
        )
    return require_positive(definition, "num_classes", to_int(param.num_classes))


class RegionOutput(_Predictions):
    """Reads the boxes off YOLOv2's map of predictions, all of them, with the scores of each class.

    Scores not above `thresh` are 0, and so are those of a class whose box overlaps a better box of
    that class by more than `nms` (region_loss_layer.cpp, get_region_boxes and do_nms_sort).

    ## Shape
    Bottoms: a map (1, boxes * (5 + `classes`), H, W), of (2, ...) for an image and its mirror
    image, whose predictions are averaged; the image's height and width. Tops: boxes (1, boxes * H * W, 4) of
    x and y of the centre, width and height in pixels of the image; scores (1, boxes * H * W,
    `classes` + 1), the last the best of all classes before suppression.

    ## Differs from PyTorch
    No counterpart.

    ## Forks
    MSRCCS/Caffe alone, which caffegen does not tell apart.
    """

    type = "RegionOutput"
    param = "region_output_param"
    bottoms = count(2)
    # the bottom that holds the size of the image
    image_size_at = 1
    tops = count(2)

    def bind(self, param: Message) -> None:
        self.num_classes = require_positive(self, "classes", param.classes)
        self.feat_stride = require_positive(self, "feat_stride", param.feat_stride)
        self.priors = _priors(self, list(param.biases), 1)
        if len(param.biases) % 2:
            self.refuse(
                "anchors-missing",
                f"`biases` are pairs of a width and a height; there are {len(param.biases)}",
                "biases",
            )
        self.num_box = len(self.priors)
        self.thresh: float = param.thresh
        self.nms: float = param.nms
        self.tree: str = param.tree
        self.coords: int = param.coords

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        shape, info = bottoms
        self.check_map(shape, 0)
        if shape[0] not in (1, 2):
            self.refuse(
                "proposals-of-one-image",
                f"RegionOutput takes one image, or one and its mirror image; bottom 0 has "
                f"{shape[0]}",
                "layer.bottom",
                index=0,
            )
        if prod(info) < 2:
            self.refuse(
                "image-info-incomplete",
                f"bottom 1 holds the image's height and width; it is {list(info)}",
                "layer.bottom",
                index=1,
            )
        boxes = self.num_box * prod(shape[2:])
        return [(1, boxes, 4), (1, boxes, self.num_classes + 1)]
