"""VGG: Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale ..." (2014).

16 and 19 are the nets that the authors published for Caffe as VGG_ILSVRC_16_layers and
VGG_ILSVRC_19_layers, so that their caffemodels load; the others follow the same names. With
`batch_norm` every convolution, its bias kept, is followed by BatchNorm and Scale, as in
torchvision's vgg11_bn to vgg19_bn: `conv1_1_bn` and `conv1_1_scale` behind `conv1_1`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from caffegen.dsl import NetSpec
from caffegen.dsl.blocks import Conv, Feature, Recipe, UnitNames, conv_bn_scale_relu

from .architecture import (
    Architecture,
    CallableFamily,
    Depths,
    Option,
    ZooError,
    check_blob,
    check_choice,
    check_depth,
    check_flag,
    whole_number,
)
from .dataset import add_head, data_options
from .published import ILSVRC12, Builder, filled
from .recipe import TrainingRecipe

__all__ = ["ARCHITECTURE", "plain_stage", "vgg"]

# Table 1: the convolutions, 3x3, of each stage, which a 2x2 max pooling ends
TABLE_1 = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}  # fmt: skip
# its columns: C has 1x1 convolutions third in its stages, A-LRN a normalisation behind the first
CONFIGURATIONS = {"A": 11, "A-LRN": 11, "B": 13, "C": 16, "D": 16, "E": 19}
_USUAL = ("A", "B", "D", "E")
WIDTHS = (64, 128, 256, 512, 512)
FULLY_CONNECTED = (4096, 4096)

_PAPER = (
    "K. Simonyan, A. Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition. "
    "ICLR 2015, arXiv:1409.1556"
)
# Section 2.1: from every pixel the mean colour is subtracted, here in Caffe's order blue, green, red
_IMAGES = ILSVRC12._replace(input_size=224, transform={"mean_value": [103.939, 116.779, 123.68]})
# Section 3.1: Glorot and Bengio's filling trains every depth without a shallower net to begin with
_FILLERS = filled("xavier", 0)


def vgg(
    depth: int | None = None,
    configuration: str | None = None,
    batch_norm: bool = False,
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """The VGG net of a depth, 16 unless given, or of a column of the paper's table, A to E.

    It has 1000 classes and images of 224x224 unless given. `train_val` has data layers, fillers,
    loss and accuracies; `deploy` an Input, and ends in `prob`.
    """
    check_flag("batch_norm", batch_norm)
    depth = _depth(depth, configuration)
    if batch_norm and configuration == "A-LRN":
        raise ZooError("configuration `A-LRN` has a normalisation of its own; leave out batch_norm")
    special = "" if configuration in (None, *_USUAL) else f"_{configuration}"
    name = f"VGG_ILSVRC_{depth}_layers{special}{'_bn' if batch_norm else ''}"
    builder = Builder(name, phase, _IMAGES, batch, input_size, fillers=phase != "deploy", data=data)
    number = whole_number("number of classes", classes, _IMAGES.classes)
    recipe = _recipe(phase)
    feature = builder.data()
    for stage, (count, width) in enumerate(zip(TABLE_1[depth], WIDTHS, strict=True), 1):
        for index in range(1, count + 1):
            conv = Conv(width, 1 if configuration == "C" and index == 3 else 3)
            feature = _convolution(builder, feature, f"{stage}_{index}", conv, recipe, batch_norm)
            if configuration == "A-LRN" and stage == 1:
                feature = builder.normalize(feature, "norm1")
        feature = builder.pool(feature, f"pool{stage}", 2, 2)
    for layer, width in enumerate(FULLY_CONNECTED, 6):
        feature = builder.inner_product(feature, f"fc{layer}", width, _FILLERS)
        feature = feature._replace(top=builder.relu(feature.top, f"relu{layer}"))
        feature = builder.dropout(feature, f"drop{layer}", 0.5)
    scores = builder.inner_product(feature, "fc8", number, _FILLERS)
    add_head(builder.net, scores.top, phase, number)
    return builder.net


def plain_stage(
    builder: Builder, bottom: Feature, stage: int, fillers: Mapping[str, Any], *, pad: int = 1
) -> Feature:
    """The convolutions of a stage, from 1, of VGG-16; `pad` is that of the first of them."""
    feature = bottom
    for index in range(1, TABLE_1[16][stage - 1] + 1):
        name = f"{stage}_{index}"
        feature = builder.convolution(
            feature, f"conv{name}", WIDTHS[stage - 1], 3, fillers,
            relu=f"relu{name}", pad=pad if index == 1 else 1,
        )  # fmt: skip
    return feature


def _depth(depth: int | None, configuration: str | None) -> int:
    """The depth that is asked for, by its number or by a column of the table."""
    if configuration is None:
        depth = whole_number("depth", depth, 16)
        check_depth("VGG", depth, TABLE_1)
        return depth
    check_choice("configuration", configuration, CONFIGURATIONS)
    layers = CONFIGURATIONS[configuration]
    if depth not in (None, layers):
        raise ZooError(
            f"configuration `{configuration}` has {layers} layers; leave out depth {depth}"
        )
    return layers


def _recipe(phase: str) -> Recipe:
    """The units with BatchNorm: its statistics are no parameters to learn."""
    if phase == "deploy":
        return Recipe(batch_norm={"use_global_stats": True})
    fixed: list[dict[str, Any]] = [{"lr_mult": 0}] * 3
    return Recipe(convolution=_FILLERS, batch_norm={"param": fixed})


def _convolution(
    builder: Builder,
    bottom: Feature,
    name: str,
    convolution: Conv,
    recipe: Recipe,
    batch_norm: bool,
) -> Feature:
    """A convolution and its ReLU, between them perhaps a normalisation."""
    conv, relu = f"conv{name}", f"relu{name}"
    width, kernel_size = convolution.num_output, convolution.kernel_size
    if not batch_norm:
        return builder.convolution(
            bottom, conv, width, kernel_size, _FILLERS, relu=relu, pad=kernel_size // 2
        )
    check_blob(builder.batch, width, bottom.size)
    check_blob(kernel_size**2, bottom.channels, bottom.size)
    names = UnitNames(conv, f"{conv}_bn", f"{conv}_scale", relu)
    return conv_bn_scale_relu(builder.net, bottom, names, convolution, recipe, bias=True)


_RECIPE = TrainingRecipe(
    source="Simonyan and Zisserman 2014, section 3.1",
    batch=256, test_images=50000,
    base_lr=0.01, lr_policy="multistep",
    policy={"gamma": 0.1, "stepvalue": (100000, 200000, 300000)},
    max_iter=370000, weight_decay=5e-4,
    display=40, average_loss=40,
    notes=(
        ("The paper divides the rate by 10 three times, when the accuracy stops improving, and does "
         "not say at which iterations; the steps here are even."),
    ),
)  # fmt: skip

ARCHITECTURE = Architecture(
    name="vgg",
    title="VGG",
    paper=_PAPER,
    depths={"imagenet": Depths(tuple(TABLE_1), 16)},
    options=(
        Option("depth", "Layers with weights (16)."),
        Option("configuration", "A column of the paper's Table 1, instead of the depth.", None,
               tuple(CONFIGURATIONS), sets_depth=True),
        Option("batch_norm", "BatchNorm and Scale behind every convolution.", False),
        *data_options(1000, 224, 256, "data layers, fillers and losses"),
    ),
    build=vgg,
    recipes={"imagenet": _RECIPE},
)  # fmt: skip

sys.modules[__name__].__class__ = CallableFamily
