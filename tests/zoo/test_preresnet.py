from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch.nn import functional

import caffegen
from caffegen import pytorch
from caffegen.analysis.summary import summarize
from caffegen.check import Options, check_source
from caffegen.text import Source
from caffegen.zoo import preresnet, wideresnet

ORDERS = ("original", "bn-after", "relu-before", "relu-only", "full")
PREACTIVATED = ("relu-only", "full")
SHORTCUTS = (
    "identity", "scaling", "scaling-both", "exclusive-gating", "shortcut-gating", "conv", "dropout",
)  # fmt: skip


def random_params(net):
    """Weights of every layer drawn at random, also those that fillers would start with 0 or 1."""
    generator = np.random.default_rng(0)
    params = {}
    for layer in net.layers:
        shapes = [blob.shape for blob in layer.definition.blobs]
        if layer.type == "BatchNorm":
            arrays = [
                generator.normal(0, 0.2, shapes[0]),
                generator.uniform(0.5, 1.5, shapes[1]),
                np.ones(1),
            ]
        elif layer.type == "Scale":
            arrays = [generator.uniform(0.5, 1, shapes[0]), generator.normal(0, 0.2, shapes[1])]
        else:
            arrays = [generator.normal(0, np.prod(shape[1:]) ** -0.5, shape) for shape in shapes]
        if shapes:
            params[layer.name] = [array.astype("f") for array in arrays]
    return params


