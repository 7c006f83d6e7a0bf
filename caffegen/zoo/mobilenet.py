"""MobileNet: Howard et al. (2017), and version 2: Sandler et al. (2018).

The names are those of the nets that were published for Caffe as shicai/MobileNet-Caffe, so that
their caffemodels load at width 1. A depthwise convolution is one whose `group` is its number of
channels; BVLC's own layers do no more than that. Caffe has no ReLU6 either: as in the published
nets a ReLU stands where the second paper clips at 6. With `ssd` version 1 finds boxes; that net is
in mobilenet_ssd.py.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from caffegen.dsl import NetSpec
from caffegen.dsl.blocks import Feature

from .architecture import (
    Architecture,
    CallableFamily,
    Depths,
    Option,
    ZooError,
    check_choice,
    check_flag,
    listed,
    whole_number,
)
from .dataset import add_head, data_options
from .mobilenet_ssd import RECIPE, Block, mobilenet_ssd
from .published import ILSVRC12, RATES, Builder, Norms, filled
from .recipe import TrainingRecipe

__all__ = ["ARCHITECTURE", "mobilenet"]


class Separable(NamedTuple):
    """A row of version 1: a depthwise 3x3 convolution of this stride, then a 1x1 convolution."""

    name: str
    num_output: int
    stride: int = 1


class Bottleneck(NamedTuple):
    """A block of version 2: `expansion` times as many channels, a depthwise convolution, few again."""

    name: str
    expansion: int
    num_output: int
    stride: int = 1


# Table 1 of the first paper
SEPARABLES = (
    Separable("conv2_1", 64),
    Separable("conv2_2", 128, 2),
    Separable("conv3_1", 128),
    Separable("conv3_2", 256, 2),
    Separable("conv4_1", 256),
    Separable("conv4_2", 512, 2),
    *(Separable(f"conv5_{index}", 512) for index in range(1, 6)),
    Separable("conv5_6", 1024, 2),
    Separable("conv6", 1024),
)
# Table 2 of the second
BOTTLENECKS = (
    Bottleneck("conv2_1", 1, 16),
    Bottleneck("conv2_2", 6, 24, 2),
    Bottleneck("conv3_1", 6, 24),
    Bottleneck("conv3_2", 6, 32, 2),
    Bottleneck("conv4_1", 6, 32),
    Bottleneck("conv4_2", 6, 32),
    Bottleneck("conv4_3", 6, 64, 2),
    *(Bottleneck(f"conv4_{index}", 6, 64) for index in (4, 5, 6)),
    Bottleneck("conv4_7", 6, 96),
    Bottleneck("conv5_1", 6, 96),
    Bottleneck("conv5_2", 6, 96),
    Bottleneck("conv5_3", 6, 160, 2),
    Bottleneck("conv6_1", 6, 160),
    Bottleneck("conv6_2", 6, 160),
    Bottleneck("conv6_3", 6, 320),
)
# the published net halves the size three blocks later than the paper
PUBLISHED_STRIDES = {"conv4_3": 1, "conv4_7": 2}
FIRST, LAST = 32, 1280
# the width multipliers of the papers
WIDTHS = {"1": ("1.0", "0.75", "0.5", "0.25"), "2": ("1.4", "1.0", "0.75", "0.5", "0.35")}
STYLES = ("published", "paper")

_PAPER = (
    "A. G. Howard, M. Zhu, B. Chen, D. Kalenichenko, W. Wang, T. Weyand, M. Andreetto, H. Adam: "
    "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications. 2017, "
    "arXiv:1704.04861. M. Sandler, A. Howard, M. Zhu, A. Zhmoginov, L.-C. Chen: MobileNetV2: "
    "Inverted Residuals and Linear Bottlenecks. CVPR 2018, arXiv:1801.04381"
)
_IMAGES = ILSVRC12._replace(
    input_size=224, transform={"mean_value": [103.94, 116.78, 123.68], "scale": 0.017}
)
_FILLERS = filled("msra", 0)
_STATISTICS = ({"lr_mult": 0, "decay_mult": 0},) * 3
_SCALES = ({"lr_mult": 1, "decay_mult": 0},) * 2


def mobilenet(
    version: str | float = "1",
    width: str | float = "1.0",
    style: str = "published",
    ssd: bool = False,
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """The MobileNet of a version and a width multiplier; 1000 classes, images of 224x224 unless given.

    With `ssd` it is MobileNet-SSD, which finds boxes of 21 classes, the background among them, in
    images of 300x300.

    In version 2 the published net differs from the `paper`, and so from the authors' own net and
    torchvision's, in two things: its first block has a 1x1 convolution too, which widens nothing,
    and 64 channels are computed at 28x28, not at 14x14, which takes two fifths more work.
    `train_val` has data layers, loss and accuracies; `deploy` an Input, and ends in `prob`. Both
    have the fillers and learning rates of the published files.
    """
    check_flag("ssd", ssd)
    version = check_choice("version", version, WIDTHS)
    check_choice("style", style, STYLES)
    if version == "1" and style != "published":
        raise ZooError("the published MobileNet v1 is the paper's; style is for version 2")
    factor = _width(version, width)
    if ssd:
        if version != "1":
            raise ZooError("the published MobileNet-SSD is of version 1; leave out version")
        blocks = tuple(Block(int(row.num_output * factor), row.stride) for row in SEPARABLES)
        return mobilenet_ssd(int(FIRST * factor), blocks, classes, input_size, batch, phase, data)
    statistics: dict[str, Any] = {"param": _STATISTICS}
    if phase == "deploy":
        statistics["use_global_stats"] = True
    builder = Builder(
        "MOBILENET" if version == "1" else "MOBILENET_V2",
        phase, _IMAGES, batch, input_size,
        rates=RATES, data=data, norms=Norms(statistics, {"param": _SCALES}),
    )  # fmt: skip
    number = whole_number("number of classes", classes, _IMAGES.classes)
    second = version == "2"
    feature = _version_2(builder, factor, style) if second else _version_1(builder, factor)
    feature = builder.global_pool(feature, "pool6")
    scores = builder.convolution(feature, "fc7", number, 1, _FILLERS)
    add_head(builder.net, scores.top, phase, number)
    return builder.net


def _width(version: str, width: str | float) -> float:
    """The multiplier as a number; only those of the version's paper."""
    try:
        factor = float(width)
    except (TypeError, ValueError):
        factor = 0
    if str(factor) not in WIDTHS[version]:
        raise ZooError(
            f"there is no MobileNet v{version} of width {width}, only {listed(WIDTHS[version])}"
        )
    return factor


