"""Wide residual networks: Zagoruyko, Komodakis, "Wide Residual Networks" (2016).

For CIFAR WRN-d-k: pre-activation networks of d layers, k times as wide, perhaps with dropout
between the two convolutions of a block. As in the authors' code nothing stands between `conv1` and
the first block. For ImageNet torchvision's wide_resnet50_2 and wide_resnet101_2, whose bottlenecks
have a 3x3 convolution k times as wide, under the names of residual.py's torchvision style.
"""

from __future__ import annotations

import sys

from caffegen.dsl import NetSpec
from caffegen.dsl.blocks import ORDERS, Conv

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
from .dataset import DATA_OPTIONS
from .recipe import CIFAR, ILSVRC12_RESIDUAL
from .residual import CIFAR_WIDTHS, STYLES, WIDTHS, Bottleneck, Builder, blocks_of_rule
from .resnet import TABLE_1

__all__ = ["ARCHITECTURE", "wideresnet"]

# Table 1: a 3x3 convolution, then three stages of n basic blocks; with a projection in each stage
# these are 6n + 4 convolutions
_CIFAR = Depths((16, 22, 28, 40), 28, "6n + 4")
DEPTHS = {"cifar10": _CIFAR, "cifar100": _CIFAR, "imagenet": Depths((50, 101), 50)}
WIDEN = {"cifar10": 10, "cifar100": 10, "imagenet": 2}
# section 3.3, cross-validated on CIFAR
DROPOUT = 0.3

_PAPER = "S. Zagoruyko, N. Komodakis: Wide Residual Networks. BMVC 2016, arXiv:1605.07146"


def wideresnet(
    depth: int | None = None,
    dataset: str = "cifar10",
    widen: int | None = None,
    dropout: bool = False,
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """The wide network of a depth and a factor: WRN-28-10 unless given, for ImageNet WRN-50-2.

    `dropout` drops 30% of what a block's second convolution reads, while the net trains.
    """
    check_flag("dropout", dropout)
    check_choice("dataset", dataset, DEPTHS)
    depth = whole_number("depth", depth, DEPTHS[dataset].usual)
    widen = whole_number("factor to widen by", widen, WIDEN[dataset])
    imagenet = dataset == "imagenet"
    builder = Builder(
        f"WRN-{depth}-{widen}",
        STYLES["torchvision" if imagenet else "original"],
        "B",
        dataset=dataset,
        phase=phase,
        batch=batch,
        order=ORDERS["original" if imagenet else "full"],
    )
    if imagenet:
        check_depth("WRN", depth, DEPTHS[dataset].published, "ImageNet")
        if dropout:
            raise ZooError("the wide networks for ImageNet have no dropout; leave it out")
        builder.bottleneck = Bottleneck(base_width=64 * widen)
        feature = builder.stem(builder.data(input_size, data))
        feature = builder.stages(feature, *TABLE_1[depth], WIDTHS)
        return builder.head(feature, classes)
    blocks = blocks_of_rule("WRN", depth, 6, 4)
    builder.dropout = DROPOUT if dropout else 0
    widths = tuple(width * widen for width in CIFAR_WIDTHS)
    feature = builder.data(input_size, data)
    feature = builder.convolution(feature, builder.style.stem.conv, Conv(CIFAR_WIDTHS[0], 3))
    feature = builder.stages(feature, "basic", (blocks,) * 3, widths)
    return builder.head(feature, classes)


# section 3: 200 epochs of 391 batches, the rate times 0.2 after 60, 120 and 160 of them
_RECIPE = CIFAR._replace(
    source="Zagoruyko and Komodakis 2016, section 3",
    type="Nesterov",
    policy={"gamma": 0.2, "stepvalue": (23460, 46920, 62560)},
    max_iter=78200,
    weight_decay=5e-4,
    deep_notes={},
)

ARCHITECTURE = Architecture(
    name="wideresnet",
    title="Wide residual networks",
    paper=_PAPER,
    depths=DEPTHS,
    options=(
        Option("depth", "Convolutions (28); for ImageNet layers with weights (50)."),
        Option("dataset", "The images to classify.", "cifar10", tuple(DEPTHS)),
        Option("widen", "How many times as wide as the residual network (10; for ImageNet 2)."),
        Option("dropout", "Drop 30% between the two convolutions of a block.", False),
        *DATA_OPTIONS,
    ),
    build=wideresnet,
    recipes={"cifar10": _RECIPE, "cifar100": _RECIPE, "imagenet": ILSVRC12_RESIDUAL},
)

sys.modules[__name__].__class__ = CallableFamily
