"""What residual networks are made of: a stem, stages of blocks, a head; and the names of all three.

Two styles for ImageNet. `original` is the deploy nets that the authors published for Caffe, layer
for layer, so that their caffemodels load; nets that they did not publish follow the same names.
`torchvision` computes what torchvision's models compute. Its modules are layers here, dots written
as underscores: `layer1.0.conv1` is `layer1_0_conv1`, `layer1.0.bn1` the BatchNorm `layer1_0_bn1`
with running mean, running variance and a factor of 1, and the weight and bias of `layer1.0.bn1` are
the blobs of the Scale layer `layer1_0_bn1_scale`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from caffegen.dsl import NetSpec
from caffegen.dsl import layers as L  # noqa: N812
from caffegen.dsl.blocks import (
    ORDERS,
    BlockNames,
    Conv,
    Feature,
    Join,
    Order,
    Recipe,
    UnitNames,
    activate,
    add,
    conv_bn_scale_relu,
    convolve,
    max_pool,
    pooled_size,
    residual_block,
)

from .architecture import ZooError, check_blob, check_choice, check_not_absurd, whole_number
from .dataset import DATASETS, PHASES, add_data_layers, add_head, batch_size

__all__ = ["CIFAR_WIDTHS", "STYLES", "WIDTHS", "Bottleneck", "Builder", "Style", "blocks_of_rule"]

# He et al. 2015, Table 1 and section 4.2: the width doubles when the size is halved
WIDTHS = (64, 128, 256, 512)
CIFAR_WIDTHS = (16, 32, 64)
EXPANSION = {"basic": 1, "bottleneck": 4}


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

# the activation in front of the head, where blocks end in a bare sum
_LAST = UnitNames("", "bn_last", "scale_last", "last_relu")


class Bottleneck(NamedTuple):
    """How a bottleneck differs from He's: `groups` paths, each `base_width` wide in the first stage.

    The first convolution is half as wide as the 3x3 if `halved`; `projection` is the kernel of the
    projections from the second stage on.
    """

    groups: int = 1
    base_width: int = 64
    halved: bool = False
    projection: int = 1


class Builder:
    """A residual network in the making, from its data to its last layer.

    `option` is the shortcut's (A, B, C, or "" for a plain net); `order`, `join`, `dropout` and
    `bottleneck` are of every block, and a family may set them before it adds the stages, as it may
    set `images` before it adds the data.
    """

    def __init__(
        self,
        name: str,
        style: Style,
        option: str,
        *,
        dataset: str,
        phase: str,
        batch: int | None,
        order: Order = ORDERS["original"],
    ) -> None:
        check_choice("dataset", dataset, DATASETS)
        check_choice("phase", phase, PHASES)
        self.facts = DATASETS[dataset]
        self.net = NetSpec(name if dataset == "imagenet" else f"{name} {self.facts.title}")
        self.style = style
        self.option = option
        self.phase = phase
        self.images = self.facts.images
        self.batch = batch_size(self.facts, phase, batch)
        self.test_batch = batch or self.facts.test_batch
        self.order = order
        self.join: Join = add
        self.dropout = 0.0
        self.bottleneck = Bottleneck()
        if phase == "deploy":
            self.recipe = Recipe(batch_norm={"use_global_stats": True})
        else:
            # the statistics are no parameters to learn: three blobs, three rates of 0
            fixed = [{"lr_mult": 0}] * 3
            self.recipe = Recipe(
                convolution={"weight_filler": style.filler},
                batch_norm={"param": fixed, **style.batch_norm},
            )

    def data(self, input_size: int | None, data: str) -> Feature:
        """What the net reads: an Input, or the dataset's data layers."""
        size = whole_number("input size", input_size, self.facts.input_size)
        check_blob(self.batch, 3, size)
        batches = self.batch, self.test_batch
        return add_data_layers(self.net, self.images, self.phase, data, batches, size)

    def check(self, bottom: Feature, convolution: Conv) -> None:
        """Refuse a convolution whose blob, weights or columns are more than Caffe can count."""
        num_output, kernel_size, _, group = convolution
        size = convolution.size(bottom.size)
        check_blob(self.batch, num_output, size)
        check_blob(num_output, bottom.channels // group, kernel_size)
        if kernel_size > 1:
            # Caffe unrolls one image: a column for every window (base_conv_layer.cpp)
            check_blob(kernel_size**2, bottom.channels, size)

    def convolution(self, bottom: Feature, name: str, convolution: Conv) -> Feature:
        """A convolution alone."""
        self.check(bottom, convolution)
        return convolve(self.net, bottom, name, convolution, self.recipe)

    def unit(
        self, bottom: Feature, names: UnitNames, convolution: Conv, *, bias: bool = False
    ) -> Feature:
        """A convolution with BatchNorm, Scale and ReLU."""
        self.check(bottom, convolution)
        return conv_bn_scale_relu(self.net, bottom, names, convolution, self.recipe, bias=bias)

    def stem(self, data: Feature, *, bias: bool = False) -> Feature:
        """The first two rows of He's Table 1: a 7x7 convolution and a max pooling, both by 2."""
        feature = self.unit(data, self.style.stem, Conv(WIDTHS[0], 7, 2), bias=bias)
        return self.pool(data, feature)

    def pool(self, data: Feature, feature: Feature) -> Feature:
        """The 3x3 max pooling of the stem."""
        style = self.style
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
        self,
        feature: Feature,
        kind: str,
        blocks: tuple[int, ...],
        widths: tuple[int, ...],
        *,
        activated: bool = False,
    ) -> Feature:
        """All residual blocks; from the second stage on the first block halves the size.

        `activated` says that the first block finds its pre-activation done.
        """
        # the published nets: letters in ResNet-50; in 101 and 152 b1, b2 ... past three blocks
        few = max(blocks) <= 6
        for stage, (number, width) in enumerate(zip(blocks, widths, strict=True)):
            for index in range(number):
                convolutions = self.convolutions(kind, width, 2 if stage and not index else 1)
                if index < 2:
                    self._check_block(feature, convolutions)
                feature = residual_block(
                    self.net,
                    feature,
                    self.style.block_names(stage, index, few or number <= 3),
                    convolutions,
                    self.recipe,
                    self.option,
                    order=self.order,
                    join=self.join,
                    activated=activated and not stage and not index,
                    dropout=self.dropout,
                    projection=self.bottleneck.projection if stage else 1,
                )
        return activate(self.net, feature, self.order.before, _LAST, self.recipe)

    def convolutions(self, kind: str, width: int, stride: int) -> tuple[Conv, ...]:
        """The main path of one block."""
        if kind == "basic":
            return Conv(width, 3, stride), Conv(width, 3)
        first, second = (stride, 1) if self.style.stride_in_1x1 else (1, stride)
        groups, base_width, halved, _ = self.bottleneck
        inner = width * base_width // 64 * groups
        return (
            Conv(inner // 2 if halved else inner, 1, first),
            Conv(inner, 3, second, groups),
            Conv(width * EXPANSION[kind], 1),
        )

    def _check_block(self, feature: Feature, convolutions: Iterable[Conv]) -> None:
        for convolution in convolutions:
            self.check(feature, convolution)
            size = convolution.size(feature.size)
            feature = Feature(feature.top, convolution.num_output, size)

    def head(self, feature: Feature, classes: int | None) -> NetSpec:
        """Global average pooling, the classifier, and what follows it in each phase."""
        return self.classify(self.pool_all(feature), classes)

    def pool_all(self, feature: Feature) -> Feature:
        """Global average pooling; over a blob of 7x7 the published 7x7 window is the global one."""
        window = self.style.last_pool_window
        whole = {"kernel_size": window, "stride": 1}
        if feature.size != window:
            whole = {"global_pooling": True}
        top = self.net[self.style.last_pool] = L.Pooling(feature.top, pool="AVE", **whole)
        return Feature(top, feature.channels, 1)

    def classify(self, pooled: Feature, classes: int | None) -> NetSpec:
        """The classifier and what follows it in each phase."""
        number = whole_number("number of classes", classes, self.facts.classes)
        check_blob(number, pooled.channels, 1)
        filler = {} if self.phase == "deploy" else {"weight_filler": {"type": "msra"}}
        scores = L.InnerProduct(pooled.top, num_output=number, **filler)
        self.net[self.style.classifier.format(classes=number)] = scores
        add_head(self.net, scores, self.phase, number)
        return self.net


def blocks_of_rule(name: str, depth: int, step: int, rest: int, kind: str = "") -> int:
    """The n of a rule for CIFAR such as 6n + 2 (`step` 6, `rest` 2), with one block or more.

    `kind` is the kind of block that the rule is for, where there is another.
    """
    check_not_absurd(name, depth)
    blocks, over = divmod(depth - rest, step)
    if over or blocks < 1:
        near = step * max(1, blocks) + rest
        raise ZooError(
            f"there is no {name}-{depth} for CIFAR, whose depths are {step}n + {rest}"
            f"{f' with {kind} blocks' if kind else ''}; the nearest are {near} and {near + step}"
        )
    return blocks
