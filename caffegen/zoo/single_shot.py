"""What single-shot detectors are made of, in the layers of SSD's authors' Caffe: data to detections.

Liu et al., "SSD: Single Shot MultiBox Detector" (2016): blobs of falling size score boxes of rising
size. Images come with the boxes that are in them, by AnnotatedData; MultiBoxLoss matches those with
the priors to train, and DetectionEvaluate counts in TEST how many were found.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from caffegen.dsl import Top
from caffegen.dsl import layers as L  # noqa: N812
from caffegen.dsl.blocks import Feature

from .architecture import Option, ZooError
from .dataset import Images, data_options
from .published import Builder

__all__ = [
    "FOUND",
    "Found",
    "Scored",
    "Source",
    "add_annotated_data",
    "add_detections",
    "add_prior_boxes",
    "box_options",
    "pixel_by_pixel",
]

VARIANCE = (0.1, 0.1, 0.2, 0.2)
# section 2.2, "Data augmentation": the whole image, samples that overlap an object by at least
# this much, and samples of any overlap
OVERLAPS = (0.1, 0.3, 0.5, 0.7, 0.9)
_LABELS = "data/VOC0712/labelmap_voc.prototxt"
_SIZES = "data/VOC0712/test_name_size.txt"


class Source(NamedTuple):
    """A blob that scores boxes: how large they are, how long, how many pixels apart.

    Sizes are for the images that the net is made for. Without a `max_size` there is one square at a
    pixel, without a `step` the boxes are spread evenly.
    """

    blob: str
    min_size: float
    max_size: float
    aspect_ratios: tuple[int, ...]
    step: int = 0

    @property
    def boxes(self) -> int:
        """Boxes at a pixel: one square or two, and every ratio upright and flat."""
        return 1 + bool(self.max_size) + 2 * len(self.aspect_ratios)


class Scored(NamedTuple):
    """What all sources give: the places of boxes, the scores of the classes, and the priors."""

    located: list[Top]
    scored: list[Top]
    priors: list[Top]


class Found(NamedTuple):
    """Which detections are kept: the least score, the best of a class, and of an image."""

    confidence_threshold: float
    top_k: int
    keep_top_k: int


FOUND = Found(0.01, 400, 200)


def box_options(
    classes: object, input_size: object, train_batch: int, deploy: str = "An Input"
) -> tuple[Option, ...]:
    """The options that every family has, with what differs where labels are boxes."""
    ends = "annotated data, the loss and the average precision"
    *most, phase, data = data_options(classes, input_size, train_batch, ends)
    phase = phase._replace(help=f"{deploy} and the detections, or {ends}.")
    told = (
        "Where train_val reads: LMDBs of annotated images, or blobs that the caller fills, with a "
        "row of 8 numbers a box."
    )
    return (*most, phase, data._replace(help=told))


def add_annotated_data(builder: Builder) -> Feature:
    """Input in deploy; in train_val layers for both phases that give `data` and `label`.

    Labels are 1 x 1 x boxes x 8: item, class, instance, four corners, difficult.
    """
    if builder.phase == "deploy":
        return builder.data()
    if builder.data_source not in ("lmdb", "input"):
        raise ZooError(
            f"data `{builder.data_source}` has no boxes for its images; use data `lmdb` or `input`"
        )
    make = _database if builder.data_source == "lmdb" else _input
    net, images = builder.net, builder.images
    train, test = make(builder, images, train=True), make(builder, images, train=False)
    net.data, net.label = train("data", ntop=2, include={"phase": "TRAIN"})
    # a second layer of the same name with the same tops; nothing reads it as a Top
    net.test_data = test("data", ntop=0, top=["data", "label"], include={"phase": "TEST"})
    return Feature(net.data, images.channels, builder.input_size)


def _database(builder: Builder, images: Images, *, train: bool) -> Any:
    size = builder.input_size
    modes = ["LINEAR", "AREA", "NEAREST", "CUBIC", "LANCZOS4"] if train else ["LINEAR"]
    transform: dict[str, Any] = {
        **images.transform,
        "resize_param": {
            "prob": 1, "resize_mode": "WARP", "height": size, "width": size, "interp_mode": modes,
        },
    }  # fmt: skip
    if train:
        transform |= {
            "mirror": True,
            "emit_constraint": {"emit_type": "CENTER"},
            "distort_param": {
                "brightness_prob": 0.5, "brightness_delta": 32,
                "contrast_prob": 0.5, "contrast_lower": 0.5, "contrast_upper": 1.5,
                "hue_prob": 0.5, "hue_delta": 18,
                "saturation_prob": 0.5, "saturation_lower": 0.5, "saturation_upper": 1.5,
                "random_order_prob": 0.0,
            },
            "expand_param": {"prob": 0.5, "max_expand_ratio": 4.0},
        }  # fmt: skip
    fields = {
        "transform_param": transform,
        "data_param": {
            "source": images.train_source if train else images.test_source,
            "batch_size": builder.train_batch if train else builder.test_batch,
            "backend": "LMDB",
        },
        "annotated_data_param": {
            "batch_sampler": _samplers() if train else [{}], "label_map_file": _LABELS,
        },
    }  # fmt: skip
    return lambda name, **layer: L.AnnotatedData(name=name, **fields, **layer)


def _samplers() -> list[dict[str, Any]]:
    sampler = {
        "min_scale": 0.3, "max_scale": 1.0, "min_aspect_ratio": 0.5, "max_aspect_ratio": 2.0,
    }  # fmt: skip
    constraints = [*({"min_jaccard_overlap": o} for o in OVERLAPS), {"max_jaccard_overlap": 1.0}]
    return [
        {"max_sample": 1, "max_trials": 1},
        *(
            {"sampler": sampler, "sample_constraint": c, "max_sample": 1, "max_trials": 50}
            for c in constraints
        ),
    ]


def _input(builder: Builder, images: Images, *, train: bool) -> Any:
    batch, size = builder.train_batch if train else builder.test_batch, builder.input_size
    # as many rows as there are boxes; the caller makes it as long as it has to be
    shape = [{"dim": [batch, images.channels, size, size]}, {"dim": [1, 1, builder.batch, 8]}]
    return lambda name, **layer: L.Input(name=name, shape=shape, **layer)


def pixel_by_pixel(builder: Builder, bottom: Feature, name: str) -> Top:
    """The numbers pixel by pixel, all channels of a pixel together, as those of one pixel lie."""
    net = builder.net
    moved = net[f"{name}_perm"] = L.Permute(bottom.top, permute_param={"order": [0, 2, 3, 1]})
    flat: Top = L.Flatten(moved)
    net[f"{name}_flat"] = flat
    return flat


def add_prior_boxes(
    builder: Builder, bottom: Feature, images: Feature, source: Source, usual: int
) -> Top:
    """The boxes that a blob's numbers correct, in parts of the image; `usual` is the size of images."""
    size = builder.input_size
    fields: dict[str, Any] = {"min_size": source.min_size * size / usual}
    if source.max_size:
        fields["max_size"] = source.max_size * size / usual
    fields |= {
        "aspect_ratio": list(source.aspect_ratios), "flip": True, "clip": False,
        "variance": list(VARIANCE),
    }  # fmt: skip
    # on images of another size the steps would be others
    if source.step and size == usual:
        fields["step"] = source.step
    top: Top = L.PriorBox(bottom.top, images.top, prior_box_param={**fields, "offset": 0.5})
    builder.net[f"{source.blob}_mbox_priorbox"] = top
    return top


