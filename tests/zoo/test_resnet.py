# ruff: noqa: C408, ISC004 - options are keywords, sentences stand in a table
from __future__ import annotations

import hashlib
import inspect
import sys
from math import prod

import cv2
import numpy as np
import pytest

import caffegen
from caffegen.zoo import ZooError, resnet
from caffegen.zoo.resnet import ARCHITECTURE, TABLE_1
from tests.conftest import golden_json


def loaded(*args, phase="TEST", **kwargs):
    net = caffegen.loads(resnet(*args, **kwargs).to_prototxt(), phase=phase)
    assert net.diagnostics == []
    return net


def learned(net):
    """The parameters that a solver learns: not the statistics of BatchNorm."""
    return sum(prod(b.shape) for layer in net.layers for b in layer.definition.blobs if b.learned)


def listing(layers):
    """One line a layer: name, type, bottoms and tops, and its parameters as they were written."""
    for layer in layers:
        facts = sorted(
            f"{field.name}={value}"
            for name in layer.message_type.fields
            if name.endswith("_param") and layer.has(name)
            for field, value in layer.get(name).set_fields()
        )
        ends = f"{','.join(layer.bottom)}>{','.join(layer.top)}"
        yield f"{layer.name} {layer.type} {ends} {' '.join(facts)}"


def names(spec, *types):
    return [layer.name for layer in spec.to_message().layer if layer.type in types]


# The published deploy files of 2015, read by `listing`: how many layers, and the digest of the lines
@pytest.mark.parametrize(
    ("depth", "count", "digest"),
    [
        (50, 228, "bee183c66b77ed1ebbad7c95d2203609ed8dd37796a2777cf2f0f749d071e2d2"),
        (101, 449, "434aeb20c648072742921f5c6f090749f5aca08a87217c5abafd100f89c464a8"),
        (152, 670, "1a1f76445b69efe0fa5bd7167436341100cfe15afdaef38871ace373fa27c150"),
    ],
    ids=["50", "101", "152"],
)
def test_original_is_the_published_net_layer_for_layer(depth, count, digest):
    net = resnet(depth).to_message()
    data, *layers = net.layer
    assert net.name == f"ResNet-{depth}"
    assert (data.type, data.top, data.input_param.shape[0].dim) == (
        "Input",
        ["data"],
        [1, 3, 224, 224],
    )
    assert len(layers) == count
    assert hashlib.sha256("\n".join(listing(layers)).encode()).hexdigest() == digest


def test_shapes_are_those_of_real_caffe():
    facts = golden_json("shapes.json")["nets"]["kaiming-101@TEST"]
    net = loaded(101)
    shapes = {name: tuple(shape) for name, shape in facts["blobs"].items() if "_split_" not in name}
    assert net.shapes == shapes
    blobs = {
        layer.name: [list(blob.shape) for blob in layer.definition.blobs]
        for layer in net.layers
        if layer.definition.blobs
    }
    assert blobs == facts["params"]


@pytest.mark.parametrize(
    ("depth", "style", "total"),
    [
        (50, "original", 25557096),
        (101, "original", 44549160),
        (152, "original", 60192808),
        (18, "torchvision", 11689512),
        (34, "torchvision", 21797672),
        (50, "torchvision", 25557032),
        (101, "torchvision", 44549160),
        (152, "torchvision", 60192808),
        (18, "original", 11689512),
        (34, "original", 21797672),
    ],
)
def test_learned_parameters(depth, style, total):
    assert learned(loaded(depth, style=style)) == total


# Table 6 of the paper gives millions
@pytest.mark.parametrize(
    ("depth", "millions"),
    [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7), (1202, 19.4)],
    ids=str,
)
def test_cifar_parameters(depth, millions):
    total = learned(loaded(depth, dataset="cifar10")) / 1e6
    assert total == pytest.approx(millions, abs=0.05 if millions > 1 else 0.006)


