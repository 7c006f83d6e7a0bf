# ruff: noqa: C408, ISC004 - options are keywords, sentences stand in a table
from __future__ import annotations

import numpy as np
import pytest
import torch

import caffegen
from caffegen import pytorch
from caffegen.analysis.fill import fill_params
from caffegen.zoo import ZooError, shufflenet
from caffegen.zoo.shufflenet import GROUPS, TABLE_5
from tests.zoo.test_torchvision_style import models  # noqa: F401 - a fixture


def layers(spec):
    return {layer.name: layer for layer in spec.to_message().layer}


# Table 1 of the first paper
@pytest.mark.parametrize("groups", GROUPS)
def test_channels_and_sizes_of_version_1(groups):
    shapes = caffegen.loads(shufflenet(groups=groups)).shapes
    channels = GROUPS[groups]
    blobs = ("pool1", "resx4_elewise", "resx12_elewise", "resx16_elewise")
    assert [shapes[blob][1:3] for blob in blobs] == [
        (24, 56), (channels, 28), (2 * channels, 14), (4 * channels, 7),
    ]  # fmt: skip
    # a quarter of the channels inside the units
    assert shapes["resx16_conv1"][1] == channels


# Table 5 of the second
@pytest.mark.parametrize("width", TABLE_5)
def test_channels_and_sizes_of_version_2(width):
    shapes = caffegen.loads(shufflenet(version="2", width=width)).shapes
    first, second, third, last = TABLE_5[width]
    blobs = ("pool1", "shuffle4", "shuffle12", "shuffle16", "conv5")
    assert [shapes[blob][1:3] for blob in blobs] == [
        (24, 56), (first, 28), (second, 14), (third, 7), (last, 7),
    ]  # fmt: skip


def test_the_first_convolution_of_version_1_is_not_grouped():
    net = layers(shufflenet())
    groups = [net[f"resx{index}_conv1"].convolution_param.group for index in range(1, 17)]
    assert groups == [1, *[3] * 15]
    assert "shuffle1" not in net
    assert "shuffle2" in net


