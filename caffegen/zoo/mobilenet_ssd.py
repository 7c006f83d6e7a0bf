"""MobileNet-SSD: MobileNet v1 under the detector of Liu et al. (2016), as chuanqi305 published it.

The layers are called as in chuanqi305/MobileNet-SSD, so that its caffemodels load: the separable
convolutions are `conv1` to `conv13` here, and four more pairs follow them. Two of MobileNet's blobs
and those four score boxes. Its Permute, PriorBox and DetectionOutput take the Caffe of SSD's authors.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from caffegen.dsl import NetSpec, Top
from caffegen.dsl.blocks import Feature

from .architecture import whole_number
from .dataset import Images
from .published import RATES, Builder, Norms, filled
from .recipe import TrainingRecipe
from .single_shot import (
    FOUND,
    Found,
    Scored,
    Source,
    add_annotated_data,
    add_detections,
    add_prior_boxes,
    pixel_by_pixel,
)

__all__ = ["RECIPE", "Block", "mobilenet_ssd"]


class Block(NamedTuple):
    """A separable convolution of MobileNet: its channels, and the stride of its depthwise layer."""

    num_output: int
    stride: int


class Extra(NamedTuple):
    """Two layers behind MobileNet: 1x1, then 3x3 at half the size."""

    squeeze: int
    num_output: int


EXTRAS = {14: Extra(256, 512), 15: Extra(128, 256), 16: Extra(128, 256), 17: Extra(64, 128)}
# from 0.2 to 0.95 of the image in even steps
SOURCES = (
    Source("conv11", 60, 0, (2,)),
    Source("conv13", 105, 150, (2, 3)),
    Source("conv14_2", 150, 195, (2, 3)),
    Source("conv15_2", 195, 240, (2, 3)),
    Source("conv16_2", 240, 285, (2, 3)),
    Source("conv17_2", 285, 300, (2, 3)),
)
# fewer detections than the net is tested with
_DEPLOYED = Found(0.25, 100, 100)
_IMAGES = Images(
    21, 300, 24, 8, "trainval_lmdb", "test_lmdb", {"scale": 0.007843, "mean_value": [127.5] * 3},
    crop=False,
)  # fmt: skip
# what was trained before learns ten times slower than the scores of the boxes
_SLOW = ({"lr_mult": 0.1, "decay_mult": 0.1}, {"lr_mult": 0.2, "decay_mult": 0})
_NORMS = Norms(
    {"param": ({"lr_mult": 0, "decay_mult": 0},) * 3},
    {
        "param": ({"lr_mult": 0.1, "decay_mult": 0}, {"lr_mult": 0.2, "decay_mult": 0}),
        "filler": {"value": 1},
    },
)
_FILLERS = filled("msra", 0)


def mobilenet_ssd(
    first: int,
    blocks: tuple[Block, ...],
    classes: int | None,
    input_size: int | None,
    batch: int | None,
    phase: str,
    data: str,
) -> NetSpec:
    """MobileNet-SSD of `first` channels and these blocks; 21 classes, images of 300x300 unless given.

    `train_val` has the data layers, augmentation, loss and evaluation; `deploy` an Input, and ends
    in the detections.
    """
    builder = Builder(
        "MobileNet-SSD", phase, _IMAGES, batch, input_size, rates=_SLOW, data=data, norms=_NORMS
    )
    number = whole_number("number of classes", classes, _IMAGES.classes)
    images = add_annotated_data(builder)
    feature = _unit(builder, images, "conv0", first, 3, stride=2)
    blobs = {}
    for index, (num_output, stride) in enumerate(blocks, 1):
        name, channels = f"conv{index}", feature.channels
        feature = _unit(builder, feature, f"{name}/dw", channels, 3, stride=stride, group=channels)
        feature = blobs[name] = _unit(builder, feature, name, num_output)
    for index, (squeeze, num_output) in EXTRAS.items():
        feature = _unit(builder, feature, f"conv{index}_1", squeeze)
        name = f"conv{index}_2"
        feature = blobs[name] = _unit(builder, feature, name, num_output, 3, stride=2)
    tops = Scored([], [], [])
    for source in SOURCES:
        _score(builder, blobs[source.blob], images, source, number, tops)
    add_detections(builder, tops, number, _DEPLOYED if phase == "deploy" else FOUND)
    return builder.net


def _score(
    builder: Builder, bottom: Feature, images: Feature, source: Source, classes: int, tops: Scored
) -> None:
    """The places and scores of a blob's boxes, each by a 1x1 convolution, and its priors."""
    kinds: tuple[tuple[str, int, Any, list[Top]], ...] = (
        ("loc", 4, _SLOW, tops.located),
        ("conf", classes, RATES, tops.scored),
    )
    for kind, numbers, rates, found in kinds:
        name = f"{source.blob}_mbox_{kind}"
        builder.rates = rates
        feature = builder.convolution(bottom, name, source.boxes * numbers, 1, _FILLERS)
        found.append(pixel_by_pixel(builder, feature, name))
    tops.priors.append(add_prior_boxes(builder, bottom, images, source, _IMAGES.input_size))


def _unit(
    builder: Builder,
    bottom: Feature,
    name: str,
    num_output: int,
    kernel_size: int = 1,
    *,
    stride: int = 1,
    group: int = 1,
) -> Feature:
    """A convolution, BatchNorm, Scale and ReLU."""
    feature = builder.convolution(
        bottom, name, num_output, kernel_size, _FILLERS,
        stride=stride, pad=kernel_size // 2, group=group, bias=False,
    )  # fmt: skip
    return builder.batch_norm(feature, f"{name}/bn", f"{name}/scale", relu=f"{name}/relu")


RECIPE = TrainingRecipe(
    source="chuanqi305/MobileNet-SSD, voc/solver.prototxt",
    batch=24, test_images=4952, type="RMSProp", momentum=0,
    base_lr=5e-4, lr_policy="multistep", policy={"gamma": 0.5, "stepvalue": (20000, 40000)},
    max_iter=120000, weight_decay=5e-5,
    test_interval=10000, test_initialization=False, display=10, average_loss=10, snapshot=1000,
    fields={"eval_type": "detection", "ap_version": "11point"},
    notes=("The published net goes on from weights that were trained on COCO.",),
)  # fmt: skip
