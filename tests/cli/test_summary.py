"""`caffegen summary`: its table and its JSON; the numbers are tested in tests/analysis."""

import json
import re
from pathlib import Path

import pytest

from caffegen.zoo import lenet, resnet

DOCUMENTS = (Path(__file__).parents[2] / "docs" / "check-json.md").read_text(encoding="utf-8")
SCHEMA = DOCUMENTS.split("## `caffegen summary --blocks")[1].split("```")[1].removeprefix("json")


@pytest.fixture
def net(write):
    return write(lenet().to_prototxt())


def test_table(program, net):
    code, out, err = program("summary", net, "--input", "data=64,1,28,28")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == [
        "layer",
        "type",
        "bottoms",
        "top",
        "shape",
        "params",
        "MACs",
        "memory",
        "field",
    ]
    conv = next(line for line in lines if line.startswith("conv1 "))
    assert conv.split()[:4] == ["conv1", "Convolution", "data", "64x20x24x24"]
    assert "5x5" in conv
    assert "431,080 learnable parameters" in lines[-1]


def test_json(program, net):
    code, out, _ = program("summary", net, "--input", "data=64,1,28,28", "--format", "json")
    document = json.loads(out)
    assert code == 0
    assert set(document) == {"version", "name", "layers", "total"}
    assert document["version"] == 1
    assert set(document["total"]) == {
        "layers",
        "params",
        "statistics",
        "macs",
        "ops",
        "activation_bytes",
    }
    conv = next(layer for layer in document["layers"] if layer["name"] == "conv1")
    assert conv == {
        "name": "conv1", "type": "Convolution", "bottoms": ["data"], "tops": ["conv1"],
        "shapes": [[64, 20, 24, 24]], "params": 520, "statistics": 0, "macs": 18432000,
        "ops": 737280, "activation_bytes": 2949120, "receptive_field": [5, 5],
    }  # fmt: skip
    assert (
        document["total"]["params"]
        == sum(layer["params"] for layer in document["layers"])
        == 431080
    )


# the walk of the textbooks; height x width x channels
RESNET_18 = """
data      input                       224x224x3
conv1     stem                        112x112x64
maxpool   pooling                     56x56x64
layer1_0  residual block, identity    56x56x64
layer1_1  residual block, identity    56x56x64
layer2_0  residual block, projection  28x28x128
layer2_1  residual block, identity    28x28x128
layer3_0  residual block, projection  14x14x256
layer3_1  residual block, identity    14x14x256
layer4_0  residual block, projection  7x7x512
layer4_1  residual block, identity    7x7x512
avgpool   global pooling              1x1x512
fc        fully connected             10
prob      softmax                     10
"""


def test_the_textbook_walk(program, tmp_path):
    """`caffegen resnet --depth 18 --classes 10 --style torchvision`, block by block."""
    code, text, _ = program("resnet", "--depth", "18", "--classes", "10", "--style", "torchvision")
    assert code == 0
    net = tmp_path / "resnet18.prototxt"
    net.write_text(text, encoding="utf-8")
    code, out, err = program("summary", "--blocks", str(net))
    assert (code, err) == (0, "")
    head, rule, *lines = out.splitlines()
    assert head.split() == ["block", "kind", "layers", "size", "params", "MACs", "memory", "field"]
    assert set(rule) == {"-", " "}
    columns = [found.span() for found in re.finditer("-+", rule)][:4]
    walk = [[line[start:end].strip() for start, end in columns] for line in lines[:-2]]
    assert [[name, kind, size] for name, kind, _, size in walk] == [
        [cell.strip() for cell in line.split("  ") if cell]
        for line in RESNET_18.strip().splitlines()
    ]
    # two convolutions, BatchNorm and Scale behind both, two ReLUs, a sum; three more to project
    assert [count for _, kind, count, _ in walk if "residual" in kind] == [
        "9", "9", "12", "9", "12", "9", "12", "9"
    ]  # fmt: skip
    assert lines[-1].startswith(
        "14 blocks of 93 layers, 11,181,642 learnable parameters and 9,620 statistics"
    )


def test_blocks_as_json(program, write):
    name = write(resnet(50).to_prototxt())
    code, out, _ = program("summary", name, "--blocks", "--format", "json")
    document = json.loads(out)
    rows = {row["name"]: row for row in document["blocks"]}
    assert code == 0
    assert set(document) == {"version", "name", "blocks", "total"}
    assert document["total"]["blocks"] == len(rows) == 22
    assert document["total"]["layers"] == 229
    assert [n for n in rows if n.startswith("res")] == [
        f"res{stage}{block}"
        for stage, blocks in ((2, "abc"), (3, "abcd"), (4, "abcdef"), (5, "abc"))
        for block in blocks
    ]
    assert {row["shortcut"] for row in rows.values()} == {None, "identity", "projection"}
    documented = json.loads(SCHEMA)
    assert {**document, "blocks": [rows["res2a"]]} == documented
    block = rows["res2b"]
    assert {key: value for key, value in block.items() if key not in ("layers", "ops")} == {
        "name": "res2b", "kind": "residual block", "shortcut": "identity", "bottoms": ["res2a"],
        "tops": ["res2b"], "shapes": [[1, 256, 56, 56]], "params": 70400, "statistics": 771,
        "macs": 219570176, "activation_bytes": 8028160, "receptive_field": [27, 27],
    }  # fmt: skip
    assert block["layers"][0] == "res2b_branch2a"
    assert block["layers"][-1] == "res2b_relu"
    assert rows["res5c"]["receptive_field"] == [483, 483]


def test_shapes_that_are_not_known(program, write):
    text = (
        'layer { name: "d" type: "Data" top: "data" data_param { source: "db" batch_size: 8 } }\n'
        'layer { name: "r" type: "ReLU" bottom: "data" top: "r" }\n'
    )
    name = write(text)
    code, out, _ = program("summary", name, "--format", "json")
    row = json.loads(out)["layers"][1]
    assert code == 0
    assert (row["shapes"], row["macs"], row["activation_bytes"]) == ([None], None, None)
    assert " ?" in program("summary", name)[1]
    known = json.loads(program("summary", name, "--input", "data=8,3,4,4", "--format", "json")[1])
    assert known["layers"][1]["activation_bytes"] == 8 * 3 * 4 * 4 * 4


def test_faults_are_told_and_the_rest_is_shown(program, write):
    text = lenet().to_prototxt().replace('bottom: "pool1"', 'bottom: "pol1"')
    code, out, err = program("summary", write(text))
    assert code == 1
    assert "conv1 " in out
    assert "error[unknown-bottom]" in err


def test_unreadable(program):
    assert program("summary", "absent.prototxt")[:2] == (3, "")


def test_a_solver_is_no_net(program, write):
    path = write('net: "train.prototxt" base_lr: 0.1', "solver.prototxt")
    for command in (["summary", path], ["diff", path, path]):
        code, out, err = program(*command)
        assert (code, out) == (3, "")
        assert err == (
            "caffegen: `solver.prototxt`: it is a solver, not a net; its net is `train.prototxt`\n"
        )
