# ruff: noqa: C408 - options are keywords
from __future__ import annotations

from collections import Counter

import pytest

import caffegen
from caffegen.analysis.summary import summarize
from caffegen.zoo import plain, resnet


def summary(spec):
    return summarize(caffegen.loads(spec).graph)


# Section 3.3: where the size of the maps stays their number stays, where it is halved it doubles
@pytest.mark.parametrize(
    ("build", "depth", "blocks"),
    [
        (plain, 18, (2, 2, 2, 2)),
        (plain, 34, (3, 4, 6, 3)),
        (resnet, 18, (2, 2, 2, 2)),
        (resnet, 34, (3, 4, 6, 3)),
    ],
    ids=["plain-18", "plain-34", "resnet-18", "resnet-34"],
)
def test_every_3x3_layer_of_every_stage_costs_the_same(build, depth, blocks):
    net = caffegen.loads(build(depth))
    layers = {layer.name: layer for layer in net.layers}
    costs = Counter()
    for row in summarize(net.graph).rows:
        if row.type != "Convolution":
            continue
        param = layers[row.name].definition.layer.convolution_param
        bottom, (top,) = net.shapes[row.bottoms[0]], row.shapes
        if list(param.kernel_size) == [3] and bottom == top:
            costs[top[1], row.macs] += 1
    # the first layer of each stage but conv2_x has half as many channels to read
    assert costs == {
        (width, 115_605_504): 2 * number - (width > 64)
        for width, number in zip((64, 128, 256, 512), blocks, strict=True)
    }
    assert 56 * 56 * 64 * 64 * 3 * 3 == 115_605_504


# The same of the nets for CIFAR: 32x32x16, 16x16x32, 8x8x64
def test_the_rule_for_cifar():
    rows = [row for row in summary(plain(20, "cifar10")).rows if row.type == "Convolution"]
    assert Counter(row.macs for row in rows[1:]) == {2_359_296: 16, 1_179_648: 2}


# Section 3.3: plain-34 has 3.6 billion multiply-adds, 18% of VGG-19's 19.6 billion
def test_the_cost_of_plain_34():
    macs = sum(row.macs for row in summary(plain(34)).rows if row.type != "Pooling")
    assert macs / 19.6e9 == pytest.approx(0.18, abs=0.01)


@pytest.mark.parametrize(
    "options",
    [dict(depth=18), dict(depth=34), dict(depth=20, dataset="cifar10")],
    ids=["18", "34", "20"],
)
def test_it_is_the_residual_net_without_shortcuts(options):
    message = plain(**options).to_message()
    names = {layer.name for layer in message.layer}
    residual = [layer for layer in resnet(**options).to_message().layer if layer.name in names]
    assert [(x.name, x.type) for x in message.layer] == [(x.name, x.type) for x in residual]
    assert {x.type for x in message.layer} == {
        "Input", "Convolution", "BatchNorm", "Scale", "ReLU", "Pooling", "InnerProduct", "Softmax",
    }  # fmt: skip
    assert all(len(x.bottom) <= 1 for x in message.layer)


@pytest.mark.parametrize("depth", [18, 34])
def test_plain_and_residual_option_a_have_the_same_parameters(depth):
    assert summary(plain(depth)).params == summary(resnet(depth, shortcut="A")).params


def test_it_is_what_resnet_gives():
    assert plain().to_prototxt() == resnet(34, plain=True).to_prototxt()
    assert (
        plain(dataset="cifar100").to_prototxt() == resnet(56, "cifar100", plain=True).to_prototxt()
    )
