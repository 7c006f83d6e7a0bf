"""`caffegen summary`: its table and its JSON; the numbers are tested in tests/analysis."""

import json

import pytest

from caffegen.zoo import lenet, resnet


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


def test_blocks(program, write):
    name = write(resnet(50).to_prototxt())
    code, out, _ = program("summary", name, "--blocks", "--format", "json")
    rows = {row["name"]: row for row in json.loads(out)["layers"]}
    assert code == 0
    assert [n for n in rows if n.startswith("res")] == [
        f"res{stage}{block}"
        for stage, blocks in ((2, "abc"), (3, "abcd"), (4, "abcdef"), (5, "abc"))
        for block in blocks
    ]
    assert rows["res2a"]["params"] == 75008
    assert rows["res2a"]["bottoms"] == ["pool1"]
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
