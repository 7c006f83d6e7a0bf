from __future__ import annotations

import numpy as np
import pytest
import torch

import caffegen
from caffegen import pytorch
from caffegen.dsl import NetSpec, gates
from caffegen.dsl import layers as L
from caffegen.dsl.blocks import BlockNames, Branches, Feature, Recipe, UnitNames
from caffegen.dsl.gates import SqueezeNames

NAMES = BlockNames((), UnitNames("", "", ""), "sum", "relu")


def inputs(**shapes):
    net = NetSpec()
    for name, shape in shapes.items():
        net[name] = L.Input(shape={"dim": list(shape)})
    return net


def values(seed=0, **shapes):
    generator = np.random.default_rng(seed)
    return {
        name: torch.from_numpy(generator.normal(size=shape).astype("f"))
        for name, shape in shapes.items()
    }


def run(net, params, blobs, phase="TEST"):
    module = pytorch.build(caffegen.loads(net, params, phase=phase))
    with torch.no_grad():
        return module.train(phase == "TRAIN")(**blobs)


# Equations 2 and 3 of the paper
@pytest.mark.parametrize("own", [False, True], ids=["1 - T", "C"])
def test_gated_sum(own):
    shapes = dict.fromkeys("htxc" if own else "htx", (2, 3, 4, 4))
    net = inputs(**shapes)
    gates.gated_sum(net, "y", net.h, net.t, net.x, net.c if own else None)
    blobs = values(**shapes)
    carry = blobs["c"] if own else 1 - blobs["t"]
    expected = blobs["h"] * blobs["t"] + blobs["x"] * carry
    torch.testing.assert_close(run(net, {}, blobs)["y"], expected)


# Figure 2 of He et al. 2016, (b) to (d) and (f)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("exclusive", [True, False], ids=["exclusive", "shortcut-only"])
def test_gating(exclusive, stride):
    shapes = {"x": (2, 3, 4, 4), "s": (2, 6, 4 // stride, 4 // stride)}
    shapes["f"] = shapes["s"]
    net = inputs(**shapes)
    join = gates.gating(Recipe(), -6, exclusive=exclusive)
    branches = Branches(
        Feature(net.x, 3, 4), Feature(net.s, 6, 4 // stride), Feature(net.f, 6, 4 // stride), stride
    )
    assert join(net, NAMES, branches) is net["sum"]
    blobs = values(**shapes)
    weight, bias = values(1, weight=(6, 3, 1, 1), bias=(6,)).values()
    gate = torch.sigmoid(torch.nn.functional.conv2d(blobs["x"], weight, bias, stride))
    expected = (gate if exclusive else 1) * blobs["f"] + (1 - gate) * blobs["s"]
    params = {"sum_gate": [weight.numpy(), bias.numpy()]}
    torch.testing.assert_close(run(net, params, blobs)["sum"], expected)


def test_the_biases_of_a_gate_start_low():
    net = inputs(x=(1, 2, 4, 4))
    feature = Feature(net.x, 2, 4)
    recipe = Recipe({"weight_filler": {"type": "msra"}})
    gates.gating(recipe, -6, exclusive=False)(net, NAMES, Branches(feature, feature, feature, 1))
    gate = next(x for x in net.to_message().layer if x.name == "sum_gate").convolution_param
    assert (gate.weight_filler.type, gate.bias_term) == ("msra", True)
    assert (gate.bias_filler.type, gate.bias_filler.value) == ("constant", -6)


@pytest.mark.parametrize(("shortcut", "main"), [(0.5, 1), (0.5, 0.5)])
def test_scaled(shortcut, main):
    shapes = dict.fromkeys("sf", (2, 3, 4, 4))
    net = inputs(**shapes)
    feature = Feature(net.s, 3, 4)
    gates.scaled(shortcut, main)(net, NAMES, Branches(feature, feature, Feature(net.f, 3, 4), 1))
    blobs = values(**shapes)
    expected = shortcut * blobs["s"] + main * blobs["f"]
    torch.testing.assert_close(run(net, {}, blobs)["sum"], expected)


@pytest.mark.parametrize("phase", ["TEST", "TRAIN"])
def test_dropped_shortcut(phase):
    shapes = dict.fromkeys("sf", (2, 30, 8, 8))
    net = inputs(**shapes)
    feature = Feature(net.s, 30, 8)
    gates.dropped_shortcut(0.5)(net, NAMES, Branches(feature, feature, Feature(net.f, 30, 8), 1))
    blobs = values(**shapes)
    torch.manual_seed(0)
    kept = run(net, {}, blobs, phase)["sum"] - blobs["f"]
    if phase == "TEST":
        torch.testing.assert_close(kept, blobs["s"])
        return
    # half of the values are dropped, the others doubled; the main path is as it was
    ratio = kept / blobs["s"]
    dropped = ratio.abs() < 0.01
    assert 0.45 < dropped.float().mean() < 0.55
    torch.testing.assert_close(
        ratio[~dropped], torch.full_like(ratio[~dropped], 2), atol=0.01, rtol=0
    )


def test_squeeze_and_excitation():
    shapes = {"u": (2, 32, 5, 5)}
    net = inputs(**shapes)
    names = SqueezeNames("pool", "down", "relu", "up", "sigmoid", "flat", "scale")
    feature = gates.squeeze_and_excitation(net, Feature(net.u, 32, 5), names, 16, Recipe())
    assert feature == (net.scale, 32, 5)
    blobs = values(**shapes)
    weights = values(1, down=(2, 32, 1, 1), down_bias=(2,), up=(32, 2, 1, 1), up_bias=(32,))
    down, down_bias, up, up_bias = weights.values()
    squeezed = blobs["u"].mean((2, 3))
    hidden = torch.relu(squeezed @ down[:, :, 0, 0].T + down_bias)
    excited = torch.sigmoid(hidden @ up[:, :, 0, 0].T + up_bias)
    params = {"down": [down.numpy(), down_bias.numpy()], "up": [up.numpy(), up_bias.numpy()]}
    expected = blobs["u"] * excited[:, :, None, None]
    torch.testing.assert_close(run(net, params, blobs)["scale"], expected)
