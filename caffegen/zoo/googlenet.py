"""GoogLeNet: Szegedy et al., "Going Deeper with Convolutions" (2014).

The net that BVLC published as bvlc_googlenet, so that its caffemodel loads. It is the paper's but
for the fillers, which are `xavier`. `train_val` has the two auxiliary classifiers, with a weight of
0.3 each, in both phases, as the published one has.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from caffegen.dsl import NetSpec
from caffegen.dsl import layers as L  # noqa: N812
from caffegen.dsl.blocks import Feature

from .architecture import Architecture, CallableFamily, Depths, check_blob, whole_number
from .dataset import data_options
from .published import ILSVRC12, RATES, Builder, filled
from .recipe import TrainingRecipe

__all__ = ["ARCHITECTURE", "googlenet"]


class Inception(NamedTuple):
    """The widths of an inception module, in the order of the columns of Table 1."""

    plain_1x1: int
    reduce_3x3: int
    conv_3x3: int
    reduce_5x5: int
    conv_5x5: int
    pool_proj: int


# Table 1, from inception (3a) on; before a stage from the second on there is a max pooling
TABLE_1 = {
    3: {
        "a": Inception(64, 96, 128, 16, 32, 32),
        "b": Inception(128, 128, 192, 32, 96, 64),
    },
    4: {
        "a": Inception(192, 96, 208, 16, 48, 64),
        "b": Inception(160, 112, 224, 24, 64, 64),
        "c": Inception(128, 128, 256, 24, 64, 64),
        "d": Inception(112, 144, 288, 32, 64, 64),
        "e": Inception(256, 160, 320, 32, 128, 128),
    },
    5: {
        "a": Inception(256, 160, 320, 32, 128, 128),
        "b": Inception(384, 192, 384, 48, 128, 128),
    },
}  # fmt: skip
# Section 5: an auxiliary classifier behind each of these
AUXILIARY = {"4a": 1, "4d": 2}

_PAPER = (
    "C. Szegedy, W. Liu, Y. Jia, P. Sermanet, S. Reed, D. Anguelov, D. Erhan, V. Vanhoucke, "
    "A. Rabinovich: Going Deeper with Convolutions. CVPR 2015, arXiv:1409.4842"
)
_IMAGES = ILSVRC12._replace(
    input_size=224, train_batch=32, transform={"mean_value": [104, 117, 123]}
)
_FILLERS = filled("xavier", 0.2)
_CLASSIFIER = filled("xavier", 0)


def googlenet(
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """BVLC's GoogLeNet; 1000 classes and images of 224x224 unless given.

    `train_val` has data layers, auxiliary classifiers, losses and accuracies; `deploy` an Input,
    and ends in `prob`.
    """
    builder = Builder("GoogleNet", phase, _IMAGES, batch, input_size, rates=RATES, data=data)
    number = whole_number("number of classes", classes, _IMAGES.classes)
    feature = _stem(builder, builder.data())
    for stage, modules in TABLE_1.items():
        if stage > 3:
            feature = builder.pool(feature, f"pool{stage - 1}/3x3_s2", 3, 2)
        for letter, widths in modules.items():
            feature = _inception(builder, feature, f"inception_{stage}{letter}", widths)
            head = AUXILIARY.get(f"{stage}{letter}")
            if head and phase != "deploy":
                _auxiliary(builder, feature, f"loss{head}", number)
    feature = builder.global_pool(feature, "pool5/7x7_s1", 7)
    feature = builder.dropout(feature, "pool5/drop_7x7_s1", 0.4)
    scores = builder.inner_product(feature, "loss3/classifier", number, _CLASSIFIER)
    if phase == "deploy":
        builder.net.prob = L.Softmax(scores.top)
    else:
        _loss(builder, scores, "loss3", "loss3/loss3", 1)
    return builder.net


def _stem(builder: Builder, data: Feature) -> Feature:
    """The rows of Table 1 before the first inception module."""
    feature = builder.convolution(
        data, "conv1/7x7_s2", 64, 7, _FILLERS, relu="conv1/relu_7x7", stride=2, pad=3
    )
    feature = builder.pool(feature, "pool1/3x3_s2", 3, 2)
    feature = builder.normalize(feature, "pool1/norm1")
    feature = _convolution(builder, feature, "conv2", "3x3_reduce", 64, 1)
    feature = _convolution(builder, feature, "conv2", "3x3", 192, 3)
    feature = builder.normalize(feature, "conv2/norm2")
    return builder.pool(feature, "pool2/3x3_s2", 3, 2)


def _inception(builder: Builder, bottom: Feature, name: str, widths: Inception) -> Feature:
    """Four branches side by side: 1x1, 3x3, 5x5 and pooling, the last three through a 1x1."""
    first = _convolution(builder, bottom, name, "1x1", widths.plain_1x1, 1)
    second = _convolution(builder, bottom, name, "3x3_reduce", widths.reduce_3x3, 1)
    second = _convolution(builder, second, name, "3x3", widths.conv_3x3, 3)
    third = _convolution(builder, bottom, name, "5x5_reduce", widths.reduce_5x5, 1)
    third = _convolution(builder, third, name, "5x5", widths.conv_5x5, 5)
    fourth = builder.pool(bottom, f"{name}/pool", 3, 1, pad=1)
    fourth = _convolution(builder, fourth, name, "pool_proj", widths.pool_proj, 1)
    branches = (first, second, third, fourth)
    channels = sum(branch.channels for branch in branches)
    check_blob(builder.batch, channels, first.size)
    top = builder.net[f"{name}/output"] = L.Concat(*[branch.top for branch in branches])
    return Feature(top, channels, first.size)


def _convolution(
    builder: Builder, bottom: Feature, module: str, part: str, num_output: int, kernel_size: int
) -> Feature:
    """A convolution that keeps the size, and its ReLU."""
    return builder.convolution(
        bottom, f"{module}/{part}", num_output, kernel_size, _FILLERS,
        relu=f"{module}/relu_{part}", pad=kernel_size // 2,
    )  # fmt: skip


def _auxiliary(builder: Builder, bottom: Feature, name: str, classes: int) -> None:
    """A classifier on the way, which brings the gradient closer to the first layers."""
    feature = builder.pool(bottom, f"{name}/ave_pool", 5, 3, method="AVE")
    feature = builder.convolution(
        feature, f"{name}/conv", 128, 1, _FILLERS, relu=f"{name}/relu_conv"
    )
    feature = builder.inner_product(feature, f"{name}/fc", 1024, _FILLERS)
    feature = feature._replace(top=builder.relu(feature.top, f"{name}/relu_fc"))
    feature = builder.dropout(feature, f"{name}/drop_fc", 0.7)
    scores = builder.inner_product(feature, f"{name}/classifier", classes, _CLASSIFIER)
    _loss(builder, scores, name, f"{name}/loss", 0.3)


def _loss(builder: Builder, scores: Feature, head: str, layer: str, weight: float) -> None:
    """A loss, whose blob is named twice after its head, and its accuracies."""
    net = builder.net
    net[f"{head}/{head}"] = L.SoftmaxWithLoss(scores.top, net.label, name=layer, loss_weight=weight)
    builder.accuracy(scores.top, f"{head}/top-1")
    # among five classes or fewer the top five are always right
    if scores.channels > 5:
        builder.accuracy(scores.top, f"{head}/top-5", 5)


_RECIPE = TrainingRecipe(
    source="BVLC's bvlc_googlenet/quick_solver.prototxt, which trained the published model",
    batch=32, test_images=50000,
    base_lr=0.01, lr_policy="poly", policy={"power": 0.5},
    max_iter=2400000, weight_decay=2e-4,
    test_interval=4000, test_initialization=False, display=40, average_loss=40, snapshot=40000,
)  # fmt: skip

ARCHITECTURE = Architecture(
    name="googlenet",
    title="GoogLeNet",
    paper=_PAPER,
    depths={"imagenet": Depths((22,), 22)},
    options=data_options(1000, 224, 32, "data layers, auxiliary classifiers and losses"),
    build=googlenet,
    recipes={"imagenet": _RECIPE},
)

sys.modules[__name__].__class__ = CallableFamily
