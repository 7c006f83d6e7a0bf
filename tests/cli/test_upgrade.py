"""`caffegen upgrade`: prototxt, solver and caffemodel; done twice it changes nothing."""

import json
from pathlib import Path

import pytest

from caffegen.loader import loads
from caffegen.weights import open_weights

GOLDEN = Path(__file__).parents[1] / "golden"
V1 = (
    '# a net of 2014\ninput: "data"\ninput_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8\n'
    'layers {\n  name: "relu"  # cut off\n  type: RELU\n  bottom: "data"\n  top: "relu"\n}\n'
)
CASES = {
    case["name"]: case for case in json.loads((GOLDEN / "upgrade.json").read_text(encoding="utf-8"))
}


def test_net(program, write, tmp_path):
    code, out, err = program("upgrade", write(V1))
    assert code == 0
    assert err == "net.prototxt: upgraded: v1, inputs\n"
    assert out.startswith("# a net of 2014\n")
    assert 'name: "relu"  # cut off\n  type: "ReLU"' in out
    assert loads(out).shapes == {"data": (1, 3, 8, 8), "relu": (1, 3, 8, 8)}
    again = write(out, "again.prototxt")
    code, twice, err = program("upgrade", again)
    assert (code, twice, err) == (0, out, "again.prototxt: current already\n")


def test_to_a_file_and_in_place(program, write, tmp_path):
    name = write(V1)
    out = program("upgrade", name)[1]
    assert program("upgrade", name, "-o", name)[:2] == (0, "")
    assert (tmp_path / name).read_text() == out


def test_standard_input(program):
    code, out, err = program("upgrade", "-", stdin=V1)
    assert code == 0
    assert 'type: "ReLU"' in out
    assert err.startswith("<stdin>: upgraded")


def test_check(program, write):
    assert program("upgrade", "--check", write(V1))[:2] == (1, "")
    assert program("upgrade", "--check", write('name: "n"\n', "new.prototxt"))[:2] == (0, "")


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case["ok"]])
def test_golden_texts_twice(program, write, name):
    code, once, _ = program("upgrade", write(CASES[name]["before"]))
    assert code == 0
    code, twice, err = program("upgrade", write(once))
    assert (code, twice) == (0, once)
    assert err.endswith("current already\n")


def test_solver(program, write):
    text = 'net: "n.prototxt"  # which\nsolver_type: ADAGRAD\nbase_lr: 0.01\n'
    code, out, err = program("upgrade", write(text, "solver.prototxt"))
    assert code == 0
    assert out == 'net: "n.prototxt"  # which\ntype: "AdaGrad"\nbase_lr: 0.01\n'
    assert err == "solver.prototxt: upgraded: solver-type\n"
    assert program("upgrade", write(out))[1] == out


def test_fields_of_forks_stay(program, write):
    text = V1.replace("type: RELU", "type: RELU\n  roi_pooling_param { pooled_w: 7 }")
    code, out, _ = program("upgrade", write(text))
    assert code == 0
    assert "roi_pooling_param { pooled_w: 7 }" in " ".join(out.split())


def test_what_would_be_lost_is_refused(program, write):
    mixed = V1 + 'layer { name: "tanh" type: "TanH" bottom: "relu" top: "tanh" }\n'
    code, out, err = program("upgrade", write(mixed))
    assert (code, out) == (1, "")
    assert "mixed-layer-versions" in err
    code, out, err = program("upgrade", write(V1.replace("type: RELU", "type: RELU blobs_lr: x")))
    assert (code, out) == (1, "")
    assert "wrong-type" in err


@pytest.mark.parametrize("word", ["TOPK", "OF_NO_SCHEMA"])
def test_a_type_that_is_not_known_goes_along_with_all_of_its_text(program, write, word):
    old = f"type: {word}  # a fork's\n  of_a_fork_param {{ k: 3  # three\n  }}"
    code, out, _ = program("upgrade", write(V1.replace("type: RELU", old)))
    assert code == 0
    assert f'type: "{word}"' in out
    assert "of_a_fork_param { k: 3  # three\n  }" in out
    assert "# a fork's" in out
    code, twice, err = program("upgrade", write(out))
    assert (code, twice) == (0, out)
    assert "current already" in err


