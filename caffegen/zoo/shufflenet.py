"""ShuffleNet: Zhang et al. (2017), and version 2: Ma et al. (2018).

Grouped convolutions read channels of their own group alone, so a shuffle mixes the groups behind
them. BVLC Caffe has no layer for it, but three of its own do it exactly, without weights: a Slice
cuts the blob into its groups, a Concat along the height lays the channels of one place in all
groups above each other, and a Reshape reads the rows that came together as channels. That copies
the blob twice, where the forks' ShuffleChannel, which `shuffle` can choose, copies it once.

The names are those of farmingyard/ShuffleNet, whose ConvolutionDepthwise is a Convolution with
`group` here. Its version 2 is the authors' net; its version 1 has fewer channels inside the blocks
that halve the size than the authors' own code, which is followed here.
"""

from __future__ import annotations

import sys
from typing import Any

from caffegen.dsl import NetSpec
from caffegen.dsl import layers as L  # noqa: N812
from caffegen.dsl.blocks import Feature

from .architecture import (
    Architecture,
    CallableFamily,
    Depths,
    Option,
    ZooError,
    check_choice,
    listed,
    whole_number,
)
from .dataset import add_head, data_options
from .published import ILSVRC12, Builder, Norms, filled
from .recipe import TrainingRecipe

__all__ = ["ARCHITECTURE", "shufflenet"]

# Table 1 of the first paper: channels of stage 2 by groups, twice as many in each stage behind it
GROUPS = {"1": 144, "2": 200, "3": 240, "4": 272, "8": 384}
# Table 5 of the second: channels of stages 2 to 4, and of the last convolution
TABLE_5 = {
    "0.5": (48, 96, 192, 1024),
    "1.0": (116, 232, 464, 1024),
    "1.5": (176, 352, 704, 1024),
    "2.0": (244, 488, 976, 2048),
}
REPEATS = (4, 8, 4)
# channels of the first convolution of version 1; a half of 8 groups takes 16, which they divide
FIRST = {"0.5": 12, "1.0": 24, "1.5": 24, "2.0": 48}
SCALED = ("3", "8")
VERSIONS = ("1", "2")
SHUFFLES = ("bvlc", "fork")

_PAPER = (
    "X. Zhang, X. Zhou, M. Lin, J. Sun: ShuffleNet: An Extremely Efficient Convolutional Neural "
    "Network for Mobile Devices. CVPR 2018, arXiv:1707.01083. N. Ma, X. Zhang, H.-T. Zheng, J. Sun: "
    "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design. ECCV 2018, "
    "arXiv:1807.11164"
)
_IMAGES = ILSVRC12._replace(
    input_size=224,
    train_batch=1024,
    transform={"mean_value": [103.94, 116.78, 123.68], "scale": 0.017},
)
_FILLERS = filled("msra", 0)


