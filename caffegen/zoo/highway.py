"""Highway networks: Srivastava, Greff, Schmidhuber, "Highway Networks" (2015).

y = H(x) T(x) + x C(x): a transform gate T weighs what a layer makes of x, a carry gate C how much of
x passes by; T = sigmoid(W x + b), where b starts below zero, so that at first nearly all passes, and
C = 1 - T. The layer `conv2` is `conv2_transform` (H), `conv2_gate` (T), `conv2_carry` (C),
`conv2_transformed` (H T), `conv2_carried` (x C) and their sum `conv2`.

The nets for MNIST are fully connected, 50 wide; those for CIFAR convolutional. 19 is the net that
the authors published for a Caffe of their own with a layer for all of it (flukeskywalker/
highway-networks); dropout, fillers and gate biases are that file's. Of 11 and 32 the paper gives
the numbers of layers and of parameters; their widths here are chosen to have both.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from caffegen.dsl import NetSpec, Top
from caffegen.dsl import layers as L  # noqa: N812
from caffegen.dsl.blocks import Feature, pad_channels, subsample
from caffegen.dsl.gates import gated_sum

from .architecture import (
    Architecture,
    CallableFamily,
    Depths,
    Option,
    ZooError,
    check_choice,
    check_depth,
    check_flag,
    check_not_absurd,
    whole_number,
)
from .dataset import DATASETS, Images, data_options
from .published import RATES, Builder, filled
from .recipe import CIFAR

__all__ = ["ARCHITECTURE", "highway"]


class Convolutional(NamedTuple):
    """A net for CIFAR: in each stage so many 3x3 convolutions, so wide; then a 1x1 convolution.

    The first layer of a stage changes the width and is plain, the others are highway layers. Max
    poolings stand between the stages and dropout in front of each.
    """

    stages: tuple[tuple[int, int], ...]
    last: int


# section 3.2, Table 1: Highway A (as FitNet 1, ~236K parameters), B (as FitNet 4, ~2.3M), C (~1.25M)
TABLE_1 = {
    11: Convolutional(((3, 16), (3, 32), (3, 64)), 256),
    19: Convolutional(((5, 32), (6, 80), (6, 128)), 100),
    32: Convolutional(((10, 32), (10, 48), (10, 64)), 100),
}
# section 3.1: thin nets whose plain rivals are wider, so that both have 5,000 parameters a layer
WIDTH = 50
PLAIN_WIDTH = 71
_CIFAR = Depths(tuple(TABLE_1), 19)
DEPTHS = {
    "mnist": Depths((10, 20, 50, 100), 10, "from 2 on"),
    "cifar10": _CIFAR,
    "cifar100": _CIFAR,
}
CARRY = ("coupled", "own")
CHANGES = ("plain", "subsample", "pad", "project")
ACTIVATIONS = ("relu", "tanh")

_PAPER = (
    "R. K. Srivastava, K. Greff, J. Schmidhuber: Highway Networks. ICML 2015 Deep Learning Workshop, "
    "arXiv:1505.00387; Training Very Deep Networks. NIPS 2015, arXiv:1507.06228"
)
_IMAGES = {
    "mnist": Images(
        10, 28, 100, 100, "examples/mnist/mnist_train_lmdb", "examples/mnist/mnist_test_lmdb",
        {"scale": 1 / 256}, crop=False, mirror=False, channels=1, layer="mnist",
    ),
    "cifar10": DATASETS["cifar10"].images._replace(train_batch=100, layer="cifar"),
    "cifar100": DATASETS["cifar100"].images._replace(train_batch=100, layer="cifar"),
}  # fmt: skip
# a gate's biases start this far below zero in the published files for MNIST and CIFAR
_GATE_BIAS = {"mnist": 1, "cifar10": 2, "cifar100": 2}
_FILLERS = filled("xavier", 0)
DROPOUT = 0.2
_TITLES = {"mnist": "MNIST", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}


def highway(
    depth: int | None = None,
    dataset: str = "mnist",
    carry: str = "coupled",
    change: str = "plain",
    activation: str = "relu",
    gate_bias: int | None = None,
    width: int | None = None,
    plain: bool = False,
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """The highway network of a depth: 10 unless given, for CIFAR 19; or its `plain` rival.

    `carry` is C: 1 - T, or a gate of its own. `change` is what a layer does that changes the size:
    it is plain, or x is subsampled, padded with zeros or projected. H is followed by `activation`.
    The biases of T start at minus `gate_bias`, those of a C of its own at plus that.
    """
    check_flag("plain", plain)
    check_choice("dataset", dataset, DEPTHS)
    depth = whole_number("depth", depth, DEPTHS[dataset].usual)
    _check_depth(depth, dataset)
    check_choice("carry", carry, CARRY)
    check_choice("change", change, CHANGES)
    check_choice("activation", activation, ACTIVATIONS)
    if plain and (carry, change, gate_bias) != ("coupled", "plain", None):
        raise ZooError("a plain network has no gates; leave out carry, change and gate bias")
    bias = whole_number("gate bias", gate_bias, _GATE_BIAS[dataset], least=0)
    deploy = phase == "deploy"
    builder = Builder(
        f"{'Plain' if plain else 'Highway'}-{depth} {_TITLES[dataset]}",
        phase, _IMAGES[dataset], batch, input_size,
        rates=() if deploy else RATES, fillers=not deploy, data=data,
    )  # fmt: skip
    number = whole_number("number of classes", classes, _IMAGES[dataset].classes)
    gates = Gates(carry, change, activation, bias, plain)
    if dataset == "mnist":
        return _fully_connected(_Layers(builder, gates, convolutional=False), depth, width, number)
    if width is not None:
        raise ZooError(
            f"the nets for CIFAR have the widths of their table; leave out width `{width}`"
        )
    return _convolutional(_Layers(builder, gates, convolutional=True), TABLE_1[depth], number)


class Gates(NamedTuple):
    """The options that every layer of a net has in common."""

    carry: str
    change: str
    activation: str
    bias: int
    plain: bool


def _fully_connected(layers: _Layers, depth: int, width: int | None, classes: int) -> NetSpec:
    """A plain layer, then highway layers, all of one width; then the scores."""
    builder, gates = layers.builder, layers.gates
    width = whole_number("width", width, PLAIN_WIDTH if gates.plain else WIDTH)
    pixels = builder.data()
    flat = builder.net.flat = L.Flatten(pixels.top)
    feature = Feature(flat, pixels.channels * pixels.size**2, 1)
    if gates.change == "pad" and feature.channels > width:
        raise ZooError(
            f"zeros don't make {width} values out of the {feature.channels} of an image; "
            "let change be `subsample` or `project`"
        )
    for index in range(1, depth + 1):
        feature = layers.add(feature, f"ip{index}", f"relu{index}", width)
    scores = builder.inner_product(feature, f"ip{depth + 1}", classes, _FILLERS)
    builder.accuracy_and_loss(scores.top)
    return builder.net


def _convolutional(layers: _Layers, table: Convolutional, classes: int) -> NetSpec:
    """The stages of a net for CIFAR, then a 1x1 convolution, the average of all pixels, the scores."""
    builder, gates = layers.builder, layers.gates
    feature = _dropped(builder, builder.data(), 1)
    index = 1
    for stage, (number, width) in enumerate(table.stages, 1):
        # a layer that subsamples x has a stride of 2 itself
        stride = 2 if stage > 1 and gates.change == "subsample" else 1
        if stage > 1:
            if stride == 1:
                feature = builder.pool(feature, f"pool{stage - 1}", 2, 2)
            feature = _dropped(builder, feature, stage)
        for _ in range(number):
            feature = layers.add(feature, f"conv{index}", f"relu{index}", width, stride)
            stride = 1
            index += 1
    feature = builder.convolution(
        feature, f"conv{index}", table.last, 1, _FILLERS, relu=f"relu{index}"
    )
    feature = builder.global_pool(feature, "pool3", 8)
    feature = _dropped(builder, feature, 4)
    if builder.rates:
        builder.rates = (RATES[0] | {"decay_mult": 10}, RATES[1])
    scores = builder.inner_product(feature, "ip2", classes, _FILLERS)
    builder.accuracy_and_loss(scores.top)
    return builder.net


def _dropped(builder: Builder, bottom: Feature, number: int) -> Feature:
    top = builder.net[f"drop{number}"] = L.Dropout(bottom.top, dropout_ratio=DROPOUT)
    return bottom._replace(top=top)


class _Layers:
    """The layers of one net: 3x3 convolutions, or fully connected."""

    def __init__(self, builder: Builder, gates: Gates, *, convolutional: bool) -> None:
        self.builder = builder
        self.gates = gates
        self.convolutional = convolutional

    def add(
        self, bottom: Feature, name: str, activation: str, width: int, stride: int = 1
    ) -> Feature:
        """The next layer of the net: highway, if it may be; its blob is called `name`."""
        same = stride == 1 and width == bottom.channels
        if self.gates.plain or (self.gates.change == "plain" and not same):
            return self._plain(bottom, name, activation, width, stride)
        transform = f"{name}_transform"
        activation = f"{transform}_{self.gates.activation}"
        made = self._plain(bottom, transform, activation, width, stride)
        gate = self._gate(bottom, f"{name}_gate", width, stride, -self.gates.bias)
        carry: Top | None = None
        if self.gates.carry == "own":
            carry = self._gate(bottom, f"{name}_carry", width, stride, self.gates.bias)
        passed = bottom if same else self._passed(bottom, f"{name}_x", width, stride)
        top = gated_sum(self.builder.net, name, made.top, gate, passed.top, carry)
        return made._replace(top=top)

    def _plain(
        self, bottom: Feature, name: str, activation: str, width: int, stride: int
    ) -> Feature:
        feature = self._affine(bottom, name, width, stride, _FILLERS)
        make = L.TanH if self.gates.activation == "tanh" else L.ReLU
        top = self.builder.net[activation] = make(feature.top, in_place=True)
        return feature._replace(top=top)

    def _gate(self, bottom: Feature, name: str, width: int, stride: int, bias: float) -> Top:
        feature = self._affine(bottom, name, width, stride, filled("xavier", bias))
        gate: Top = L.Sigmoid(feature.top, in_place=True)
        self.builder.net[f"{name}_sigmoid"] = gate
        return gate

    def _affine(
        self, bottom: Feature, name: str, width: int, stride: int, fillers: Mapping[str, Any]
    ) -> Feature:
        if not self.convolutional:
            return self.builder.inner_product(bottom, name, width, fillers)
        return self.builder.convolution(bottom, name, width, 3, fillers, stride=stride, pad=1)

    def _passed(self, bottom: Feature, name: str, width: int, stride: int) -> Feature:
        """What passes by a layer that changes the size: x projected, or sampled and padded."""
        net = self.builder.net
        if self.gates.change == "project":
            return self._projected(bottom, name, width, stride)
        if stride > 1:
            bottom = subsample(net, bottom, name, stride)
        elif bottom.channels > width:
            return _every_nth(net, bottom, name, width)
        return pad_channels(net, bottom, name, width)

    def _projected(self, bottom: Feature, name: str, width: int, stride: int) -> Feature:
        builder = self.builder
        if self.convolutional:
            return builder.convolution(bottom, name, width, 1, _FILLERS, stride=stride, bias=False)
        fields: dict[str, Any] = {"num_output": width, "bias_term": False}
        if builder.fillers:
            fields["weight_filler"] = _FILLERS["weight_filler"]
        if builder.rates:
            fields["param"] = builder.rates[:1]
        top = builder.net[name] = L.InnerProduct(bottom.top, **fields)
        return Feature(top, width, 1)


def _every_nth(net: NetSpec, bottom: Feature, name: str, width: int) -> Feature:
    """So many of the values of a flat blob, evenly spaced, from the first on."""
    step = bottom.channels // width
    needed = (width - 1) * step + 1
    top = bottom.top
    if needed < bottom.channels:
        top, rest = L.Slice(top, ntop=2, slice_point=needed)
        net[f"{name}_cut"], net[f"{name}_spare"] = top, rest
        net[f"{name}_rest"] = L.Silence(rest, ntop=0)
    column = net[f"{name}_column"] = L.Reshape(top, shape={"dim": [0, 1, -1, 1]})
    sampled = net[f"{name}_sampled"] = L.Pooling(
        column, pool="AVE", kernel_size=1, stride_h=step, stride_w=1
    )
    top = net[name] = L.Flatten(sampled)
    return Feature(top, width, 1)


def _check_depth(depth: int, dataset: str) -> None:
    if dataset == "mnist":
        if depth < 2:
            raise ZooError(
                "a highway network has a plain layer and highway layers: 2 or more, not 1"
            )
        check_not_absurd("Highway", depth)
    else:
        check_depth("Highway", depth, TABLE_1, "CIFAR")


# the published solvers; section 3.1 chose rates and decay by a search of its own
_RECIPE = CIFAR._replace(
    source="the solvers of flukeskywalker/highway-networks",
    type="Nesterov",
    batch=100,
    base_lr=0.025,
    policy={"gamma": 0.1, "stepvalue": (100000, 150000, 175000)},
    max_iter=200000,
    weight_decay=0.001,
    snapshot=5000,
    notes=(),
    deep_notes={},
)
_MNIST_RECIPE = _RECIPE._replace(
    base_lr=0.01,
    policy={"gamma": 0.1, "stepvalue": (60000, 120000)},
    max_iter=180000,
    test_interval=600,
)

ARCHITECTURE = Architecture(
    name="highway",
    title="Highway networks",
    paper=_PAPER,
    depths=DEPTHS,
    options=(
        Option("depth", "Layers, without that of the scores for MNIST (10; for CIFAR 19)."),
        Option("dataset", "Fully connected nets for MNIST, convolutional ones for CIFAR.", "mnist",
               tuple(DEPTHS)),
        Option("carry", "The carry gate C: 1 - T, or weights of its own.", "coupled", CARRY),
        Option("change", "What a layer does that changes the size: it is plain, or x is subsampled, "
               "padded with zeros or projected.", "plain", CHANGES),
        Option("activation", "What follows H.", "relu", ACTIVATIONS),
        Option("gate_bias", "The biases of T start at minus this (1; for CIFAR 2)."),
        Option("width", "Width of the layers for MNIST (50; of plain ones 71)."),
        Option("plain", "The same network without gates.", False),
        *data_options("10; for cifar100 100", "28; for CIFAR 32", 100,
                      "data layers, fillers, accuracy and loss"),
    ),
    build=highway,
    recipes={"mnist": _MNIST_RECIPE, "cifar10": _RECIPE, "cifar100": _RECIPE},
)  # fmt: skip

sys.modules[__name__].__class__ = CallableFamily
