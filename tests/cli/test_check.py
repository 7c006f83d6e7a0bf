"""`caffegen check`: its options, forms and exit codes."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from caffegen.cli.output import use_color
from caffegen.loader import loads

INPUT = (
    'layer {\n  name: "data"\n  type: "Input"\n  top: "data"\n'
    "  input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } }\n}\n"
)
RELU = 'layer {\n  name: "relu"\n  type: "ReLU"\n  bottom: "data"\n  top: "relu"\n}\n'
CONV = (
    'layer {\n  name: "conv"\n  type: "Convolution"\n  bottom: "data"\n  top: "conv"\n'
    "  convolution_param { num_output: 4 kernel_size: 3 }\n}\n"
)
CLEAN = INPUT + RELU
BROKEN = INPUT + RELU.replace('bottom: "data"', 'bottom: "dta"')
UNSCALED = INPUT + 'layer {\n  name: "bn"\n  type: "BatchNorm"\n  bottom: "data"\n  top: "bn"\n}\n'


def test_clean(program, write):
    assert program("check", write(CLEAN)) == (0, "", "1 file checked: no faults\n")


def test_every_fault_of_every_file_in_one_run(program, write):
    first = write(BROKEN + CONV.replace("kernel_size: 3", "kernel_size: 0"), "a.prototxt")
    second = write(BROKEN, "b.prototxt")
    code, out, err = program("check", first, second)
    assert code == 1
    assert [line for line in out.splitlines() if line.startswith("error")] == [
        "error[unknown-bottom]: no layer before `relu` makes the blob `dta`; did you mean `data`?",
        "error[kernel-size-zero]: `kernel_size` is 0; it must be at least 1",
        "error[unknown-bottom]: no layer before `relu` makes the blob `dta`; did you mean `data`?",
    ]
    assert " --> b.prototxt:10:3\n" in out
    assert err == "2 files checked: 3 errors, 0 warnings\n"


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        (UNSCALED, [], 0),
        (UNSCALED, ["--strict"], 1),
        (CLEAN, ["--strict"], 0),
        (UNSCALED, ["--strict", "--ignore", "batch-norm-without-scale"], 0),
        (BROKEN, ["--ignore", "unknown-bottom"], 0),
    ],
    ids=["warning", "strict", "strict-clean", "ignored-warning", "ignored-error"],
)
def test_exit_code(program, write, text, options, code):
    assert program("check", write(text), *options)[0] == code


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "PATHS"),
        (["--phase", "test", "x"], "`test` is not one of all, TRAIN, TEST"),
        (["--ignore", "unknown-botom", "x"], "--ignore: no finding is called `unknown-botom`; did you mean `unknown-bottom`?"),
        (["--input", "data", "x"], "--input: `data` is not of the form blob=1,3,224,224"),
        (["--expect", "prob=1,-1", "x"], "--expect: `prob=1,-1` is not of the form blob=1,3,224,224"),
        (["--update-snapshot", "x"], "--update-snapshot needs --snapshot, the file to write"),
        (["--fix", "-"], "--fix writes files; standard input is none"),
        (["nets/*.prototxt"], "no file matches `nets/*.prototxt`"),
    ],
    ids=["no-path", "phase", "ignore", "input", "expect", "update", "fix-stdin", "glob"],
)  # fmt: skip
def test_usage(program, arguments, sentence):
    code, out, err = program("check", *arguments)
    assert code == 2
    assert out == ""
    assert sentence.lower() in err.lower()
    assert err.count("\n") == 1


def test_unreadable_files_end_in_3_and_the_rest_is_checked(program, write):
    write("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "lfs.prototxt")
    code, out, err = program("check", "absent.prototxt", "lfs.prototxt", write(BROKEN))
    assert code == 3
    assert out.count("error[") == 1
    assert "caffegen: `absent.prototxt`: it can't be read: no such file or directory\n" in err
    assert "`lfs.prototxt`: it is a Git LFS pointer" in err


def test_folders_globs_and_hidden_files(program, write):
    for name in (
        "a/one.prototxt",
        "a/b/two.pt",
        "a/three.pbtxt",
        "a/.git/four.prototxt",
        "a/five.txt",
    ):
        write(CLEAN, name)
    write("PK\x03\x04torch", "a/weights.pt")
    assert program("check", "a")[2] == "3 files checked: no faults\n"
    assert program("check", "a/*.p*t*", "a/one.prototxt")[2].startswith("2 files")
    assert program("check", "a/**/*.prototxt")[2].startswith("1 file ")


def test_standard_input(program):
    code, out, _ = program("check", "-", stdin=BROKEN)
    assert code == 1
    assert " --> <stdin>:10:3\n" in out


def test_json(program, write):
    code, out, err = program("check", write(BROKEN), "--format", "json")
    document = json.loads(out)
    assert (code, err) == (1, "")
    assert {key: document[key] for key in ("version", "files", "errors", "warnings")} == {
        "version": 1, "files": 1, "errors": 1, "warnings": 0,
    }  # fmt: skip
    (found,) = document["diagnostics"]
    assert (found["name"], found["layer"], found["line"], found["column"]) == (
        "unknown-bottom",
        "relu",
        10,
        3,
    )
    assert found["help"] == "write `data`"


def test_github_and_sarif(program, write):
    name = write(BROKEN)
    code, out, _ = program("check", name, "--format", "github")
    assert code == 1
    assert out.startswith(
        "::error file=net.prototxt,line=10,col=3,endLine=10,endColumn=16,title=unknown-bottom::"
    )
    code, out, _ = program("check", name, "--format", "sarif")
    run = json.loads(out)["runs"][0]
    assert code == 1
    assert [result["ruleId"] for result in run["results"]] == ["unknown-bottom"]
    assert run["tool"]["driver"]["rules"][0]["shortDescription"]["text"] == (
        "a bottom names a blob that no earlier layer makes"
    )


def test_expected_shapes(program, write):
    name = write(INPUT + CONV)
    assert program("check", name, "--expect", "conv=1,4,6,6", "--expect", "data=1x3x8x8")[0] == 0
    code, out, _ = program("check", name, "--expect", "conv=1,4,8,8", "--expect", "cnv=1")
    assert code == 1
    assert "`conv` was expected to be [1, 4, 8, 8], it is [1, 4, 6, 6]" in out
    assert "the net has no blob `cnv`; did you mean `conv`?" in out


def test_given_shapes(program, write):
    text = INPUT.replace("  input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } }\n", "") + CONV
    name = write(text)
    assert program("check", name, "--input", "data=2,3,10,10", "--expect", "conv=2,4,8,8")[0] == 0
    code, out, _ = program("check", name, "--input", "date=2,3,10,10")
    assert code == 1
    assert "--input gives a shape to `date`, a blob that no net has; did you mean `data`?" in out


def test_weights(program, write, tmp_path):
    net = loads(INPUT + CONV, {"conv": [np.zeros((4, 3, 3, 3)), np.zeros(4)]})
    net.save(caffemodel=tmp_path / "good.caffemodel")
    name = write(INPUT + CONV)
    assert program("check", name, "-w", "good.caffemodel")[:2] == (0, "")
    wide = write(INPUT + CONV.replace("num_output: 4", "num_output: 8"), "wide.prototxt")
    code, out, _ = program("check", wide, "-w", "good.caffemodel")
    assert code == 1
    assert (
        "the weight of layer `conv` is [8, 3, 3, 3] in the net and [4, 3, 3, 3] in the file" in out
    )
    code, out, err = program("check", name, "-w", "absent.caffemodel")
    assert (code, out) == (3, "")
    assert "`absent.caffemodel`" in err


def test_snapshot(program, write, tmp_path):
    name = write(INPUT + CONV)
    code, _, err = program("check", name, "--snapshot", "shapes.json")
    assert code == 3
    assert "record it with --update-snapshot" in err
    assert program("check", name, "--snapshot", "shapes.json", "--update-snapshot")[0] == 0
    recorded = json.loads((tmp_path / "shapes.json").read_text())
    assert recorded["files"]["net.prototxt"]["TEST"] == {"data": [1, 3, 8, 8], "conv": [1, 4, 6, 6]}
    assert program("check", name, "--snapshot", "shapes.json")[0] == 0
    write(INPUT + CONV.replace("kernel_size: 3", "kernel_size: 5"))
    code, out, _ = program("check", name, "--snapshot", "shapes.json")
    assert code == 1
    assert "net.prototxt (TEST): `conv` was [1, 4, 6, 6], is [1, 4, 4, 4]" in out


def test_snapshot_holds_in_any_folder(program, write, monkeypatch, tmp_path):
    write(INPUT + CONV, "nets/net.prototxt")
    assert program("check", "nets", "--snapshot", "nets/shapes.json", "--update-snapshot")[0] == 0
    monkeypatch.chdir(tmp_path / "nets")
    assert program("check", "net.prototxt", "--snapshot", "shapes.json")[0] == 0


def test_fix(program, write, tmp_path):
    text = "\ufeff" + INPUT + CONV.replace("kernel_size", "kernelSize")
    code, out, err = program("check", write(text), "--fix")
    assert (code, out) == (0, "")
    assert err == "net.prototxt: 2 fixed\n1 file checked: no faults\n"
    assert (tmp_path / "net.prototxt").read_text() == INPUT + CONV


def test_fix_leaves_what_is_not_safe(program, write, tmp_path):
    code, out, _ = program("check", write(BROKEN), "--fix")
    assert code == 1
    assert "unknown-bottom" in out
    assert (tmp_path / "net.prototxt").read_text() == BROKEN


@pytest.mark.parametrize(
    ("comment", "shown"),
    [
        ("  # caffegen: ignore[unknown-bottom]", False),
        ("  # caffegen: ignore", False),
        ("  # caffegen: ignore[wrong-type, unknown-bottom]", False),
        ("  # caffegen: ignore[wrong-type]", True),
        ("  # caffegen: ignored[unknown-bottom]", True),
    ],
    ids=["by-name", "all", "several", "another", "another-word"],
)
def test_comment_on_the_line(program, write, comment, shown):
    text = BROKEN.replace('bottom: "dta"', f'bottom: "dta"{comment}')
    assert program("check", write(text))[0] == shown


def test_comment_above_the_line_and_for_the_file(program, write):
    above = BROKEN.replace(
        '  bottom: "dta"', '  # caffegen: ignore[unknown-bottom]\n  # as yet\n  bottom: "dta"'
    )
    assert program("check", write(above))[0] == 0
    assert program("check", write("# caffegen: ignore-file[unknown-bottom]\n" + BROKEN))[0] == 0
    assert program("check", write("# caffegen: ignore-file[wrong-type]\n" + BROKEN))[0] == 1


def test_phases(program, write):
    text = (
        INPUT
        + 'layer { name: "a" type: "ReLU" bottom: "data" top: "a" include { phase: TRAIN } }\n'
        + 'layer { name: "b" type: "ReLU" bottom: "a" top: "b" }\n'
    )
    name = write(text)
    assert program("check", name, "--phase", "TRAIN")[0] == 0
    code, out, _ = program("check", name, "--phase", "TEST")
    assert code == 1
    assert "no layer before `b` makes the blob `a` in TEST" in out
    assert "help: `a` makes it, but its rules leave it out of TEST" in out
    assert program("check", name)[0] == 1


def test_stages_and_levels(program, write):
    text = INPUT + BROKEN[len(INPUT) :].replace(
        "}\n", '  include { stage: "deep" min_level: 2 }\n}\n'
    )
    name = write(text)
    assert program("check", name)[0] == 0
    assert program("check", name, "--stage", "deep")[0] == 0
    assert program("check", name, "--stage", "deep", "--level", "2")[0] == 1


def test_pedantic(program, write):
    text = (
        INPUT
        + 'layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { kernel_size: 3 stride: 2 } }\n'
    )
    name = write(text)
    assert program("check", name, "--strict")[0] == 0
    code, out, _ = program("check", name, "--strict", "--pedantic")
    assert code == 1
    assert "rounding-trap" in out


def test_settings(program, write):
    write(
        '[tool.caffegen]\nignore = ["unknown-bottom"]\nexclude = ["old/*"]\nstrict = true\n',
        "pyproject.toml",
    )
    write(BROKEN, "new/net.prototxt")
    write("layer {", "old/net.prototxt")
    assert program("check", ".") == (0, "", "1 file checked: no faults\n")
    # who names a file wants it checked
    assert program("check", "old/net.prototxt")[0] == 1
    write(UNSCALED, "new/net.prototxt")
    assert program("check", ".")[0] == 1


def test_settings_give_shapes_and_phase(program, write):
    write(
        '[tool.caffegen]\nphase = "TEST"\n[tool.caffegen.inputs]\ndata = [1, 3, 10, 10]\n',
        "pyproject.toml",
    )
    text = INPUT.replace("  input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } }\n", "") + CONV
    name = write(text)
    assert program("check", name, "--expect", "conv=1,4,8,8")[0] == 0
    assert program("check", name, "--input", "data=1,3,12,12", "--expect", "conv=1,4,10,10")[0] == 0


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("ignores = []", "in [tool.caffegen] there is no key `ignores`; there are phase, ignore,"),
        ('ignore = "all"', "in [tool.caffegen] `ignore` must be a list of names"),
        ("exclude = [1]", "in [tool.caffegen] `exclude` must be a list of patterns"),
        ('phase = "DEPLOY"', "in [tool.caffegen] `phase` is `DEPLOY`; it takes all, TRAIN or TEST"),
        (
            'inputs = {data = "1,3"}',
            "in [tool.caffegen] the shape of `data` must be a list of sizes",
        ),
        ("strict = 1", "in [tool.caffegen] `strict` must be true or false"),
        ("strict =", "it can't be read as TOML"),
    ],
    ids=["key", "list", "items", "phase", "shape", "bool", "syntax"],
)
def test_settings_that_can_not_be_understood(program, write, toml, sentence):
    write(f"[tool.caffegen]\n{toml}\n", "pyproject.toml")
    code, out, err = program("check", write(CLEAN))
    assert (code, out) == (3, "")
    assert sentence in err


def test_settings_of_another_tool_are_let_be(program, write):
    write('[tool.other]\nname = "caffegen"\n', "pyproject.toml")
    assert program("check", write(CLEAN))[0] == 0


def test_as_a_process(tmp_path):
    (tmp_path / "net.prototxt").write_text(BROKEN)
    command = [sys.executable, "-m", "caffegen", "check", "net.prototxt"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("error[unknown-bottom]: ")
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    "snapshot", ["net.prototxt", "./net.prototxt", "link.json", "net.caffemodel"]
)
def test_a_snapshot_is_not_written_over_what_is_read(program, write, tmp_path, snapshot):
    write(CLEAN)
    loads(CLEAN, {}).save(caffemodel=tmp_path / "net.caffemodel")
    (tmp_path / "link.json").symlink_to("net.prototxt")
    before = (tmp_path / snapshot).read_bytes()
    code, out, err = program(
        "check", "net.prototxt", "-w", "net.caffemodel", "--snapshot", snapshot, "--update-snapshot"
    )
    renamed = snapshot in ("./net.prototxt", "link.json")
    said = "`net.prototxt`, which is read" if renamed else "the file that is read"
    assert (code, out) == (2, "")
    assert err == f"caffegen: `{snapshot}` is {said}; write to another\n"
    assert (tmp_path / snapshot).read_bytes() == before


def test_nothing_that_can_be_checked(program, write, tmp_path):
    (tmp_path / "empty").mkdir()
    assert program("check", "empty") == (0, "", "0 files checked: there is no prototxt\n")
    code, out, err = program("check", "absent")
    assert (code, out) == (3, "")
    assert err.endswith("\n0 files checked, 1 can't be read\n")
    code, _, err = program("check", "absent", write(CLEAN))
    assert code == 3
    assert err.endswith("\n1 file checked, 1 can't be read: no faults\n")


OWN_FLAW = """from caffegen.plugins import Definition, defines

