"""AlexNet: Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep CNNs" (2012).

The net that BVLC published as bvlc_alexnet, so that its caffemodel loads. It is the paper's with
two differences: images are 227x227, which is what the paper's sizes work out to, and biases that
do not start at 0 start at 0.1 instead of 1.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from caffegen.dsl import NetSpec
from caffegen.dsl.blocks import Feature

from .architecture import Architecture, CallableFamily, Depths, whole_number
from .dataset import data_options
from .published import ILSVRC12, RATES, Builder, filled
from .recipe import TrainingRecipe

__all__ = ["ARCHITECTURE", "OPTIONS", "RECIPE", "Variant", "alexnet", "build"]


class Layer(NamedTuple):
    """A convolution; `active` neurons start with a positive bias, `normalized` ones compete."""

    num_output: int
    kernel_size: int
    stride: int = 1
    pad: int = 0
    group: int = 1
    active: bool = False
    normalized: bool = False
    pooled: bool = False


# Figure 2 and sections 3.3 to 3.5, 5: the groups are the halves that ran on two GPUs
CONVOLUTIONS = (
    Layer(96, 11, stride=4, normalized=True, pooled=True),
    Layer(256, 5, pad=2, group=2, active=True, normalized=True, pooled=True),
    Layer(384, 3, pad=1),
    Layer(384, 3, pad=1, group=2, active=True),
    Layer(256, 3, pad=1, group=2, active=True, pooled=True),
)
FULLY_CONNECTED = (4096, 4096)

_PAPER = (
    "A. Krizhevsky, I. Sutskever, G. E. Hinton: ImageNet Classification with Deep Convolutional "
    "Neural Networks. NIPS 2012"
)


class Variant(NamedTuple):
    """What AlexNet and CaffeNet differ in; `rates` is whether the published deploy has them."""

    name: str
    active_bias: float
    pool_first: bool
    rates: bool


def alexnet(
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """BVLC's AlexNet; 1000 classes and images of 227x227 unless given.

    `train_val` has data layers, fillers, accuracy and loss; `deploy` an Input, and ends in `prob`.
    """
    variant = Variant("AlexNet", active_bias=0.1, pool_first=False, rates=True)
    return build(variant, classes, input_size, batch, phase, data)


def build(
    variant: Variant,
    classes: int | None,
    input_size: int | None,
    batch: int | None,
    phase: str,
    data: str,
) -> NetSpec:
    """AlexNet or CaffeNet."""
    training = phase != "deploy"
    builder = Builder(
        variant.name, phase, ILSVRC12, batch, input_size,
        rates=RATES if variant.rates or training else (), fillers=training, data=data,
    )  # fmt: skip
    number = whole_number("number of classes", classes, ILSVRC12.classes)
    feature = builder.data()
    for index, layer in enumerate(CONVOLUTIONS, 1):
        feature = builder.convolution(
            feature, f"conv{index}", layer.num_output, layer.kernel_size,
            filled("gaussian", variant.active_bias if layer.active else 0, std=0.01),
            relu=f"relu{index}", stride=layer.stride, pad=layer.pad, group=layer.group,
        )  # fmt: skip
        feature = _normalize_and_pool(builder, feature, index, layer, variant.pool_first)
    for index, width in enumerate(FULLY_CONNECTED, len(CONVOLUTIONS) + 1):
        fillers = filled("gaussian", variant.active_bias, std=0.005)
        feature = builder.inner_product(feature, f"fc{index}", width, fillers)
        feature = feature._replace(top=builder.relu(feature.top, f"relu{index}"))
        feature = builder.dropout(feature, f"drop{index}", 0.5)
    scores = builder.inner_product(feature, "fc8", number, filled("gaussian", 0, std=0.01))
    builder.accuracy_and_loss(scores.top)
    return builder.net


def _normalize_and_pool(
    builder: Builder, feature: Feature, index: int, layer: Layer, pool_first: bool
) -> Feature:
    """What follows a convolution; the windows of the pooling overlap (section 3.4)."""
    if layer.normalized and not pool_first:
        feature = builder.normalize(feature, f"norm{index}")
    if layer.pooled:
        feature = builder.pool(feature, f"pool{index}", 3, 2)
    if layer.normalized and pool_first:
        feature = builder.normalize(feature, f"norm{index}")
    return feature


OPTIONS = data_options(1000, 227, 256, "data layers, fillers and a loss")

RECIPE = TrainingRecipe(
    source="BVLC's bvlc_alexnet/solver.prototxt",
    batch=256, test_images=50000,
    base_lr=0.01, lr_policy="step", policy={"gamma": 0.1, "stepsize": 100000},
    max_iter=450000, weight_decay=5e-4,
)  # fmt: skip

ARCHITECTURE = Architecture(
    name="alexnet",
    title="AlexNet",
    paper=_PAPER,
    depths={"imagenet": Depths((8,), 8)},
    options=OPTIONS,
    build=alexnet,
    recipes={"imagenet": RECIPE},
)

sys.modules[__name__].__class__ = CallableFamily
