from __future__ import annotations

import pytest
import torch

import caffegen
from caffegen import pytorch
from caffegen.analysis.fill import fill_params
from caffegen.analysis.summary import summarize
from caffegen.zoo import alexnet, squeezenet
from caffegen.zoo.squeezenet import FIRES
from tests.zoo.test_torchvision_style import models  # noqa: F401 - a fixture

VERSIONS = pytest.mark.parametrize("version", ["1.0", "1.1"])


def layers(spec):
    return {layer.name: layer for layer in spec.to_message().layer}


# Section 3.3: two more filters expand for every four there are, and half of them are 3x3
def test_the_table_follows_the_papers_rule():
    for index, fire in FIRES.items():
        expand = 128 + 128 * ((index - 2) // 2)
        assert fire.expand_1x1 == fire.expand_3x3 == expand // 2
        assert fire.squeeze == expand // 8


@VERSIONS
def test_fire_modules(version):
    shapes = caffegen.loads(squeezenet(version)).shapes
    for index, fire in FIRES.items():
        assert shapes[f"fire{index}/squeeze1x1"][1] == fire.squeeze
        assert shapes[f"fire{index}/concat"][1] == fire.expand_1x1 + fire.expand_3x3


@pytest.mark.parametrize(
    ("version", "pools", "sizes"),
    [
        ("1.0", ["pool1", "pool4", "pool8"], [111, 55, 27, 13, 15]),
        ("1.1", ["pool1", "pool3", "pool5"], [113, 56, 28, 14, 14]),
    ],
)
def test_where_the_sizes_halve(version, pools, sizes):
    net = caffegen.loads(squeezenet(version))
    found = [layer.name for layer in net.layers if layer.type == "Pooling"]
    assert found == [*pools, "pool10"]
    assert [net.shapes[name][2] for name in ("conv1", *pools, "conv10")] == sizes
    assert net.shapes["prob"] == (1, 1000, 1, 1)


@VERSIONS
def test_fifty_times_fewer_parameters_than_alexnet(version):
    small, large = (
        summarize(caffegen.loads(x).graph).params for x in (squeezenet(version), alexnet())
    )
    assert large / small == pytest.approx(49, abs=0.5)


def test_the_successor_takes_less_than_half_the_work():
    # the authors give 1.72 GFLOPS for 1.0, two a multiply-accumulate
    first, second = (summarize(caffegen.loads(squeezenet(v)).graph).macs for v in ("1.0", "1.1"))
    assert 2 * first / 1e9 == pytest.approx(1.72, abs=0.006)
    assert second < first / 2


@pytest.mark.parametrize(
    ("version", "train", "test"),
    [
        ("1.0", {"loss"}, {"accuracy", "accuracy_top5"}),
        ("1.1", {"loss", "accuracy", "accuracy_top5"}, {"loss", "accuracy", "accuracy_top5"}),
    ],
    ids=["1.0", "1.1"],
)
def test_what_is_measured_in_each_phase(version, train, test):
    text = squeezenet(version, phase="train_val").to_prototxt()
    inputs = {"data": (2, 3, 227, 227), "label": (2,)}
    for phase, outputs in (("TRAIN", train), ("TEST", test)):
        assert set(caffegen.loads(text, phase=phase, inputs=inputs).outputs) == outputs


def test_few_classes_have_no_top_five():
    assert "accuracy_top5" not in layers(squeezenet(phase="train_val", classes=5))


# torchvision's modules are the published nets up to conv10, which there is not padded
@VERSIONS
def test_the_features_are_torchvisions(models, version):  # noqa: F811
    torch.manual_seed(0)
    features = getattr(models, f"squeezenet{version.replace('.', '_')}")().features.eval()
    spec = squeezenet(version, input_size=97, classes=10)
    net = caffegen.loads(spec)
    weights = fill_params(net.graph, 0)
    convolutions = [x.name for x in net.layers if x.type == "Convolution"][:-1]
    theirs = [x for x in features.modules() if isinstance(x, torch.nn.Conv2d)]
    for name, module in zip(convolutions, theirs, strict=True):
        weights[name] = [module.weight.detach().numpy(), module.bias.detach().numpy()]
    images = torch.randn(2, 3, 97, 97)
    module = pytorch.build(caffegen.loads(spec, weights)).eval()
    with torch.no_grad():
        found = module.run({"data": images}, blobs=["fire9/concat"])["fire9/concat"]
        torch.testing.assert_close(found, features(images), rtol=1e-5, atol=1e-5)
