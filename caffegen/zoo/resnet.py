"""Residual networks: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (2015).

Two styles for ImageNet: `original` is the deploy nets that the authors published for Caffe, layer
for layer, so that their caffemodels load; 18 and 34, which they did not publish, follow the same
names. `torchvision` computes what torchvision's resnet18 to resnet152 compute (residual.py tells
how its modules are called here).
"""

from __future__ import annotations

import sys

from caffegen.dsl import NetSpec
from caffegen.dsl.blocks import SHORTCUTS, Conv

from .architecture import (
    Architecture,
    CallableFamily,
    Depths,
    Option,
    ZooError,
    check_choice,
    check_depth,
    check_flag,
    whole_number,
)
from .dataset import DATA_OPTIONS, DATASETS
from .recipe import CIFAR, ILSVRC12_RESIDUAL
from .residual import CIFAR_WIDTHS, STYLES, WIDTHS, Builder, blocks_of_rule

__all__ = ["ARCHITECTURE", "TABLE_1", "resnet"]

# Table 1: the blocks of conv2_x, conv3_x, conv4_x and conv5_x. A basic block is two 3x3
# convolutions, a bottleneck 1x1, 3x3 and 1x1, of which the last is four times as wide.
TABLE_1 = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}

# Section 4.2: a 3x3 convolution, then three stages of n basic blocks: 6n + 2 layers with weights
DEPTHS = {
    "imagenet": Depths(tuple(TABLE_1), 101),
    "cifar10": Depths((20, 32, 44, 56, 110, 1202), 110, "6n + 2"),
    "cifar100": Depths((20, 32, 44, 56, 110, 1202), 110, "6n + 2"),
}

_PAPER = (
    "K. He, X. Zhang, S. Ren, J. Sun: Deep Residual Learning for Image Recognition. "
    "CVPR 2016, arXiv:1512.03385"
)


def resnet(
    depth: int | None = None,
    dataset: str = "imagenet",
    style: str = "original",
    shortcut: str | None = None,
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    plain: bool = False,
    data: str = "lmdb",
) -> NetSpec:
    """The residual network of a depth, or with `plain` the same network without its shortcuts.

    The depth is 101 unless given (110 for CIFAR), the shortcut B (A for CIFAR, as in the paper);
    classes, image size and batch are the dataset's. `train_val` has data layers, fillers and
    losses; `deploy` has an Input and ends in `prob`.
    """
    check_flag("plain", plain)
    check_choice("dataset", dataset, DATASETS)
    check_choice("style", style, STYLES)
    imagenet = dataset == "imagenet"
    depth = whole_number("depth", depth, DEPTHS[dataset].usual)
    name = "Plain" if plain else "ResNet"
    builder = Builder(
        f"{name}-{depth}",
        STYLES[style],
        _option(shortcut, plain, "B" if imagenet else "A"),
        dataset=dataset,
        phase=phase,
        batch=batch,
    )
    if imagenet:
        check_depth("ResNet", depth, TABLE_1, "ImageNet")
        # the published ResNet-50, and it alone, has a bias in conv1
        biased = style == "original" and depth == 50
        feature = builder.stem(builder.data(input_size, data), bias=biased)
        feature = builder.stages(feature, *TABLE_1[depth], WIDTHS)
        return builder.head(feature, classes)
    if style != "original":
        raise ZooError(f"torchvision has no ResNet for {builder.facts.title}, only for ImageNet")
    blocks = blocks_of_rule("ResNet", depth, 6, 2)
    feature = builder.data(input_size, data)
    feature = builder.unit(feature, builder.style.stem, Conv(CIFAR_WIDTHS[0], 3))
    feature = builder.stages(feature, "basic", (blocks,) * 3, CIFAR_WIDTHS)
    return builder.head(feature, classes)


def _option(shortcut: str | None, plain: bool, usual: str) -> str:
    """The shortcut's option, empty for a plain network."""
    if shortcut is None:
        return "" if plain else usual
    check_choice("shortcut", shortcut, SHORTCUTS)
    if plain:
        raise ZooError(f"a plain network has no shortcuts; leave out shortcut `{shortcut}`")
    return shortcut


ARCHITECTURE = Architecture(
    name="resnet",
    title="Residual networks",
    paper=_PAPER,
    depths=DEPTHS,
    options=(
        Option("depth", "Layers with weights (101; for CIFAR 110)."),
        Option("dataset", "The images to classify.", "imagenet", tuple(DATASETS)),
        Option("style", "The published Caffe nets, or torchvision's.", "original", tuple(STYLES)),
        Option("shortcut", "A pads with zeros, B projects where the shape changes, C always "
               "(B; for CIFAR A).", None, SHORTCUTS),
        Option("plain", "The same network without its shortcuts.", False),
        *DATA_OPTIONS,
    ),
    build=resnet,
    recipes={"imagenet": ILSVRC12_RESIDUAL, "cifar10": CIFAR, "cifar100": CIFAR},
)  # fmt: skip

sys.modules[__name__].__class__ = CallableFamily