def add_detections(builder: Builder, tops: Scored, classes: int, found: Found) -> None:
    """All places, scores and priors, each in one blob; the detections, and the loss to train with.

    Without priors the net ends in the probabilities.
    """
    net, train = builder.net, builder.phase != "deploy"
    net.mbox_loc = L.Concat(*tops.located)
    net.mbox_conf = L.Concat(*tops.scored)
    if tops.priors:
        net.mbox_priorbox = L.Concat(*tops.priors, axis=2)
    test: dict[str, Any] = {"include": {"phase": "TEST"}} if train else {}
    if train:
        _add_loss(builder, classes)
    net.mbox_conf_reshape = L.Reshape(net.mbox_conf, shape={"dim": [0, -1, classes]}, **test)
    net.mbox_conf_softmax = L.Softmax(net.mbox_conf_reshape, axis=2, **test)
    net.mbox_conf_flatten = L.Flatten(net.mbox_conf_softmax, **test)
    if not tops.priors:
        return
    fields: dict[str, Any] = {
        "num_classes": classes, "share_location": True, "background_label_id": 0,
        "nms_param": {"nms_threshold": 0.45, "top_k": found.top_k},
        "code_type": "CENTER_SIZE", "keep_top_k": found.keep_top_k,
        "confidence_threshold": found.confidence_threshold,
    }  # fmt: skip
    net.detection_out = L.DetectionOutput(
        net.mbox_loc, net.mbox_conf_flatten, net.mbox_priorbox,
        include={"phase": "TEST"}, detection_output_param=fields,
    )  # fmt: skip
    if train:
        net.detection_eval = L.DetectionEvaluate(
            net.detection_out, net.label, **test,
            detection_evaluate_param={
                "num_classes": classes, "background_label_id": 0, "overlap_threshold": 0.5,
                "evaluate_difficult_gt": False, "name_size_file": _SIZES,
            },
        )  # fmt: skip


def _add_loss(builder: Builder, classes: int) -> None:
    """Section 2.2: boxes matched with priors, and of the others three times as many, the worst."""
    net = builder.net
    fields: dict[str, Any] = {
        "loc_loss_type": "SMOOTH_L1", "conf_loss_type": "SOFTMAX", "loc_weight": 1.0,
        "num_classes": classes, "share_location": True, "match_type": "PER_PREDICTION",
        "overlap_threshold": 0.5, "use_prior_for_matching": True, "background_label_id": 0,
        "use_difficult_gt": True, "neg_pos_ratio": 3.0, "neg_overlap": 0.5,
        "code_type": "CENTER_SIZE", "ignore_cross_boundary_bbox": False,
        "mining_type": "MAX_NEGATIVE",
    }  # fmt: skip
    net.mbox_loss = L.MultiBoxLoss(
        net.mbox_loc, net.mbox_conf, net.mbox_priorbox, net.label,
        include={"phase": "TRAIN"}, propagate_down=[True, True, False, False],
        loss_param={"normalization": "VALID"}, multibox_loss_param=fields,
    )  # fmt: skip
