# ruff: noqa: C408 - options are keywords
from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

import caffegen
from caffegen import pytorch
from caffegen.analysis.fill import fill_params
from caffegen.analysis.summary import summarize
from caffegen.zoo import highway
from caffegen.zoo.highway import TABLE_1


def layers(*args, **kwargs):
    return {x.name: x for x in highway(*args, **kwargs).to_message().layer}


def net_and_params(spec):
    net = caffegen.loads(spec)
    params = fill_params(net.graph, 0)
    generator = np.random.default_rng(0)
    for arrays in params.values():
        if len(arrays) > 1:
            arrays[1] = generator.normal(0, 0.5, arrays[1].shape).astype("f")
    return caffegen.loads(spec, params), params


def compare(spec, expect, shape):
    net, params = net_and_params(spec)
    weights = {name: [torch.from_numpy(a) for a in arrays] for name, arrays in params.items()}
    data = torch.from_numpy(np.random.default_rng(1).normal(size=shape).astype("f"))
    with torch.no_grad():
        found = pytorch.build(net).eval()(data=data)["prob"]
        expected = torch.softmax(expect(weights, data), 1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert expected.std() > 0.05


def mix(weights, name, affine, x, activation, passed, own):
    """Equation 2, or 3: the carry gate is a gate of its own or 1 - T."""
    transformed = activation(affine(x, *weights[f"{name}_transform"]))
    gate = torch.sigmoid(affine(x, *weights[f"{name}_gate"]))
    carry = torch.sigmoid(affine(x, *weights[f"{name}_carry"])) if own else 1 - gate
    return transformed * gate + passed * carry


@pytest.mark.parametrize("own", [False, True], ids=["coupled", "own"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("change", ["plain", "subsample", "pad", "project"])
def test_fully_connected(change, activation, own):
    size, width = (4, 20) if change == "pad" else (7, 20)
    function = getattr(torch, activation)

    def expect(weights, data):
        x = data.flatten(1)
        if change == "plain":
            x = function(functional.linear(x, *weights["ip1"]))
        else:
            passed = {
                # 49 values: every second, of which the first 20
                "subsample": lambda: x[:, ::2][:, :20],
                "pad": lambda: functional.pad(x, (0, 4)),
                "project": lambda: functional.linear(x, *weights["ip1_x"]),
            }[change]()
            x = mix(weights, "ip1", functional.linear, x, function, passed, own)
        for name in ("ip2", "ip3", "ip4"):
            x = mix(weights, name, functional.linear, x, function, x, own)
        return functional.linear(x, *weights["ip5"])

    carry = "own" if own else "coupled"
    spec = highway(4, "mnist", carry, change, activation, width=width, input_size=size, batch=3)
    compare(spec, expect, (3, 1, size, size))


@pytest.mark.parametrize("change", ["plain", "subsample", "pad", "project"])
def test_convolutional(change):
    def convolve(stride=1):
        return lambda x, w, b=None: functional.conv2d(x, w, b, stride, w.shape[-1] // 2)

    def expect(weights, x):
        index = 0
        for stage, (number, width) in enumerate(TABLE_1[11].stages):
            halved = stage > 0 and change == "subsample"
            if stage and not halved:
                x = functional.max_pool2d(x, 2, ceil_mode=True)
            for place in range(number):
                index += 1
                name, affine = f"conv{index}", convolve(2 if halved and not place else 1)
                if place == 0 and change == "plain":
                    x = torch.relu(affine(x, *weights[name]))
                    continue
                passed = x
                if place == 0:
                    sampled = x[:, :, ::2, ::2] if halved else x
                    missing = width - x.shape[1]
                    passed = functional.pad(sampled, (0, 0, 0, 0, 0, missing))
                    if change == "project":
                        passed = functional.conv2d(x, *weights[f"{name}_x"])
                x = mix(weights, name, affine, x, torch.relu, passed, False)
        x = torch.relu(functional.conv2d(x, *weights["conv10"]))
        return functional.linear(x.mean((2, 3)), *weights["ip2"])

    compare(highway(11, "cifar10", change=change, batch=2, input_size=13), expect, (2, 3, 13, 13))


# Section 3.1: thin nets of about 5,000 parameters a layer, as many as those of their plain rivals
@pytest.mark.parametrize(
    ("plain", "a_layer"),
    [(False, 2 * (50 * 50 + 50)), (True, 71 * 71 + 71)],
    ids=["highway", "plain"],
)
def test_parameters_of_a_layer(plain, a_layer):
    totals = [
        summarize(caffegen.loads(highway(depth, plain=plain)).graph).params for depth in (10, 100)
    ]
    assert totals[1] - totals[0] == 90 * a_layer
    assert a_layer == pytest.approx(5000, rel=0.03)


@pytest.mark.parametrize("depth", [2, 10, 20, 50, 100])
def test_fully_connected_depth(depth):
    made = layers(depth)
    assert made["ip1"].type == "InnerProduct"
    sums = [x.name for x in made.values() if x.type == "Eltwise" and not x.name.endswith("ed")]
    assert sums == [f"ip{index}" for index in range(2, depth + 1)]
    assert made[f"ip{depth + 1}"].inner_product_param.num_output == 10


# Table 1 counts the 1x1 convolution and the scores
@pytest.mark.parametrize("depth", [11, 19, 32])
def test_convolutional_depth(depth):
    blobs = [x.name for x in layers(depth, "cifar10").values()]
    assert [f"conv{index}" in blobs for index in range(1, depth + 1)] == [True] * (depth - 1) + [
        False
    ]
    gates = [name for name in blobs if name.endswith("_gate")]
    assert len(gates) == depth - 2 - 3


# What the published file for CIFAR-10 has, which trained the paper's best net
def test_the_published_net():
    made = layers(19, "cifar10", phase="train_val")
    widths = {
        name.removesuffix("_transform"): layer.convolution_param.num_output
        for name, layer in made.items()
        if layer.type == "Convolution" and not name.endswith("_gate")
    }
    assert list(widths) == [f"conv{index}" for index in range(1, 19)]
    assert list(widths.values()) == [32] * 5 + [80] * 6 + [128] * 6 + [100]
    plain = [name for name in widths if name in made and made[name].type == "Convolution"]
    assert plain == ["conv1", "conv6", "conv12", "conv18"]
    for name in ("conv2_gate", "conv17_gate"):
        param = made[name].convolution_param
        assert (param.weight_filler.type, param.bias_filler.value) == ("xavier", -2)
        assert [(x.lr_mult, x.decay_mult) for x in made[name].param] == [(1, 1), (2, 0)]
    assert [(x.lr_mult, x.decay_mult) for x in made["ip2"].param] == [(1, 10), (2, 0)]
    ratios = [made[f"drop{n}"].dropout_param.dropout_ratio for n in (1, 2, 3, 4)]
    assert ratios == [pytest.approx(0.2)] * 4
    data = made["cifar"]
    assert (data.data_param.batch_size, data.transform_param.crop_size) == (100, 32)


@pytest.mark.parametrize(
    ("options", "biases"),
    [
        (dict(), {"ip2_gate": -1}),
        (dict(gate_bias=4), {"ip2_gate": -4}),
        (dict(gate_bias=0), {"ip2_gate": 0}),
        (dict(carry="own", gate_bias=3), {"ip2_gate": -3, "ip2_carry": 3}),
    ],
    ids=["usual", "4", "0", "own carry gate"],
)
def test_where_the_biases_of_gates_start(options, biases):
    made = layers(2, phase="train_val", **options)
    found = {
        name: layer.inner_product_param.bias_filler.value
        for name, layer in made.items()
        if layer.type == "InnerProduct" and name.endswith(("_gate", "_carry"))
    }
    assert found == biases


# Section 2.2: with a strongly negative bias a highway net starts as the identity, whatever its depth
def test_at_first_nearly_everything_passes():
    spec = highway(50, gate_bias=8, phase="train_val", data="input", batch=4)
    shapes = {"data": (4, 1, 28, 28), "label": (4,)}
    net = caffegen.loads(spec, phase="TEST", inputs=shapes)
    net = caffegen.loads(spec, fill_params(net.graph, 0), phase="TEST", inputs=shapes)
    with torch.no_grad():
        module = pytorch.build(net).eval()
        blobs = module.run({"data": torch.randn(shapes["data"]), "label": torch.zeros(4)})
    first, last = blobs["ip1"], blobs["ip50"]
    assert (last - first).norm() < 0.1 * first.norm()


def test_plain_nets_have_no_gates():
    for made in (layers(20, plain=True), layers(19, "cifar10", plain=True)):
        assert {x.type for x in made.values()} <= {
            "Input", "Flatten", "InnerProduct", "Convolution", "ReLU", "Dropout", "Pooling",
            "Softmax",
        }  # fmt: skip
