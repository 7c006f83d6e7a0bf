# ruff: noqa: ISC004 - sentences in a table
from __future__ import annotations

import pytest

import caffegen
from caffegen import verify
from caffegen.analysis.fill import fill_params
from caffegen.analysis.summary import summarize
from caffegen.check import Options, check_source
from caffegen.errors import FileError
from caffegen.text import Source
from caffegen.zoo import resnet
from caffegen.zoo.table import BLOCKS, TableError, read_table

RESNET_20 = """
name = "ResNet-20 of a table"
dataset = "cifar10"
shortcut = "A"
[stem]
kind = "3x3"
width = 16
[[stages]]
count = 3
width = 16
[[stages]]
count = 3
width = 32
[[stages]]
count = 3
width = 64
"""
RESNET_50 = """
block = "bottleneck"
stem = { kind = "7x7", width = 64 }
stages = [
  { count = 3, width = 64 }, { count = 4, width = 128 },
  { count = 6, width = 256 }, { count = 3, width = 512 },
]
"""
SMALL = """
classes = 4
input_size = 9
[stem]
kind = "3x3"
width = 8
"""


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A table in a file of this folder, called as a user would call it."""
    monkeypatch.chdir(tmp_path)

    def write(text):
        (tmp_path / "net.toml").write_text(text, encoding="utf-8")
        return read_table("net.toml")

    return write


def cost(spec):
    net = caffegen.loads(spec)
    assert net.diagnostics == []
    total = summarize(net.graph)
    return total.params, total.macs


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (RESNET_20, resnet(20, dataset="cifar10")),
        # with the stride in the 3x3 convolution, as torchvision has it
        (RESNET_50, resnet(50, style="torchvision")),
        (RESNET_50.replace("bottleneck", "basic"), resnet(34)),
        (RESNET_50.replace("bottleneck", "plain"), resnet(34, plain=True)),
    ],
    ids=["20", "50", "34", "plain"],
)
def test_the_nets_of_the_paper_are_tables(table, text, same):
    family = table(text)
    assert cost(family.build()) == cost(same)


def test_what_a_table_says(table):
    family = table(RESNET_20)
    assert family.title == "ResNet-20 of a table"
    assert {d: depths.published for d, depths in family.depths.items()} == {"cifar10": (20,)}
    net = caffegen.loads(family.build(batch=3, classes=7, input_size=16))
    assert net.name == "ResNet-20 of a table"
    assert net.shapes["data"] == (3, 3, 16, 16)
    assert net.shapes["stage1_3"] == (3, 16, 16, 16)
    assert net.shapes["stage3_1_shortcut"] == (3, 64, 4, 4)
    assert net.shapes["prob"] == (3, 7)


def test_the_defaults_of_a_table(table):
    family = table(RESNET_50)
    assert family.title == "net"
    net = caffegen.loads(family.build())
    assert net.shapes["data"] == (1, 3, 224, 224)
    assert net.shapes["pool1"] == (1, 64, 56, 56)
    assert [net.shapes[f"stage{n}_1"][2] for n in (1, 2, 3, 4)] == [56, 28, 14, 7]
    assert net.shapes["stage4_3"] == (1, 2048, 7, 7)


def test_keys_of_a_stage_win(table):
    stage = 'count = 1\nwidth = 4\nstride = 3\nblock = "bottleneck"\nshortcut = "C"\nexpansion = 2'
    family = table(f'shortcut = "A"\nblock = "plain"\n{SMALL}[[stages]]\n{stage}\n')
    net = caffegen.loads(family.build())
    assert net.shapes["stage1_1_shortcut"] == (1, 8, 3, 3)
    assert [net.shapes[f"stage1_1_conv{n}"] for n in (1, 2, 3)] == [
        (1, 4, 9, 9), (1, 4, 3, 3), (1, 8, 3, 3),
    ]  # fmt: skip


def test_the_head(table):
    stages = "[[stages]]\ncount = 1\nwidth = 8\n[head]\npool = 'max'\ndropout = 0.25\n"
    layers = {x.name: x for x in table(SMALL + stages).build().to_message().layer}
    assert layers["pool"].pooling_param.pool == "MAX"
    assert layers["pool"].pooling_param.global_pooling
    assert layers["dropout"].dropout_param.dropout_ratio == 0.25
    assert layers["fc"].inner_product_param.num_output == 4


def test_images_of_one_channel(table):
    text = "channels = 1\nbatch = 2\n" + SMALL + "[[stages]]\ncount = 1\nwidth = 8\n"
    assert caffegen.loads(table(text).build()).shapes["data"] == (2, 1, 9, 9)


def mixed(*blocks):
    """One stage of each kind of block, two blocks each."""
    stages = [
        f'[[stages]]\nblock = "{block}"\ncount = 2\nwidth = {8 * 2**index}\nexpansion = 2\n'
        for index, block in enumerate(blocks)
    ]
    return SMALL + "".join(stages)


@pytest.mark.parametrize(
    "blocks",
    [*[(block, block) for block in BLOCKS], ("basic", "preactivation", "bottleneck"),
     ("preactivation-bottleneck", "plain")],
    ids="+".join,
)  # fmt: skip
@pytest.mark.parametrize("kind", ["3x3", "7x7"])
def test_every_mix_of_blocks_runs_the_same_everywhere(table, blocks, kind):
    family = table(mixed(*blocks).replace("3x3", kind))
    spec = family.build()
    assert check_source(Source(spec.to_prototxt()), Options()).diagnostics == []
    net = caffegen.loads(spec)
    report = verify.compare(caffegen.loads(spec, fill_params(net.graph, 0)))
    assert report.compared == ("torch", "onnxruntime", "opencv")
    assert report.ok, report.verdict


def test_pre_activated_blocks_are_activated_before_they_are_read(table):
    layers = table(mixed("preactivation", "basic")).build().to_message().layer
    names = [layer.name for layer in layers]
    # the first convolution leaves it to the first block; the last sum has its own
    assert names[1:5] == ["conv1", "stage1_1_bn1", "stage1_1_bn1_scale", "stage1_1_relu1"]
    at = names.index("stage1_2")
    assert names[at + 1 : at + 4] == ["stage1_bn", "stage1_bn_scale", "stage1_relu"]


def test_train_val(table):
    family = table(RESNET_20)
    text = family.build(phase="train_val", data="imagedata", batch=8).to_prototxt()
    assert check_source(Source(text), Options()).diagnostics == []
    assert family.recipes["cifar10"].base_lr == 0.1
    layers = family.build(phase="train_val").to_message().layer
    assert [x.data_param.batch_size for x in layers[:2]] == [128, 100]
    norms = [x for x in layers if x.type == "BatchNorm"]
    assert all([spec.lr_mult for spec in x.param] == [0, 0, 0] for x in norms)
    convolutions = [x for x in layers if x.type == "Convolution"]
    assert {x.convolution_param.weight_filler.type for x in convolutions} == {"msra"}


STAGE = "[[stages]]\ncount = 1\nwidth = 8\n"
FAULTS = [
    ("widht = 3\n" + SMALL + STAGE, "1:1: the table has no key `widht`; there is name, dataset, classes, input_size, channels, batch, block, shortcut, expansion, stem, stages and head"),
    ("  clases = 3\n" + SMALL + STAGE, "1:3: the table has no key `clases`; did you mean `classes`?"),
    (SMALL + STAGE + "strides = 2\n", "10:1: [[stages]] has no key `strides`; did you mean `stride`?"),
    (SMALL + STAGE + "[haed]\npool = 'max'\n", "10:2: the table has no key `haed`; did you mean `head`?"),
    (SMALL + STAGE + "[head]\npol = 'max'\n", "11:1: [head] has no key `pol`; did you mean `pool`?"),
    (SMALL + STAGE + "[head]\ndropout = 1\n", "11:1: `dropout` is a number from 0 up to, not including, 1, found `1`"),
    (SMALL.replace("3x3", "5x5") + STAGE, "5:1: there is no kind `5x5`; there is 3x3 and 7x7"),
    (SMALL + STAGE + "block = 'bottelneck'\n", "10:1: there is no block `bottelneck`; did you mean `bottleneck`?"),
    (SMALL + STAGE + "shortcut = 2\n", "10:1: there is no shortcut `2`; there is A, B and C"),
    (SMALL + STAGE.replace("1", "'1'"), '8:1: `count` is a whole number of at least 1, found `"1"`'),
    (SMALL + STAGE.replace("8", "0"), "9:1: `width` is a whole number of at least 1, found `0`"),
    (SMALL + STAGE.replace("1", "true"), "8:1: `count` is a whole number of at least 1, found `true`"),
    (SMALL + STAGE + "[[stages]]\nwidth = 3\n", "10:3: [[stages]] needs `count`"),
    (SMALL.replace("width = 8", "") + STAGE, "4:2: [stem] needs `width`"),
    (SMALL, "1:1: the table has no [[stages]]; a net has a stem and stages"),
    (STAGE, "1:1: the table has no [stem]; a net has a stem and stages"),
    ("", "1:1: the table has no [stem]; a net has a stem and stages"),
    ("stages = 3\n" + SMALL, "1:1: `stages` is a list of tables: `[[stages]]`, found `3`"),
    ("stages = []\n" + SMALL, "1:1: `stages` is a list of tables: `[[stages]]`, found `[]`"),
    ("stem = 3\n" + STAGE, "1:1: `stem` is a table: `[stem]`, found `3`"),
    ("name = 3\n" + SMALL + STAGE, "1:1: `name` is a string, found `3`"),
    (SMALL + STAGE + "block = 'plain'\nshortcut = 'A'\n", "11:1: a plain block has no shortcut; leave it out"),
    ("classes = \n", "1:11: this is no TOML: invalid value"),
    ("classes = 1\nclasses = 2", "2:12: this is no TOML: cannot overwrite a value"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sentence"), FAULTS, ids=[sentence.partition(": ")[2] for _, sentence in FAULTS]
)
def test_tables_that_are_none(table, text, sentence):
    with pytest.raises(TableError) as caught:
        table(text)
    # the wording of what is no TOML at all is the reader's, and differs between its versions
    if "no TOML" in sentence:
        assert str(caught.value).startswith(
            f"net.toml:{sentence.partition(': ')[0]}: this is no TOML: "
        )
    else:
        assert str(caught.value) == f"net.toml:{sentence}"


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("shortcut = 'A'\n" + SMALL + STAGE.replace("8", "4"), {},
         "net.toml:8:3: `stage1_1_shortcut`: zeros make 8 channels more, not fewer, so not 4"),
        ("batch = 30000000\n" + SMALL + STAGE, {},
         "net.toml:4:1: a blob of 30000000x3x9x9 holds 7290000000 values, and Caffe counts to "
         "2147483647"),
        (SMALL + STAGE, {"phase": "train"}, "there is no phase `train`; did you mean `train_val`?"),
        (SMALL + STAGE.replace("8", "99999999"), {},
         "net.toml:7:3: a blob of 1x99999999x9x9 holds 8099999919 values, and Caffe counts to "
         "2147483647"),
        (SMALL + STAGE, {"classes": 1 << 28},
         "net.toml:2:1: a blob of 268435456x8x1x1 holds 2147483648 values, and Caffe counts to "
         "2147483647"),
    ],
    ids=["narrower", "batch", "phase", "width", "classes"],
)  # fmt: skip
def test_nets_that_can_not_be(table, text, options, sentence):
    family = table(text)
    with pytest.raises(caffegen.errors.CaffegenError) as caught:
        family.build(**options)
    assert str(caught.value) == sentence


def test_no_such_file(tmp_path):
    with pytest.raises(FileError, match="it can't be read: no such file or directory"):
        read_table(str(tmp_path / "none.toml"))


@pytest.mark.parametrize(
    "value",
    ["[" * 20000 + "]" * 20000, "{ a = " * 5000 + "1" + " }" * 5000, "1" * 5000],
    ids=["arrays", "tables", "digits"],
)
def test_a_value_that_python_can_not_read(tmp_path, value):
    path = tmp_path / "net.toml"
    path.write_text(f"x = {value}\n")
    with pytest.raises(TableError, match=":1:1: the table has more in one value than can be read"):
        read_table(str(path))
