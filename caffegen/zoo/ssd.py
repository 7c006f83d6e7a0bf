"""SSD300: Liu et al., "SSD: Single Shot MultiBox Detector" (2016), on VGG-16.

Six blobs of falling size score boxes of rising size: at every pixel 4 or 6 of them, each by four
numbers of its place and one a class. Layers are called as in the net that the authors published
(VGG_VOC0712_SSD_300x300), so that its caffemodel loads with either kind of heads:

- `bvlc`, of BVLC's own layers, gives what the fork's layers find the boxes from: `mbox_loc`, and in
  `mbox_conf_flatten` the probabilities. The fork's Normalize is an LRN over all channels between
  a Power and a Scale, exactly; its Permute is a Slice into single channels and a Concat behind the
  pixels, which has as many tops as channels and copies numbers one by one.
- `ssd` ends as published, in PriorBox and DetectionOutput, which takes a Caffe that has them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from caffegen.dsl import NetSpec, Top
from caffegen.dsl import layers as L  # noqa: N812
from caffegen.dsl.blocks import Feature

from .architecture import (
    Architecture,
    CallableFamily,
    Depths,
    Option,
    ZooError,
    check_blob,
    check_choice,
    whole_number,
)
from .dataset import Images
from .published import RATES, Builder, filled
from .recipe import TrainingRecipe
from .single_shot import (
    FOUND,
    Scored,
    Source,
    add_annotated_data,
    add_detections,
    add_prior_boxes,
    box_options,
    pixel_by_pixel,
)
from .vgg import plain_stage

__all__ = [
    "ARCHITECTURE",
    "HEADS",
    "PAPER",
    "Extra",
    "Size",
    "build_ssd",
    "options",
    "recipe",
    "ssd300",
]


class Extra(NamedTuple):
    """Two layers behind the base net: 1x1, then a window of `kernel_size`."""

    squeeze: int
    num_output: int
    stride: int
    pad: int
    kernel_size: int = 3


class Size(NamedTuple):
    """The net for images of one size: what it is called, its layers behind VGG-16, its sources."""

    name: str
    input_size: int
    extras: Mapping[int, Extra]
    sources: tuple[Source, ...]


# Section 3.1, and Figure 2: fc6 and fc7 of VGG-16 as convolutions with fewer channels
FULLY_CONVOLUTIONAL = (1024, 1024)
EXTRAS = {
    6: Extra(256, 512, 2, 1),
    7: Extra(128, 256, 2, 1),
    8: Extra(128, 256, 1, 0),
    9: Extra(128, 256, 1, 0),
}
SOURCES = (
    Source("conv4_3_norm", 30, 60, (2,), 8),
    Source("fc7", 60, 111, (2, 3), 16),
    Source("conv6_2", 111, 162, (2, 3), 32),
    Source("conv7_2", 162, 213, (2, 3), 64),
    Source("conv8_2", 213, 264, (2,), 100),
    Source("conv9_2", 264, 315, (2,), 300),
)
SSD300 = Size("VGG_VOC0712_SSD_300x300", 300, EXTRAS, SOURCES)
# section 3.1: what conv4_3 is brought to, since its values are larger than those behind it
_NORM = 20
_EPS = 1e-10

HEADS = ("bvlc", "ssd")
PAPER = (
    "W. Liu, D. Anguelov, D. Erhan, C. Szegedy, S. Reed, C.-Y. Fu, A. C. Berg: SSD: Single Shot "
    "MultiBox Detector. ECCV 2016, arXiv:1512.02325"
)
_IMAGES = Images(
    21, 300, 32, 8, "examples/VOC0712/VOC0712_trainval_lmdb", "examples/VOC0712/VOC0712_test_lmdb",
    {"mean_value": [104, 117, 123]}, crop=False,
)  # fmt: skip
_FILLERS = filled("xavier", 0)


def ssd300(
    heads: str = "bvlc",
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """The SSD300 on VGG-16; 21 classes, of which the first is the background, unless given.

    Images are 300x300 unless given, at least 257x257. `train_val`, with the authors' heads, has
    their data layers, augmentation, loss and evaluation; `deploy` an Input, and ends in the
    detections, or with BVLC's layers in what they are found from.
    """
    return build_ssd(SSD300, heads, classes, input_size, batch, phase, data)


def build_ssd(
    facts: Size,
    heads: str,
    classes: int | None,
    input_size: int | None,
    batch: int | None,
    phase: str,
    data: str,
) -> NetSpec:
    """The SSD for images of a size; see `ssd300`."""
    check_choice("heads", heads, HEADS)
    if phase == "train_val" and heads != "ssd":
        raise ZooError(
            "SSD learns from annotated boxes, by layers that BVLC Caffe has not (AnnotatedData, "
            "MultiBoxLoss); use heads `ssd`"
        )
    name = facts.name + ("_deploy" if phase == "deploy" else "")
    images = _IMAGES._replace(input_size=facts.input_size)
    builder = Builder(name, phase, images, batch, input_size, rates=RATES, data=data)
    number = whole_number("number of classes", classes, images.classes)
    bottom = add_annotated_data(builder)
    blobs = _base(builder, bottom)
    _extras(builder, blobs, facts.extras)
    normalize = _normalized if heads == "bvlc" else _normalized_by_fork
    blobs["conv4_3_norm"] = normalize(builder, blobs["conv4_3"])
    flat = _flat if heads == "bvlc" else pixel_by_pixel
    located: list[Top] = []
    scored: list[Top] = []
    priors: list[Top] = []
    for source in facts.sources:
        blob, label = blobs[source.blob], f"{source.blob}_mbox"
        for kind, numbers, tops in (("loc", 4, located), ("conf", number, scored)):
            layer = f"{label}_{kind}"
            feature = builder.convolution(blob, layer, source.boxes * numbers, 3, _FILLERS, pad=1)
            tops.append(flat(builder, feature, layer))
        if heads == "ssd":
            priors.append(add_prior_boxes(builder, blob, bottom, source, facts.input_size))
    add_detections(builder, Scored(located, scored, priors), number, FOUND)
    return builder.net


def _base(builder: Builder, images: Feature) -> dict[str, Feature]:
    """VGG-16 up to fc7, whose fifth pooling keeps the size and whose fc6 is dilated instead."""
    feature = images
    blobs = {}
    for stage in range(1, 6):
        feature = plain_stage(builder, feature, stage, _FILLERS)
        blobs["conv4_3" if stage == 4 else ""] = feature
        window = (3, 1, 1) if stage == 5 else (2, 2, 0)
        feature = builder.pool(feature, f"pool{stage}", window[0], window[1], pad=window[2])
    first, second = FULLY_CONVOLUTIONAL
    feature = builder.convolution(
        feature, "fc6", first, 3, _FILLERS, relu="relu6", pad=6, dilation=6
    )
    blobs["fc7"] = builder.convolution(feature, "fc7", second, 1, _FILLERS, relu="relu7")
    return blobs


def _extras(builder: Builder, blobs: dict[str, Feature], extras: Mapping[int, Extra]) -> None:
    feature = blobs["fc7"]
    for layer, (squeeze, num_output, stride, pad, kernel_size) in extras.items():
        name = f"conv{layer}_1"
        feature = builder.convolution(feature, name, squeeze, 1, _FILLERS, relu=f"{name}_relu")
        name = f"conv{layer}_2"
        feature = blobs[name] = builder.convolution(
            feature, name, num_output, kernel_size, _FILLERS,
            relu=f"{name}_relu", stride=stride, pad=pad,
        )  # fmt: skip


def _normalized(builder: Builder, bottom: Feature) -> Feature:
    """Every pixel's channels at length 1, times a learned number a channel.

    With alpha as large as the window and beta a half, an LRN divides by the root of 1 and the sum of
    squares, and a window twice as wide as the blob reaches every channel from any. On values that
    are 1e5 times as large that 1 is what the fork adds to the sum, 1e-10; OpenCV reads no `k` that
    could say so. The Scale has the name and the weights of the fork's Normalize.
    """
    net, window = builder.net, 2 * bottom.channels - 1
    large = net.conv4_3_large = L.Power(bottom.top, scale=_EPS**-0.5)
    unit = net.conv4_3_unit = L.LRN(large, local_size=window, alpha=window, beta=0.5)
    top = net.conv4_3_norm = L.Scale(unit, filler={"type": "constant", "value": _NORM})
    return bottom._replace(top=top)


def _normalized_by_fork(builder: Builder, bottom: Feature) -> Feature:
    fields: dict[str, Any] = {
        "across_spatial": False, "channel_shared": False,
        "scale_filler": {"type": "constant", "value": _NORM},
    }  # fmt: skip
    top = builder.net.conv4_3_norm = L.Normalize(bottom.top, norm_param=fields)
    return bottom._replace(top=top)


def _flat(builder: Builder, bottom: Feature, name: str) -> Top:
    """The numbers pixel by pixel, all channels of a pixel together, as those of one pixel lie."""
    net, channels = builder.net, bottom.channels
    if bottom.size == 1:
        single: Top = L.Flatten(bottom.top)
        net[f"{name}_flat"] = single
        return single
    check_blob(builder.batch, channels, bottom.size)
    rows = net[f"{name}_rows"] = L.Reshape(bottom.top, shape={"dim": [0, channels, -1, 1]})
    tops = L.Slice(rows, ntop=channels, name=f"{name}_slice")
    for channel, top in enumerate(tops, 1):
        net[f"{name}_channel{channel}"] = top
    columns = net[f"{name}_perm"] = L.Concat(*tops, axis=3)
    flat: Top = L.Flatten(columns)
    net[f"{name}_flat"] = flat
    return flat


def recipe(title: str) -> TrainingRecipe:
    """How SSD was trained on VOC 2007 and 2012, as the authors' ssd_pascal.py has it."""
    return TrainingRecipe(
        source="Liu et al. 2016, section 3.1, and weiliu89/caffe, examples/ssd/ssd_pascal.py",
        batch=32, test_images=4952,
        base_lr=1e-3, lr_policy="multistep",
        policy={"gamma": 0.1, "stepvalue": (80000, 100000, 120000)},
        max_iter=120000, weight_decay=5e-4,
        test_interval=10000, test_initialization=False, display=10, average_loss=10,
        snapshot=80000,
        fields={"eval_type": "detection", "ap_version": "11point"},
        notes=(
            (f"{title} goes on from VGG-16 with fully convolutional fc6 and fc7 "
             "(VGG_ILSVRC_16_layers_fc_reduced)."),
        ),
    )  # fmt: skip


def options(size: int) -> tuple[Option, ...]:
    """The options of the nets for images of a size."""
    return (
        Option("heads", "What finds the boxes: BVLC's layers as far as they go, or those of the "
               "authors' Caffe, which train_val takes.", "bvlc", HEADS),
        *box_options("21, with the background", size, 32),
    )  # fmt: skip


ARCHITECTURE = Architecture(
    name="ssd300",
    title="SSD300",
    paper=PAPER,
    depths={"voc0712": Depths((24,), 24)},
    options=options(300),
    build=ssd300,
    recipes={"voc0712": recipe("SSD300")},
)

sys.modules[__name__].__class__ = CallableFamily
