# ruff: noqa: ISC004 - sentences in a table
from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from caffegen import __version__
from caffegen.cli.main import main
from caffegen.schema import message_type
from caffegen.text import Source, parse
from caffegen.zoo import FAMILIES, resnet

PROGRAM = [sys.executable, "-m", "caffegen"]
# what emitting must never wait for
HEAVY = {
    "numpy", "torch", "onnx", "onnxruntime", "cv2", "rich", "jinja2", "difflib", "google.protobuf",
}  # fmt: skip


@pytest.fixture
def run(capsys):
    """Run the program in this process: exit code, standard output, standard error."""

    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return call


def test_emits_the_net_under_a_comment_with_its_command(run):
    code, out, err = run("resnet", "--depth", "50")
    assert (code, err) == (0, "")
    header, _, text = out.partition("\n")
    assert header == "# caffegen resnet --depth 50"
    assert text == resnet(50).to_prototxt()
    parsed = parse(Source(out), message_type("NetParameter"))
    assert parsed.faults == []
    assert parsed.message == resnet(50).to_message()


@pytest.mark.parametrize(
    ("arguments", "header"),
    [
        ([], "--depth 101"),
        (["--style", "original", "--depth", "34"], "--depth 34"),
        (["--batch", "4", "--dataset", "cifar10"], "--depth 110 --dataset cifar10 --batch 4"),
        (["--plain", "--depth=18", "-o", "-"], "--depth 18 --plain"),
    ],
    ids=["defaults", "a default said", "order", "no file"],
)
def test_the_command_in_the_comment_is_the_shortest(run, arguments, header):
    _, out, _ = run("resnet", *arguments)
    assert out.startswith(f"# caffegen resnet {header}\n")
    again = run("resnet", *header.split())[1]
    assert again == out


def test_same_command_same_bytes():
    outs = {
        subprocess.run(
            [*PROGRAM, "resnet", "--depth", "18", "--phase", "train_val"],
            capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "2")
    }  # fmt: skip
    assert len(outs) == 1


def test_output_to_a_file(run, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text("old")
    assert run("resnet", "--depth", "18", "-o", str(path)) == (0, "", "")
    assert path.read_text() == run("resnet", "--depth", "18")[1]
    assert os.listdir(tmp_path) == ["net.prototxt"]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ("resnet --depth 100", 2, "there is no ResNet-100 for ImageNet, only 18, 34, 50, 101 and 152; "
                                  "the nearest is 101"),
        ("resnet --depth deep", 2, "--depth: `deep` is no whole number"),
        ("resnet --depth -3", 2, "the depth is a whole number of at least 1, found -3"),
        ("lenet --classes -1", 2,
         "the number of classes is a whole number of at least 1, found -1"),
        ("lenet --classes 99999999999999999999", 2,
         "--classes: `99999999999999999999` is a number too large for a net"),
        ("resnet --depth 5.5", 2, "--depth: `5.5` is no whole number"),
        ("resnet --depth", 2, "option `--depth` requires an argument"),
        ("resnet --dept 50", 2, "there is no option `--dept`; did you mean `--depth`?"),
        ("resnet --zz", 2, "there is no option `--zz`"),
        ("resnet -q", 2, "there is no option `-q`"),
        ("resnet --style orginal", 2,
         "--style: `orginal` is not one of original, torchvision; did you mean `original`?"),
        ("resnet --shortcut D", 2, "--shortcut: `D` is not one of A, B, C"),
        ("resnet --plain=yes", 2, "option `--plain` does not take a value"),
        ("resnet 50", 2, "got unexpected extra argument (50)"),
        ("resnet --plain --shortcut B", 2,
         "a plain network has no shortcuts; leave out shortcut `B`"),
        ("resnt", 2, "there is no command `resnt`; did you mean `resnet`?"),
        ("zzz", 2, "there is no command `zzz`; `caffegen --help` lists them"),
        ("--verion", 2, "there is no option `--verion`; did you mean `--version`?"),
        ("architectures --format jsn", 2,
         "--format: `jsn` is not one of text, json; did you mean `json`?"),
        ("resnet -o no/such/folder/x", 3,
         "`no/such/folder/x`: it can't be written: there is no folder `{cwd}/no/such/folder`"),
        ("resnet -o .", 3, "`.`: it can't be written: it is a folder, not a file"),
    ],
    ids=lambda value: value if isinstance(value, str) and "`" not in value else "",
)  # fmt: skip
def test_refusals(run, monkeypatch, tmp_path, arguments, code, sentence):
    monkeypatch.chdir(tmp_path)
    expected = f"caffegen: {sentence.replace('{cwd}', os.path.realpath(tmp_path))}\n"
    assert run(*arguments.split()) == (code, "", expected)
    assert os.listdir(tmp_path) == []


