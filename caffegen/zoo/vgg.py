"""VGG: Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale ..." (2014).

16 and 19 are the nets that the authors published for Caffe as VGG_ILSVRC_16_layers and
VGG_ILSVRC_19_layers, so that their caffemodels load; 11 and 13 follow the same names. With
`batch_norm` every convolution, its bias kept, is followed by BatchNorm and Scale, as in
torchvision's vgg11_bn to vgg19_bn: `conv1_1_bn` and `conv1_1_scale` behind `conv1_1`.
"""

from __future__ import annotations

import sys
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
    listed,
    nearest_number,
    whole_number,
)
from .dataset import PHASES, add_head
from .published import ILSVRC12, Builder, filled

__all__ = ["ARCHITECTURE", "vgg"]

# Table 1, configurations A, B, D and E: 3x3 convolutions in each stage, which a 2x2 max pooling ends
TABLE_1 = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}  # fmt: skip
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
    batch_norm: bool = False,
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
) -> NetSpec:
    """The VGG net of a depth, 16 unless given; 1000 classes and images of 224x224 unless given.

    `train_val` has data layers, fillers, loss and accuracies; `deploy` an Input, and ends in `prob`.
    """
    depth = whole_number("depth", depth, 16)
    if depth not in TABLE_1:
        raise ZooError(
            f"there is no VGG-{depth}, only {listed(map(str, TABLE_1))}; "
            f"the nearest is {nearest_number(depth, TABLE_1)}"
        )
    name = f"VGG_ILSVRC_{depth}_layers{'_bn' if batch_norm else ''}"
    builder = Builder(name, phase, _IMAGES, batch, input_size, fillers=phase != "deploy")
    number = whole_number("number of classes", classes, _IMAGES.classes)
    recipe = _recipe(phase)
    feature = builder.data()
    for stage, (count, width) in enumerate(zip(TABLE_1[depth], WIDTHS, strict=True), 1):
        for index in range(1, count + 1):
            feature = _convolution(builder, feature, f"{stage}_{index}", width, recipe, batch_norm)
        feature = builder.pool(feature, f"pool{stage}", 2, 2)
    for layer, width in enumerate(FULLY_CONNECTED, 6):
        feature = builder.inner_product(feature, f"fc{layer}", width, _FILLERS)
        feature = feature._replace(top=builder.relu(feature.top, f"relu{layer}"))
        feature = builder.dropout(feature, f"drop{layer}", 0.5)
    scores = builder.inner_product(feature, "fc8", number, _FILLERS)
    add_head(builder.net, scores.top, phase, number)
    return builder.net


def _recipe(phase: str) -> Recipe:
    """The units with BatchNorm: its statistics are no parameters to learn."""
    if phase == "deploy":
        return Recipe(batch_norm={"use_global_stats": True})
    fixed: list[dict[str, Any]] = [{"lr_mult": 0}] * 3
    return Recipe(convolution=_FILLERS, batch_norm={"param": fixed})


def _convolution(
    builder: Builder, bottom: Feature, name: str, width: int, recipe: Recipe, batch_norm: bool
) -> Feature:
    """A 3x3 convolution and its ReLU, between them perhaps a normalisation."""
    conv, relu = f"conv{name}", f"relu{name}"
    if not batch_norm:
        return builder.convolution(bottom, conv, width, 3, _FILLERS, relu=relu, pad=1)
    check_blob(builder.batch, width, bottom.size)
    check_blob(9, bottom.channels, bottom.size)
    names = UnitNames(conv, f"{conv}_bn", f"{conv}_scale", relu)
    return conv_bn_scale_relu(builder.net, bottom, names, Conv(width, 3), recipe, bias=True)


ARCHITECTURE = Architecture(
    name="vgg",
    title="VGG",
    paper=_PAPER,
    depths={"imagenet": Depths(tuple(TABLE_1), 16)},
    options=(
        Option("depth", "Layers with weights (16)."),
        Option("batch_norm", "BatchNorm and Scale behind every convolution.", False),
        Option("classes", "Number of classes (1000)."),
        Option("input_size", "Height and width of the images (224)."),
        Option("batch", "Images in a batch (1; in train_val 256)."),
        Option("phase", "An Input and a Softmax, or data layers, fillers and losses.", "deploy",
               PHASES),
    ),
    build=vgg,
)  # fmt: skip

sys.modules[__name__].__class__ = CallableFamily