@pytest.mark.parametrize("depth", TABLE_1)
@pytest.mark.parametrize("style", ["original", "torchvision"])
@pytest.mark.parametrize("shortcut", ["A", "B", "C"])
def test_opencv_and_caffegen_take_every_net(depth, style, shortcut):
    spec = resnet(depth, style=style, shortcut=shortcut)
    importer = cv2.dnn.readNetFromCaffe(np.frombuffer(spec.to_prototxt().encode(), np.uint8))
    net = loaded(depth, style=style, shortcut=shortcut)
    assert "prob" in importer.getLayerNames()
    assert net.outputs == ("prob",)
    # 49 convolutions in ResNet-50's main path and one fully connected layer
    weighted = [layer for layer in net.layers if layer.type in ("Convolution", "InnerProduct")]
    projections = [x for x in weighted if "branch1" in x.name or "downsample" in x.name]
    assert len(weighted) - len(projections) == depth
    blocks = sum(TABLE_1[depth][1])
    changes = 4 if depth >= 50 else 3
    assert len(projections) == {"A": 0, "B": changes, "C": blocks}[shortcut]


@pytest.mark.parametrize("depth", [8, 20, 56, 110])
@pytest.mark.parametrize("shortcut", ["A", "B", "C"])
def test_cifar_nets(depth, shortcut):
    spec = resnet(depth, dataset="cifar100", shortcut=shortcut)
    cv2.dnn.readNetFromCaffe(np.frombuffer(spec.to_prototxt().encode(), np.uint8))
    net = loaded(depth, dataset="cifar100", shortcut=shortcut)
    sizes = [net.shapes[name] for name in ("conv1", "res2a", "res3a", "res4a", "pool5", "fc100")]
    assert sizes == [
        (1, 16, 32, 32), (1, 16, 32, 32), (1, 32, 16, 16), (1, 64, 8, 8), (1, 64, 1, 1), (1, 100)
    ]  # fmt: skip


def test_option_a_has_as_many_parameters_as_the_plain_net():
    for kwargs in (dict(depth=34), dict(depth=50), dict(depth=20, dataset="cifar10")):
        assert learned(loaded(shortcut="A", **kwargs)) == learned(loaded(plain=True, **kwargs))


def test_plain_is_the_same_net_without_shortcuts():
    plain, residual = resnet(34, plain=True), resnet(34)
    assert plain.to_message().name == "Plain-34"
    assert names(plain, "Eltwise", "Concat", "Power", "Slice") == []
    projections = [n for n in names(residual, "Convolution") if n.endswith("branch1")]
    assert set(names(residual, "Convolution")) - set(names(plain, "Convolution")) == set(
        projections
    )
    assert names(plain, "ReLU") == names(residual, "ReLU")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (resnet(34), ["res2a", "res2b", "res2c", "res3a", "res3b", "res3c", "res3d"]),
        (resnet(152), ["res2a", "res2b", "res2c", "res3a", "res3b1", "res3b2", "res3b3"]),
        (resnet(34, style="torchvision"),
         ["layer1_0", "layer1_1", "layer1_2", "layer2_0", "layer2_1", "layer2_2", "layer2_3"]),
        (resnet(20, dataset="cifar10"), ["res2a", "res2b", "res2c", "res3a", "res3b", "res3c", "res4a"]),
        (resnet(44, dataset="cifar10"),
         ["res2a", "res2b1", "res2b2", "res2b3", "res2b4", "res2b5", "res2b6"]),
    ],
    ids=["34", "152", "torchvision", "20", "44"],
)  # fmt: skip
def test_names_of_blocks(spec, expected):
    assert names(spec, "Eltwise")[:7] == expected


def test_names_of_torchvision_modules():
    layers = [layer.name for layer in resnet(50, style="torchvision").to_message().layer]
    assert layers[1:15] == [
        "conv1", "bn1", "bn1_scale", "relu", "maxpool_ceil", "maxpool_rows", "maxpool",
        "maxpool_rest", "layer1_0_downsample_0", "layer1_0_downsample_1",
        "layer1_0_downsample_1_scale", "layer1_0_conv1", "layer1_0_bn1", "layer1_0_bn1_scale",
    ]  # fmt: skip
    assert layers[-3:] == ["avgpool", "fc", "prob"]


