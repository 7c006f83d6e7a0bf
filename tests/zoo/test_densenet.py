# ruff: noqa: C408 - options are keywords
from __future__ import annotations

import pytest
import torch

import caffegen
from caffegen import pytorch
from caffegen.analysis.fill import fill_params
from caffegen.zoo import ZooError, densenet
from caffegen.zoo.densenet import TABLE_1
from tests.zoo.test_torchvision_style import models  # noqa: F401 - a fixture

DEPTHS = pytest.mark.parametrize("depth", TABLE_1)


@DEPTHS
def test_the_depth_counts_the_layers_with_weights(depth):
    types = [layer.type for layer in densenet(depth).to_message().layer]
    assert types.count("Convolution") == depth


@DEPTHS
def test_every_layer_adds_its_growth(depth):
    shapes = caffegen.loads(densenet(depth)).shapes
    growth, blocks = TABLE_1[depth]
    channels = 2 * growth
    for stage, layers in enumerate(blocks, 2):
        for index in range(1, layers + 1):
            assert shapes[f"conv{stage}_{index}/x1"][1] == 4 * growth
            assert shapes[f"conv{stage}_{index}/x2"][1] == growth
            channels += growth
            assert shapes[f"concat_{stage}_{index}"][1] == channels
        channels //= 2


# Table 1: the sizes behind the pooling and behind the dense blocks
def test_sizes():
    shapes = caffegen.loads(densenet()).shapes
    blobs = ("conv1", "pool1", "concat_2_6", "concat_3_12", "concat_4_24", "concat_5_16", "prob")
    assert [shapes[blob][2] for blob in blobs] == [112, 56, 56, 28, 14, 7, 1]


def test_transitions_have_the_published_names():
    for depth, names in ((121, ["conv2_blk", "pool2"]), (201, ["conv2_6/blk", "pool2_6"])):
        tops = [top for layer in densenet(depth).to_message().layer for top in layer.top]
        assert [name for name in names if name not in tops] == []


def test_train_val():
    spec = densenet(121, phase="train_val", classes=10)
    for layer in spec.to_message().layer:
        if layer.type == "BatchNorm":
            assert [spec.lr_mult for spec in layer.param] == [0, 0, 0]
        elif layer.type == "Convolution":
            assert layer.convolution_param.weight_filler.type == "msra"
    inputs = {"data": (2, 3, 224, 224), "label": (2,)}
    outputs = {"TRAIN": {"loss"}, "TEST": {"loss", "accuracy_top1", "accuracy_top5"}}
    for phase, expected in outputs.items():
        net = caffegen.loads(spec.to_prototxt(), phase=phase, inputs=inputs)
        assert set(net.outputs) == expected


# torchvision's net with random weights and statistics, ported in their order
def test_it_is_torchvisions(models):  # noqa: F811
    torch.manual_seed(0)
    theirs = models.densenet121(num_classes=10).eval()
    spec = densenet(121, input_size=64, classes=10)
    net = caffegen.loads(spec)
    weights = fill_params(net.graph, 0)
    convolutions = iter([x.name for x in net.layers if x.type == "Convolution"])
    norms = iter([x.name for x in net.layers if x.type == "BatchNorm"])
    scales = iter([x.name for x in net.layers if x.type == "Scale"])
    for module in theirs.features.modules():
        if isinstance(module, torch.nn.Conv2d):
            weights[next(convolutions)] = [module.weight.detach().numpy()]
        elif isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            statistics = (module.running_mean, module.running_var, torch.ones(1))
            weights[next(norms)] = [x.numpy() for x in statistics]
            weights[next(scales)] = [x.detach().numpy() for x in (module.weight, module.bias)]
    assert [next(convolutions), *norms] == ["fc6"]
    images = torch.randn(1, 3, 64, 64)
    module = pytorch.build(caffegen.loads(spec, weights)).eval()
    last = "conv5_blk/bn"
    with torch.no_grad():
        expected = torch.relu(theirs.features(images))
        found = module.run({"data": images}, blobs=[last])[last]
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(depth=120),
         "there is no DenseNet-120, only 121, 161, 169 and 201; the nearest is 121"),
        (dict(depth=264),
         "there is no DenseNet-264, only 121, 161, 169 and 201; the nearest is 201"),
        (dict(depth="121"), "the depth is a whole number of at least 1, found '121'"),
        (dict(input_size=16), "an input of 16x16 is too small for the 2x2 windows of `pool4`"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)  # fmt: skip
def test_nets_that_can_not_be(options, sentence):
    with pytest.raises(ZooError) as caught:
        densenet(**options)
    assert str(caught.value) == sentence
