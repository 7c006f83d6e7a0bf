"""Plain networks: the nets that residual ones are held against, of He et al. (2015), section 3.3.

A plain net is the residual net of its depth without the shortcuts, layer for layer and name for
name; resnet.py builds it. Its rules are VGG's: where the size of the maps stays their number stays,
and where the size is halved the number doubles, so that every layer costs the same.
"""

from __future__ import annotations

import sys

from caffegen.dsl import NetSpec

from .architecture import (
    Architecture,
    CallableFamily,
    Depths,
    Option,
    check_choice,
    check_depth,
    whole_number,
)
from .dataset import DATA_OPTIONS, DATASETS
from .recipe import CIFAR, ILSVRC12_RESIDUAL
from .residual import blocks_of_rule
from .resnet import resnet

__all__ = ["ARCHITECTURE", "plain"]

# Table 2 and Figure 6: the depths at which the paper compares plain with residual nets
TABLE_2 = (18, 34)
FIGURE_6 = (20, 32, 44, 56, 110)
DEPTHS = {
    "imagenet": Depths(TABLE_2, 34),
    "cifar10": Depths(FIGURE_6, 56, "6n + 2"),
    "cifar100": Depths(FIGURE_6, 56, "6n + 2"),
}

_PAPER = (
    "K. He, X. Zhang, S. Ren, J. Sun: Deep Residual Learning for Image Recognition. "
    "CVPR 2016, arXiv:1512.03385"
)


def plain(
    depth: int | None = None,
    dataset: str = "imagenet",
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """The plain network of a depth: 34 unless given, for CIFAR 56.

    Classes, image size and batch are the dataset's. `train_val` has data layers, fillers and
    losses; `deploy` has an Input and ends in `prob`.
    """
    check_choice("dataset", dataset, DATASETS)
    depth = whole_number("depth", depth, DEPTHS[dataset].usual)
    if dataset == "imagenet":
        check_depth("Plain", depth, TABLE_2, "ImageNet")
    else:
        blocks_of_rule("Plain", depth, 6, 2)
    return resnet(
        depth, dataset, classes=classes, input_size=input_size, batch=batch, phase=phase,
        plain=True, data=data,
    )  # fmt: skip


ARCHITECTURE = Architecture(
    name="plain",
    title="Plain networks",
    paper=_PAPER,
    depths=DEPTHS,
    options=(
        Option("depth", "Layers with weights (34; for CIFAR 56)."),
        Option("dataset", "The images to classify.", "imagenet", tuple(DATASETS)),
        *DATA_OPTIONS,
    ),
    build=plain,
    recipes={"imagenet": ILSVRC12_RESIDUAL, "cifar10": CIFAR, "cifar100": CIFAR},
)

sys.modules[__name__].__class__ = CallableFamily
