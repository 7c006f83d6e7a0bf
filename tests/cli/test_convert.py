"""`caffegen convert`: what it writes, what it says, and its exit codes."""

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import onnx
import pytest

from caffegen.cli.main import main
from caffegen.cli.targets import TARGETS
from tests.onnx_bridge.golden_case import arrays
from tests.onnx_bridge.golden_case import run as run_model

NETS = Path(__file__).parent.parent / "golden" / "nets"
FEEDS = {"data": arrays("nets/mobilenet.npz")["in/data"]}
EXPECTED = arrays("nets/mobilenet.npz")


@pytest.fixture
def run(capsys):
    """Run the program in this process: exit code, standard output, standard error."""

    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main([os.fspath(argument) for argument in arguments])
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return call


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a net and its weights."""
    for name in ("mobilenet.prototxt", "mobilenet.caffemodel"):
        shutil.copy(NETS / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


PAIR = ("mobilenet.prototxt", "mobilenet.caffemodel")


def check_outputs(path):
    for name, array in run_model(path, FEEDS).items():
        np.testing.assert_allclose(array, EXPECTED[f"out/{name}"], 1e-4, 1e-5)


def test_converts(run, folder):
    code, out, err = run("convert", *PAIR, "-o", "net.onnx")
    size = os.path.getsize("net.onnx")
    assert (code, out, err) == (0, "", f"net.onnx: {size:,} bytes, weights inside\n")
    check_outputs(folder / "net.onnx")


@pytest.mark.parametrize(
    ("storage", "told"),
    [
        ("external", "weights in `net.onnx.data`"),
        ("link", "weights left in `mobilenet.caffemodel`"),
    ],
)
def test_weights_elsewhere(run, folder, storage, told):
    code, _, err = run("convert", *PAIR, "-o", "net.onnx", "--weights", storage)
    assert code == 0
    assert err.endswith(f"{told}\n")
    check_outputs(folder / "net.onnx")


def test_link_says_when_there_is_nothing_to_link_to(run, folder):
    with h5py.File(NETS / "mobilenet.caffemodel.h5") as stored, h5py.File("net.h5", "w") as file:
        for layer, blobs in stored["data"].items():
            for index, blob in blobs.items():
                name = f"data/{layer}/{index}"
                file.create_dataset(name, data=blob[()], compression="gzip")
    options = ["-o", "net.onnx", "--weights", "link"]
    code, _, err = run("convert", "mobilenet.prototxt", "net.h5", *options)
    assert code == 0
    assert err.endswith("weights inside: none of them lie in a file as ONNX has them\n")
    check_outputs(folder / "net.onnx")


def test_options_reach_the_writer(run, folder):
    code, _, _ = run(
        "convert", *PAIR, "-o", "net.onnx", "--opset", "13", "--dynamic-batch", "--fold",
        "--outputs", "score",
    )  # fmt: skip
    assert code == 0
    model = onnx.load(folder / "net.onnx")
    assert model.opset_import[0].version == 13
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    assert [output.name for output in model.graph.output] == ["score"]
    assert not any(node.op_type == "BatchNormalization" for node in model.graph.node)


def test_weights_as_caffe_takes_them(run, folder):
    shutil.copy("mobilenet.caffemodel", "other.caffemodel")
    code, _, err = run(
        "convert", "mobilenet.prototxt", "-w", "mobilenet.caffemodel,other.caffemodel",
        "-o", "net.onnx", "--strict",
    )  # fmt: skip
    assert code == 0, err
    check_outputs(folder / "net.onnx")
    origin = {entry.key: entry.value for entry in onnx.load("net.onnx").metadata_props}
    assert origin["caffegen.weights"] == "mobilenet.caffemodel,other.caffemodel"


@pytest.mark.usefixtures("folder")
def test_a_net_without_weights(run):
    code, _, err = run("convert", "mobilenet.prototxt", "-o", "net.onnx")
    assert (code, err) == (
        2,
        "caffegen: layer `conv1` has weights; give a CAFFEMODEL, or --fill 0 to make some up\n",
    )
    code, _, err = run("convert", "mobilenet.prototxt", "-o", "net.onnx", "--fill", "3")
    assert code == 0
    assert err.startswith("31 layers filled, seed 3\n")
    first = Path("net.onnx").read_bytes()
    run("convert", "mobilenet.prototxt", "-o", "net.onnx", "--fill", "3")
    assert Path("net.onnx").read_bytes() == first


NEW_HEAD = ("mobilenet.prototxt", "score", "new_score")


def rename_the_last_layer():
    path, old, new = NEW_HEAD
    text = Path(path).read_text()
    assert f'name: "{old}"' in text
    Path(path).write_text(text.replace(f'name: "{old}"', f'name: "{new}"'))


@pytest.mark.usefixtures("folder")
def test_what_does_not_match_is_reported(run):
    rename_the_last_layer()
    code, _, err = run("convert", *PAIR, "-o", "net.onnx", "--fill", "0")
    assert code == 0
    assert "1 layer filled, seed 0\n" in err
    assert "warning[layer-without-weights]: the weights hold nothing for layer `new_score`" in err
    assert "warning[weights-without-layer]: the weights of `score`" in err


@pytest.mark.usefixtures("folder")
def test_strict_makes_a_mismatch_an_error(run):
    rename_the_last_layer()
    code, _, err = run("convert", *PAIR, "-o", "net.onnx", "--strict")
    assert code == 1
    assert "error[layer-without-weights]" in err
    assert not os.path.exists("net.onnx")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("ending", TARGETS)
def test_a_layer_that_got_no_weights(run, ending):
    """Nothing is made up for it, unless --fill asks for that."""
    rename_the_last_layer()
    code, _, err = run("convert", *PAIR, "-o", f"net{ending}")
    assert code == 1
    assert "error[layer-without-weights]: the weights hold nothing for layer `new_score`" in err
    assert sorted(os.listdir()) == ["mobilenet.caffemodel", "mobilenet.prototxt"]


@pytest.mark.usefixtures("folder")
def test_a_part_that_needs_no_such_layer(run):
    rename_the_last_layer()
    assert run("convert", *PAIR, "-o", "net.onnx", "--outputs", "conv1")[0] == 0
    code, _, err = run("convert", *PAIR, "-o", "net.onnx", "--outputs", "prob")
    assert code == 2
    assert err.endswith("caffegen: the weights hold nothing for layer `new_score`\n")


REFUSED = {
    "another ending": ([*PAIR, "-o", "net.tflite"], 2, "--output: `net.tflite` ends in none of .onnx"),
    "no ending": ([*PAIR, "-o", "net"], 2, "--output: `net` ends in none of .onnx"),
    "no output": ([*PAIR], 2, "--output is missing"),
    "opset": ([*PAIR, "-o", "n.onnx", "--opset", "5"], 2, "the opset is 5; caffegen writes 13 to 26"),
    "storage": ([*PAIR, "-o", "n.onnx", "--weights", "inside"], 2,
                "--weights: `inside` is not one of embed, external, link"),
    "blob": ([*PAIR, "-o", "n.onnx", "--outputs", "scores"], 2,
             "the net has no blob `scores`; did you mean `score`?"),
    "no blob": ([*PAIR, "-o", "n.onnx", "--outputs", ","], 2, "--outputs names no blob"),
    "blobs of a module": ([*PAIR, "-o", "n.py", "--outputs", "score"], 2, "--outputs is for .onnx; PyTorch"),
    "opset of a module": ([*PAIR, "-o", "n.pt2", "--opset", "17"], 2, "--opset is for .onnx alone"),
    "links of a module": ([*PAIR, "-o", "n.safetensors", "--weights", "link"], 2,
                          "--weights is for .onnx alone"),
    "size of a module": ([*PAIR, "-o", "n.py", "--dynamic-size"], 2, "--dynamic-size is for .onnx and .pt2"),
    "batch of weights": ([*PAIR, "-o", "n.safetensors", "--dynamic-batch"], 2, "--dynamic-batch is for"),
    "format of one file": ([*PAIR, "-o", "n.onnx", "--to", ".py"], 2,
                           "--to is for a folder of nets; `n.onnx` is one file"),
    "processes for one": ([*PAIR, "-o", "n.onnx", "--jobs", "2"], 2, "--jobs is for a folder of nets"),
    "no folder": ([*PAIR, "-o", "none/n.onnx"], 3, "`none/n.onnx`: it can't be written: there is no folder"),
    "no weights": (["mobilenet.prototxt", "none.caffemodel", "-o", "n.onnx"], 3,
                   "`none.caffemodel`: it can't be read: no such file or directory"),
    "a prototxt as weights": (["mobilenet.prototxt", "mobilenet.prototxt", "-o", "n.onnx"], 3,
                              "`mobilenet.prototxt`: it is "),
}  # fmt: skip


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("arguments", "code", "said"), REFUSED.values(), ids=REFUSED)
def test_refusals_are_one_sentence(run, arguments, code, said):
    found, out, err = run("convert", *arguments)
    assert (found, out) == (code, "")
    assert err.startswith(f"caffegen: {said}")
    assert err.count("\n") == 1
    assert sorted(os.listdir()) == ["mobilenet.caffemodel", "mobilenet.prototxt"]


@pytest.mark.usefixtures("folder")
def test_truncated_weights(run):
    with open("mobilenet.caffemodel", "r+b") as file:
        file.truncate(9000)
    code, _, err = run("convert", *PAIR, "-o", "net.onnx")
    assert code == 3
    assert err.startswith("caffegen: `mobilenet.caffemodel`: it is cut off after layer")
    assert not os.path.exists("net.onnx")


@pytest.mark.usefixtures("folder")
def test_a_read_only_target_is_kept(run):
    Path("net.onnx").write_bytes(b"old")
    os.chmod("net.onnx", 0o444)
    if os.access("net.onnx", os.W_OK):
        pytest.skip("root may write everywhere, so nothing is refused")
    code, _, err = run("convert", *PAIR, "-o", "net.onnx")
    assert (code, err) == (3, "caffegen: `net.onnx`: it can't be written: it is read-only\n")
    assert Path("net.onnx").read_bytes() == b"old"