@defines
class Quiet(Definition):
    type = "Quiet"
    def bind(self, param):
        self.fault("too-quiet", "it is too quiet")
    def shapes(self, bottoms):
        return bottoms
"""
QUIET = CLEAN + 'layer { name: "quiet" type: "Quiet" bottom: "relu" top: "quiet" }\n'


@pytest.mark.usefixtures("additions")
def test_findings_of_a_plug_in_are_ignored_by_name(program, write):
    own, net = ("--plugin", write(OWN_FLAW, "own.py")), write(QUIET)
    # without the plug-in nobody can have such a name
    assert program("check", net, "--ignore", "too-quiet") == (
        2, "", "caffegen: --ignore: no finding is called `too-quiet`\n",
    )  # fmt: skip
    code, out, _ = program("check", *own, net)
    assert (code, "error[too-quiet]: it is too quiet" in out) == (1, True)
    assert program("check", *own, net, "--ignore", "too-quiet") == (
        0, "", "1 file checked: no faults\n",
    )  # fmt: skip


@pytest.mark.usefixtures("additions")
def test_settings_that_ignore_what_is_never_found(program, write):
    write('[tool.caffegen]\nignore = ["unknown-botom", "unknown-bottom"]\n', "pyproject.toml")
    code, out, err = program("check", write(BROKEN))
    assert (code, out) == (0, "")
    assert err == (
        "caffegen: in [tool.caffegen] no finding is called `unknown-botom`, which `ignore` leaves "
        "out; did you mean `unknown-bottom`?\n1 file checked: no faults\n"
    )
    write('[tool.caffegen]\nignore = ["too-quiet"]\nplugins = ["own.py"]\n', "pyproject.toml")
    write(OWN_FLAW, "own.py")
    assert program("check", write(QUIET)) == (0, "", "1 file checked: no faults\n")


def test_an_installed_plug_in_may_have_names_of_its_own(program, write, monkeypatch):
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [group])
    assert program("check", write(CLEAN), "--ignore", "too-quiet")[0] == 0


@pytest.mark.parametrize(
    ("variables", "terminal", "colored"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
    ],
    ids=["terminal", "no-terminal", "no-color", "no-color-empty", "dumb"],
)
def test_color(monkeypatch, variables, terminal, colored):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout", SimpleNamespace(isatty=lambda: terminal))
    assert use_color() is colored


def test_standard_output_that_is_closed(program, write, monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    code, _, err = program("check", write(CLEAN))
    assert (code, err) == (3, "caffegen: `<stdout>`: it can't be written: it is closed\n")
