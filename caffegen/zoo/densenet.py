"""DenseNet: Huang, Liu, van der Maaten, Weinberger, "Densely Connected Convolutional Networks" (2016).

The nets that shicai/DenseNet-Caffe converted from the authors' own, so that their caffemodels load;
`prob`, the Softmax, is added. They differ from what Caffe would do by itself in one place: the
first pooling rounds down, which takes layers of its own to cut off the row and column that Caffe
adds. At 224x224 that is 56 instead of 57.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from caffegen.dsl import NetSpec
from caffegen.dsl.blocks import Feature, max_pool

from .architecture import Architecture, CallableFamily, Depths, Option, check_depth, whole_number
from .dataset import add_head, data_options
from .published import ILSVRC12, Builder, Norms, filled
from .recipe import TrainingRecipe

__all__ = ["ARCHITECTURE", "densenet"]


class Row(NamedTuple):
    """A column of Table 1: the channels that a layer adds, and the layers of the dense blocks."""

    growth: int
    blocks: tuple[int, int, int, int]


# Table 1; 161 is the authors' own, wider net of their repository
TABLE_1 = {
    121: Row(32, (6, 12, 24, 16)),
    161: Row(48, (6, 12, 36, 24)),
    169: Row(32, (6, 12, 32, 32)),
    201: Row(32, (6, 12, 48, 32)),
}
# Section 3: a 1x1 convolution to four times the growth before every 3x3 one ("bottleneck"), and
# half the channels after every block ("compression")
BOTTLENECK, COMPRESSION = 4, 2

_PAPER = (
    "G. Huang, Z. Liu, L. van der Maaten, K. Q. Weinberger: Densely Connected Convolutional "
    "Networks. CVPR 2017, arXiv:1608.06993"
)
_IMAGES = ILSVRC12._replace(
    input_size=224, transform={"mean_value": [103.94, 116.78, 123.68], "scale": 0.017}
)
_FILLERS = filled("msra", 0)


def densenet(
    depth: int | None = None,
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """The DenseNet of a depth, 121 unless given; 1000 classes and images of 224x224 unless given.

    `train_val` has data layers, fillers, loss and accuracies; `deploy` an Input, and ends in `prob`.
    """
    depth = whole_number("depth", depth, 121)
    check_depth("DenseNet", depth, TABLE_1)
    training = phase != "deploy"
    statistics: dict[str, Any] = {"param": [{"lr_mult": 0}] * 3} if training else {}
    builder = Builder(
        f"DENSENET_{depth}", phase, _IMAGES, batch, input_size,
        fillers=training, data=data, norms=Norms(statistics),
    )  # fmt: skip
    number = whole_number("number of classes", classes, _IMAGES.classes)
    growth, blocks = TABLE_1[depth]
    feature = _stem(builder, 2 * growth)
    for stage, layers in enumerate(blocks, 2):
        for index in range(1, layers + 1):
            feature = _dense_layer(builder, feature, f"{stage}_{index}", growth)
        # the published 201 alone numbers the transitions by the layers before them
        end, pool = (
            (f"{stage}_{layers}/blk", f"{stage}_{layers}")
            if depth == 201
            else (f"{stage}_blk", f"{stage}")
        )
        feature = _normalized(builder, feature, f"conv{end}", f"relu{end}")
        if stage < len(blocks) + 1:
            half = feature.channels // COMPRESSION
            feature = builder.convolution(feature, f"conv{end}", half, 1, _FILLERS, bias=False)
            feature = builder.pool(feature, f"pool{pool}", 2, 2, method="AVE")
    feature = builder.global_pool(feature, "pool5")
    scores = builder.convolution(feature, "fc6", number, 1, _FILLERS)
    add_head(builder.net, scores.top, phase, number)
    return builder.net


def _stem(builder: Builder, num_output: int) -> Feature:
    """A 7x7 convolution and a max pooling, both by 2."""
    feature = builder.convolution(
        builder.data(), "conv1", num_output, 7, _FILLERS, stride=2, pad=3, bias=False
    )
    feature = _normalized(builder, feature, "conv1", "relu1")
    return max_pool(builder.net, feature, "pool1", kernel_size=3, stride=2, pad=1, floor=True)


def _dense_layer(builder: Builder, bottom: Feature, name: str, growth: int) -> Feature:
    """The channels of all layers before, and `growth` more: normalised, 1x1, normalised, 3x3."""
    feature = bottom
    for part, num_output, kernel_size in (("x1", BOTTLENECK * growth, 1), ("x2", growth, 3)):
        conv = f"conv{name}/{part}"
        feature = _normalized(builder, feature, conv, f"relu{name}/{part}")
        feature = builder.convolution(
            feature, conv, num_output, kernel_size, _FILLERS, pad=kernel_size // 2, bias=False
        )
    return builder.concat(f"concat_{name}", bottom, feature)


def _normalized(builder: Builder, bottom: Feature, name: str, relu: str) -> Feature:
    """BatchNorm, Scale and ReLU in a blob of their own, since others read what they normalise."""
    return builder.batch_norm(bottom, f"{name}/bn", f"{name}/scale", relu=relu, in_place=False)


_RECIPE = TrainingRecipe(
    source="Huang et al. 2017, section 4.2",
    batch=256, test_images=50000,
    base_lr=0.1, lr_policy="multistep", policy={"gamma": 0.1, "stepvalue": (150000, 300000)},
    max_iter=450000, weight_decay=1e-4, type="Nesterov",
    test_interval=5000, test_initialization=False, display=40, average_loss=40,
    notes=("The rate is divided by 10 after 30 and 60 of 90 epochs of 5000 iterations.",),
)  # fmt: skip

ARCHITECTURE = Architecture(
    name="densenet",
    title="DenseNet",
    paper=_PAPER,
    depths={"imagenet": Depths(tuple(TABLE_1), 121)},
    options=(
        Option("depth", "Layers with weights (121)."),
        *data_options(1000, 224, 256, "data layers, fillers and losses"),
    ),
    build=densenet,
    recipes={"imagenet": _RECIPE},
)

sys.modules[__name__].__class__ = CallableFamily
