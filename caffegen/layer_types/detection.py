"""Boxes found in an image: from a detector's raw output, and their comparison with the truth."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import Cost, Definition, Shape, count
from .blob_shape import to_int
from .four_axes import legacy_size

__all__ = ["DetectionEvaluate", "DetectionOutput", "bind_classes", "check_predictions"]


def bind_classes(definition: Definition, param: Message) -> int:
    """`num_classes`, which these layers need."""
    classes = to_int(param.num_classes)
    if not param.has("num_classes") or classes < 1:
        definition.refuse(
            "num-classes-missing",
            f"{definition.type} needs `num_classes` of at least 1, the background counted",
            "num_classes",
            help="add `num_classes: 21`",
        )
    return classes


def check_predictions(
    definition: Definition, bottoms: tuple[Shape, ...], classes: int, location_classes: int
) -> int:
    """The number of priors of bottom 2; refuses locations and scores (bottoms 0, 1) of others."""
    for index in (0, 1):
        if not bottoms[index]:
            definition.refuse(
                "axis-out-of-range",
                f"bottom {index} of {definition.type} has no axes; it needs one for the batch",
                "layer.bottom",
                index=index,
            )
    if bottoms[0][0] != bottoms[1][0]:
        definition.refuse(
            "batch-sizes-differ",
            f"bottoms 0 and 1 of {definition.type} have one first size; bottom 0 has "
            f"{bottoms[0][0]}, bottom 1 has {bottoms[1][0]}",
            "layer.bottom",
            index=1,
        )
    size = legacy_size(bottoms[2], 2)
    priors = size // 4
    if size % 4 or not priors or prod(bottoms[2]) != 2 * size:
        definition.refuse(
            "prior-count-differs",
            f"bottom 2 of {definition.type} holds boxes and variances, (1, 2, 4 priors); it is "
            f"{list(bottoms[2])}",
            "layer.bottom",
            index=2,
        )
    wanted = (("locations", 4 * location_classes), ("scores", classes))
    for index, (what, each) in enumerate(wanted):
        if bottoms[index][1:2] != (priors * each,) or prod(bottoms[index][2:]) != 1:
            definition.refuse(
                "prior-count-differs",
                f"{priors} priors take {what} of (N, {priors * each}); bottom {index} is "
                f"{list(bottoms[index])}",
                "layer.bottom",
                index=index,
                help="TextBoxes' and FaceBoxes' own Caffes make more priors of a PriorBox than SSD's"
                if bottoms[index][1:2] > (priors * each,)
                else "",
            )
    return priors


class _OfClasses(Definition):
    """What both share: the number of classes, of which one is the background."""

    num_classes: int
    background_label_id: int

    @property
    def label_count(self) -> int:
        """How many classes there are but the background."""
        return self.num_classes - (0 <= self.background_label_id < self.num_classes)

    @property
    def labels(self) -> tuple[int, ...]:
        """The classes but the background; made when it is asked for: a file may say any number."""
        return tuple(c for c in range(self.num_classes) if c != self.background_label_id)


class DetectionOutput(_OfClasses):
    """Decodes a detector's boxes, drops those that overlap better ones, and lists the rest.

    Per image and class: the scores above `confidence_threshold`, best first (of equal ones the
    earlier prior); of these `nms_param.top_k`; a box is dropped that overlaps a kept one by more
    than `nms_threshold`. The best `keep_top_k` of all classes of an image stay.

    ## Shape
    Bottom 0 (N, P L 4): locations for P priors and L location classes (1 with `share_location`).
    Bottom 1 (N, P C): scores. Bottom 2 (1, 2, P 4): priors, as PriorBox gives them. A bottom 3 is
    there to be shown. Top (1, 1, rows, 7): image, class, score, xmin, ymin, xmax, ymax; by image,
    by class, best first. How many rows there are only the data say; the definition says 1, as Caffe
    does at set-up. Where nothing at all is found, there is a row (image, -1, -1, -1, -1, -1, -1)
    for each image.

    ## Differs from PyTorch
    torchvision's `batched_nms` on decoded boxes, with the class left out of the boxes. `eta` below 1
    makes the threshold smaller with every box that is kept, as long as it is above 0.5.

    ## Forks
    ssd, nvidia and mobilenet-yolo compute the same; all but the CPU code of ssd leave the order of
    equal scores open. intel's CPU code pads the candidates with the first prior where scores are not
    above the threshold; this is not followed. Results are neither saved (`save_output_param`) nor
    shown (`visualize`).
    """

    type = "DetectionOutput"
    param = "detection_output_param"
    bottoms = count(3, 4)
    run_time_axis = 2
    # None: every score counts
    confidence_threshold: float | None

    def bind(self, param: Message) -> None:
        self.num_classes = bind_classes(self, param)
        self.share_location: bool = param.share_location
        self.background_label_id = to_int(param.background_label_id)
        self.code_type: str = param.code_type
        self.variance_encoded_in_target: bool = param.variance_encoded_in_target
        given = param.has("confidence_threshold")
        self.confidence_threshold = param.confidence_threshold if given else None
        self.bind_suppression(param.nms_param)
        # -1, or any number below 0: all
        self.keep_top_k: int = max(-1, param.keep_top_k)
        self.warn_of_side_effects(param)
        if self.background_label_id == -1 and self.share_location:
            self.warn(
                "shared-locations-without-background",
                "without a background class Caffe stops on a CPU where locations are shared; on a "
                "GPU it runs",
                "background_label_id",
            )

    def bind_suppression(self, nms: Message) -> None:
        """What says which overlapping boxes are dropped."""
        self.nms_threshold: float = nms.nms_threshold
        self.eta: float = nms.eta
        self.top_k: int = max(-1, nms.top_k) if nms.has("top_k") else -1
        if self.nms_threshold < 0:
            self.fault(
                "nms-threshold-negative",
                f"`nms_threshold` is {self.nms_threshold:g}; an overlap is 0 or more",
                "nms_param.nms_threshold",
            )
        if not 0 < self.eta <= 1:
            self.fault(
                "eta-out-of-range",
                f"`eta` is {self.eta:g}; it is above 0 and not above 1",
                "nms_param.eta",
            )

    @property
    def adaptive(self) -> bool:
        """Whether the threshold falls while boxes are kept."""
        return self.eta < 1 and self.nms_threshold > 0.5

    def warn_of_side_effects(self, param: Message) -> None:
        """Warn of what Caffe does beside its output, and caffegen does not."""
        save = param.save_output_param
        files = (save.output_directory, save.label_map_file, save.name_size_file)
        for field, on in (("save_output_param", all(files)), ("visualize", param.visualize)):
            if on:
                self.warn(
                    "detections-saved-or-shown",
                    f"`{field}` is for Caffe alone; elsewhere the detections are the top, neither "
                    "saved nor shown",
                    field,
                )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        classes = 1 if self.share_location else self.num_classes
        self.priors = check_predictions(self, bottoms, self.num_classes, classes)
        return [(1, 1, 1, 7)]

    def cost(self) -> Cost:
        # decoding a box: 4 values, each scaled, shifted and added; a score is compared once
        images = self.bottom_shapes[0][0]
        boxes = images * self.priors * (1 if self.share_location else self.num_classes)
        return Cost(0, 12 * boxes + images * self.priors * self.label_count)


class DetectionEvaluate(_OfClasses):
    """Marks each detection as true or false by the boxes that are really there.

    A detection is true if its best overlap with a box of its class in its image reaches
    `overlap_threshold` and no better detection has taken that box. With `evaluate_difficult_gt:
    false` a match with a difficult box counts as neither.

    ## Shape
    Bottom 0 (1, 1, D, 7): detections, as DetectionOutput gives them. Bottom 1 (1, 1, B, 8): boxes,
    as AnnotatedData gives them. Top (1, 1, rows, 5): for each class (-1, class, number of boxes, -1,
    -1), then for each detection (image, class, score, true, false), by image, by class, best first.
    How many rows there are only the data say; the definition counts all D.

    ## Differs from PyTorch
    No counterpart; average precision is computed from the rows.

    ## Forks
    ssd, intel and mobilenet-yolo compute the same; nvidia drops boxes of the background, where the
    others stop.
    """

    type = "DetectionEvaluate"
    param = "detection_evaluate_param"
    bottoms = count(2, None)
    run_time_axis = 2

    def bind(self, param: Message) -> None:
        self.num_classes = bind_classes(self, param)
        self.background_label_id = to_int(param.background_label_id)
        self.overlap_threshold: float = param.overlap_threshold
        self.evaluate_difficult_gt: bool = param.evaluate_difficult_gt
        # the sizes of the images in pixels; None where boxes are compared in shares of the image
        self.name_size_file: str | None = (
            param.name_size_file if param.has("name_size_file") else None
        )
        if not self.overlap_threshold > 0:
            self.fault(
                "overlap-threshold-not-positive",
                f"`overlap_threshold` is {self.overlap_threshold:g}; it must be above 0",
                "overlap_threshold",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        for index, (bottom, size) in enumerate(zip(bottoms, (7, 8), strict=False)):
            if bottom[:2] != (1, 1) or len(bottom) != 4 or bottom[3] != size:
                self.refuse(
                    "rows-of-wrong-length",
                    f"bottom {index} of DetectionEvaluate is (1, 1, rows, {size}); it is "
                    f"{list(bottom)}",
                    "layer.bottom",
                    index=index,
                )
        # what Caffe counts: all but -1, which may be no class of the net at all
        classes = self.num_classes - (self.background_label_id != -1)
        top = (1, 1, classes + bottoms[0][2], 5)
        self.check_size(top, "num_classes")
        return [top]

    def cost(self) -> Cost:
        # an overlap: 12 operations
        return Cost(0, 12 * self.bottom_shapes[0][2] * self.bottom_shapes[1][2])
