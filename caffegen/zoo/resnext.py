"""ResNeXt: Xie, Girshick, Dollar, Tu, He, "Aggregated Residual Transformations ..." (2016).

A bottleneck whose 3x3 convolution is split into groups: ResNeXt-50 (32x4d) has 32 paths, each 4
channels wide in the first stage. For ImageNet it computes what torchvision's resnext50_32x4d,
resnext101_32x8d and resnext101_64x4d compute, for CIFAR what the authors' code does, both under the
names of residual.py's torchvision style.
"""

from __future__ import annotations

import sys

from caffegen.dsl import NetSpec
from caffegen.dsl.blocks import Conv

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
from .residual import STYLES, WIDTHS, Bottleneck, Builder, blocks_of_rule
from .resnet import TABLE_1

__all__ = ["ARCHITECTURE", "resnext"]

# the paths of a block and the width of each, as torchvision and the paper's Table 7 have them
USUAL = {50: (32, 4), 101: (32, 8)}
CIFAR_USUAL = (8, 64)
# section 5.3: three stages of n bottlenecks
_CIFAR = Depths((29,), 29, "9n + 2")
DEPTHS = {"imagenet": Depths(tuple(USUAL), 50), "cifar10": _CIFAR, "cifar100": _CIFAR}

_PAPER = (
    "S. Xie, R. Girshick, P. Dollar, Z. Tu, K. He: Aggregated Residual Transformations for Deep "
    "Neural Networks. CVPR 2017, arXiv:1611.05431"
)


def resnext(
    depth: int | None = None,
    dataset: str = "imagenet",
    cardinality: int | None = None,
    path_width: int | None = None,
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """The ResNeXt of a depth: 50 unless given, for CIFAR 29.

    `cardinality` is the number of paths and `path_width` the width of each in the first stage: 32x4d
    unless given, at depth 101 32x8d, for CIFAR 8x64d.
    """
    check_choice("dataset", dataset, DATASETS)
    imagenet = dataset == "imagenet"
    depth = whole_number("depth", depth, DEPTHS[dataset].usual)
    if imagenet:
        check_depth("ResNeXt", depth, USUAL, "ImageNet")
    usual = USUAL[depth] if imagenet else CIFAR_USUAL
    paths = whole_number("cardinality", cardinality, usual[0])
    width = whole_number("width of a path", path_width, usual[1])
    builder = Builder(
        f"ResNeXt-{depth} ({paths}x{width}d)",
        STYLES["torchvision"],
        "B",
        dataset=dataset,
        phase=phase,
        batch=batch,
    )
    builder.bottleneck = Bottleneck(paths, width)
    if imagenet:
        feature = builder.stem(builder.data(input_size, data))
        feature = builder.stages(feature, *TABLE_1[depth], WIDTHS)
        return builder.head(feature, classes)
    blocks = blocks_of_rule("ResNeXt", depth, 9, 2)
    widths = WIDTHS[:3]
    feature = builder.unit(builder.data(input_size, data), builder.style.stem, Conv(widths[0], 3))
    feature = builder.stages(feature, "bottleneck", (blocks,) * 3, widths)
    return builder.head(feature, classes)


# section 5.3, in iterations of 128 images: the rate is cut after 150 and 225 of 300 epochs
_RECIPE = CIFAR._replace(
    source="Xie et al. 2016, section 5.3, with the batch of 128 of the authors' code",
    type="Nesterov",
    policy={"gamma": 0.1, "stepvalue": (58650, 87975)},
    max_iter=117300,
    weight_decay=5e-4,
    deep_notes={},
)

ARCHITECTURE = Architecture(
    name="resnext",
    title="ResNeXt",
    paper=_PAPER,
    depths=DEPTHS,
    options=(
        Option("depth", "Layers with weights (50; for CIFAR 29)."),
        Option("dataset", "The images to classify.", "imagenet", tuple(DATASETS)),
        Option("cardinality", "Paths of a block (32; for CIFAR 8)."),
        Option(
            "path_width", "Width of a path in the first stage (4, at depth 101 8; for CIFAR 64)."
        ),
        *DATA_OPTIONS,
    ),
    build=resnext,
    recipes={"imagenet": ILSVRC12_RESIDUAL, "cifar10": _RECIPE, "cifar100": _RECIPE},
)

sys.modules[__name__].__class__ = CallableFamily
