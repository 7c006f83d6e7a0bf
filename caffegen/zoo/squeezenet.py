"""SqueezeNet: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters" (2016).

The two nets that the authors published for Caffe, so that their caffemodels load. 1.0 is the
paper's; 1.1 takes less than half the work by a smaller first layer and earlier pooling.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from caffegen.dsl import NetSpec
from caffegen.dsl import layers as L  # noqa: N812
from caffegen.dsl.blocks import Feature

from .architecture import (
    Architecture,
    CallableFamily,
    Depths,
    Option,
    check_blob,
    check_choice,
    whole_number,
)
from .dataset import data_options
from .published import ILSVRC12, Builder, filled
from .recipe import TrainingRecipe

__all__ = ["ARCHITECTURE", "squeezenet"]


class Fire(NamedTuple):
    """A fire module: how many 1x1 filters squeeze, and how many 1x1 and 3x3 filters expand."""

    squeeze: int
    expand_1x1: int
    expand_3x3: int


# Table 1
FIRES = {
    2: Fire(16, 64, 64),
    3: Fire(16, 64, 64),
    4: Fire(32, 128, 128),
    5: Fire(32, 128, 128),
    6: Fire(48, 192, 192),
    7: Fire(48, 192, 192),
    8: Fire(64, 256, 256),
    9: Fire(64, 256, 256),
}


class Version(NamedTuple):
    """What the versions differ in; the max poolings stand behind layer 1 and behind fire modules.

    `split` is whether the published train_val has its loss in TRAIN and its accuracies in TEST
    alone, or all of them in both phases.
    """

    num_output: int
    kernel_size: int
    pooled: tuple[int, int, int]
    last_pad: int
    split: bool


VERSIONS = {
    # the padding of a 1x1 convolution: a border of biases, which the caffemodel was trained with
    "1.0": Version(96, 7, (1, 4, 8), last_pad=1, split=True),
    "1.1": Version(64, 3, (1, 3, 5), last_pad=0, split=False),
}

_PAPER = (
    "F. N. Iandola, S. Han, M. W. Moskewicz, K. Ashraf, W. J. Dally, K. Keutzer: SqueezeNet: "
    "AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size. 2016, arXiv:1602.07360"
)
_IMAGES = ILSVRC12._replace(
    train_batch=32, test_batch=25, transform={"mean_value": [104, 117, 123]}, mirror=False
)
_FILLERS = filled("xavier")


def squeezenet(
    version: str | float = "1.0",
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """The SqueezeNet of a version; 1000 classes and images of 227x227 unless given.

    `train_val` has data layers, fillers, loss and accuracies; `deploy` an Input, and ends in `prob`.
    """
    version = check_choice("version", version, VERSIONS)
    facts = VERSIONS[version]
    builder = Builder(
        f"SqueezeNet_v{version}", phase, _IMAGES, batch, input_size,
        fillers=phase != "deploy", data=data,
    )  # fmt: skip
    number = whole_number("number of classes", classes, _IMAGES.classes)
    feature = builder.convolution(
        builder.data(), "conv1", facts.num_output, facts.kernel_size, _FILLERS,
        relu="relu_conv1", stride=2,
    )  # fmt: skip
    feature = _pool(builder, feature, 1, facts)
    for index, widths in FIRES.items():
        feature = _fire(builder, feature, f"fire{index}", widths)
        feature = _pool(builder, feature, index, facts)
    feature = builder.dropout(feature, "drop9", 0.5)
    feature = builder.convolution(
        feature, "conv10", number, 1, filled("gaussian", std=0.01),
        relu="relu_conv10", pad=facts.last_pad,
    )  # fmt: skip
    feature = builder.global_pool(feature, "pool10")
    if phase == "deploy":
        builder.net.prob = L.Softmax(feature.top)
    else:
        _losses(builder, feature, split=facts.split)
    return builder.net


def _pool(builder: Builder, feature: Feature, index: int, facts: Version) -> Feature:
    return builder.pool(feature, f"pool{index}", 3, 2) if index in facts.pooled else feature


def _fire(builder: Builder, bottom: Feature, name: str, widths: Fire) -> Feature:
    """Few 1x1 filters, whose outputs 1x1 and 3x3 filters read side by side."""

    def convolution(bottom: Feature, part: str, num_output: int, kernel_size: int) -> Feature:
        return builder.convolution(
            bottom, f"{name}/{part}", num_output, kernel_size, _FILLERS,
            relu=f"{name}/relu_{part}", pad=kernel_size // 2,
        )  # fmt: skip

    squeezed = convolution(bottom, "squeeze1x1", widths.squeeze, 1)
    first = convolution(squeezed, "expand1x1", widths.expand_1x1, 1)
    second = convolution(squeezed, "expand3x3", widths.expand_3x3, 3)
    channels = first.channels + second.channels
    check_blob(builder.batch, channels, first.size)
    top = builder.net[f"{name}/concat"] = L.Concat(first.top, second.top)
    return Feature(top, channels, first.size)


def _losses(builder: Builder, scores: Feature, *, split: bool) -> None:
    net = builder.net
    only = {"include": {"phase": "TRAIN"}} if split else {}
    net.loss = L.SoftmaxWithLoss(scores.top, net.label, **only)
    builder.accuracy(scores.top, "accuracy", test_only=split)
    # among five classes or fewer the top five are always right
    if scores.channels > 5:
        builder.accuracy(scores.top, "accuracy_top5", 5, test_only=split)


_RECIPE = TrainingRecipe(
    source="the authors' SqueezeNet_v1.0/solver.prototxt",
    batch=32, iter_size=16, test_images=50000,
    base_lr=0.04, lr_policy="poly", policy={"power": 1.0},
    max_iter=170000, weight_decay=2e-4,
    test_initialization=False, display=40, average_loss=40, snapshot=1000, random_seed=42,
)  # fmt: skip

ARCHITECTURE = Architecture(
    name="squeezenet",
    title="SqueezeNet",
    paper=_PAPER,
    depths={"imagenet": Depths((18,), 18)},
    options=(
        Option("version", "The paper's net, or its lighter successor.", "1.0", tuple(VERSIONS)),
        *data_options(1000, 227, 32, "data layers, fillers and losses"),
    ),
    build=squeezenet,
    recipes={"imagenet": _RECIPE},
)

sys.modules[__name__].__class__ = CallableFamily
