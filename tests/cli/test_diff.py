"""`caffegen diff`: exit codes, words and JSON; what counts as a difference is in tests/analysis."""

import json

import pytest

from caffegen.zoo import alexnet, caffenet, resnet


@pytest.fixture
def nets(write):
    write(alexnet().to_prototxt(), "alexnet.prototxt")
    write(caffenet().to_prototxt(), "caffenet.prototxt")
    return "alexnet.prototxt", "caffenet.prototxt"


def test_equal(program, nets):
    code, out, err = program("diff", nets[0], nets[0])
    assert (code, err) == (0, "")
    assert out.startswith("the nets compute the same: ")


def test_different(program, nets):
    code, out, _ = program("diff", *nets)
    assert code == 1
    # CaffeNet is AlexNet with pooling and normalisation in the other order
    assert "~ norm1\n    bottom 0: from `relu1` -> from `pool1`\n" in out
    assert out.endswith("same\n")


def test_json(program, nets):
    code, out, _ = program("diff", *nets, "--format", "json")
    document = json.loads(out)
    assert code == 1
    assert document["version"] == 1
    assert document["equal"] is False
    assert {"first": "norm1", "second": "norm1", "differences": [
        {"what": "bottom 0", "first": "from `relu1`", "second": "from `pool1`"},
    ]} in document["changed"]  # fmt: skip
    same = json.loads(program("diff", nets[0], nets[0], "--format", "json")[1])
    assert same["equal"] is True
    assert (same["only_first"], same["only_second"], same["changed"]) == ([], [], [])


def test_layers_of_one_net_alone(program, write):
    write(resnet(20, dataset="cifar10").to_prototxt(), "a.prototxt")
    write(resnet(32, dataset="cifar10").to_prototxt(), "b.prototxt")
    code, out, _ = program("diff", "a.prototxt", "b.prototxt")
    assert code == 1
    assert sum(line.startswith("+ ") and "(Convolution)" in line for line in out.splitlines()) == 12
    assert not any(line.startswith("- ") for line in out.splitlines())


def test_data_borrows_its_shape_from_the_other_net(program, write):
    conv = (
        'layer { name: "c" type: "Convolution" bottom: "data" top: "c" '
        "convolution_param { num_output: 2 kernel_%s } }\n"
    )
    data = (
        'layer { name: "d" type: "Data" top: "data" data_param { source: "db" batch_size: 8 } }\n'
    )
    given = 'layer { name: "d" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'
    write(data + conv % "size: 3", "train.prototxt")
    write(given + conv % "h: 3 kernel_w: 3", "deploy.prototxt")
    code, out, _ = program("diff", "train.prototxt", "deploy.prototxt")
    assert code == 1
    assert out.splitlines()[0] == "- d (Data)"
    assert out.endswith(
        "1 layer in the first alone, 0 in the second alone, 0 changed, 1 the same\n"
    )


def test_broken_text(program, write, nets):
    code, out, err = program("diff", write("layer { name:\n"), nets[0])
    assert (code, out) == (1, "")
    assert "error[" in err


def test_unreadable(program, nets):
    code, out, err = program("diff", nets[0], "absent.prototxt")
    assert (code, out) == (3, "")
    assert "`absent.prototxt`" in err