def test_nothing_heavy_is_imported():
    code = (
        "import sys\n"
        "from caffegen.cli.main import main as run\n"
        "sys.argv[1:] = ['resnet', '--depth', '101']\n"
        "try:\n"
        "    run()\n"
        "finally:\n"
        "    print(*sys.modules, sep='\\n', file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stderr.split())
    assert "caffegen.zoo.resnet" in modules
    assert not modules & HEAVY
    commands = {name for name in modules if name.startswith("caffegen.cli.")}
    assert commands == {
        f"caffegen.cli.{name}" for name in ("main", "lazy", "architecture", "output")
    }


def test_a_closed_pipe_is_no_fault():
    program = subprocess.Popen(
        [*PROGRAM, "resnet", "--depth", "602", "--dataset", "cifar10"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    program.stdout.read(10)
    program.stdout.close()
    assert program.stderr.read() == b""
    program.stderr.close()
    assert program.wait() == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no full device")
@pytest.mark.parametrize("command", ["resnet", "architectures", "--help"])
def test_a_full_disk(command):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*PROGRAM, command], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 3
    assert done.stderr.startswith("caffegen: `<stdout>`: ")
    assert done.stderr.lower().endswith("no space left on device\n")
    assert done.stderr.count("\n") == 1


def test_a_closed_output():
    done = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -m caffegen resnet >&-"],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr == "caffegen: `<stdout>`: it can't be written: it is closed\n"


def test_version(run):
    assert run("--version") == (0, f"caffegen {__version__}\n", "")


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]], ids=["nothing", "help", "h"])
def test_help_lists_the_commands(run, arguments):
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    assert "Residual networks: write the prototxt of one." in out
    assert "List the families of networks" in out


def test_help_of_a_family(run):
    code, out, _ = run("resnet", "--help")
    assert code == 0
    for words in (
        "imagenet: 18, 34, 50, 101 and 152",
        "--input-size",
        "arXiv:1512.03385",
        "6n + 2",
    ):
        assert words in out


def test_architectures_as_a_table(run):
    code, out, err = run("architectures", "resnet", "lenet")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split() for line in lines[:3]] == [
        ["family", "dataset", "depth", "parameters", "MACs"],
        ["resnet", "imagenet", "18", "11,689,512", "1,816,557,056"],
        ["34", "21,797,672", "3,667,499,520"],
    ]
    assert [line.split()[:2] for line in lines if "cifar" in line] == [
        ["cifar10", "20"], ["cifar100", "20"],
    ]  # fmt: skip
    assert [line.strip() for line in lines if "other" in line] == ["and any other 6n + 2"] * 2
    assert lines[-1].split() == ["lenet", "mnist", "4", "431,080", "2,293,000"]
    # columns stand below each other, whatever the numbers
    assert len({len(line) for line in lines if "other" not in line}) == 1


def test_architectures_without_figures(run):
    code, out, _ = run("architectures", "--no-figures")
    lines = [line.split(maxsplit=2) for line in out.splitlines()]
    assert code == 0
    assert lines[:3] == [
        ["family", "dataset", "depths"],
        ["resnet", "imagenet", "18, 34, 50, 101 and 152"],
        ["cifar10", "20,", "32, 44, 56, 110, 1202 and any other 6n + 2"],
    ]
    assert {line[0] for line in lines} >= set(FAMILIES)