def _version_1(builder: Builder, factor: float) -> Feature:
    feature = _unit(builder, builder.data(), "conv1", "relu1", int(FIRST * factor), 3, 2)
    for name, num_output, stride in SEPARABLES:
        relu = name.replace("conv", "relu")
        channels = feature.channels
        feature = _unit(builder, feature, f"{name}/dw", f"{relu}/dw", channels, 3, stride, channels)
        feature = _unit(builder, feature, f"{name}/sep", f"{relu}/sep", int(num_output * factor))
    return feature


def _version_2(builder: Builder, factor: float, style: str) -> Feature:
    first = _divisible(FIRST * factor)
    feature = _unit(builder, builder.data(), "conv1", "relu1", first, 3, 2, in_place=False)
    for block in BOTTLENECKS:
        feature = _bottleneck(builder, feature, block, _divisible(block.num_output * factor), style)
    # a net that is less wide keeps the channels that its classifier reads (section 6.1)
    last = _divisible(LAST * max(factor, 1))
    return _unit(builder, feature, "conv6_4", "relu6_4", last, in_place=False)


def _bottleneck(
    builder: Builder, bottom: Feature, block: Bottleneck, num_output: int, style: str
) -> Feature:
    """An inverted residual: the shortcut joins the narrow ends, which have no ReLU."""
    name, relu = block.name, block.name.replace("conv", "relu")
    stride = block.stride if style == "paper" else PUBLISHED_STRIDES.get(name, block.stride)
    feature = bottom
    wide = bottom.channels * block.expansion
    if block.expansion > 1 or style == "published":
        feature = _unit(
            builder, feature, f"{name}/expand", f"{relu}/expand", wide, in_place=False
        )  # fmt: skip
    feature = _unit(
        builder, feature, f"{name}/dwise", f"{relu}/dwise", wide, 3, stride, wide,
        in_place=False,
    )  # fmt: skip
    feature = _unit(builder, feature, f"{name}/linear", "", num_output, in_place=False)
    if stride == 1 and num_output == bottom.channels:
        feature = builder.add(name.replace("conv", "block_"), bottom, feature)
    return feature


def _unit(
    builder: Builder,
    bottom: Feature,
    name: str,
    relu: str,
    num_output: int,
    kernel_size: int = 1,
    stride: int = 1,
    group: int = 1,
    *,
    in_place: bool = True,
) -> Feature:
    """A convolution, BatchNorm, Scale, and a ReLU if it has a name."""
    feature = builder.convolution(
        bottom, name, num_output, kernel_size, _FILLERS,
        # cuDNN once ran a group after the other; the published nets choose Caffe's own
        stride=stride, pad=kernel_size // 2, group=group, bias=False,
        engine="CAFFE" if group > 1 else "",
    )  # fmt: skip
    return builder.batch_norm(feature, f"{name}/bn", f"{name}/scale", relu=relu, in_place=in_place)


def _divisible(channels: float) -> int:
    """The nearest multiple of 8, at most a tenth below `channels`, as the authors' code rounds."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


_RECIPE = TrainingRecipe(
    source="Sandler et al. 2018, section 6.1; the first paper gives no figures",
    batch=96, test_images=50000,
    # an epoch of 1,281,167 images
    base_lr=0.045, lr_policy="step", policy={"gamma": 0.98, "stepsize": 13345},
    max_iter=4000000, weight_decay=4e-5,
    test_interval=13345, test_initialization=False, display=40, average_loss=40, snapshot=13345,
    notes=(
        "The paper trains with RMSProp of momentum 0.9, which Caffe's does not take: this is SGD.",
        ("It does not say how long; here it is 300 epochs. The published net's Scale layers and "
         "biases do not decay."),
    ),
    scale_decay=False,
)  # fmt: skip

ARCHITECTURE = Architecture(
    name="mobilenet",
    title="MobileNet",
    paper=_PAPER,
    depths={"imagenet": Depths((28, 53), 28)},
    options=(
        Option("version", "Separable convolutions, or inverted residuals.", "1", tuple(WIDTHS)),
        Option("width", "How many times as many channels as in the paper's table: up to 1.0 in "
               "version 1, no 0.25 in version 2.", "1.0",
               ("1.4", "1.0", "0.75", "0.5", "0.35", "0.25")),
        Option("style", "Version 2 as in the public caffemodel, or as in the paper, which takes "
               "less work.", "published", STYLES),
        Option("ssd", "MobileNet-SSD, which finds boxes.", False),
        *data_options("1000; with ssd 21", "224; with ssd 300", "256; with ssd 24",
                      "data layers and losses"),
    ),
    build=mobilenet,
    recipes={"imagenet": _RECIPE, "ssd": RECIPE},
    variants={28: {"version": "1"}, 53: {"version": "2"}},
)  # fmt: skip

sys.modules[__name__].__class__ = CallableFamily
