# ruff: noqa: C408 - options are keywords
"""What holds for all the nets that were published for Caffe: AlexNet to VGG, LeNet and SqueezeNet."""

from __future__ import annotations

import hashlib
import inspect

import pytest
import torch
from click.testing import CliRunner

import caffegen
from caffegen import pytorch, verify
from caffegen.analysis.fill import fill_params
from caffegen.analysis.summary import summarize
from caffegen.check import Options, check_source
from caffegen.cli.architecture import architecture_command
from caffegen.text import Source
from caffegen.zoo import ZooError, architecture
from tests.conftest import golden_json

FAMILIES = ("alexnet", "caffenet", "googlenet", "lenet", "squeezenet", "vgg")
# fields that say the same where they are left out
IMPLIED = {"stride": [1], "pad": [0]}


def build(name, **options):
    return architecture(name).build(**options)


def loaded(name, state="TEST", inputs=None, **options):
    return caffegen.loads(build(name, **options).to_prototxt(), phase=state, inputs=inputs)


def filled(name, state="TEST", inputs=None, **options):
    spec = build(name, **options)
    net = caffegen.loads(spec, phase=state, inputs=inputs)
    return caffegen.loads(spec, fill_params(net.graph, 0), phase=state, inputs=inputs)


def ids(rows):
    return ["-".join([row[0], *map(str, row[1].values())]) for row in rows]


def listing(message):
    """A message in one line: the fields that are set and do not say what unset ones say."""
    words = []
    for name, field in sorted(message.message_type.fields.items()):
        if not message.has(name):
            continue
        value = message.get(name)
        if field.kind == "message":
            items = [listing(item) for item in (value if field.repeated else [value])]
            words += [f"{name}{{{item}}}" for item in items if item or field.repeated]
        elif field.repeated:
            if list(value) != IMPLIED.get(name):
                words.append(f"{name}={list(value)}")
        # xavier has no use for the `std` that bvlc_googlenet gives it
        elif name == "std" and message.type == "xavier":
            continue
        elif value != field.default or name == "type":
            words.append(f"{name}={value}")
    return " ".join(words)