def test_architectures_as_json(run):
    code, out, _ = run("architectures", "--format", "json", "resnet", "mobilenet")
    families = {family["name"]: family for family in json.loads(out)}
    assert code == 0
    assert families["resnet"]["package"] is None
    imagenet = families["resnet"]["datasets"]["imagenet"]
    assert imagenet["figures"]["50"] == {"parameters": 25557096, "macs": 3868560384}
    assert [int(depth) for depth in imagenet["figures"]] == imagenet["depths"]
    assert {key: imagenet[key] for key in ("depths", "usual", "rule")} == {
        "depths": [18, 34, 50, 101, 152], "usual": 101, "rule": None,
    }  # fmt: skip
    assert families["resnet"]["datasets"]["cifar10"]["rule"] == "6n + 2"
    style = next(o for o in families["resnet"]["options"] if o["flag"] == "--style")
    assert (style["default"], style["choices"]) == ("original", ["original", "torchvision"])
    # a depth that another option chooses
    versions = families["mobilenet"]["datasets"]["imagenet"]["figures"]
    assert versions["28"]["parameters"] != versions["53"]["parameters"]
    _, out, _ = run("architectures", "--format", "json", "--no-figures", "resnet")
    assert json.loads(out)[0]["datasets"]["imagenet"]["figures"] is None


def test_architectures_that_there_are_none_of(run):
    assert run("architectures", "resnt") == (
        2, "", "caffegen: there is no family `resnt`; did you mean `resnet`?\n",
    )  # fmt: skip


def test_a_solver_beside_the_net(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    command = "resnet --depth 20 --dataset cifar10 --phase train_val"
    files = "-o models/net.prototxt --solver models/solver.prototxt"
    assert run(*command.split(), *files.split()) == (0, "", "")
    text = (tmp_path / "models/solver.prototxt").read_text()
    assert text.startswith(f"# caffegen {command}\n# The recipe of He et al. 2015, section 4.2.\n")
    # the path holds from the folder that the command was called in
    assert '\nnet: "models/net.prototxt"\nsnapshot_prefix: "models/net"\n' in text
    assert (tmp_path / "models/net.prototxt").read_text() == run(*command.split())[1]
    assert run("check", "--strict", "models/solver.prototxt", "models/net.prototxt")[0] == 0
    assert sorted(os.listdir(tmp_path / "models")) == ["net.prototxt", "solver.prototxt"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--solver s -o n",
         "--solver needs --phase train_val: a net to deploy has no loss to learn from"),
        ("--solver s --phase train_val",
         "--solver needs -o FILE: the solver names the file of the net"),
        ("--solver s --phase train_val -o -",
         "--solver needs -o FILE: the solver names the file of the net"),
        ("--solver ./s --phase train_val -o s",
         "--solver and -o both name `s`; the solver is a file beside"),
    ],
    ids=["deploy", "no output", "standard output", "one file"],
)  # fmt: skip
@pytest.mark.parametrize("family", ["resnet", "lenet"])
def test_solvers_that_can_not_be(run, tmp_path, monkeypatch, family, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    assert run(family, *arguments.split()) == (2, "", f"caffegen: {sentence}\n")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("data", ["hdf5", "input"])
def test_data_that_caffe_does_not_transform_are_said(run, data):
    _, out, _ = run("lenet", "--phase", "train_val", "--data", data)
    command, note, *_ = out.splitlines()
    assert command == f"# caffegen lenet --phase train_val --data {data}"
    assert note.startswith("# ")
    assert "mean, crops and mirror images are for" in note


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("mobilenet --width 0.6",
         "--width: `0.6` is not one of 1.4, 1.0, 0.75, 0.5, 0.35, 0.25; did you mean `0.5`?"),
        ("resnet --data hdf", "--data: `hdf` is not one of lmdb, imagedata, hdf5, input; did you "
                              "mean `hdf5`?"),
        ("resnet --dataset cifar", "--dataset: `cifar` is not one of imagenet, cifar10, cifar100; "
                                   "did you mean `cifar10`?"),
    ],
    ids=["number", "word", "dataset"],
)  # fmt: skip
def test_the_nearest_of_what_there_is(run, arguments, sentence):
    assert run(*arguments.split()) == (2, "", f"caffegen: {sentence}\n")


def test_help_of_every_family(run):
    for family in FAMILIES:
        code, out, err = run(family, "--help")
        assert (code, err) == (0, ""), family
        assert "--data" in out
        assert "--solver" in out