@pytest.mark.parametrize("net", ["legacy_v0", "legacy_v1"])
def test_caffemodel(program, tmp_path, net):
    old = GOLDEN / "nets" / f"{net}.caffemodel"
    code, _, err = program("upgrade", old, "-o", "new.caffemodel")
    assert code == 0
    assert err == f"{old}: upgraded: {net[-2:].upper()}\n"
    before, after = open_weights(old), open_weights("new.caffemodel")
    assert {layer.version for layer in after.layers} == {"V2"}
    for mine, theirs in zip(after.layers, before.layers, strict=True):
        assert (mine.name, mine.type) == (theirs.name, theirs.type)
        for blob, other in zip(mine.blobs, theirs.blobs, strict=True):
            assert blob.array().tobytes() == other.array().tobytes()
    code, _, err = program("upgrade", "new.caffemodel", "-o", "twice.caffemodel")
    assert (code, err) == (0, "new.caffemodel: current already\n")
    assert (tmp_path / "twice.caffemodel").read_bytes() == (
        tmp_path / "new.caffemodel"
    ).read_bytes()


def test_caffemodel_needs_an_output(program):
    code, out, err = program("upgrade", GOLDEN / "nets" / "legacy_v1.caffemodel")
    assert (code, out, err) == (2, "", "caffegen: a .caffemodel is written with -o FILE\n")
    assert program("upgrade", "--check", GOLDEN / "nets" / "legacy_v1.caffemodel")[0] == 1
    assert program("upgrade", "--check", GOLDEN / "nets" / "resnet18.caffemodel")[0] == 0


def test_unreadable(program, tmp_path):
    (tmp_path / "junk").write_bytes(b"\x00\x01\x02\x03" * 100)
    assert program("upgrade", "junk")[0] == 3
    assert program("upgrade", "absent.prototxt")[0] == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("net.caffemodel -o net.prototxt", "--output: a .caffemodel is written, and `net.prototxt` ends in .prototxt"),
        ("net.caffemodel -o new.PROTOTXT", "--output: a .caffemodel is written, and `new.PROTOTXT` ends in .PROTOTXT"),
        ("net.caffemodel -o text", "--output: `text` holds text; it is no .caffemodel"),
        ("net.caffemodel -o -", "a .caffemodel is written with -o FILE"),
        ("net.prototxt -o net.caffemodel", "--output: a prototxt is written, and `net.caffemodel` ends in .caffemodel"),
        ("net.prototxt -o new.h5", "--output: a prototxt is written, and `new.h5` ends in .h5"),
        ("net.prototxt -o weights", "--output: `weights` holds weights; it is no prototxt"),
    ],
)  # fmt: skip
def test_a_file_of_the_other_kind_is_not_written_over(
    program, write, tmp_path, arguments, sentence
):
    write(V1)
    write(V1, "text")
    for name in ("net.caffemodel", "weights"):
        loads(V1, {}).save(caffemodel=tmp_path / name)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert program("upgrade", *arguments.split()) == (2, "", f"caffegen: {sentence}\n")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_that_is_empty_takes_either_kind(program, write, tmp_path):
    write(V1)
    loads(V1, {}).save(caffemodel=tmp_path / "net.caffemodel")
    for source in ("net.prototxt", "net.caffemodel"):
        (tmp_path / "new").write_bytes(b"")
        assert program("upgrade", source, "-o", "new")[0] == 0
        assert (tmp_path / "new").stat().st_size


@pytest.mark.parametrize("command", ["check", "fmt", "upgrade"])
def test_standard_input_that_is_closed(program, monkeypatch, command):
    monkeypatch.setattr("sys.stdin", None)
    code, out, err = program(command, "-")
    assert (code, out) == (3, "")
    assert err.startswith("caffegen: `<stdin>`: it can't be read: it is closed\n")


@pytest.mark.usefixtures("additions")
def test_a_plug_in_is_not_written_over(program, write, tmp_path):
    own = write("OWN = True\n", "own.py")
    code, out, err = program("upgrade", write(V1), "--plugin", own, "-o", own)
    assert (code, out) == (2, "")
    assert err.endswith("own.py`, which is read; write to another\n")
    assert (tmp_path / own).read_text() == "OWN = True\n"