def shufflenet(
    version: str | float = "1",
    width: str | float = "1.0",
    groups: str | int | None = None,
    shuffle: str = "bvlc",
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """The ShuffleNet of a version, a width and, in version 1, a number of groups, 3 unless given.

    It has 1000 classes and images of 224x224 unless given. `train_val` has data layers, fillers,
    loss and accuracies; `deploy` an Input, and ends in `prob`.
    """
    version = check_choice("version", version, VERSIONS)
    check_choice("shuffle", shuffle, SHUFFLES)
    factor = _width(width)
    training = phase != "deploy"
    statistics: dict[str, Any] = {"param": [{"lr_mult": 0, "decay_mult": 0}] * 3}
    builder = Builder(
        "shufflenet" if version == "1" else "shufflenet_v2",
        phase, _IMAGES, batch, input_size,
        fillers=training, data=data, norms=Norms(statistics if training else {}),
    )  # fmt: skip
    number = whole_number("number of classes", classes, _IMAGES.classes)
    if version == "1":
        feature = _version_1(builder, factor, "3" if groups is None else str(groups), shuffle)
    elif groups is None:
        feature = _version_2(builder, factor, shuffle)
    else:
        raise ZooError(
            f"ShuffleNet v2 has no grouped 1x1 convolutions; leave out groups `{groups}`"
        )
    feature = builder.global_pool(feature, "pool_ave")
    scores = builder.convolution(feature, f"fc{number}", number, 1, _FILLERS)
    add_head(builder.net, scores.top, phase, number)
    return builder.net


def _width(width: str | float) -> str:
    """The width as the table has it."""
    try:
        factor = str(float(width))
    except (TypeError, ValueError):
        factor = ""
    if factor not in TABLE_5:
        raise ZooError(f"there is no ShuffleNet of width {width}, only {listed(TABLE_5)}")
    return factor


def _stem(builder: Builder, num_output: int) -> Feature:
    """A 3x3 convolution and a max pooling, both by 2."""
    feature = _unit(builder, builder.data(), "conv1", num_output, 3, stride=2, relu=True)
    return builder.pool(feature, "pool1", 3, 2)


def _version_1(builder: Builder, width: str, groups: str, shuffle: str) -> Feature:
    check_choice("number of groups", groups, GROUPS)
    if width != "1.0" and groups not in SCALED:
        raise ZooError(
            f"a ShuffleNet of width {width} has {' or '.join(SCALED)} groups; {groups} do not "
            "divide its channels"
        )
    first = 16 if (width, groups) == ("0.5", "8") else FIRST[width]
    feature = _stem(builder, first)
    channels = int(GROUPS[groups] * float(width))
    index = 1
    for repeats in REPEATS:
        for repeat in range(repeats):
            feature = _shuffle_unit(
                builder, feature, index, channels, int(groups), shuffle, halve=repeat == 0
            )
            index += 1
        channels *= 2
    return feature


def _shuffle_unit(
    builder: Builder, bottom: Feature, index: int, channels: int, groups: int, shuffle: str,
    *, halve: bool,
) -> Feature:  # fmt: skip
    """Grouped 1x1, shuffle, depthwise 3x3, grouped 1x1; added to the bottom, or beside its half."""
    name = f"resx{index}"
    stride = 2 if halve else 1
    inner = channels // 4
    # the few channels of the stem are not grouped, so there is nothing to shuffle
    grouped = groups if index > 1 else 1
    feature = _unit(builder, bottom, f"{name}_conv1", inner, 1, group=grouped, relu=True)
    if grouped > 1:
        feature = _shuffle(builder, feature, f"shuffle{index}", grouped, shuffle)
    feature = _unit(builder, feature, f"{name}_conv2", inner, 3, stride=stride, group=inner)
    if not halve:
        feature = _unit(builder, feature, f"{name}_conv3", channels, 1, group=groups)
        feature = builder.add(f"{name}_elewise", bottom, feature)
        return feature._replace(top=builder.relu(feature.top, f"{name}_elewise_relu"))
    more = channels - bottom.channels
    feature = _unit(builder, feature, f"{name}_conv3", more, 1, group=groups)
    pooled = builder.pool(bottom, f"{name}_match_conv", 3, 2, method="AVE")
    if pooled.size != feature.size:
        raise ZooError(
            f"an input of {builder.input_size}x{builder.input_size} comes to {bottom.size}x"
            f"{bottom.size} at `{name}`, which pooling and convolution do not halve alike; a "
            "multiple of 32 is halved everywhere"
        )
    feature = builder.concat(f"{name}_concat", pooled, feature)
    return feature._replace(top=builder.relu(feature.top, f"{name}_concat_relu"))


def _version_2(builder: Builder, width: str, shuffle: str) -> Feature:
    *stages, last = TABLE_5[width]
    feature = _stem(builder, 24)
    index = 1
    for channels, repeats in zip(stages, REPEATS, strict=True):
        for repeat in range(repeats):
            halves = _halves if repeat == 0 else _split
            left, right = halves(builder, feature, index, channels // 2)
            feature = builder.concat(f"concat{index}", left, right)
            feature = _shuffle(builder, feature, f"shuffle{index}", 2, shuffle)
            index += 1
    return _unit(builder, feature, "conv5", last, 1, relu=True)


def _halves(builder: Builder, bottom: Feature, index: int, half: int) -> tuple[Feature, Feature]:
    """A unit that halves the size: both branches read the whole bottom."""
    name, channels = f"branch{index}_1", bottom.channels
    left = _unit(builder, bottom, f"{name}_conv1", channels, 3, stride=2, group=channels)
    left = _unit(builder, left, f"{name}_conv2", half, 1, relu=True)
    return left, _branch(builder, bottom, f"branch{index}_2", half, 2)


def _split(builder: Builder, bottom: Feature, index: int, half: int) -> tuple[Feature, Feature]:
    """A unit that keeps the size: one half of the channels goes on as it is."""
    tops = L.Slice(bottom.top, ntop=2, name=f"slice{index}", slice_point=half)
    for part, top in enumerate(tops, 1):
        builder.net[f"branch{index}_{part}"] = top
    left, right = (Feature(top, half, bottom.size) for top in tops)
    return left, _branch(builder, right, f"branch{index}_2", half, 1)


def _branch(builder: Builder, bottom: Feature, name: str, half: int, stride: int) -> Feature:
    feature = _unit(builder, bottom, f"{name}_conv1", half, 1, relu=True)
    feature = _unit(builder, feature, f"{name}_conv2", half, 3, stride=stride, group=half)
    return _unit(builder, feature, f"{name}_conv3", half, 1, relu=True)


def _unit(
    builder: Builder, bottom: Feature, name: str, num_output: int, kernel_size: int,
    *, stride: int = 1, group: int = 1, relu: bool = False,
) -> Feature:  # fmt: skip
    """A convolution with BatchNorm, Scale and perhaps ReLU, all in place behind it."""
    feature = builder.convolution(
        bottom, name, num_output, kernel_size, _FILLERS,
        stride=stride, pad=kernel_size // 2, group=group, bias=False,
    )  # fmt: skip
    return builder.batch_norm(
        feature, f"{name}_bn", f"{name}_scale", relu=f"{name}_relu" if relu else ""
    )


def _shuffle(builder: Builder, bottom: Feature, name: str, groups: int, shuffle: str) -> Feature:
    """Given groups of channels (a b c) (d e f), the channels (a d) (b e) (c f)."""
    net, each = builder.net, bottom.channels // groups
    if shuffle == "fork":
        mixed = net[name] = L.ShuffleChannel(bottom.top, group=groups)
        return bottom._replace(top=mixed)
    points = list(range(each, bottom.channels, each))
    tops = L.Slice(bottom.top, ntop=groups, name=f"{name}_slice", slice_point=points)
    for group, top in enumerate(tops, 1):
        net[f"{name}_group{group}"] = top
    stacked = net[f"{name}_stacked"] = L.Concat(*tops, axis=2)
    # the height is left open, so that the net can be given images of another size
    top = net[name] = L.Reshape(stacked, shape={"dim": [0, bottom.channels, -1, 0]})
    return bottom._replace(top=top)


_RECIPE = TrainingRecipe(
    source="Zhang et al. 2018, section 4, which version 2 follows",
    batch=1024, test_images=50000,
    base_lr=0.5, lr_policy="poly", policy={"power": 1.0},
    max_iter=300000, weight_decay=4e-5,
    test_interval=5000, test_initialization=False, display=40, average_loss=40,
)  # fmt: skip

ARCHITECTURE = Architecture(
    name="shufflenet",
    title="ShuffleNet",
    paper=_PAPER,
    depths={"imagenet": Depths((50,), 50)},
    options=(
        Option("version", "Grouped 1x1 convolutions, or channels that are split.", "1", VERSIONS),
        Option("width", "How many times as many channels as at 1.0.", "1.0", tuple(TABLE_5)),
        Option("groups", "Groups of the 1x1 convolutions of version 1 (3); 3 or 8 if the width is "
               "not 1.0.", None, tuple(GROUPS)),
        Option("shuffle", "What mixes the groups: layers of BVLC Caffe, or ShuffleChannel.", "bvlc",
               SHUFFLES),
        *data_options(1000, 224, 1024, "data layers, fillers and losses"),
    ),
    build=shufflenet,
    recipes={"imagenet": _RECIPE},
)  # fmt: skip

sys.modules[__name__].__class__ = CallableFamily