@pytest.mark.parametrize(
    ("style", "strided"),
    [("original", ["res3a_branch1", "res3a_branch2a"]),
     ("torchvision", ["layer2_0_downsample_0", "layer2_0_conv2"])],
    ids=["in the 1x1", "in the 3x3"],
)  # fmt: skip
def test_where_bottlenecks_stride(style, strided):
    net = resnet(50, style=style).to_message()
    found = [
        x.name for x in net.layer if list(x.convolution_param.stride) == [2] and x.name != "conv1"
    ]
    assert found[:2] == strided


def test_conv1_has_a_bias_in_the_original_50_alone():
    for style in ("original", "torchvision"):
        for depth in TABLE_1:
            conv1 = resnet(depth, style=style).to_message().layer[1]
            assert conv1.convolution_param.bias_term == ((style, depth) == ("original", 50))


@pytest.mark.parametrize(
    ("size", "pool"),
    [
        (224, (7, False)),
        (197, (7, False)),
        (225, (7, False)),
        (229, (0, True)),
        (64, (0, True)),
        (3, (0, True)),
    ],
)
def test_the_last_pooling_is_global(size, pool):
    net = loaded(18, input_size=size)
    param = next(x for x in net.layers if x.name == "pool5").definition.layer.pooling_param
    assert (param.kernel_size or 0, param.global_pooling) == pool
    assert net.shapes["pool5"] == (1, 512, 1, 1)


@pytest.mark.parametrize("size", [1, 2, 33, 64, 65, 97, 223, 225, 256])
@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_every_input_size_of_the_torchvision_style(size, shortcut):
    net = loaded(18, style="torchvision", shortcut=shortcut, input_size=size)
    expected = size
    for _ in range(5):  # each halving rounds up
        expected = (expected + 1) // 2
    assert net.shapes["layer4_1"] == (1, 512, expected, expected)


def test_classes_and_batch():
    net = loaded(18, classes=37, batch=5)
    assert net.shapes["data"] == (5, 3, 224, 224)
    assert net.shapes["fc37"] == net.shapes["prob"] == (5, 37)


def test_train_val():
    layers = list(resnet(50, phase="train_val").to_message().layer)
    train, test = layers[:2]
    assert (train.name, train.type, train.top) == (test.name, test.type, test.top)
    assert [x.include[0].phase for x in (train, test)] == ["TRAIN", "TEST"]
    assert [x.data_param.batch_size for x in (train, test)] == [256, 50]
    assert [x.transform_param.mirror for x in (train, test)] == [True, False]
    assert all(x.transform_param.crop_size == 224 for x in (train, test))
    assert all(x.transform_param.mean_file for x in (train, test))
    assert [x.name for x in layers[-3:]] == ["loss", "accuracy_top1", "accuracy_top5"]
    norms = [x for x in layers if x.type == "BatchNorm"]
    assert all([spec.lr_mult for spec in x.param] == [0, 0, 0] for x in norms)
    assert not any(x.batch_norm_param.has("use_global_stats") for x in norms)
    weighted = [x for x in layers if x.type in ("Convolution", "InnerProduct")]
    assert all(
        (x.convolution_param.weight_filler.type, x.inner_product_param.weight_filler.type)
        in (("msra", "constant"), ("constant", "msra"))
        for x in weighted
    )


@pytest.mark.parametrize("style", ["original", "torchvision"])
@pytest.mark.parametrize(
    ("phase", "outputs"),
    [("TRAIN", {"loss"}), ("TEST", {"loss", "accuracy_top1", "accuracy_top5"})],
    ids=["TRAIN", "TEST"],
)
def test_train_val_in_both_phases(style, phase, outputs):
    text = resnet(18, style=style, phase="train_val", batch=2).to_prototxt()
    net = caffegen.loads(text, phase=phase, inputs={"data": (2, 3, 224, 224), "label": (2,)})
    assert set(net.outputs) == outputs


