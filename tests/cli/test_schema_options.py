"""--dialect, --proto and --plugin, and what stands for them in pyproject.toml."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from caffegen.cli.schema_options import DIALECTS
from caffegen.schema import dialects
from tests.cli.conftest import INPUT

pytestmark = pytest.mark.usefixtures("additions")

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
PLUGIN = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
NET = re.search(r"```prototxt\n(.*?)```", PAGE, re.DOTALL)[1]
CEIL = 'layer {\n  name: "m"\n  type: "Pooling"\n  bottom: "data"\n  top: "m"\n  pooling_param { kernel_size: 3 stride: 2 %s }\n}\n'
PERMUTE = (
    INPUT
    + 'layer {\n  name: "p"\n  type: "Permute"\n  bottom: "data"\n  top: "p"\n  permute_param { order: 0 order: 2 order: 3 order: 1 }\n}\n'
)
FOLD = (
    INPUT
    + 'layer {\n  name: "f"\n  type: "Fold"\n  bottom: "data"\n  top: "f"\n  fold_param { times: 3 }\n}\n'
)
PROTO = """syntax = "proto2";
message LayerParameter { optional FoldParameter fold_param = 999; }
message FoldParameter { optional uint32 times = 1; }
"""


def test_the_options_have_the_dialects_of_the_schema():
    assert tuple(dialects.DIALECTS) == DIALECTS


def test_check_says_which_caffe_it_is_and_takes_its_name(program, write):
    code, out, err = program("check", write(PERMUTE))
    assert (code, err) == (0, "1 file checked: 0 errors, 1 warning\n")
    assert "warning[fork-schema]: BVLC Caffe refuses this file: it fits the schema of ssd, " in out
    assert "= help: say which Caffe it is for, as in --dialect ssd" in out
    assert program("check", "--strict", write(PERMUTE))[0] == 1
    code, out, err = program("check", "--strict", "--dialect", "ssd", write(PERMUTE))
    assert (code, out, err) == (0, "", "1 file checked: no faults\n")
    code, out, err = program("check", "--dialect", "bvlc", write(PERMUTE))
    assert (code, err) == (1, "1 file checked: 2 errors, 0 warnings\n")
    assert "error[not-in-dialect]: the Caffe of `bvlc` has no `permute_param`; " in out


def test_a_dialect_that_there_is_not(program, write):
    code, _, err = program("check", "--dialect", "segne", write(PERMUTE))
    assert code == 2
    assert err.startswith("caffegen: --dialect: `segne` is not one of bvlc, ssd, ")
    assert "did you mean `segnet`?" in err


def test_summary_shows_and_says_what_is_not_known(program, write):
    code, out, err = program("summary", write(FOLD))
    assert code == 0
    assert re.search(r"^f +Fold +data +\? +\? +\?", out, re.MULTILINE)
    assert "error[unknown-layer-type]: no layer type `Fold`" in err
    code, out, err = program("summary", write(PERMUTE))
    assert (code, "1x8x8x3" in out) == (0, True)
    assert "warning[fork-schema]" in err
    assert "fork-schema" not in program("summary", "--dialect", "ssd", write(PERMUTE))[2]


def test_what_is_not_known_is_the_same_and_stays(program, write):
    write(FOLD, "a.prototxt")
    write(FOLD.replace("  fold_param { times: 3 }", "  fold_param {   times: 3 }"), "b.prototxt")
    write(FOLD.replace("times: 3", "times: 4"), "c.prototxt")
    assert program("diff", "a.prototxt", "b.prototxt")[0] == 0
    code, out, _ = program("diff", "a.prototxt", "c.prototxt")
    assert (code, "fold_param" in out) == (1, True)
    code, out, _ = program("upgrade", "a.prototxt")
    assert (code, out) == (0, FOLD)
    code, _, _ = program("fmt", "--check", "a.prototxt")
    assert code == 0


def test_a_schema_of_one_s_own(program, write):
    write(PROTO, "my_caffe.proto")
    assert "unknown-field" in program("check", write(FOLD))[1]
    out = program("check", "--proto", "my_caffe.proto", write(FOLD))[1]
    assert "unknown-field" not in out
    assert "unknown-layer-type" in out
    write(PROTO.replace("999", ""), "bad.proto")
    code, _, err = program("check", "--proto", "bad.proto", write(FOLD))
    assert code == 2
    assert re.fullmatch(r"caffegen: bad\.proto:2:62: [A-Z].*[^.]\n", err)


def test_a_plug_in(program, write):
    write(PLUGIN, "soft_shrink.py")
    assert program("check", write(NET))[0] == 1
    code, out, _ = program("check", "--plugin", "soft_shrink.py", write(NET))
    assert (code, out) == (0, "")
    write("1 / 0\n", "bad.py")
    code, _, err = program("check", "--plugin", "bad.py", write(NET))
    assert (code, err) == (2, "caffegen: bad.py:1: ZeroDivisionError: division by zero\n")
    code, _, err = program("check", "--plugin", "none.py", write(NET))
    assert code == 3


def test_what_a_project_says_once(program, write):
    write(PLUGIN, "soft_shrink.py")
    write(
        '[tool.caffegen]\ndialect = "ssd"\nplugins = ["soft_shrink.py"]\nstrict = true\n',
        "pyproject.toml",
    )
    assert program("check", write(NET), write(PERMUTE, "p.prototxt"))[0] == 0
    assert program("check", "--dialect", "segnet", write(PERMUTE))[0] == 1
    write('[tool.caffegen]\ndialect = "sdd"\n', "pyproject.toml")
    code, _, err = program("check", write(NET))
    assert code == 3
    assert "in [tool.caffegen] `dialect` is `sdd`; it takes one of bvlc, ssd, " in err


def test_convert_says_which_caffe_it_is_and_what_it_can_not(program, write):
    ceil = write(INPUT + CEIL % "ceil_mode: false")
    code, _, err = program("convert", ceil, "-o", "m.onnx")
    assert code == 0
    assert (
        "warning[fork-schema]: BVLC Caffe refuses this file: no fork that caffegen knows has" in err
    )
    code, _, err = program("convert", write(INPUT + CEIL % "bin_size: 2"), "-o", "n.onnx")
    assert code == 2
    assert "layer `m` (Pooling) has no ONNX form: `bin_size` is set, and caffegen does not" in err
    code, _, err = program("convert", "--dialect", "bvlc", ceil, "-o", "m.onnx")
    assert (code, "not-in-dialect" in err) == (1, True)


def test_convert_of_a_folder_takes_a_plug_in_into_every_process(program, write, tmp_path):
    write(PLUGIN, "soft_shrink.py")
    for name in ("a", "b"):
        write(NET, f"nets/{name}.prototxt")
    code, out, err = program(
        "convert", "--plugin", "soft_shrink.py", "--fill", "1", "--jobs", "2", "nets", "-o", "out/"
    )
    assert code == 0, out + err
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.onnx")) == ["a.onnx", "b.onnx"]
