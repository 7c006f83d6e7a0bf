# ruff: noqa: C408, ISC004 - options are keywords, sentences stand in a table
"""What holds for all families of the residual story but `resnet`, which has a file of its own."""

from __future__ import annotations

import inspect

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner

import caffegen
from caffegen import pytorch, verify
from caffegen.analysis.fill import fill_params
from caffegen.check import Options, check_source
from caffegen.cli.architecture import architecture_command
from caffegen.text import Source
from caffegen.zoo import ZooError, architecture
from caffegen.zoo.residual import blocks_of_rule

FAMILIES = ("plain", "preresnet", "highway", "wideresnet", "resnext", "senet")
ORDERS = ("original", "bn-after", "relu-before", "relu-only", "full")
SHORTCUTS = (
    "identity", "scaling", "scaling-both", "exclusive-gating", "shortcut-gating", "conv", "dropout",
)  # fmt: skip


def build(name, **options):
    return architecture(name).build(**options)


def filled(name, state="TEST", inputs=None, **options):
    spec = build(name, **options)
    net = caffegen.loads(spec, phase=state, inputs=inputs)
    return caffegen.loads(spec, fill_params(net.graph, 0), phase=state, inputs=inputs)


def ids(rows):
    return ["-".join([row[0], *(f"{k}={v}" for k, v in row[1].items())]) for row in rows]


CIFAR = dict(dataset="cifar10")
PUBLISHED = [
    ("plain", dict(depth=18)),
    ("plain", dict(depth=34)),
    *(("plain", dict(depth=depth, **CIFAR)) for depth in (20, 32, 44, 56, 110)),
    *(("preresnet", dict(depth=depth, **CIFAR)) for depth in (110, 164)),
    *(("preresnet", dict(depth=depth)) for depth in (50, 101, 152, 200)),
    *(("preresnet", dict(depth=110, order=order, **CIFAR)) for order in ORDERS[:-1]),
    *(("preresnet", dict(depth=164, order=order, **CIFAR)) for order in ORDERS[:-1]),
    *(
        ("preresnet", dict(depth=110, order="original", shortcut=shortcut, **CIFAR))
        for shortcut in SHORTCUTS[1:]
    ),
    *(("highway", dict(depth=depth)) for depth in (10, 20, 50, 100)),
    ("highway", dict(depth=10, plain=True)),
    *(("highway", dict(depth=depth, **CIFAR)) for depth in (11, 19, 32)),
    ("highway", dict(depth=19, plain=True, dataset="cifar100")),
    ("highway", dict(depth=10, carry="own")),
    ("highway", dict(depth=19, carry="own", activation="tanh", dataset="cifar100")),
    *(("highway", dict(change=change)) for change in ("subsample", "project")),
    ("highway", dict(change="pad", width=800)),
    *(("highway", dict(change=change, **CIFAR)) for change in ("subsample", "pad", "project")),
    *(("wideresnet", dict(depth=depth, widen=k)) for depth, k in [(16, 8), (28, 10), (40, 4)]),
    ("wideresnet", dict(dropout=True, dataset="cifar100")),
    *(("wideresnet", dict(depth=depth, dataset="imagenet")) for depth in (50, 101)),
    *(("resnext", dict(depth=depth)) for depth in (50, 101)),
    ("resnext", dict(depth=101, cardinality=64, path_width=4)),
    ("resnext", dict(dataset="cifar100")),
    *(("senet", dict(depth=depth)) for depth in (50, 101, 152, 154)),
    *(("senet", dict(depth=depth, resnext=True)) for depth in (50, 101)),
]


@pytest.mark.parametrize("phase", ["deploy", "train_val"])
@pytest.mark.parametrize(("name", "options"), PUBLISHED, ids=ids(PUBLISHED))
def test_check_is_clean(name, options, phase):
    text = build(name, phase=phase, **options).to_prototxt()
    assert check_source(Source(text), Options()).diagnostics == []


@pytest.mark.parametrize(("name", "options"), PUBLISHED, ids=ids(PUBLISHED))
def test_opencv_takes_every_net(name, options):
    text = build(name, **options).to_prototxt()
    importer = cv2.dnn.readNetFromCaffe(np.frombuffer(text.encode(), np.uint8))
    net = caffegen.loads(text)
    assert "prob" in importer.getLayerNames()
    assert net.outputs == ("prob",)