class Reference:
    """The papers' networks in torch alone; weights are found by the names of the layers."""

    def __init__(self, params):
        self.params = {
            name: [torch.from_numpy(a) for a in arrays] for name, arrays in params.items()
        }

    def weight(self, name, x, stride=1):
        weight, *bias = self.params[name]
        return functional.conv2d(x, weight, *bias, stride=stride, padding=weight.shape[-1] // 2)

    def bn(self, names, x):
        (mean, variance, _), scale = (self.params[name] for name in names)
        return functional.batch_norm(x, mean, variance, *scale, eps=1e-5)

    def unit(self, block, branch, stride=1):
        """The weight layer and the norm of a branch."""
        name = f"{block}_{branch}"
        return (
            lambda x: self.weight(f"res{name}", x, stride),
            lambda x: self.bn((f"bn{name}", f"scale{name}"), x),
        )

    def residual(self, block, order, x, stride, first):
        """F of Figure 4, with the input as the first weight layer sees it."""
        (w1, bn1), (w2, bn2) = self.unit(block, "branch2a", stride), self.unit(block, "branch2b")
        relu = torch.relu
        if order == "original":
            return bn2(w2(relu(bn1(w1(x))))), x
        if order == "bn-after":
            return w2(relu(bn1(w1(x)))), x
        if order == "relu-before":
            return relu(bn2(w2(relu(bn1(w1(x)))))), x
        if order == "relu-only":
            seen = x if first else relu(x)
            return bn2(w2(relu(bn1(w1(seen))))), seen
        seen = x if first else relu(bn1(x))
        return w2(relu(bn2(w1(seen)))), seen

    def shortcut(self, block, order, x, seen, channels, stride, dimensions):
        if dimensions != "C" and (x.shape[1], stride) == (channels, 1):
            return x
        if dimensions == "A":
            sampled = x[:, :, ::stride, ::stride]
            return functional.pad(sampled, (0, 0, 0, 0, 0, channels - x.shape[1]))
        weight, bn = self.unit(block, "branch1", stride)
        projected = weight(seen)
        return projected if order in ("bn-after", "full") else bn(projected)

    def join(self, block, kind, x, shortcut, residual, stride):
        """Table 1."""
        if kind.startswith("scaling"):
            return 0.5 * shortcut + (0.5 if kind == "scaling-both" else 1) * residual
        if not kind.endswith("gating"):
            return shortcut + residual
        gate = torch.sigmoid(self.weight(f"res{block}_gate", x, stride))
        return (1 - gate) * shortcut + (gate if kind == "exclusive-gating" else 1) * residual

    def basic_net(self, x, order, kind, dimensions, blocks):
        x = torch.relu(self.bn(("bn_conv1", "scale_conv1"), self.weight("conv1", x)))
        for stage, channels in enumerate((16, 32, 64)):
            for index in range(blocks):
                block = f"{stage + 2}{'abc'[index]}"
                stride = 2 if stage and not index else 1
                first = not stage and not index
                residual, seen = self.residual(block, order, x, stride, first)
                shortcut = self.shortcut(block, order, x, seen, channels, stride, dimensions)
                x = self.join(block, kind, x, shortcut, residual, stride)
                if order == "bn-after":
                    x = self.bn((f"res{block}_bn", f"res{block}_scale"), x)
                x = torch.relu(x) if order in ("original", "bn-after") else x
        if order in PREACTIVATED:
            x = torch.relu(self.bn(("bn_last", "scale_last"), x) if order == "full" else x)
        return functional.linear(x.mean((2, 3)), *self.params["fc10"])

    def full_net(self, x, letters, units, strides, stem=True):
        """Full pre-activation with projections, of any units; without `stem` as in Wide ResNets."""
        relu = torch.relu
        x = self.weight("conv1", x)
        if stem:
            x = relu(self.bn(("bn_conv1", "scale_conv1"), x))
        for stage in range(3):
            for letter in letters:
                block = f"{stage + 2}{letter}"
                skip = stem and block == "2a"
                seen = out = x
                for branch, strided in zip(units, strides, strict=True):
                    halve = 2 if strided and stage and letter == "a" else 1
                    weight, bn = self.unit(block, branch, halve)
                    if not (skip and branch == units[0]):
                        out = relu(bn(out))
                    seen = out if branch == units[0] else seen
                    out = weight(out)
                halve = 2 if stage and letter == "a" else 1
                if f"res{block}_branch1" in self.params:
                    x = out + self.weight(f"res{block}_branch1", seen, halve)
                else:
                    x = out + x
        x = relu(self.bn(("bn_last", "scale_last"), x))
        return functional.linear(x.mean((2, 3)), *self.params["fc10"])


def compare(spec, expect, size=12):
    net = caffegen.loads(spec)
    params = random_params(net)
    images = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 3, size, size)).astype("f"))
    module = pytorch.build(caffegen.loads(spec, params)).eval()
    with torch.no_grad():
        found = module(data=images)["prob"]
        expected = torch.softmax(expect(Reference(params), images), 1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    # a net whose scores were all the same would prove nothing
    assert expected.std() > 0.05


@pytest.mark.parametrize("shortcut", SHORTCUTS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [12, 13])
def test_it_computes_what_the_tables_say(order, shortcut, size):
    spec = preresnet(14, "cifar10", order, shortcut, batch=2, input_size=size)
    dimensions = "C" if shortcut == "conv" else "A"
    compare(spec, lambda net, x: net.basic_net(x, order, shortcut, dimensions, 2), size)


@pytest.mark.parametrize("order", ORDERS)
def test_projections(order):
    spec = preresnet(14, "cifar10", order, dimensions="B", batch=2, input_size=12)
    compare(spec, lambda net, x: net.basic_net(x, order, "identity", "B", 2))


def test_bottlenecks_are_those_of_the_authors_code():
    spec = preresnet(20, "cifar10", block="bottleneck", batch=2, input_size=12)
    units = ("branch2a", "branch2b", "branch2c")
    compare(spec, lambda net, x: net.full_net(x, "ab", units, (True, False, False)))


@pytest.mark.parametrize("widen", [1, 2])
@pytest.mark.parametrize("dropout", [False, True])
def test_wide_networks_are_those_of_the_authors_code(widen, dropout):
    spec = wideresnet(16, widen=widen, dropout=dropout, batch=2, input_size=12)
    units = ("branch2a", "branch2b")
    compare(spec, lambda net, x: net.full_net(x, "ab", units, (True, False), stem=False))


# The text of section 5 and the tables of "Wide Residual Networks": parameters of the layers with
# weights, the norms not counted
@pytest.mark.parametrize(
    ("depth", "millions"), [(110, 1.7), (164, 1.7), (1001, 10.2)], ids=["110", "164", "1001"]
)
def test_parameters(depth, millions):
    rows = summarize(caffegen.loads(preresnet(depth, "cifar10")).graph).rows
    weights = sum(row.params for row in rows if row.type in ("Convolution", "InnerProduct"))
    assert round(weights / 1e6, 1) == millions


@pytest.mark.parametrize("depth", [110, 164, 1001])
def test_depth_is_the_number_of_layers_with_weights(depth):
    layers = preresnet(depth, "cifar10").to_message().layer
    weighted = [x for x in layers if x.type in ("Convolution", "InnerProduct")]
    projections = [x for x in weighted if x.name.endswith("branch1")]
    assert len(weighted) - len(projections) == depth
    assert len(projections) == (0 if depth == 110 else 3)


@pytest.mark.parametrize("depth", [50, 101, 152, 200])
def test_depth_on_imagenet(depth):
    layers = preresnet(depth).to_message().layer
    weighted = [x for x in layers if x.type in ("Convolution", "InnerProduct")]
    assert len([x for x in weighted if not x.name.endswith("branch1")]) == depth


def test_1001_layers_are_emitted_loaded_checked_and_built():
    start = time.perf_counter()
    text = preresnet(1001, "cifar10", input_size=8).to_prototxt()
    net = caffegen.loads(text)
    assert check_source(Source(text), Options()).diagnostics == []
    module = pytorch.build(net, seed=0).eval()
    with torch.no_grad():
        prob = module(data=torch.randn(1, 3, 8, 8))["prob"]
    assert torch.isfinite(prob).all()
    assert prob.sum() == pytest.approx(1, abs=1e-5)
    # seconds on any machine; minutes if a pass looked at every layer again for each layer
    assert time.perf_counter() - start < 60


def test_a_net_of_ten_thousand_layers():
    text = preresnet(10001, "cifar10").to_prototxt()
    assert check_source(Source(text), Options()).diagnostics == []
    assert text.count('type: "Eltwise"') == 3333


def test_nothing_stands_on_the_way_of_the_sums():
    layers = {x.name: x for x in preresnet(164, "cifar10").to_message().layer}
    path = ["res4b17"]
    while layers[path[-1]].type == "Eltwise":
        path.append(layers[path[-1]].bottom[0])
        if path[-1].endswith("branch1"):
            block = path[-1].removesuffix("_branch1")
            path.append(
                layers[f"bn{block[3:]}_branch2a"].bottom[0] if block != "res2a" else "conv1"
            )
    assert len([name for name in path if layers[name].type == "Eltwise"]) == 54
    assert path[-1] == "conv1"


@pytest.mark.parametrize(
    ("depth", "dataset", "kind"),
    [(110, "cifar10", "basic"), (164, "cifar100", "bottleneck"), (20, "cifar10", "basic"),
     (1001, "cifar10", "bottleneck"), (50, "imagenet", "bottleneck")],
)  # fmt: skip
def test_the_block_of_a_depth(depth, dataset, kind):
    names = {x.name for x in preresnet(depth, dataset).to_message().layer}
    assert ("res2a_branch2c" in names) == (kind == "bottleneck")


def test_a_gate_starts_where_it_is_told_to():
    spec = preresnet(
        8, "cifar10", shortcut="exclusive-gating", gate_bias=0, phase="train_val", batch=1
    )
    fillers = [
        x.convolution_param.bias_filler.value
        for x in spec.to_message().layer
        if x.name.endswith("_gate")
    ]
    assert fillers == [0] * 3
    usual = preresnet(8, "cifar10", shortcut="shortcut-gating", phase="train_val").to_message()
    found = [x.convolution_param.bias_filler.value for x in usual.layer if x.name.endswith("_gate")]
    assert found == [-6] * 3
