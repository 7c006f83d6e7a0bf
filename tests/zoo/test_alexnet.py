from __future__ import annotations

import pytest

import caffegen
from caffegen.zoo import alexnet, caffenet
from caffegen.zoo.alexnet import CONVOLUTIONS

BOTH = pytest.mark.parametrize("family", [alexnet, caffenet], ids=["alexnet", "caffenet"])


def layers(spec):
    return {layer.name: layer for layer in spec.to_message().layer}


@BOTH
def test_eight_layers_with_weights(family):
    weighted = [
        x.name for x in family().to_message().layer if x.type in ("Convolution", "InnerProduct")
    ]
    assert weighted == ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"]


# Figure 2 of the paper gives the sizes of the maps, 55, 27 and 13, and the neurons in them
@BOTH
def test_the_sizes_of_figure_2(family):
    shapes = caffegen.loads(family()).shapes
    assert [shapes[f"conv{n}"][1:] for n in range(1, 6)] == [
        (96, 55, 55), (256, 27, 27), (384, 13, 13), (384, 13, 13), (256, 13, 13),
    ]  # fmt: skip
    assert shapes["fc6"] == shapes["fc7"] == (1, 4096)
    assert shapes["prob"] == (1, 1000)


@pytest.mark.parametrize(
    ("family", "order"),
    [
        (alexnet, ["conv1", "relu1", "norm1", "pool1", "conv2", "relu2", "norm2", "pool2"]),
        (caffenet, ["conv1", "relu1", "pool1", "norm1", "conv2", "relu2", "pool2", "norm2"]),
    ],
    ids=["alexnet", "caffenet"],
)
def test_the_order_of_normalisation_and_pooling(family, order):
    assert [layer.name for layer in family().to_message().layer][1:9] == order


@pytest.mark.parametrize(
    ("family", "bias"), [(alexnet, 0.1), (caffenet, 1)], ids=["alexnet", "caffenet"]
)
def test_the_biases_that_do_not_start_at_zero(family, bias):
    net = layers(family(phase="train_val"))
    values = {
        name: (
            layer.convolution_param if name < "d" else layer.inner_product_param
        ).bias_filler.value
        for name, layer in net.items()
        if layer.type in ("Convolution", "InnerProduct")
    }
    active = {name for name, value in values.items() if value}
    assert active == {"conv2", "conv4", "conv5", "fc6", "fc7"}
    assert all(values[name] == pytest.approx(bias) for name in active)


@BOTH
def test_train_val_learns_what_deploy_has(family):
    deploy, train = (
        [(x.name, x.type) for x in family(phase=phase).to_message().layer]
        for phase in ("deploy", "train_val")
    )
    assert deploy[1:-1] == train[2:-2]
    assert train[-2:] == [("accuracy", "Accuracy"), ("loss", "SoftmaxWithLoss")]


@BOTH
def test_deploy_leaves_the_weights_to_the_caffemodel(family):
    for layer in layers(family()).values():
        assert not layer.convolution_param.has("weight_filler")
        assert not layer.inner_product_param.has("weight_filler")


@BOTH
def test_biases_learn_twice_as_fast_and_do_not_decay(family):
    for layer in layers(family(phase="train_val")).values():
        if layer.type in ("Convolution", "InnerProduct"):
            assert [(p.lr_mult, p.decay_mult) for p in layer.param] == [(1, 1), (2, 0)]


def test_the_table_groups_what_ran_on_two_gpus():
    assert [layer.group for layer in CONVOLUTIONS] == [1, 2, 1, 2, 2]