# Small images, few classes and narrow layers; every kind of layer is there
THIN = [
    ("plain", dict(depth=18, input_size=33)),
    ("plain", dict(depth=14, input_size=15, **CIFAR)),
    ("preresnet", dict(depth=20, input_size=16, **CIFAR)),
    ("preresnet", dict(depth=20, block="bottleneck", input_size=15, **CIFAR)),
    ("preresnet", dict(depth=8, dimensions="B", input_size=13, **CIFAR)),
    ("preresnet", dict(depth=11, block="bottleneck", dimensions="A", input_size=13, **CIFAR)),
    ("preresnet", dict(depth=50, input_size=40)),
    *(("preresnet", dict(depth=8, order=order, input_size=12, **CIFAR)) for order in ORDERS),
    *(
        ("preresnet", dict(depth=8, order=order, shortcut=shortcut, input_size=13, **CIFAR))
        for shortcut in SHORTCUTS[1:]
        for order in ("original", "full")
    ),
    ("highway", dict(depth=10)),
    ("highway", dict(depth=5, carry="own", activation="tanh", input_size=9, batch=3)),
    ("highway", dict(depth=3, change="subsample")),
    ("highway", dict(depth=3, change="subsample", input_size=5, width=25)),
    ("highway", dict(depth=3, change="subsample", input_size=5, width=60)),
    ("highway", dict(depth=3, change="project")),
    ("highway", dict(depth=3, change="pad", input_size=4, width=16)),
    ("highway", dict(depth=3, change="pad", input_size=4, width=40)),
    ("highway", dict(depth=3, plain=True)),
    ("highway", dict(depth=11, input_size=12, **CIFAR)),
    ("highway", dict(depth=11, input_size=13, plain=True, **CIFAR)),
    ("highway", dict(depth=11, input_size=13, carry="own", change="subsample", **CIFAR)),
    ("highway", dict(depth=19, input_size=8, change="pad", **CIFAR)),
    ("highway", dict(depth=11, input_size=13, change="project", **CIFAR)),
    ("wideresnet", dict(depth=10, widen=1, input_size=12)),
    ("wideresnet", dict(depth=10, widen=2, dropout=True, input_size=13)),
    ("wideresnet", dict(depth=50, dataset="imagenet", widen=1, input_size=33)),
    ("resnext", dict(depth=50, cardinality=4, input_size=40)),
    ("resnext", dict(depth=29, cardinality=2, path_width=8, input_size=13, **CIFAR)),
    ("senet", dict(depth=50, input_size=40)),
    ("senet", dict(depth=50, input_size=33, resnext=True)),
]


@pytest.mark.parametrize(("name", "options"), THIN, ids=ids(THIN))
def test_torch_onnxruntime_and_opencv_agree(name, options):
    report = verify.compare(filled(name, classes=10, **options))
    assert report.compared == ("torch", "onnxruntime", "opencv")
    assert report.ok, report.verdict


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain", dict(depth=8, input_size=16, **CIFAR)),
        ("preresnet", dict(depth=8, input_size=16, **CIFAR)),
        ("preresnet", dict(depth=11, block="bottleneck", input_size=16, **CIFAR)),
        *(("preresnet", dict(depth=8, order=order, input_size=16, **CIFAR)) for order in ORDERS),
        *(("preresnet", dict(depth=8, shortcut=s, input_size=16, **CIFAR)) for s in SHORTCUTS[1:]),
        ("highway", dict(depth=5, activation="tanh", gate_bias=0, input_size=28)),
        ("highway", dict(depth=5, carry="own", change="project", activation="tanh", input_size=28)),
        ("highway", dict(depth=11, change="project", activation="tanh", input_size=16, **CIFAR)),
        ("wideresnet", dict(depth=10, widen=2, dropout=True, input_size=16)),
        ("resnext", dict(depth=29, cardinality=2, path_width=8, input_size=16, **CIFAR)),
        ("senet", dict(depth=50, input_size=64)),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else value,
)
def test_every_parameter_gets_a_gradient(name, options):
    torch.manual_seed(0)
    channels = 1 if name == "highway" and "dataset" not in options else 3
    size = options["input_size"]
    shapes = {"data": (4, channels, size, size), "label": (4,)}
    net = filled(name, "TRAIN", shapes, phase="train_val", classes=10, batch=4, **options)
    module = pytorch.build(net).train()
    blobs = module(data=torch.randn(shapes["data"]), label=torch.tensor([1.0, 3.0, 0.0, 9.0]))
    module.total_loss(blobs).backward()
    for key, parameter in module.named_parameters():
        assert torch.isfinite(parameter.grad).all(), key
        assert parameter.grad.any(), key


