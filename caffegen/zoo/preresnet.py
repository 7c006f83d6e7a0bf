"""Pre-activation residual networks: He, Zhang, Ren, Sun, "Identity Mappings in Deep ..." (2016).

BatchNorm and ReLU stand in front of the convolutions, so that nothing but sums stands between the
first block and the last. The paper's own comparisons are options: other orders of activation
(Table 2) and shortcuts that are not the identity (Table 1). Names are those of resnet.py; a norm
that stands in front of a convolution is named with it.

As in the paper and its authors' code the activation behind `conv1` is the first block's, one more
stands behind the last sum, bottlenecks have their stride in the first 1x1 convolution, and a block
that projects its input shares the activation in front with its projection.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from caffegen.dsl import NetSpec
from caffegen.dsl.blocks import ORDERS, Conv, Feature, Join, Recipe, add
from caffegen.dsl.gates import dropped_shortcut, gating, scaled

from .architecture import (
    Architecture,
    CallableFamily,
    Depths,
    Option,
    ZooError,
    check_choice,
    check_depth,
    whole_number,
)
from .dataset import DATA_OPTIONS, DATASETS
from .recipe import CIFAR, ILSVRC12_RESIDUAL
from .residual import CIFAR_WIDTHS, STYLES, WIDTHS, Builder, blocks_of_rule

__all__ = ["ARCHITECTURE", "preresnet"]

# ImageNet: 50 to 152 as in the first paper's Table 1; 200 is 152 with 16 more blocks in conv3_x
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3)}
# CIFAR: 110 of two 3x3 convolutions a block, 164 and 1001 of bottlenecks
RULES = {"basic": 6, "bottleneck": 9}
DEEPEST_BASIC = 110
_CIFAR = Depths(
    (110, 164, 1001), 164, "6n + 2 (up to 110 of basic blocks) or 9n + 2 (of bottlenecks)"
)
DEPTHS = {"imagenet": Depths(tuple(BLOCKS), 200), "cifar10": _CIFAR, "cifar100": _CIFAR}

# Table 1, h(x): each a join of shortcut and main path; a gate takes the bias that it starts with
SHORTCUTS: dict[str, Callable[[Recipe, float], Join]] = {
    "identity": lambda _recipe, _bias: add,
    "scaling": lambda _recipe, _bias: scaled(0.5, 1),
    "scaling-both": lambda _recipe, _bias: scaled(0.5, 0.5),
    "exclusive-gating": lambda recipe, bias: gating(recipe, bias, exclusive=True),
    "shortcut-gating": lambda recipe, bias: gating(recipe, bias, exclusive=False),
    "conv": lambda _recipe, _bias: add,
    "dropout": lambda _recipe, _bias: dropped_shortcut(0.5),
}
# the bias that Table 1 found best, as its distance below 0
GATE_BIAS = 6

_PAPER = (
    "K. He, X. Zhang, S. Ren, J. Sun: Identity Mappings in Deep Residual Networks. "
    "ECCV 2016, arXiv:1603.05027"
)


def preresnet(
    depth: int | None = None,
    dataset: str = "imagenet",
    order: str = "full",
    shortcut: str = "identity",
    gate_bias: int | None = None,
    block: str | None = None,
    dimensions: str | None = None,
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """The pre-activation network of a depth: 200 unless given, for CIFAR 164.

    `order` and `shortcut` are the variants of Tables 2 and 1, which hold for every block. `block`
    is bottleneck but in CIFAR nets of up to 110 layers; `dimensions` is what the identity becomes
    where the shape changes, zeros (A) in basic and projections (B) in bottleneck blocks unless
    given. A gate's biases start at minus `gate_bias`, 6 unless given.
    """
    check_choice("dataset", dataset, DATASETS)
    check_choice("order", order, ORDERS)
    check_choice("shortcut", shortcut, SHORTCUTS)
    imagenet = dataset == "imagenet"
    depth = whole_number("depth", depth, DEPTHS[dataset].usual)
    kind = _block(block, depth, imagenet)
    builder = Builder(
        f"PreResNet-{depth}",
        STYLES["original"],
        _option(dimensions, shortcut, kind),
        dataset=dataset,
        phase=phase,
        batch=batch,
        order=ORDERS[order],
    )
    builder.join = SHORTCUTS[shortcut](builder.recipe, -_gate_bias(gate_bias, shortcut))
    if imagenet:
        check_depth("PreResNet", depth, BLOCKS, "ImageNet")
        feature = builder.stem(builder.data(input_size, data))
        feature = builder.stages(feature, kind, BLOCKS[depth], WIDTHS, activated=True)
    else:
        blocks = blocks_of_rule("PreResNet", depth, RULES[kind], 2, kind)
        feature = _stem(builder, builder.data(input_size, data))
        feature = builder.stages(feature, kind, (blocks,) * 3, CIFAR_WIDTHS, activated=True)
    return builder.head(feature, classes)


def _stem(builder: Builder, data: Feature) -> Feature:
    return builder.unit(data, builder.style.stem, Conv(CIFAR_WIDTHS[0], 3))


def _block(block: str | None, depth: int, imagenet: bool) -> str:
    """The kind of block: the paper's at this depth, unless given."""
    if block is None:
        return "bottleneck" if imagenet or depth > DEEPEST_BASIC else "basic"
    check_choice("block", block, RULES)
    if imagenet and block == "basic":
        raise ZooError(
            "the nets for ImageNet are made of bottleneck blocks; leave out block `basic`"
        )
    return block


def _option(dimensions: str | None, shortcut: str, kind: str) -> str:
    """The shortcut's option, as the first paper calls it."""
    if dimensions is not None:
        check_choice("dimensions", dimensions, ("A", "B"))
        if shortcut == "conv":
            raise ZooError(
                "with shortcut `conv` every shortcut is a projection; "
                f"leave out dimensions `{dimensions}`"
            )
        return dimensions
    if shortcut == "conv":
        return "C"
    return "A" if kind == "basic" else "B"


def _gate_bias(bias: int | None, shortcut: str) -> int:
    if bias is not None and not shortcut.endswith("-gating"):
        raise ZooError(f"shortcut `{shortcut}` has no gate; leave out gate bias `{bias}`")
    return whole_number("gate bias", bias, GATE_BIAS, least=0)


ARCHITECTURE = Architecture(
    name="preresnet",
    title="Pre-activation residual networks",
    paper=_PAPER,
    depths=DEPTHS,
    options=(
        Option("depth", "Layers with weights (200; for CIFAR 164)."),
        Option("dataset", "The images to classify.", "imagenet", tuple(DATASETS)),
        Option("order", "Where a block normalises and activates: Figure 4 (a) to (e), Table 2.",
               "full", tuple(ORDERS)),
        Option("shortcut", "What a shortcut does to its input: Figure 2, Table 1.", "identity",
               tuple(SHORTCUTS)),
        Option("gate_bias", "A gate's biases start at minus this (6)."),
        Option("block", "Two 3x3 convolutions, or 1x1, 3x3 and 1x1 (bottleneck; for CIFAR basic up "
               "to depth 110).", None, tuple(RULES)),
        Option("dimensions", "Where the shape changes, A pads with zeros and B projects (A in basic "
               "blocks, B in bottlenecks).", None, ("A", "B")),
        *DATA_OPTIONS,
    ),
    build=preresnet,
    recipes={"imagenet": ILSVRC12_RESIDUAL, "cifar10": CIFAR, "cifar100": CIFAR},
)  # fmt: skip

sys.modules[__name__].__class__ = CallableFamily