def test_train_val_learns_what_deploy_has():
    deploy, train = (resnet(18, phase=phase).to_message() for phase in ("deploy", "train_val"))
    between = [
        [x.name for x in net.layer if x.type in ("Convolution", "Scale")] for net in (deploy, train)
    ]
    assert between[0] == between[1]


def test_few_classes_have_no_top_five():
    assert names(resnet(18, phase="train_val", classes=5), "Accuracy") == ["accuracy_top1"]


def test_a_net_of_ten_thousand_layers():
    types = [layer.type for layer in resnet(10004, dataset="cifar10").to_message().layer]
    assert types.count("Convolution") + types.count("InnerProduct") == 10004
    assert types.count("Eltwise") == 5001


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        (dict(depth=100), "there is no ResNet-100 for ImageNet, only 18, 34, 50, 101 and 152; "
                          "the nearest is 101"),
        (dict(depth=26), "there is no ResNet-26 for ImageNet, only 18, 34, 50, 101 and 152; "
                         "the nearest is 18"),
        (dict(depth=0), "the depth is a whole number of at least 1, found 0"),
        (dict(depth="50"), "the depth is a whole number of at least 1, found '50'"),
        (dict(depth=True), "the depth is a whole number of at least 1, found True"),
        (dict(depth=21, dataset="cifar10"),
         "there is no ResNet-21 for CIFAR, whose depths are 6n + 2; the nearest are 20 and 26"),
        (dict(depth=2, dataset="cifar10"),
         "there is no ResNet-2 for CIFAR, whose depths are 6n + 2; the nearest are 8 and 14"),
        (dict(depth=13, dataset="cifar10"),
         "there is no ResNet-13 for CIFAR, whose depths are 6n + 2; the nearest are 8 and 14"),
        (dict(depth=10**9 + 4, dataset="cifar10"),
         "ResNet-1000000004 is too deep; 100,002 layers are the most"),
        (dict(dataset="cifar"), "there is no dataset `cifar`; did you mean `cifar10`?"),
        (dict(style="keras"), "there is no style `keras`; there is original and torchvision"),
        (dict(shortcut="D"), "there is no shortcut `D`; there is A, B and C"),
        (dict(phase="train"), "there is no phase `train`; did you mean `train_val`?"),
        (dict(plain=True, shortcut="A"), "a plain network has no shortcuts; leave out shortcut `A`"),
        (dict(style="torchvision", dataset="cifar10"),
         "torchvision has no ResNet for CIFAR-10, only for ImageNet"),
        (dict(classes=0), "the number of classes is a whole number of at least 1, found 0"),
        (dict(batch=-1), "the batch is a whole number of at least 1, found -1"),
        (dict(input_size=2.5), "the input size is a whole number of at least 1, found 2.5"),
        (dict(input_size=2), "an input of 2x2 is too small: after `conv1` nothing is left for the "
                             "3x3 windows of `pool1`"),
        (dict(batch=10000), "a blob of 10000x64x112x112 holds 8028160000 values, and Caffe counts to "
                            "2147483647"),
        (dict(classes=1 << 21),
         "a blob of 2097152x2048x1x1 holds 4294967296 values, and Caffe counts to 2147483647"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)  # fmt: skip
def test_nets_that_can_not_be(kwargs, sentence):
    with pytest.raises(ZooError) as caught:
        resnet(**kwargs)
    assert str(caught.value) == sentence


def test_the_module_is_the_builder_and_the_function_is_in_it():
    module = sys.modules["caffegen.zoo.resnet"]
    assert caffegen.zoo.resnet is resnet is module
    assert module.resnet(18).to_prototxt() == resnet(18).to_prototxt()
    assert resnet(depth=101).to_prototxt() == resnet().to_prototxt()


def test_options_are_the_builders_parameters():
    parameters = inspect.signature(ARCHITECTURE.build).parameters
    assert {option.name for option in ARCHITECTURE.options} == set(parameters)
    assert {option.name: option.default for option in ARCHITECTURE.options} == {
        name: parameter.default for name, parameter in parameters.items()
    }
