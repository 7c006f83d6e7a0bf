"""--input where it names no blob that the net is given, in every command that has it."""

import pytest

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "relu" type: "ReLU" bottom: "data" top: "relu" }
"""
TWO_PHASES = """
layer { name: "train" type: "Data" top: "data" top: "label" include { phase: TRAIN } data_param { source: "train" batch_size: 2 } }
layer { name: "test" type: "Input" top: "data" include { phase: TEST } input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "relu" type: "ReLU" bottom: "data" top: "relu" }
"""
COMMANDS = {
    "run": ["run", "net.prototxt", "x.npy"],
    "bench": ["bench", "net.prototxt"],
    "summary": ["summary", "net.prototxt"],
    "convert": ["convert", "net.prototxt", "-o", "net.onnx"],
    "init": ["init", "net.prototxt", "-o", "net.caffemodel"],
    "verify": ["verify", "net.prototxt"],
    "diff": ["diff", "net.prototxt", "net.prototxt"],
}


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_blob_that_is_not_there_is_refused(program, write, tmp_path, words):
    write(NET)
    code, out, err = program(*words, "--input", "dat=1,3,8,8")
    assert (code, out) == (2, "")
    told = "--input: the net has no input or data blob `dat`; did you mean `data`?"
    assert err == f"caffegen: {told}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["net.prototxt"]


@pytest.mark.parametrize(
    ("text", "shape", "hint"),
    [
        pytest.param(NET, "foo=1,3,8,8", "; it has `data`", id="no near one"),
        pytest.param(NET, "relu=1,3,9,9", "; it has `data`", id="a layer's own top"),
        pytest.param(TWO_PHASES, "label=2", "; it has `data`", id="of the other phase"),
        pytest.param('layer { name: "p" type: "Parameter" top: "p" }', "Q=1", "; it has `p`", id="parameter"),
    ],
)  # fmt: skip
def test_the_hint_names_what_is_there(program, write, text, shape, hint):
    write(text)
    code, _, err = program("summary", "net.prototxt", "--input", shape)
    assert code == 2
    name = shape.partition("=")[0]
    assert err == f"caffegen: --input: the net has no input or data blob `{name}`{hint}\n"


def test_blobs_of_the_phase_that_is_asked_for(program, write):
    write(TWO_PHASES)
    words = ["summary", "net.prototxt", "--phase", "TRAIN", "--input", "data=2,3,8,8"]
    assert program(*words, "--input", "label=2")[0] == 0


def test_a_top_whose_shape_its_layer_does_not_tell_takes_one(program, write):
    mine = 'layer { name: "mine" type: "Python" bottom: "data" top: "mine" python_param { module: "m" layer: "L" } }'
    write(NET + mine)
    code, out, err = program("summary", "net.prototxt", "--input", "mine=1,7")
    assert code == 0, err
    assert "1x7" in out


def test_of_two_nets_one_has_it(program, write):
    write(NET)
    write(NET.replace('"data"', '"image"'), "other.prototxt")
    words = ["diff", "net.prototxt", "other.prototxt"]
    assert "no input" not in program(*words, "--input", "image=1,3,8,8")[2]
    code, _, err = program(*words, "--input", "imag=1,3,8,8")
    assert code == 2
    assert "no input or data blob `imag`; did you mean `image`?" in err


def test_of_many_nets_some_have_it(program, write):
    write(NET)
    write(NET.replace('"data"', '"image"'), "other.prototxt")
    words = ["convert", "net.prototxt", "other.prototxt", "-o", "out/", "--to", ".py"]
    code, out, err = program(*words, "--input", "image=1,3,9,9")
    assert code == 0, out + err


def test_what_is_wrong_with_the_net_comes_first(program, write):
    write(NET.replace('"ReLU"', '"ReLU"  {'))
    code, _, err = program("summary", "net.prototxt", "--input", "dat=1,3,8,8")
    assert code == 1
    assert "error[" in err
    assert "--input" not in err


def test_a_solver_is_still_no_net(program, write):
    write('net: "net.prototxt" base_lr: 0.1', "solver.prototxt")
    code, _, err = program("summary", "solver.prototxt", "--input", "data=1,3,8,8")
    assert code == 3
    assert "it is a solver, not a net" in err
