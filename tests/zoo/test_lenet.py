from __future__ import annotations

import pytest
import torch

import caffegen
from caffegen import pytorch
from caffegen.analysis.fill import fill_params
from caffegen.zoo import lenet


def test_the_shapes_by_hand():
    assert caffegen.loads(lenet(batch=64)).shapes == {
        "data": (64, 1, 28, 28),
        "conv1": (64, 20, 24, 24),
        "pool1": (64, 20, 12, 12),
        "conv2": (64, 50, 8, 8),
        "pool2": (64, 50, 4, 4),
        "ip1": (64, 500),
        "ip2": (64, 10),
        "prob": (64, 10),
    }


def test_train_val_reads_mnist():
    layers = lenet(phase="train_val").to_message().layer
    sources = [layer.data_param.source for layer in layers[:2]]
    assert sources == ["examples/mnist/mnist_train_lmdb", "examples/mnist/mnist_test_lmdb"]
    assert [layer.name for layer in layers[-2:]] == ["accuracy", "loss"]


@pytest.mark.parametrize("phase", ["deploy", "train_val"])
def test_fillers_and_rates_are_those_of_both_published_files(phase):
    for layer in lenet(phase=phase).to_message().layer:
        if layer.type in ("Convolution", "InnerProduct"):
            param = layer.get(
                "convolution_param" if layer.type == "Convolution" else "inner_product_param"
            )
            assert (param.weight_filler.type, param.bias_filler.type) == ("xavier", "constant")
            assert [rate.lr_mult for rate in layer.param] == [1, 2]


def test_twenty_steps_halve_the_loss_of_a_batch():
    torch.manual_seed(0)
    spec = lenet(phase="train_val", batch=4)
    inputs = {"data": (4, 1, 28, 28), "label": (4,)}
    net = caffegen.loads(spec, phase="TRAIN", inputs=inputs)
    net = caffegen.loads(spec, fill_params(net.graph, 0), phase="TRAIN", inputs=inputs)
    module = pytorch.build(net).train()
    data, label = torch.rand(4, 1, 28, 28), torch.arange(4.0)
    losses = []
    for _ in range(20):
        module.zero_grad()
        loss = module.total_loss(module(data=data, label=label))
        loss.backward()
        losses.append(loss.item())
        with torch.no_grad():
            for group in module.parameter_groups(0.01):
                for parameter in group["params"]:
                    parameter.sub_(group["lr"] * parameter.grad)
    assert losses[-1] < losses[0] / 2, losses
