# ruff: noqa: C408 - options are keywords
from __future__ import annotations

import pytest
import torch

import caffegen
from caffegen import pytorch
from caffegen.analysis.fill import fill_params
from caffegen.analysis.summary import summarize
from caffegen.zoo import ZooError, vgg
from caffegen.zoo.vgg import TABLE_1
from tests.zoo.test_torchvision_style import models  # noqa: F401 - a fixture

DEPTHS = pytest.mark.parametrize("depth", TABLE_1)


def of_type(spec, *types):
    return [layer for layer in spec.to_message().layer if layer.type in types]


@DEPTHS
def test_the_depth_counts_the_layers_with_weights(depth):
    weighted = of_type(vgg(depth), "Convolution", "InnerProduct")
    assert len(weighted) == depth
    assert [layer.name for layer in weighted[-3:]] == ["fc6", "fc7", "fc8"]


@DEPTHS
def test_every_convolution_is_3x3_and_keeps_the_size(depth):
    net = caffegen.loads(vgg(depth))
    for node in net.layers:
        if node.type == "Convolution":
            assert node.definition.kernel == (3, 3)
            assert node.inputs[0].shape[2:] == node.outputs[0].shape[2:]
    assert [net.shapes[f"pool{stage}"] for stage in range(1, 6)] == [
        (1, 64, 112, 112), (1, 128, 56, 56), (1, 256, 28, 28), (1, 512, 14, 14), (1, 512, 7, 7),
    ]  # fmt: skip


# Table 2 of the paper, in millions
@pytest.mark.parametrize(("depth", "millions"), [(11, 133), (13, 133), (16, 138), (19, 144)])
def test_parameters_of_table_2(depth, millions):
    assert round(summarize(caffegen.loads(vgg(depth)).graph).params / 1e6) == millions


def test_sixteen_is_the_usual_depth():
    assert vgg().to_prototxt() == vgg(16).to_prototxt()
    assert vgg(16).to_message().name == "VGG_ILSVRC_16_layers"


# Table 2 again, by the columns of Table 1
@pytest.mark.parametrize(
    ("configuration", "depth", "millions"),
    [("A", 11, 133), ("A-LRN", 11, 133), ("B", 13, 133), ("C", 16, 134), ("D", 16, 138),
     ("E", 19, 144)],
)  # fmt: skip
def test_configurations_of_table_1(configuration, depth, millions):
    spec = vgg(configuration=configuration)
    assert len(of_type(spec, "Convolution", "InnerProduct")) == depth
    assert round(summarize(caffegen.loads(spec).graph).params / 1e6) == millions


@pytest.mark.parametrize(("configuration", "depth"), [("A", 11), ("B", 13), ("D", 16), ("E", 19)])
def test_a_configuration_is_its_depth(configuration, depth):
    assert vgg(configuration=configuration).to_prototxt() == vgg(depth).to_prototxt()
    assert vgg(depth, configuration).to_prototxt() == vgg(depth).to_prototxt()


def test_configuration_c_ends_its_stages_in_1x1():
    kernels = {
        x.name: x.convolution_param.kernel_size[0]
        for x in of_type(vgg(configuration="C"), "Convolution")
    }
    assert [name for name, size in kernels.items() if size == 1] == [
        "conv3_3",
        "conv4_3",
        "conv5_3",
    ]
    net = caffegen.loads(vgg(configuration="C"))
    assert net.shapes["pool5"] == (1, 512, 7, 7)


