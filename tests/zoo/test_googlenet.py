from __future__ import annotations

from collections import Counter

import pytest
import torch

import caffegen
from caffegen import pytorch
from caffegen.analysis.fill import fill_params
from caffegen.analysis.summary import summarize
from caffegen.zoo import googlenet
from caffegen.zoo.googlenet import TABLE_1


def names(spec, *types):
    return [layer.name for layer in spec.to_message().layer if layer.type in types]


# Table 1: output size, and operations in millions. For (5a) it says 54, which its own widths, those
# of (4e) over a quarter of the places, can't be.
MODULES = {
    "3a": ((256, 28), 128),
    "3b": ((480, 28), 304),
    "4a": ((512, 14), 73),
    "4b": ((512, 14), 88),
    "4c": ((512, 14), 100),
    "4d": ((528, 14), 119),
    "4e": ((832, 14), 170),
    "5a": ((832, 7), 51),
    "5b": ((1024, 7), 71),
}


@pytest.fixture(scope="module")
def net():
    return caffegen.loads(googlenet())


@pytest.mark.parametrize("module", MODULES)
def test_the_sizes_of_table_1(net, module):
    (channels, size), _ = MODULES[module]
    assert net.shapes[f"inception_{module}/output"] == (1, channels, size, size)


@pytest.mark.parametrize("module", MODULES)
def test_the_operations_of_table_1(net, module):
    macs = Counter()
    for row in summarize(net.graph).rows:
        if row.type == "Convolution":
            macs[row.name.partition("/")[0]] += row.macs
    # the paper rounds some and cuts others
    assert macs[f"inception_{module}"] / 1e6 == pytest.approx(MODULES[module][1], abs=0.65)


def test_twenty_two_layers_deep(net):
    # the longest way: the stem, two convolutions in each module, the classifier
    modules = sum(len(stage) for stage in TABLE_1.values())
    stem = [x for x in names(googlenet(), "Convolution") if x.startswith("conv")]
    assert len(stem) + 2 * modules + 1 == 22
    assert net.shapes["pool5/7x7_s1"] == (1, 1024, 1, 1)


def test_the_auxiliary_classifiers_are_for_training():
    assert not [name for name in names(googlenet()) if name.startswith(("loss1", "loss2"))]
    assert names(googlenet(phase="train_val"), "SoftmaxWithLoss") == [
        "loss1/loss", "loss2/loss", "loss3/loss3",
    ]  # fmt: skip


def test_the_auxiliary_classifiers_read_4a_and_4d():
    layers = {layer.name: layer for layer in googlenet(phase="train_val").to_message().layer}
    assert layers["loss1/ave_pool"].bottom == ["inception_4a/output"]
    assert layers["loss2/ave_pool"].bottom == ["inception_4d/output"]
    inputs = {"data": (2, 3, 224, 224), "label": (2,)}
    shapes = caffegen.loads(
        googlenet(phase="train_val").to_prototxt(), phase="TRAIN", inputs=inputs
    ).shapes
    # Section 5: 4x4x512 and 4x4x528
    assert shapes["loss1/ave_pool"] == (2, 512, 4, 4)
    assert shapes["loss2/ave_pool"] == (2, 528, 4, 4)
    assert shapes["loss1/fc"] == (2, 1024)


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_the_auxiliary_losses_count_three_tenths(phase):
    inputs = {"data": (2, 3, 224, 224), "label": (2,)}
    net = caffegen.loads(googlenet(phase="train_val").to_prototxt(), phase=phase, inputs=inputs)
    assert net.loss_weights == {
        "loss1/loss1": pytest.approx(0.3), "loss2/loss2": pytest.approx(0.3), "loss3/loss3": 1,
    }  # fmt: skip
    accuracies = {f"loss{n}/top-{k}" for n in (1, 2, 3) for k in (1, 5)}
    assert set(net.outputs) - set(net.loss_weights) == (accuracies if phase == "TEST" else set())


def test_the_loss_is_the_weighted_sum():
    torch.manual_seed(0)
    spec = googlenet(phase="train_val", classes=10, input_size=80, batch=2)
    inputs = {"data": (2, 3, 80, 80), "label": (2,)}
    net = caffegen.loads(spec, phase="TRAIN", inputs=inputs)
    net = caffegen.loads(spec, fill_params(net.graph, 0), phase="TRAIN", inputs=inputs)
    module = pytorch.build(net).train()
    with torch.no_grad():
        blobs = module(data=torch.randn(inputs["data"]), label=torch.tensor([4.0, 9.0]))
        expected = blobs["loss3/loss3"] + 0.3 * (blobs["loss1/loss1"] + blobs["loss2/loss2"])
        torch.testing.assert_close(module.total_loss(blobs), expected)


def test_few_classes_have_no_top_five():
    assert names(googlenet(phase="train_val", classes=5), "Accuracy") == [
        "loss1/top-1", "loss2/top-1", "loss3/top-1",
    ]  # fmt: skip


@pytest.mark.parametrize(("size", "window"), [(224, 7), (223, 7), (222, 0), (256, 0), (47, 0)])
def test_the_last_pooling_is_global(size, window):
    net = caffegen.loads(googlenet(input_size=size))
    param = next(x for x in net.layers if x.name == "pool5/7x7_s1").definition.layer.pooling_param
    assert (param.kernel_size, param.global_pooling) == (window, not window)
    assert net.shapes["pool5/7x7_s1"] == (1, 1024, 1, 1)