# The published files, read by `listing`: how many layers, and the digest of their lines. The data
# is left out, and VGG's authors published no file to train with.
PUBLISHED = [
    ("alexnet", dict(phase="deploy"), 23,
     "803249f7e186a18ef143f27dbcbcab01ab1cfa6105dfe1313116dcb89372965b"),
    ("alexnet", dict(phase="train_val"), 24,
     "d30f3496e92206ad7ce994784806701f2c6b7534cbc3f470f02a374b0fd215e5"),
    ("caffenet", dict(phase="deploy"), 23,
     "df8a35694370b9f1959731e83deb451c84719f13b169415e81d902f4a7deb543"),
    ("caffenet", dict(phase="train_val"), 24,
     "486ae8b33f84ededd4abacdfaf1806fb167584bffcd54e70a80f13b6912caf5a"),
    ("googlenet", dict(phase="deploy"), 142,
     "1ce5eaf6ebd0e16fb96617171d6ff9804892da6b02e880a5bd1604e97e4b4ae7"),
    ("googlenet", dict(phase="train_val"), 164,
     "c983d1f5b368a5276fa2ba829e08dc459bd0fb43ecdaa2c9ea5e66336967ca97"),
    ("squeezenet", dict(version="1.0", phase="deploy"), 66,
     "5e7d2452e6cae7cdb9f006fdad0f228f7266eea2771acff7a3d80a1c950ff283"),
    ("squeezenet", dict(version="1.0", phase="train_val"), 68,
     "ae490754abb9b45b66d654cfdce9ff0592fd7a07cdd3f9136617bb0d3354b76d"),
    ("squeezenet", dict(version="1.1", phase="deploy"), 66,
     "ecc37927866b21995d6330981b72a6e39de0a404c5ffe7e2b7301d72380fef1c"),
    ("squeezenet", dict(version="1.1", phase="train_val"), 68,
     "4384601ae4ae1de0b656b40b25920a30a2d26bc8d1f83a8434f535260558afc8"),
    ("lenet", dict(phase="deploy"), 8,
     "beec1c6f3e76ab10d82e7e5a8efbab34bbb5e0266c010a5c173d9744895b12fa"),
    ("lenet", dict(phase="train_val"), 9,
     "779e07ce6a8d255549cd57393d501008cea64fa84cb69627ed6628c3133792b6"),
    ("vgg", dict(depth=16, phase="deploy"), 39,
     "47fae89412b6c2fa1618a39b21b807f83866529a0f95ce8534307273954fa771"),
    ("vgg", dict(depth=19, phase="deploy"), 45,
     "944525dec48baff2f93f656f393aea2648332d43c0013122fc59b3fbb1711b79"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options", "count", "digest"), PUBLISHED, ids=ids(PUBLISHED))
def test_it_is_the_published_net_layer_for_layer(name, options, count, digest):
    net = build(name, **options).to_message()
    lines = [listing(layer) for layer in net.layer if layer.type not in ("Input", "Data")]
    assert len(lines) == count
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == digest


# What BVLC Caffe itself made of the published files
@pytest.mark.parametrize(
    ("name", "options", "golden"),
    [
        ("alexnet", dict(phase="train_val"), "bvlc_alexnet/train_val@TRAIN"),
        ("alexnet", dict(phase="train_val"), "bvlc_alexnet/train_val@TEST"),
        ("caffenet", dict(phase="train_val"), "bvlc_reference_caffenet/train_val@TRAIN"),
        ("caffenet", dict(phase="train_val"), "bvlc_reference_caffenet/train_val@TEST"),
        ("caffenet", dict(batch=10), "bvlc_reference_caffenet/deploy@TEST"),
        ("googlenet", dict(batch=10), "bvlc_googlenet/deploy@TEST"),
        ("lenet", dict(batch=64), "mnist/lenet@TEST"),
    ],
    ids=lambda value: value if isinstance(value, str) and "@" in value else "",
)
def test_shapes_are_those_of_real_caffe(name, options, golden):
    facts = golden_json("shapes.json")["nets"][golden]
    shapes = {blob: tuple(shape) for blob, shape in facts["blobs"].items() if "_split_" not in blob}
    inputs = {blob: shapes[blob] for blob in ("data", "label") if blob in shapes}
    net = loaded(name, facts["phase"], inputs, **options)
    assert net.shapes == shapes
    assert list(net.outputs) == facts["outputs"]
    blobs = {
        layer.name: [list(blob.shape) for blob in layer.definition.blobs]
        for layer in net.layers
        if layer.definition.blobs
    }
    assert blobs == facts["params"]


# Learned parameters, and multiply-accumulates of the convolutions and fully connected layers at the
# published size. VGG's parameters are torchvision's figures for vgg11 to vgg19_bn.
FIGURES = [
    ("lenet", dict(), 431080, 2293000),
    ("alexnet", dict(), 60965224, 724406816),
    ("caffenet", dict(), 60965224, 724406816),
    ("googlenet", dict(), 6998552, 1582671872),
    ("squeezenet", dict(version="1.0"), 1248424, 861339936),
    ("squeezenet", dict(version="1.1"), 1235496, 387747520),
    ("vgg", dict(depth=11), 132863336, 7609090048),
    ("vgg", dict(depth=13), 133047848, 11308466176),
    ("vgg", dict(depth=16), 138357544, 15470264320),
    ("vgg", dict(depth=19), 143667240, 19632062464),
    ("vgg", dict(depth=11, batch_norm=True), 132868840, 7609090048),
    ("vgg", dict(depth=13, batch_norm=True), 133053736, 11308466176),
    ("vgg", dict(depth=16, batch_norm=True), 138365992, 15470264320),
    ("vgg", dict(depth=19, batch_norm=True), 143678248, 19632062464),
]
VARIANTS = [row[:2] for row in FIGURES]


@pytest.mark.parametrize(("name", "options", "params", "macs"), FIGURES, ids=ids(FIGURES))
def test_figures(name, options, params, macs):
    summary = summarize(loaded(name, **options).graph)
    assert summary.params == params
    rows = [row for row in summary.rows if row.type in ("Convolution", "InnerProduct")]
    assert sum(row.macs for row in rows) == macs


@pytest.mark.parametrize("phase", ["deploy", "train_val"])
@pytest.mark.parametrize(("name", "options"), VARIANTS, ids=ids(VARIANTS))
def test_check_is_clean(name, options, phase):
    text = build(name, phase=phase, **options).to_prototxt()
    found = [d.name for d in check_source(Source(text), Options()).diagnostics]
    # the published caffemodel was trained with a padded 1x1 convolution
    published = ["window-in-padding"] if options.get("version") == "1.0" else []
    assert found == published


# The smallest images that each takes, and some that no pooling divides
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lenet", dict(input_size=15)),
        ("lenet", dict(input_size=31, batch=3)),
        ("caffenet", dict(input_size=55)),
        ("googlenet", dict(input_size=47)),
        ("googlenet", dict(input_size=97)),
        ("squeezenet", dict(version="1.0", input_size=29)),
        ("squeezenet", dict(version="1.1", input_size=25)),
        ("vgg", dict(depth=11, input_size=17)),
        ("vgg", dict(depth=11, input_size=39, batch_norm=True)),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else value,
)
def test_other_image_sizes(name, options):
    report = verify.compare(filled(name, classes=10, **options), ("torch", "opencv"))
    assert report.compared == ("torch", "opencv")
    assert report.ok, report.verdict


@pytest.mark.parametrize(
    ("name", "options", "size"),
    [
        ("lenet", dict(), 28),
        ("alexnet", dict(), 67),
        ("caffenet", dict(), 67),
        ("googlenet", dict(), 80),
        ("squeezenet", dict(version="1.0"), 64),
        ("squeezenet", dict(version="1.1"), 64),
        ("vgg", dict(depth=11), 32),
        ("vgg", dict(depth=11, batch_norm=True), 32),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else str(value),
)
def test_every_parameter_gets_a_gradient(name, options, size):
    torch.manual_seed(0)
    shapes = {"data": (2, 1 if name == "lenet" else 3, size, size), "label": (2,)}
    net = filled(
        name, "TRAIN", shapes, phase="train_val", input_size=size, classes=10, batch=2, **options
    )
    module = pytorch.build(net).train()
    blobs = module(data=torch.randn(shapes["data"]), label=torch.tensor([1.0, 3.0]))
    module.total_loss(blobs).backward()
    for key, parameter in module.named_parameters():
        assert torch.isfinite(parameter.grad).all(), key
        assert parameter.grad.any(), key


@pytest.mark.parametrize("name", FAMILIES)
def test_classes_batch_and_size(name):
    channels = 1 if name == "lenet" else 3
    net = loaded(name, classes=37, batch=5, input_size=96)
    assert net.shapes["data"] == (5, channels, 96, 96)
    assert net.shapes["prob"][:2] == (5, 37)
    assert net.outputs == ("prob",)


@pytest.mark.parametrize(
    ("name", "batches", "transform"),
    [
        ("alexnet", [256, 50], "crop_size=227 mean_file=data/ilsvrc12/imagenet_mean.binaryproto"),
        ("caffenet", [256, 50], "crop_size=227 mean_file=data/ilsvrc12/imagenet_mean.binaryproto"),
        ("googlenet", [32, 50], "crop_size=224 mean_value=[104.0, 117.0, 123.0]"),
        ("squeezenet", [32, 25], "crop_size=227 mean_value=[104.0, 117.0, 123.0]"),
        ("lenet", [64, 100], "scale=0.00390625"),
        ("vgg", [256, 50],
         "crop_size=224 mean_value=[103.93900299072266, 116.77899932861328, 123.68000030517578]"),
    ],
    ids=["alexnet", "caffenet", "googlenet", "squeezenet", "lenet", "vgg"],
)  # fmt: skip
def test_data_to_train_with(name, batches, transform):
    train, test = list(build(name, phase="train_val").to_message().layer)[:2]
    assert [layer.type for layer in (train, test)] == ["Data", "Data"]
    assert train.name == test.name == ("mnist" if name == "lenet" else "data")
    assert train.top == test.top == ["data", "label"]
    assert [layer.include[0].phase for layer in (train, test)] == ["TRAIN", "TEST"]
    assert [layer.data_param.batch_size for layer in (train, test)] == batches
    assert listing(test.transform_param) == transform
    mirrored = [] if name in ("lenet", "squeezenet") else ["mirror=True"]
    assert sorted(listing(train.transform_param).split()) == sorted(transform.split() + mirrored)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_given_batch_is_that_of_both_phases(name):
    train, test = list(build(name, phase="train_val", batch=7).to_message().layer)[:2]
    assert train.data_param.batch_size == test.data_param.batch_size == 7


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


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("alexnet", {}),
        ("caffenet --phase train_val", dict(phase="train_val")),
        ("googlenet --classes 10", dict(classes=10)),
        ("vgg --depth 16", dict(depth=16)),
        ("vgg --depth 19 --batch-norm", dict(depth=19, batch_norm=True)),
        ("squeezenet", dict(version="1.0")),
        ("squeezenet --version 1.1", dict(version="1.1")),
        ("lenet --input-size 32 --batch 64", dict(input_size=32, batch=64)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_commands(command, options):
    name, *arguments = command.split()
    done = CliRunner().invoke(architecture_command(name), arguments)
    assert done.exit_code == 0
    assert done.output == f"# caffegen {command}\n{build(name, **options).to_prototxt()}"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("alexnet", ["A. Krizhevsky", "imagenet: 8"]),
        ("caffenet", ["arXiv:1408.5093", "imagenet: 8"]),
        ("googlenet", ["arXiv:1409.4842", "imagenet: 22"]),
        ("vgg", ["arXiv:1409.1556", "imagenet: 11, 13, 16 and 19", "--batch-norm"]),
        ("squeezenet", ["arXiv:1602.07360", "--version [1.0|1.1]"]),
        ("lenet", ["Y. LeCun", "mnist: 4"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_help_cites_the_paper_and_lists_what_there_is(name, words):
    done = CliRunner().invoke(architecture_command(name), ["--help"])
    assert done.exit_code == 0
    assert [word for word in words if word not in done.output] == []


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("vgg", dict(depth=17), "there is no VGG-17, only 11, 13, 16 and 19; the nearest is 16"),
        ("vgg", dict(depth="16"), "the depth is a whole number of at least 1, found '16'"),
        ("squeezenet", dict(version="1.2"), "there is no version `1.2`; there is 1.0 and 1.1"),
        ("lenet", dict(phase="train"), "there is no phase `train`; did you mean `train_val`?"),
        ("lenet", dict(classes=0), "the number of classes is a whole number of at least 1, found 0"),
        ("alexnet", dict(batch=0), "the batch is a whole number of at least 1, found 0"),
        ("alexnet", dict(input_size=1.5),
         "the input size is a whole number of at least 1, found 1.5"),
        ("alexnet", dict(input_size=10),
         "an input of 10x10 is too small for the 11x11 windows of `conv1`"),
        ("caffenet", dict(input_size=54),
         "an input of 54x54 is too small for the 3x3 windows of `pool5`"),
        ("googlenet", dict(input_size=46),
         "an input of 46x46 is too small for the 3x3 windows of `pool4/3x3_s2`"),
        ("googlenet", dict(input_size=64, phase="train_val"),
         "an input of 64x64 is too small for the 5x5 windows of `loss1/ave_pool`"),
        ("squeezenet", dict(version="1.1", input_size=24),
         "an input of 24x24 is too small for the 3x3 windows of `pool5`"),
        ("vgg", dict(input_size=16),
         "an input of 16x16 is too small for the 2x2 windows of `pool5`"),
        ("lenet", dict(input_size=14),
         "an input of 14x14 is too small for the 2x2 windows of `pool2`"),
        # fully connected layers, classes, batches, images, and the columns of conv1
        ("vgg", dict(input_size=993),
         "a blob of 4096x512x32x32 holds 2147483648 values, and Caffe counts to 2147483647"),
        ("alexnet", dict(classes=1 << 19),
         "a blob of 524288x4096x1x1 holds 2147483648 values, and Caffe counts to 2147483647"),
        ("googlenet", dict(batch=2675),
         "a blob of 2675x64x112x112 holds 2147532800 values, and Caffe counts to 2147483647"),
        ("vgg", dict(batch=669, batch_norm=True),
         "a blob of 669x64x224x224 holds 2148335616 values, and Caffe counts to 2147483647"),
        ("lenet", dict(input_size=1 << 16),
         "a blob of 1x1x65536x65536 holds 4294967296 values, and Caffe counts to 2147483647"),
        ("squeezenet", dict(input_size=7651),
         "a blob of 49x3x3823x3823 holds 2148453363 values, and Caffe counts to 2147483647"),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)  # fmt: skip
def test_nets_that_can_not_be(name, options, sentence):
    with pytest.raises(ZooError) as caught:
        build(name, **options)
    assert str(caught.value) == sentence


# One step before Caffe can count no further the net is good
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lenet", dict(input_size=1184)),
        ("caffenet", dict(input_size=1478)),
        ("googlenet", dict(input_size=7644)),
        ("squeezenet", dict(input_size=7650)),
        ("vgg", dict(input_size=992)),
        ("alexnet", dict(classes=(1 << 19) - 1)),
    ],
    ids=lambda value: str(*value.values()) if isinstance(value, dict) else value,
)
def test_the_largest_nets(name, options):
    assert loaded(name, **options).diagnostics == [
        d for d in loaded(name).diagnostics if d.name == "window-in-padding"
    ]
