"""Residual networks: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (2015).

Two styles for ImageNet. `original` is the deploy nets that the authors published for Caffe, layer
for layer, so that their caffemodels load; 18 and 34, which they did not publish, follow the same
names. `torchvision` computes what torchvision's resnet18 to resnet152 compute. Its modules are
layers here, dots written as underscores: `layer1.0.conv1` is `layer1_0_conv1`, `layer1.0.bn1` the
BatchNorm `layer1_0_bn1` with running mean, running variance and a factor of 1, and the weight and
bias of `layer1.0.bn1` are the blobs of the Scale layer `layer1_0_bn1_scale`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

from caffegen.dsl import NetSpec
from caffegen.dsl import layers as L  # noqa: N812
from caffegen.dsl.blocks import (
    SHORTCUTS,
    BlockNames,
    Conv,
    Feature,
    Recipe,
    UnitNames,
    conv_bn_scale_relu,
    max_pool,
    pooled_size,
    residual_block,
)

from .architecture import (
    Architecture,
    CallableFamily,
    Depths,
    Option,
    ZooError,
    check_blob,
    check_choice,
    listed,
    nearest_number,
    whole_number,
)
from .dataset import DATASETS, PHASES, add_data, add_head, batch_size

__all__ = ["ARCHITECTURE", "resnet"]

# Table 1: the blocks of conv2_x, conv3_x, conv4_x and conv5_x. A basic block is two 3x3
# convolutions, a bottleneck 1x1, 3x3 and 1x1, of which the last is four times as wide.
TABLE_1 = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}
WIDTHS = (64, 128, 256, 512)
EXPANSION = {"basic": 1, "bottleneck": 4}

# Section 4.2: a 3x3 convolution, then three stages of n basic blocks: 6n + 2 layers with weights
CIFAR_WIDTHS = (16, 32, 64)
DEPTHS = {
    "imagenet": Depths(tuple(TABLE_1), 101),
    "cifar10": Depths((20, 32, 44, 56, 110, 1202), 110, "6n + 2"),
    "cifar100": Depths((20, 32, 44, 56, 110, 1202), 110, "6n + 2"),
}

_PAPER = (
    "K. He, X. Zhang, S. Ren, J. Sun: Deep Residual Learning for Image Recognition. "
    "CVPR 2016, arXiv:1512.03385"
)


class Style(NamedTuple):
    """What two nets of one table differ in: names, where the stride is, how they pool and learn.

    `block_names` takes the stage (from 0), the block in it, and whether blocks have letters.
    """

    stem: UnitNames
    stem_pool: str
    stem_pool_pad: int
    stem_pool_floor: bool
    block_names: Callable[[int, int, bool], BlockNames]
    stride_in_1x1: bool
    last_pool: str
    last_pool_window: int
    classifier: str
    filler: Mapping[str, str]
    batch_norm: Mapping[str, float]


def _original_block(stage: int, index: int, lettered: bool) -> BlockNames:
    letter = chr(ord("a") + index) if lettered or index == 0 else f"b{index}"
    block = f"{stage + 2}{letter}"

    def unit(branch: str) -> UnitNames:
        conv = f"res{block}_{branch}"
        return UnitNames(conv, f"bn{block}_{branch}", f"scale{block}_{branch}", f"{conv}_relu")

    main = (unit("branch2a"), unit("branch2b"), unit("branch2c"))
    return BlockNames(main, unit("branch1"), f"res{block}", f"res{block}_relu")


def _torchvision_block(stage: int, index: int, _lettered: bool) -> BlockNames:
    block = f"layer{stage + 1}_{index}"

    def unit(conv: str, norm: str, relu: str) -> UnitNames:
        norm = f"{block}_{norm}"
        return UnitNames(f"{block}_{conv}", norm, f"{norm}_scale", f"{block}_{relu}")

    main = tuple(unit(f"conv{n}", f"bn{n}", f"relu{n}") for n in (1, 2, 3))
    projection = unit("downsample_0", "downsample_1", "")
    return BlockNames(main, projection, block, f"{block}_relu")


STYLES = {
    "original": Style(
        stem=UnitNames("conv1", "bn_conv1", "scale_conv1", "conv1_relu"),
        stem_pool="pool1",
        stem_pool_pad=0,
        stem_pool_floor=False,
        block_names=_original_block,
        stride_in_1x1=True,
        last_pool="pool5",
        last_pool_window=7,
        classifier="fc{classes}",
        filler={"type": "msra"},
        batch_norm={},
    ),
    # resnet.py of torchvision: kaiming_normal_ of mode fan_out, momentum 0.1, eps 1e-5 as in Caffe
    "torchvision": Style(
        stem=UnitNames("conv1", "bn1", "bn1_scale", "relu"),
        stem_pool="maxpool",
        stem_pool_pad=1,
        stem_pool_floor=True,
        block_names=_torchvision_block,
        stride_in_1x1=False,
        last_pool="avgpool",
        last_pool_window=0,
        classifier="fc",
        filler={"type": "msra", "variance_norm": "FAN_OUT"},
        batch_norm={"moving_average_fraction": 0.9},
    ),
}


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
) -> NetSpec:
    """The residual network of a depth, or with `plain` the same network without its shortcuts.

    The depth is 101 unless given (110 for CIFAR), the shortcut B (A for CIFAR, as in the paper);
    classes, image size and batch are the dataset's. `train_val` has data layers, fillers and
    losses; `deploy` has an Input and ends in `prob`.
    """
    check_choice("dataset", dataset, DATASETS)
    check_choice("style", style, STYLES)
    check_choice("phase", phase, PHASES)
    facts = DATASETS[dataset]
    depth = whole_number("depth", depth, DEPTHS[dataset].usual)
    widths: tuple[int, ...]
    if dataset == "imagenet":
        kind, blocks = _table_1(depth)
        widths = WIDTHS
    else:
        if style != "original":
            raise ZooError(f"torchvision has no ResNet for {facts.title}, only for ImageNet")
        kind, blocks, widths = "basic", (_cifar_blocks(depth),) * 3, CIFAR_WIDTHS
    title = f"{'Plain' if plain else 'ResNet'}-{depth}"
    net = NetSpec(title if dataset == "imagenet" else f"{title} {facts.title}")
    builder = _Builder(
        net,
        STYLES[style],
        _option(shortcut, plain, "B" if dataset == "imagenet" else "A"),
        phase,
        images=batch_size(facts, phase, batch),
    )
    size = whole_number("input size", input_size, facts.input_size)
    data = add_data(net, facts, phase, batch, size)
    if dataset == "imagenet":
        # the published ResNet-50, and it alone, has a bias in conv1
        feature = builder.stem(data, bias=style == "original" and depth == 50)
    else:
        feature = builder.unit(data, STYLES[style].stem, Conv(CIFAR_WIDTHS[0], 3))
    feature = builder.stages(feature, kind, blocks, widths)
    builder.head(feature, whole_number("number of classes", classes, facts.classes))
    return net


class _Builder:
    """A network in the making, from its stem to its last layer."""

    def __init__(self, net: NetSpec, style: Style, option: str, phase: str, *, images: int) -> None:
        self.net = net
        self.style = style
        self.option = option
        self.phase = phase
        self.images = images
        if phase == "deploy":
            self.recipe = Recipe(batch_norm={"use_global_stats": True})
        else:
            # the statistics are no parameters to learn: three blobs, three rates of 0
            fixed = [{"lr_mult": 0}] * 3
            self.recipe = Recipe(
                convolution={"weight_filler": style.filler},
                batch_norm={"param": fixed, **style.batch_norm},
            )

    def unit(
        self, bottom: Feature, names: UnitNames, convolution: Conv, *, bias: bool = False
    ) -> Feature:
        """A convolution with BatchNorm, Scale and ReLU."""
        check_blob(self.images, convolution.num_output, bottom.size // convolution.stride)
        return conv_bn_scale_relu(self.net, bottom, names, convolution, self.recipe, bias=bias)

    def stem(self, data: Feature, *, bias: bool) -> Feature:
        """The first two rows of Table 1: a 7x7 convolution and a max pooling, both by 2."""
        style = self.style
        feature = self.unit(data, style.stem, Conv(WIDTHS[0], 7, 2), bias=bias)
        if pooled_size(feature.size, 3, 2, style.stem_pool_pad) < 1:
            raise ZooError(
                f"an input of {data.size}x{data.size} is too small: after `conv1` nothing is left "
                f"for the 3x3 windows of `{style.stem_pool}`"
            )
        return max_pool(
            self.net, feature, style.stem_pool,
            kernel_size=3, stride=2, pad=style.stem_pool_pad, floor=style.stem_pool_floor,
        )  # fmt: skip

    def stages(
        self, feature: Feature, kind: str, blocks: tuple[int, ...], widths: tuple[int, ...]
    ) -> Feature:
        """All residual blocks; from the second stage on the first block halves the size."""
        # the published nets: letters in ResNet-50; in 101 and 152 b1, b2 ... past three blocks
        few = max(blocks) <= 6
        for stage, (number, width) in enumerate(zip(blocks, widths, strict=True)):
            check_blob(self.images, width * EXPANSION[kind], feature.size // (1 + (stage > 0)))
            for index in range(number):
                feature = residual_block(
                    self.net,
                    feature,
                    self.style.block_names(stage, index, few or number <= 3),
                    self.convolutions(kind, width, 2 if stage and not index else 1),
                    self.recipe,
                    self.option,
                )
        return feature

    def convolutions(self, kind: str, width: int, stride: int) -> tuple[Conv, ...]:
        """The main path of one block."""
        if kind == "basic":
            return Conv(width, 3, stride), Conv(width, 3)
        first, second = (stride, 1) if self.style.stride_in_1x1 else (1, stride)
        return (Conv(width, 1, first), Conv(width, 3, second), Conv(width * EXPANSION[kind], 1))

    def head(self, feature: Feature, classes: int) -> None:
        """Global average pooling, the classifier, and what follows it in each phase.

        Over a blob of 7x7 the published 7x7 window is the global one.
        """
        net, style = self.net, self.style
        window = style.last_pool_window
        whole = {"kernel_size": window, "stride": 1}
        if feature.size != window:
            whole = {"global_pooling": True}
        net[style.last_pool] = pooled = L.Pooling(feature.top, pool="AVE", **whole)
        check_blob(classes, feature.channels, 1)
        filler = {} if self.phase == "deploy" else {"weight_filler": {"type": "msra"}}
        name = style.classifier.format(classes=classes)
        net[name] = scores = L.InnerProduct(pooled, num_output=classes, **filler)
        add_head(net, scores, self.phase, classes)


def _table_1(depth: int) -> tuple[str, tuple[int, ...]]:
    if depth not in TABLE_1:
        raise ZooError(
            f"there is no ResNet-{depth} for ImageNet, only {listed(map(str, TABLE_1))}; "
            f"the nearest is {nearest_number(depth, TABLE_1)}"
        )
    return TABLE_1[depth]


def _cifar_blocks(depth: int) -> int:
    """The n of 6n + 2."""
    blocks, rest = divmod(depth - 2, 6)
    if rest or blocks < 1:
        near = max(8, 6 * blocks + 2), 6 * max(1, blocks) + 8
        raise ZooError(
            f"there is no ResNet-{depth} for CIFAR, whose depths are 6n + 2; "
            f"the nearest are {near[0]} and {near[1]}"
        )
    return blocks


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
        Option("classes", "Number of classes (1000, 10 or 100, as the dataset has)."),
        Option("input_size", "Height and width of the images (224; for CIFAR 32)."),
        Option("batch", "Images in a batch (1; in train_val 256, for CIFAR 128)."),
        Option("phase", "An Input and a Softmax, or data layers, fillers and losses.", "deploy",
               PHASES),
    ),
    build=resnet,
)  # fmt: skip

sys.modules[__name__].__class__ = CallableFamily