@pytest.mark.parametrize("groups", ["2", "3", "8"])
def test_slice_concat_and_reshape_shuffle(groups):
    spec = shufflenet(groups=groups, input_size=64)
    net = caffegen.loads(spec)
    number = int(groups)
    blobs = [f"shuffle2_group{group}" for group in range(1, number + 1)]
    module = pytorch.build(caffegen.loads(spec, fill_params(net.graph, 0))).eval()
    with torch.no_grad():
        run = module.run(
            {"data": torch.randn(2, 3, 64, 64)}, blobs=[*blobs, "shuffle2_stacked", "shuffle2"]
        )
    before = np.concatenate([run[blob].numpy() for blob in blobs], axis=1)
    images, channels, height, width = before.shape
    each = before.reshape(images, number, channels // number, height, width)
    expected = each.transpose(0, 2, 1, 3, 4).reshape(before.shape)
    np.testing.assert_array_equal(run["shuffle2"].numpy(), expected)


def test_shuffles_of_the_fork():
    for version, count in (("1", 15), ("2", 16)):
        spec = shufflenet(version=version, shuffle="fork")
        shuffles = [x for x in spec.to_message().layer if x.type == "ShuffleChannel"]
        assert len(shuffles) == count
        assert {x.shuffle_channel_param.group for x in shuffles} == {3 if version == "1" else 2}
        ours = caffegen.loads(shufflenet(version=version)).shapes
        assert caffegen.loads(spec).shapes.items() <= ours.items()


def test_both_shuffles_compute_the_same():
    specs = [shufflenet(shuffle=shuffle, input_size=64) for shuffle in ("bvlc", "fork")]
    weights = fill_params(caffegen.loads(specs[0]).graph, 0)
    images = {"data": torch.randn(1, 3, 64, 64)}
    with torch.no_grad():
        plain, fork = (
            pytorch.build(caffegen.loads(spec, weights)).eval().run(images, blobs=["fc1000"])
            for spec in specs
        )
    torch.testing.assert_close(plain["fc1000"], fork["fc1000"], rtol=1e-4, atol=1e-5)


def test_any_batch_and_size_pass_the_reshape():
    net = caffegen.loads(shufflenet(input_size=96, batch=3))
    assert net.shapes["shuffle2"] == (3, 60, 12, 12)
    shape = layers(shufflenet(input_size=96, batch=3))["shuffle2"].reshape_param.shape
    assert list(shape.dim) == [0, 60, -1, 0]


def test_train_val():
    spec = shufflenet(phase="train_val", classes=10)
    assert {x.convolution_param.weight_filler.type for x in spec.to_message().layer
            if x.type == "Convolution"} == {"msra"}  # fmt: skip
    inputs = {"data": (2, 3, 224, 224), "label": (2,)}
    outputs = {"TRAIN": {"loss"}, "TEST": {"loss", "accuracy_top1", "accuracy_top5"}}
    for phase, expected in outputs.items():
        net = caffegen.loads(spec.to_prototxt(), phase=phase, inputs=inputs)
        assert set(net.outputs) == expected


# torchvision's units with random weights, ported in their order; its first pooling pads, ours does
# not, so the features are compared from there on
def test_the_stages_of_version_2_are_torchvisions(models):  # noqa: F811
    torch.manual_seed(0)
    theirs = models.shufflenet_v2_x1_0(num_classes=10).eval()
    spec = shufflenet(version="2", input_size=64, classes=10)
    net = caffegen.loads(spec)
    weights = fill_params(net.graph, 0)
    convolutions = iter([x.name for x in net.layers if x.type == "Convolution"])
    name = ""
    for part in (theirs.conv1, theirs.stage2, theirs.stage3, theirs.stage4, theirs.conv5):
        for module in part.modules():
            if isinstance(module, torch.nn.Conv2d):
                name = next(convolutions)
                weights[name] = [module.weight.detach().numpy()]
            elif isinstance(module, torch.nn.BatchNorm2d):
                module.running_var.uniform_(0.5, 1.5)
                module.running_mean.normal_(0, 0.1)
                statistics = (module.running_mean, module.running_var, torch.ones(1))
                weights[f"{name}_bn"] = [x.numpy() for x in statistics]
                learned = (module.weight, module.bias)
                weights[f"{name}_scale"] = [x.detach().numpy() for x in learned]
    assert list(convolutions) == ["fc10"]
    module = pytorch.build(caffegen.loads(spec, weights)).eval()
    with torch.no_grad():
        run = module.run({"data": torch.randn(1, 3, 64, 64)}, blobs=["pool1", "conv5"])
        expected = run["pool1"]
        for part in (theirs.stage2, theirs.stage3, theirs.stage4, theirs.conv5):
            expected = part(expected)
    assert (run["conv5"] - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(groups="5"), "there is no number of groups `5`; there is 1, 2, 3, 4 and 8"),
        (dict(width="0.75"), "there is no ShuffleNet of width 0.75, only 0.5, 1.0, 1.5 and 2.0"),
        (dict(width="0.5", groups="4"),
         "a ShuffleNet of width 0.5 has 3 or 8 groups; 4 do not divide its channels"),
        (dict(version="2", groups="3"),
         "ShuffleNet v2 has no grouped 1x1 convolutions; leave out groups `3`"),
        (dict(shuffle="layer"), "there is no shuffle `layer`; there is bvlc and fork"),
        (dict(input_size=100),
         "an input of 100x100 comes to 25x25 at `resx1`, which pooling and convolution do not halve "
         "alike; a multiple of 32 is halved everywhere"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)  # fmt: skip
def test_nets_that_can_not_be(options, sentence):
    with pytest.raises(ZooError) as caught:
        shufflenet(**options)
    assert str(caught.value) == sentence