def test_configuration_a_lrn_normalises_once():
    net = vgg(configuration="A-LRN").to_message()
    assert net.name == "VGG_ILSVRC_11_layers_A-LRN"
    names = [layer.name for layer in net.layer]
    assert names[1:5] == ["conv1_1", "relu1_1", "norm1", "pool1"]
    assert [layer.name for layer in net.layer if layer.type == "LRN"] == ["norm1"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(configuration="F"), "there is no configuration `F`; there is A, A-LRN, B, C, D and E"),
        (dict(configuration="c"), "there is no configuration `c`; did you mean `C`?"),
        (dict(depth=19, configuration="C"),
         "configuration `C` has 16 layers; leave out depth 19"),
        (dict(configuration="A-LRN", batch_norm=True),
         "configuration `A-LRN` has a normalisation of its own; leave out batch_norm"),
    ],
    ids=["F", "c", "19", "A-LRN"],
)  # fmt: skip
def test_configurations_that_can_not_be(options, sentence):
    with pytest.raises(ZooError) as caught:
        vgg(**options)
    assert str(caught.value) == sentence


def test_names_with_batch_norm():
    layers = [
        layer.name for layer in vgg(11, batch_norm=True, phase="train_val").to_message().layer
    ]
    assert layers[2:7] == ["conv1_1", "conv1_1_bn", "conv1_1_scale", "relu1_1", "pool1"]
    weighted = [x.name for x in of_type(vgg(11), "Convolution", "InnerProduct")]
    assert [
        x.name for x in of_type(vgg(11, batch_norm=True), "Convolution", "InnerProduct")
    ] == weighted


@pytest.mark.parametrize("phase", ["deploy", "train_val"])
def test_batch_norm_in_each_phase(phase):
    for layer in of_type(vgg(13, batch_norm=True, phase=phase), "BatchNorm"):
        rates = [spec.lr_mult for spec in layer.param]
        if phase == "deploy":
            assert layer.batch_norm_param.use_global_stats
            assert rates == []
        else:
            assert not layer.batch_norm_param.has("use_global_stats")
            assert rates == [0, 0, 0]


@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "bn"])
def test_train_val(batch_norm):
    spec = vgg(16, batch_norm=batch_norm, phase="train_val")
    for layer in of_type(spec, "Convolution", "InnerProduct"):
        param = layer.get(
            "convolution_param" if layer.type == "Convolution" else "inner_product_param"
        )
        assert param.weight_filler.type == "xavier"
    inputs = {"data": (2, 3, 224, 224), "label": (2,)}
    outputs = {"TRAIN": {"loss"}, "TEST": {"loss", "accuracy_top1", "accuracy_top5"}}
    for phase, expected in outputs.items():
        net = caffegen.loads(spec.to_prototxt(), phase=phase, inputs=inputs)
        assert set(net.outputs) == expected


# torchvision's features with random weights and statistics, ported in their order
@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "bn"])
@DEPTHS
def test_the_features_are_torchvisions(models, depth, batch_norm):  # noqa: F811
    torch.manual_seed(0)
    configuration = models.vgg.cfgs[{11: "A", 13: "B", 16: "D", 19: "E"}[depth]]
    features = models.vgg.make_layers(configuration, batch_norm=batch_norm).eval()
    spec = vgg(depth, batch_norm=batch_norm, input_size=32, classes=10)
    net = caffegen.loads(spec)
    weights = fill_params(net.graph, 0)
    convolutions = iter([x.name for x in net.layers if x.type == "Convolution"])
    for module in features:
        if isinstance(module, torch.nn.Conv2d):
            name = next(convolutions)
            torch.nn.init.kaiming_normal_(module.weight)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            weights[name] = [module.weight.detach().numpy(), module.bias.detach().numpy()]
        elif isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            one = torch.ones(1)
            statistics = (module.running_mean, module.running_var, one)
            weights[f"{name}_bn"] = [tensor.numpy() for tensor in statistics]
            weights[f"{name}_scale"] = [x.detach().numpy() for x in (module.weight, module.bias)]
    assert next(convolutions, None) is None
    images = torch.randn(1, 3, 32, 32)
    module = pytorch.build(caffegen.loads(spec, weights)).eval()
    with torch.no_grad():
        expected = features(images)
        found = module.run({"data": images}, blobs=["pool5"])["pool5"]
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