@pytest.mark.parametrize("name", FAMILIES)
def test_classes_batch_and_size(name):
    channels = 1 if name == "highway" else 3
    net = caffegen.loads(build(name, classes=37, batch=5, input_size=64))
    assert net.shapes["data"] == (5, channels, 64, 64)
    assert net.shapes["prob"] == (5, 37)
    assert net.outputs == ("prob",)


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
@pytest.mark.parametrize("name", FAMILIES)
def test_train_val_in_both_phases(name, phase):
    channels = 1 if name == "highway" else 3
    inputs = {"data": (2, channels, 64, 64), "label": (2,)}
    text = build(name, phase="train_val", input_size=64, batch=2).to_prototxt()
    net = caffegen.loads(text, phase=phase, inputs=inputs)
    assert "loss" in net.outputs
    assert any("accuracy" in output for output in net.outputs) == (phase == "TEST")
    norms = [x.definition.layer for x in net.layers if x.type == "BatchNorm"]
    assert all([spec.lr_mult for spec in x.param] == [0, 0, 0] for x in norms)


@pytest.mark.parametrize("data", ["lmdb", "imagedata", "hdf5", "input"])
@pytest.mark.parametrize("name", FAMILIES)
def test_data_to_train_with(name, data):
    layers = list(
        build(name, phase="train_val", data=data, input_size=64, batch=2).to_message().layer
    )
    assert [x.name for x in layers[:2]] == [layers[0].name] * 2
    assert {x.type for x in layers[:2]} == {
        {"lmdb": "Data", "imagedata": "ImageData", "hdf5": "HDF5Data", "input": "Input"}[data]
    }


@pytest.mark.parametrize("name", FAMILIES)
def test_train_val_learns_what_deploy_has(name):
    deploy, train = (build(name, phase=phase).to_message() for phase in ("deploy", "train_val"))
    types = ("Convolution", "InnerProduct", "Scale")
    assert [x.name for x in deploy.layer if x.type in types] == [
        x.name for x in train.layer if x.type in types
    ]


@pytest.mark.parametrize("name", FAMILIES)
def test_options_are_the_builders_parameters(name):
    family = architecture(name)
    parameters = inspect.signature(family.build).parameters
    assert {option.name: option.default for option in family.options} == {
        key: parameter.default for key, parameter in parameters.items()
    }


