# ruff: noqa: C408 - options are keywords
from __future__ import annotations

import pytest
import torch

import caffegen
from caffegen import pytorch
from caffegen.analysis.fill import fill_params
from caffegen.zoo import ZooError, mobilenet
from caffegen.zoo.mobilenet import BOTTLENECKS, SEPARABLES
from tests.zoo.test_torchvision_style import models  # noqa: F401 - a fixture


def layers(spec):
    return {layer.name: layer for layer in spec.to_message().layer}


def test_depthwise_convolutions_are_grouped_by_channels():
    net = caffegen.loads(mobilenet())
    depthwise = [x for x in net.layers if x.name.endswith("/dw")]
    depthwise = [x for x in depthwise if x.type == "Convolution"]
    assert [x.name for x in depthwise] == [f"{row.name}/dw" for row in SEPARABLES]
    for node in depthwise:
        channels = node.inputs[0].shape[1]
        param = node.definition.layer.convolution_param
        assert (param.group, param.num_output) == (channels, channels)


# Table 1 of the first paper: the sizes of its rows
def test_sizes_of_version_1():
    shapes = caffegen.loads(mobilenet()).shapes
    assert [shapes[f"{row.name}/sep"][1:3] for row in SEPARABLES] == [
        (64, 112), (128, 56), (128, 56), (256, 28), (256, 28), (512, 14),
        *[(512, 14)] * 5, (1024, 7), (1024, 7),
    ]  # fmt: skip


# Table 2 of the second, whose 64 channels the published net has at 28x28
@pytest.mark.parametrize(("style", "size"), [("paper", 14), ("published", 28)])
def test_sizes_of_version_2(style, size):
    shapes = caffegen.loads(mobilenet(version="2", style=style)).shapes
    found = [shapes[f"{row.name}/linear"][1:3] for row in BOTTLENECKS]
    assert found == [
        (16, 112), *[(24, 56)] * 2, *[(32, 28)] * 3, *[(64, size)] * 4, *[(96, 14)] * 3,
        *[(160, 7)] * 3, (320, 7),
    ]  # fmt: skip
    assert shapes["conv6_4"] == (1, 1280, 7, 7)


@pytest.mark.parametrize("style", ["paper", "published"])
def test_where_shortcuts_are(style):
    found = [name for name in layers(mobilenet(version="2", style=style)) if "block" in name]
    # between blocks of one width and size, wherever the size is halved
    assert found == [
        "block_3_1", "block_4_1", "block_4_2", "block_4_4", "block_4_5", "block_4_6", "block_5_1",
        "block_5_2", "block_6_1", "block_6_2",
    ]  # fmt: skip


def test_only_the_published_net_widens_nothing_in_its_first_block():
    assert "conv2_1/expand" in layers(mobilenet(version="2"))
    assert "conv2_1/expand" not in layers(mobilenet(version="2", style="paper"))


@pytest.mark.parametrize(
    ("version", "width", "first", "last"),
    [
        ("1", "0.25", 8, 256),
        ("1", "0.75", 24, 768),
        ("2", "0.35", 16, 1280),
        ("2", "0.75", 24, 1280),
        ("2", "1.4", 48, 1792),
        ("2", 1.4, 48, 1792),
        ("2", 1, 32, 1280),
    ],
)
def test_width_multipliers(version, width, first, last):
    shapes = caffegen.loads(mobilenet(version=version, width=width)).shapes
    assert (shapes["conv1"][1], shapes["pool6"][1]) == (first, last)


def test_train_val():
    spec = mobilenet(version="2", phase="train_val", classes=10)
    for layer in spec.to_message().layer:
        rates = [(spec.lr_mult, spec.decay_mult) for spec in layer.param]
        if layer.type == "BatchNorm":
            assert rates == [(0, 0)] * 3
            assert not layer.batch_norm_param.has("use_global_stats")
        elif layer.type == "Scale":
            assert rates == [(1, 0)] * 2
    inputs = {"data": (2, 3, 224, 224), "label": (2,)}
    outputs = {"TRAIN": {"loss"}, "TEST": {"loss", "accuracy_top1", "accuracy_top5"}}
    for phase, expected in outputs.items():
        net = caffegen.loads(spec.to_prototxt(), phase=phase, inputs=inputs)
        assert set(net.outputs) == expected


# torchvision's net with random weights and statistics, ported in their order; its ReLU6 clips at 6,
# below which the small inputs here stay
def test_the_paper_style_is_torchvisions(models):  # noqa: F811
    torch.manual_seed(0)
    theirs = models.mobilenet_v2(num_classes=10).eval()
    spec = mobilenet(version="2", style="paper", input_size=64, classes=10)
    net = caffegen.loads(spec)
    weights = fill_params(net.graph, 0)
    convolutions = iter([x.name for x in net.layers if x.type == "Convolution"])
    name = ""
    for module in theirs.modules():
        if isinstance(module, torch.nn.Conv2d):
            name = next(convolutions)
            weights[name] = [module.weight.detach().numpy()]
        elif isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 1.5)
            module.running_mean.normal_(0, 0.1)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            statistics = (module.running_mean, module.running_var, torch.ones(1))
            weights[f"{name}/bn"] = [x.numpy() for x in statistics]
            weights[f"{name}/scale"] = [x.detach().numpy() for x in (module.weight, module.bias)]
    classifier = theirs.classifier[1]
    assert next(convolutions) == "fc7"
    weights["fc7"] = [
        classifier.weight.detach().numpy()[:, :, None, None], classifier.bias.detach().numpy()
    ]  # fmt: skip
    images = 0.1 * torch.randn(1, 3, 64, 64)
    module = pytorch.build(caffegen.loads(spec, weights)).eval()
    with torch.no_grad():
        expected = theirs(images)
        found = module.run({"data": images}, blobs=["fc7"])["fc7"][:, :, 0, 0]
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(version="3"), "there is no version `3`; there is 1 and 2"),
        (dict(width="1.4"),
         "there is no MobileNet v1 of width 1.4, only 1.0, 0.75, 0.5 and 0.25"),
        (dict(version="2", width=0.25),
         "there is no MobileNet v2 of width 0.25, only 1.4, 1.0, 0.75, 0.5 and 0.35"),
        (dict(width="wide"), "there is no MobileNet v1 of width wide, only 1.0, 0.75, 0.5 and 0.25"),
        (dict(style="paper"), "the published MobileNet v1 is the paper's; style is for version 2"),
        (dict(version="2", style="slim"), "there is no style `slim`; there is published and paper"),
        (dict(version=3), "there is no version `3`; there is 1 and 2"),
        (dict(version=True), "there is no version `True`; there is 1 and 2"),
        (dict(version="2", ssd=True), "the published MobileNet-SSD is of version 1; leave out version"),
        (dict(classes=0), "the number of classes is a whole number of at least 1, found 0"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)  # fmt: skip
def test_nets_that_can_not_be(options, sentence):
    with pytest.raises(ZooError) as caught:
        mobilenet(**options)
    assert str(caught.value) == sentence
