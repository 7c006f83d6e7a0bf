"""Squeeze-and-excitation networks: Hu, Shen, Sun, "Squeeze-and-Excitation Networks" (2017).

The nets that the authors published for Caffe (hujie-frank/SENet): SE-ResNet 50, 101 and 152,
SE-ResNeXt (32 x 4d) 50 and 101, and SENet-154, under their layer names, so that their caffemodels
load. Their files weigh channels and add the shortcut by a layer of their own, Axpy, that has no
weights and that BVLC Caffe does not have; here a Flatten, a Scale and an Eltwise do the same.
"""

from __future__ import annotations

import sys

from caffegen.dsl import NetSpec, Top
from caffegen.dsl import layers as L  # noqa: N812
from caffegen.dsl.blocks import BlockNames, Branches, Conv, Join, Recipe, UnitNames, add
from caffegen.dsl.gates import SqueezeNames, squeeze_and_excitation

from .architecture import (
    Architecture,
    CallableFamily,
    Depths,
    Option,
    check_depth,
    check_flag,
    whole_number,
)
from .dataset import data_options
from .recipe import ILSVRC12_RESIDUAL
from .residual import WIDTHS, Bottleneck, Builder, Style
from .resnet import TABLE_1

__all__ = ["ARCHITECTURE", "senet"]

# the blocks of each stage, all bottlenecks; 154 is a net of its own, ILSVRC 2017's winner
BLOCKS = {depth: blocks for depth, (kind, blocks) in TABLE_1.items() if kind == "bottleneck"}
BLOCKS[154] = BLOCKS[152]
RESNEXT = (50, 101)
# between squeeze and excitation one channel in 16 is left
REDUCTION = 16

_PAPER = "J. Hu, L. Shen, G. Sun: Squeeze-and-Excitation Networks. CVPR 2018, arXiv:1709.01507"


def _unit(name: str, relu: str = "") -> UnitNames:
    return UnitNames(name, f"{name}/bn", f"{name}/bn/scale", relu or f"{name}/relu")


def _block(stage: int, index: int, _lettered: bool) -> BlockNames:
    block = f"conv{stage + 2}_{index + 1}"
    main = tuple(_unit(f"{block}_{name}") for name in ("1x1_reduce", "3x3", "1x1_increase"))
    return BlockNames(main, _unit(f"{block}_1x1_proj"), block, f"{block}/relu")


_STYLE = Style(
    stem=_unit("conv1/7x7_s2", "conv1/relu_7x7_s2"),
    stem_pool="pool1/3x3_s2",
    stem_pool_pad=0,
    stem_pool_floor=False,
    block_names=_block,
    stride_in_1x1=True,
    last_pool="pool5/7x7_s1",
    last_pool_window=7,
    classifier="classifier",
    filler={"type": "msra"},
    batch_norm={},
)
# SENet-154 has three 3x3 convolutions in place of the 7x7
_STEM_154 = (
    (_unit("conv1_1/3x3_s2", "conv1_1/relu_3x3_s2"), Conv(64, 3, 2)),
    (_unit("conv1_2/3x3", "conv1_2/relu_3x3"), Conv(64, 3)),
    (_unit("conv1_3/3x3", "conv1_3/relu_3x3"), Conv(128, 3)),
)


def senet(
    depth: int | None = None,
    resnext: bool = False,
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """The SE-ResNet of a depth, 50 unless given; with `resnext` the SE-ResNeXt (32 x 4d).

    154 is SENet-154. 1000 classes and images of 224x224 unless given.
    """
    check_flag("resnext", resnext)
    depth = whole_number("depth", depth, 50)
    check_depth(
        "SE-ResNeXt" if resnext else "SE-ResNet", depth, RESNEXT if resnext else tuple(BLOCKS)
    )
    name = f"SE-ResNeXt-{depth} (32 x 4d)" if resnext else f"SE-ResNet-{depth}"
    name = "SENet" if depth == 154 else name
    style = _STYLE._replace(stride_in_1x1=not resnext and depth != 154)
    builder = Builder(name, style, "B", dataset="imagenet", phase=phase, batch=batch)
    builder.images = builder.images._replace(transform={"mean_value": [104, 117, 123]})
    builder.join = _weigh_and_add(builder.recipe)
    if resnext:
        builder.bottleneck = Bottleneck(32, 4)
    bottom = builder.data(input_size, data)
    if depth != 154:
        feature = builder.stages(builder.stem(bottom), "bottleneck", BLOCKS[depth], WIDTHS)
        return builder.head(feature, classes)
    builder.bottleneck = Bottleneck(64, 4, halved=True, projection=3)
    feature = bottom
    for names, convolution in _STEM_154:
        feature = builder.unit(feature, names, convolution)
    feature = builder.pool(bottom, feature)
    pooled = builder.pool_all(builder.stages(feature, "bottleneck", BLOCKS[depth], WIDTHS))
    dropped = L.Dropout(pooled.top, in_place=True, dropout_ratio=0.2)
    builder.net["pool5/dropout_7x7_s1"] = dropped
    return builder.classify(pooled._replace(top=dropped), classes)


def _weigh_and_add(recipe: Recipe) -> Join:
    """The join of a block: its main path, weighed channel by channel, and its shortcut."""

    def join(net: NetSpec, names: BlockNames, branches: Branches) -> Top:
        block = names.sum
        squeeze = SqueezeNames(
            f"{block}_global_pool", f"{block}_1x1_down", f"{block}_1x1_down/relu",
            f"{block}_1x1_up", f"{block}_prob", f"{block}_prob/flat", f"{block}_scale",
        )  # fmt: skip
        weighed = squeeze_and_excitation(net, branches.main, squeeze, REDUCTION, recipe)
        return add(net, names, branches._replace(main=weighed))

    return join


ARCHITECTURE = Architecture(
    name="senet",
    title="Squeeze-and-excitation networks",
    paper=_PAPER,
    depths={"imagenet": Depths(tuple(BLOCKS), 50)},
    options=(
        Option("depth", "Layers with weights, those that weigh channels not counted (50)."),
        Option("resnext", "SE-ResNeXt (32 x 4d), 50 or 101.", False),
        *data_options(1000, 224, 256, "data layers, fillers and losses"),
    ),
    build=senet,
    recipes={"imagenet": ILSVRC12_RESIDUAL},
)

sys.modules[__name__].__class__ = CallableFamily