@pytest.mark.parametrize("name", FAMILIES)
def test_the_module_is_the_builder(name):
    module = getattr(caffegen.zoo, name)
    assert module(classes=3).to_prototxt() == build(name, classes=3).to_prototxt()


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_a_recipe_for_each_dataset(name):
    family = architecture(name)
    assert set(family.recipes) == set(family.depths)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("plain --depth 34", {}),
        ("plain --depth 56 --dataset cifar10", dict(dataset="cifar10")),
        ("preresnet --depth 200", {}),
        ("preresnet --depth 110 --dataset cifar10 --order bn-after --shortcut exclusive-gating "
         "--gate-bias 0",
         dict(depth=110, dataset="cifar10", order="bn-after", shortcut="exclusive-gating",
              gate_bias=0)),
        ("highway --depth 10", {}),
        ("highway --depth 19 --dataset cifar100 --carry own --change project",
         dict(depth=19, dataset="cifar100", carry="own", change="project")),
        ("wideresnet --depth 28", {}),
        ("wideresnet --depth 50 --dataset imagenet", dict(dataset="imagenet")),
        ("wideresnet --depth 16 --widen 8 --dropout", dict(depth=16, widen=8, dropout=True)),
        ("resnext --depth 101 --cardinality 64 --path-width 4",
         dict(depth=101, cardinality=64, path_width=4)),
        ("senet --depth 50 --resnext", dict(resnext=True)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_commands(command, options):
    name, *arguments = command.split()
    done = CliRunner().invoke(architecture_command(name), arguments)
    assert done.exit_code == 0
    assert done.output == f"# caffegen {command}\n{build(name, **options).to_prototxt()}"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("plain", ["arXiv:1512.03385", "imagenet: 18 and 34", "6n + 2"]),
        ("preresnet", ["arXiv:1603.05027", "imagenet: 50, 101, 152 and 200", "110, 164, 1001",
                       "9n + 2", "exclusive-gating", "relu-only"]),
        ("highway", ["arXiv:1505.00387", "mnist: 10, 20, 50, 100", "cifar10: 11, 19 and 32",
                     "--gate-bias"]),
        ("wideresnet", ["arXiv:1605.07146", "6n + 4", "imagenet: 50 and 101", "--dropout"]),
        ("resnext", ["arXiv:1611.05431", "imagenet: 50 and 101", "9n + 2", "--cardinality"]),
        ("senet", ["arXiv:1709.01507", "imagenet: 50, 101, 152 and 154", "--resnext"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_help_cites_the_paper_and_lists_what_there_is(name, words):
    done = CliRunner().invoke(architecture_command(name), ["--help"], terminal_width=200)
    assert done.exit_code == 0
    assert [word for word in words if word not in done.output] == []


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("plain", dict(depth=50), "there is no Plain-50 for ImageNet, only 18 and 34; the nearest is 34"),
        ("plain", dict(depth=21, **CIFAR),
         "there is no Plain-21 for CIFAR, whose depths are 6n + 2; the nearest are 20 and 26"),
        ("preresnet", dict(depth=18), "there is no PreResNet-18 for ImageNet, only 50, 101, 152 and "
                                      "200; the nearest is 50"),
        ("preresnet", dict(depth=100, **CIFAR), "there is no PreResNet-100 for CIFAR, whose depths are "
                                                "6n + 2 with basic blocks; the nearest are 98 and 104"),
        ("preresnet", dict(depth=1000, **CIFAR),
         "there is no PreResNet-1000 for CIFAR, whose depths are 9n + 2 with bottleneck blocks; "
         "the nearest are 992 and 1001"),
        ("preresnet", dict(order="bn-befor"),
         "there is no order `bn-befor`; there is original, bn-after, relu-before, relu-only and full"),
        ("preresnet", dict(shortcut="exclusive-gate"),
         "there is no shortcut `exclusive-gate`; did you mean `exclusive-gating`?"),
        ("preresnet", dict(block="basic"),
         "the nets for ImageNet are made of bottleneck blocks; leave out block `basic`"),
        ("preresnet", dict(block="wide"), "there is no block `wide`; there is basic and bottleneck"),
        ("preresnet", dict(dimensions="C"), "there is no dimensions `C`; there is A and B"),
        ("preresnet", dict(dimensions="A", shortcut="conv"),
         "with shortcut `conv` every shortcut is a projection; leave out dimensions `A`"),
        ("preresnet", dict(gate_bias=3), "shortcut `identity` has no gate; leave out gate bias `3`"),
        ("preresnet", dict(gate_bias=-3, shortcut="exclusive-gating"),
         "the gate bias is a whole number of at least 0, found -3"),
        ("highway", dict(depth=1),
         "a highway network has a plain layer and highway layers: 2 or more, not 1"),
        ("highway", dict(depth=20, **CIFAR),
         "there is no Highway-20 for CIFAR, only 11, 19 and 32; the nearest is 19"),
        ("highway", dict(dataset="imagenet"), "there is no dataset `imagenet`; there is mnist, cifar10 and "
                                              "cifar100"),
        ("highway", dict(carry="coupld"), "there is no carry `coupld`; did you mean `coupled`?"),
        ("highway", dict(change="crop"), "there is no change `crop`; there is plain, subsample, pad and "
                                         "project"),
        ("highway", dict(activation="elu"), "there is no activation `elu`; did you mean `relu`?"),
        ("highway", dict(gate_bias=1.5), "the gate bias is a whole number of at least 0, found 1.5"),
        ("highway", dict(plain=True, carry="own"),
         "a plain network has no gates; leave out carry, change and gate bias"),
        ("highway", dict(width=40, **CIFAR),
         "the nets for CIFAR have the widths of their table; leave out width `40`"),
        ("highway", dict(change="pad"), "zeros don't make 50 values out of the 784 of an image; let change "
                                        "be `subsample` or `project`"),
        ("highway", dict(input_size=2, **CIFAR),
         "an input of 2x2 is too small for the 2x2 windows of `pool2`"),
        ("wideresnet", dict(depth=30), "there is no WRN-30 for CIFAR, whose depths are 6n + 4; the nearest "
                                       "are 28 and 34"),
        ("wideresnet", dict(depth=28, dataset="imagenet"),
         "there is no WRN-28 for ImageNet, only 50 and 101; the nearest is 50"),
        ("wideresnet", dict(dataset="imagenet", dropout=True),
         "the wide networks for ImageNet have no dropout; leave it out"),
        ("wideresnet", dict(widen=0),
         "the factor to widen by is a whole number of at least 1, found 0"),
        ("wideresnet", dict(widen=300),
         "a blob of 19200x19200x3x3 holds 3317760000 values, and Caffe counts to 2147483647"),
        ("resnext", dict(depth=152),
         "there is no ResNeXt-152 for ImageNet, only 50 and 101; the nearest is 101"),
        ("resnext", dict(depth=30, **CIFAR),
         "there is no ResNeXt-30 for CIFAR, whose depths are 9n + 2; the nearest are 29 and 38"),
        ("resnext", dict(cardinality=0),
         "the cardinality is a whole number of at least 1, found 0"),
        ("resnext", dict(path_width="4"),
         "the width of a path is a whole number of at least 1, found '4'"),
        ("senet", dict(depth=150),
         "there is no SE-ResNet-150, only 50, 101, 152 and 154; the nearest is 152"),
        ("senet", dict(depth=152, resnext=True),
         "there is no SE-ResNeXt-152, only 50 and 101; the nearest is 101"),
        ("senet", dict(input_size=2), "an input of 2x2 is too small: after `conv1` nothing is left for the "
                                      "3x3 windows of `pool1/3x3_s2`"),
        ("senet", dict(phase="train"), "there is no phase `train`; did you mean `train_val`?"),
        ("plain", dict(classes=0), "the number of classes is a whole number of at least 1, found 0"),
        # every window of the stem is a column of 7x7x3 values
        *((name, dict(input_size=7650, **options),
           "a blob of 49x3x3825x3825 holds 2150701875 values, and Caffe counts to 2147483647")
          for name, options in [("plain", {}), ("resnet", {}), ("preresnet", {}), ("resnext", {}),
                                ("senet", {}), ("wideresnet", dict(dataset="imagenet"))]),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)  # fmt: skip
def test_nets_that_can_not_be(name, options, sentence):
    with pytest.raises(ZooError) as caught:
        build(name, **options)
    assert str(caught.value) == sentence


# ResNeXt meets the limit earlier: its first 3x3 convolutions read twice as many channels
@pytest.mark.parametrize(
    ("name", "size"),
    [("plain", 7644), ("resnet", 7644), ("preresnet", 7644), ("senet", 7644), ("resnext", 5460)],
)
def test_the_largest_images(name, size):
    assert caffegen.loads(build(name, input_size=size)).diagnostics == []
    with pytest.raises(ZooError, match="and Caffe counts to 2147483647"):
        build(name, input_size=size + 1)


@pytest.mark.parametrize(
    ("depth", "step", "rest", "blocks"), [(20, 6, 2, 3), (1001, 9, 2, 111), (28, 6, 4, 4)], ids=str
)
def test_blocks_of_a_rule(depth, step, rest, blocks):
    assert blocks_of_rule("Net", depth, step, rest) == blocks
