# ruff: noqa: ISC004 - sentences in a table
from __future__ import annotations

import os
import subprocess
import sys

import pytest

from caffegen.cli.main import main
from caffegen.schema import message_type
from caffegen.text import Source, parse

MYNET = '''"""Nets of my own."""
from typing import Literal, Optional

from caffegen import NetSpec, layers as L


def mynet(depth: int = 2, widths: tuple[int, ...] = (8, 16), pool: Literal["MAX", "AVE"] = "MAX",
          bias=True, plain=False, ratio: Optional[float] = None, title="mine"):
    """A net in ten lines.

    depth: how many convolutions
    """
    n = NetSpec(title)
    n.data = top = L.Input(shape=dict(dim=[1, 3, 8, 8]))
    for index in range(depth):
        width = widths[index % len(widths)]
        top = n[f"conv{index}"] = L.Convolution(top, num_output=width, kernel_size=1, bias_term=bias)
    if ratio is not None:
        n.drop = L.Dropout(top, in_place=True, dropout_ratio=ratio)
    n.pool = L.Pooling(top, pool=pool, global_pooling=True)
    return n
'''


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run `caffegen emit` in a folder of its own with these files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def call(*arguments, **files):
        for name, text in files.items():
            stem, _, suffix = name.rpartition("_")
            (tmp_path / f"{stem}.{suffix}").write_text(text, encoding="utf-8")
        before = set(sys.modules)
        with pytest.raises(SystemExit) as end:
            main(["emit", *arguments])
        for name in {"mynet", "other"} & (set(sys.modules) - before):
            del sys.modules[name]
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return call


def net(text):
    parsed = parse(Source(text), message_type("NetParameter"))
    assert parsed.faults == []
    return parsed.message


def test_a_function_of_ten_lines(run):
    code, out, err = run("mynet.py:mynet", mynet_py=MYNET)
    assert (code, err) == (0, "")
    assert out.startswith('# caffegen emit mynet.py:mynet\nname: "mine"\n')
    message = net(out)
    assert [layer.name for layer in message.layer] == ["data", "conv0", "conv1", "pool"]
    assert [x.convolution_param.num_output for x in message.layer[1:3]] == [8, 16]


def test_parameters_are_options(run):
    arguments = ["--depth", "3", "--widths", "4, 5,6", "--pool=AVE", "--no-bias", "--plain",
                 "--ratio", "0.25", "--title", "a net"]  # fmt: skip
    code, out, err = run("mynet.py:mynet", *arguments, mynet_py=MYNET)
    assert (code, err) == (0, "")
    header, _, _ = out.partition("\n")
    assert header == (
        "# caffegen emit mynet.py:mynet --depth 3 --widths 4,5,6 --pool AVE --no-bias --plain "
        "--ratio 0.25 --title 'a net'"
    )
    message = net(out)
    assert message.name == "a net"
    convolutions = [x.convolution_param for x in message.layer if x.type == "Convolution"]
    assert [x.num_output for x in convolutions] == [4, 5, 6]
    assert not any(x.bias_term for x in convolutions)
    assert message.layer[4].dropout_param.dropout_ratio == 0.25
    assert message.layer[5].pooling_param.pool == "AVE"


def test_the_header_builds_the_same_net_again(run):
    _, first, _ = run("mynet.py:mynet", "--depth=1", "--title=x y", mynet_py=MYNET)
    words = first.partition("\n")[0].replace("'x y'", "x_y").split()[3:]
    again = run(*[word.replace("x_y", "x y") for word in words])[1]
    assert again == first


def test_the_only_function_needs_no_name(run):
    code, out, err = run("mynet.py", mynet_py=MYNET)
    assert (code, err) == (0, "")
    assert out.startswith("# caffegen emit mynet.py:mynet\n")


def test_help_of_a_function(run):
    code, out, err = run("mynet.py:mynet", "--help", mynet_py=MYNET)
    assert (code, err) == (0, "")
    assert out.startswith(
        "Usage: caffegen emit mynet.py:mynet [OPTIONS]\n\n  A net in ten lines.\n"
    )
    assert "\n  depth: how many convolutions\n" in out
    for words in ("--depth WHOLE NUMBER", "Usually 2.", "Usually 8,16.", "--pool MAX|AVE",
                  "--bias / --no-bias", "--ratio NUMBER", "-o, --output FILE"):  # fmt: skip
        assert words in out


def test_help_without_a_file(run):
    code, out, _ = run("--help")
    assert code == 0
    for words in ("mynet.py:mynet", "[[stages]]", "preactivation"):
        assert words in out


@pytest.mark.parametrize("before", [True, False], ids=["before", "behind"])
def test_into_a_file(run, tmp_path, before):
    output = ["-o", "net.prototxt"]
    arguments = [*output, "mynet.py:mynet"] if before else ["mynet.py:mynet", *output]
    assert run(*arguments, "--depth", "1", mynet_py=MYNET) == (0, "", "")
    assert (tmp_path / "net.prototxt").read_text().startswith("# caffegen emit mynet.py:mynet --d")
    assert len(os.listdir(tmp_path)) == 2 + os.path.exists(tmp_path / "__pycache__")


def test_what_the_file_prints_is_no_part_of_the_net(run):
    text = "print('loading')\n" + MYNET.replace("    n = ", "    print('building')\n    n = ")
    code, out, err = run("mynet.py:mynet", mynet_py=text)
    assert (code, err) == (0, "loading\nbuilding\n")
    assert out.startswith("# caffegen emit")


def test_modules_beside_the_file_are_found(run):
    text = "from other import mynet\n\ndef net(): return mynet(depth=1)\n"
    code, out, err = run("mynet.py:net", mynet_py=text, other_py=MYNET)
    assert (code, err) == (0, "")
    assert len(net(out).layer) == 3


RETURNED = [
    ("n", "1 layer"),
    ("n.to_message()", "1 layer"),
    ("n.to_proto()", "1 layer"),
    ("caffegen.loads(n)", "1 layer"),
    ("n.data", "1 layer"),
    ("(n.data, n.data)", "1 layer"),
    ("None", "`net` returns nothing; it must return the NetSpec"),
    ("3", "`net` returns a int; it must return the NetSpec"),
    ("()", "`net` returns a tuple; it must return the NetSpec"),
]


@pytest.mark.parametrize(("value", "expected"), RETURNED, ids=[value for value, _ in RETURNED])
def test_what_a_function_may_return(run, value, expected):
    text = f"""
import caffegen
from caffegen import layers as L

def net():
    n = caffegen.NetSpec("x")
    n.data = L.Input(shape=dict(dim=[1]))
    return {value}
"""
    code, out, err = run("mynet.py:net", mynet_py=text)
    if expected == "1 layer":
        assert (code, err) == (0, "")
        assert [layer.type for layer in net(out).layer] == ["Input"]
    else:
        assert (code, out, err) == (2, "", f"caffegen: mynet.py:5: {expected}\n")


def test_a_net_that_the_file_has_made(run):
    text = MYNET + "\nready = mynet(depth=1)\n"
    code, out, err = run("mynet.py:ready", mynet_py=text)
    assert (code, err) == (0, "")
    assert out.startswith("# caffegen emit mynet.py:ready\n")
    assert run("mynet.py:ready", "--depth", "2")[2] == "caffegen: there is no option `--depth`\n"


SIGNATURES = [
    ("x: int", ["--x", "-3"], "-3"),
    ("x: float", ["--x", "1e-3"], "0.001"),
    ("x: str", ["--x", "7"], "'7'"),
    ("x", ["--x", "7"], "7"),
    ("x", ["--x", "7.5"], "7.5"),
    ("x", ["--x", "seven"], "'seven'"),
    ("x=None", ["--x", "7"], "7"),
    ("x=None", [], "None"),
    ("x: bool", ["--x"], "True"),
    ("x: bool", [], "False"),
    ("x: bool = True", ["--no-x"], "False"),
    ("x: 'int | None' = None", ["--x", "5"], "5"),
    ("x: 'str | int' = 1", ["--x", "5"], "5"),
    ("x: 'str | int' = 1", ["--x", "five"], "'five'"),
    ("x: tuple[int, float] = (1, 2.0)", ["--x", "3,4"], "(3, 4.0)"),
    ("x: list[str] = []", ["--x", "a,b"], "['a', 'b']"),
    ("x: list[str]", ["--x", ""], "[]"),
    ("x=(1, 2)", ["--x", "3"], "(3,)"),
    ("x=(1, 'a')", ["--x", "3,b"], "(3, 'b')"),
    ("x: Literal[18, 34] = 18", ["--x", "34"], "34"),
    ("x=1, /", ["--x", "2"], "2"),
    ("*, x_y=1, **rest", ["--x-y", "2"], "2"),
    ("x: dict = {}, *more", [], "{}"),
]


@pytest.mark.parametrize(
    ("signature", "arguments", "value"), SIGNATURES,
    ids=[f"{signature} {' '.join(words)}" for signature, words, _ in SIGNATURES],
)  # fmt: skip
def test_types_of_parameters(run, signature, arguments, value):
    name = "x_y" if "x_y" in signature else "x"
    text = f"""
from typing import Literal
from caffegen import NetSpec

def net({signature}):
    return NetSpec(repr({name}))
"""
    code, out, err = run("mynet.py:net", *arguments, mynet_py=text)
    assert (code, err) == (0, "")
    assert net(out).name == value


WRONG_OPTIONS = [
    ("x: int", [], "--x is missing"),
    ("x: int", ["--x", "a"], "--x: `a` is not a whole number"),
    ("x: float = 1", ["--x", "a"], "--x: `a` is not a number"),
    ("x: int | None = None", ["--x", "a"], "--x: `a` is not a whole number"),
    (
        "x: tuple[int, int] = (1, 2)",
        ["--x", "1"],
        "--x: `1` is not 2 values with commas between, a whole number, a whole number",
    ),
    (
        "x: tuple[int, ...] = ()",
        ["--x", "1,b"],
        "--x: `1,b` is not a list with commas between, each item a whole number",
    ),
    (
        "x: Literal['basic', 'plain'] = 'plain'",
        ["--x", "basik"],
        "--x: `basik` is not one of basic, plain; did you mean `basic`?",
    ),
    ("depth=1", ["--dept", "2"], "there is no option `--dept`; did you mean `--depth`?"),
    ("depth=1", ["2"], "got unexpected extra argument (2)"),
    (
        "output=1",
        [],
        "mynet.py:5: the parameter `output` can't be an option, since --output is "
        "caffegen's; give it another name",
    ),
    (
        "x: dict",
        [],
        "mynet.py:5: the parameter `x` can't be an option: options are numbers, "
        "strings, flags, Literal choices, and tuples of them",
    ),
    ("x: Nothing = 1", [], "mynet.py:5: NameError: name 'Nothing' is not defined"),
]


@pytest.mark.parametrize(
    ("signature", "arguments", "sentence"), WRONG_OPTIONS,
    ids=[f"{signature} {' '.join(words)}" for signature, words, _ in WRONG_OPTIONS],
)  # fmt: skip
def test_wrong_options(run, signature, arguments, sentence):
    text = (
        "from __future__ import annotations\nfrom typing import Literal\nimport caffegen\n\n"
        f"def net({signature}):\n    return caffegen.NetSpec('x')\n"
    )
    assert run("mynet.py:net", *arguments, mynet_py=text) == (2, "", f"caffegen: {sentence}\n")


HEAD = """from caffegen import NetSpec, layers as L
from caffegen.dsl import blocks as B

def net():
    n = NetSpec("x")
    n.data = L.Input(shape=dict(dim=[1, 3, 8, 8]))
"""
FAULTS = [
    (
        "    n.fc = L.InnerProduct(n.data, num_output=8 // 0)\n",
        "7: ZeroDivisionError: integer division or modulo by zero, in "
        "`n.fc = L.InnerProduct(n.data, num_output=8 // 0)`",
    ),
    (
        "    n.fc = L.InnerProduct(n.data, num_outputs=8)\n    return n\n",
        "7: layer `fc` (InnerProduct): no field `num_outputs`; did you mean `num_output`?",
    ),
    (
        "    n.fc = L.InnerProduct(n.dta, num_output=8)\n",
        "7: the net has no blob `dta`; did you mean `data`?",
    ),
    (
        "    n.fc = L.InnerProduct('data', num_output=8)\n",
        "7: `InnerProduct`: input 0 is not a Top (its type is str)",
    ),
    # a layer that a block makes belongs to the line that asks for the block
    (
        "    f = B.Feature(n.data, 3, 8)\n    names = B.UnitNames('a', 'b', 'c', 'd')\n"
        "    B.conv_bn_scale_relu(n, f, names, B.Conv('8', 3), B.Recipe())\n    return n\n",
        "9: layer `a` (Convolution): `num_output` takes an integer, found `'8'`",
    ),
    (
        "    from caffegen.zoo import resnet\n    return resnet(51)\n",
        "8: there is no ResNet-51 for ImageNet, only 18, 34, 50, 101 and 152; the nearest is 50",
    ),
    (
        "    return caffegen_loads\n",
        "7: NameError: name 'caffegen_loads' is not defined, in `return caffegen_loads`",
    ),
    ("    raise SystemExit\n", "7: SystemExit, in `raise SystemExit`"),
    (
        "    assert n is None, 'two\\nlines'\n",
        "7: AssertionError: two lines, in `assert n is None, 'two\\nlines'`",
    ),
    (
        "    def inner(): return 1 / 0\n    return inner()\n",
        "7: ZeroDivisionError: division by zero, in `def inner(): return 1 / 0`",
    ),
    (
        "    n += 3\n",
        "7: TypeError: unsupported operand type(s) for +=: 'NetSpec' and 'int', in `n += 3`",
    ),
]


@pytest.mark.parametrize(
    ("lines", "sentence"), FAULTS, ids=[s.partition(": ")[2][:40] for _, s in FAULTS]
)
def test_faults_are_said_at_the_line_of_the_user(run, lines, sentence):
    assert run("mynet.py:net", mynet_py=HEAD + lines) == (2, "", f"caffegen: mynet.py:{sentence}\n")


def test_a_file_that_fails_when_it_is_run(run):
    code, out, err = run("mynet.py:net", mynet_py="import caffegen\nimport nowhere_at_all\n")
    assert (code, out) == (2, "")
    assert err == (
        "caffegen: mynet.py:2: ModuleNotFoundError: No module named 'nowhere_at_all', in "
        "`import nowhere_at_all`\n"
    )


def test_a_file_that_is_no_python(run):
    code, out, err = run("mynet.py:net", mynet_py="x = 1\ndef net(:\n")
    assert (code, out) == (2, "")
    assert err == "caffegen: mynet.py:2:9: invalid syntax (Python can't read the file)\n"
    code, _, err = run("mynet.py:net", mynet_py="import other\n", other_py="x = = 1\n")
    assert (code, err.partition("other.py:1:5: ")[2]) == (
        2, "invalid syntax (Python can't read the file)\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("target", "code", "sentence"),
    [
        ("mynet.py:mynt", 2, "mynet.py:1: there is no `mynt` in the file; did you mean `mynet`?"),
        ("mynet.py:zzz", 2, "mynet.py:1: there is no `zzz` in the file; it defines mynet, also"),
        ("mynet.py", 2, "`mynet.py` needs the name of a function, as in mynet.py:net; name one of "
                        "them: mynet, also"),
        ("mynet.py:a b", 2, "`a b` is no name of a function, as in mynet.py:net"),
        ("mynet", 2, "`mynet` is neither a function, as in mynet.py:mynet, nor a table, as in "
                     "table.toml"),
        ("none.py:net", 3, "`none.py`: it can't be read: no such file or directory"),
        ("none.toml", 3, "`none.toml`: it can't be read: no such file or directory"),
    ],
    ids=["near", "none", "no name", "no identifier", "no suffix", "no file", "no table"],
)  # fmt: skip
def test_targets_that_are_none(run, target, code, sentence):
    text = MYNET + "\ndef also():\n    pass\n"
    assert run(target, mynet_py=text) == (code, "", f"caffegen: {sentence}\n")


def test_nothing_to_emit(run):
    assert run() == (2, "", "caffegen: FILE.py:FUNCTION|FILE.toml is missing\n")


TABLE = """dataset = "cifar10"
shortcut = "A"
[stem]
kind = "3x3"
width = 16
[[stages]]
count = 1
width = 16
"""


def test_a_table(run):
    code, out, err = run("net.toml", net_toml=TABLE)
    assert (code, err) == (0, "")
    assert out.startswith('# caffegen emit net.toml\nname: "net"\n')
    assert [layer.name for layer in net(out).layer][-3:] == ["pool", "fc", "prob"]
    code, out, err = run("net.toml", "--classes", "3", "--phase", "train_val", "--batch", "5")
    assert (code, err) == (0, "")
    assert out.startswith("# caffegen emit net.toml --classes 3 --batch 5 --phase train_val\n")


def test_a_table_with_its_solver(run, tmp_path):
    arguments = ["net.toml", "--phase", "train_val", "-o", "t.prototxt", "--solver", "s.prototxt"]
    assert run(*arguments, net_toml=TABLE) == (0, "", "")
    text = (tmp_path / "s.prototxt").read_text()
    assert text.startswith("# caffegen emit net.toml --phase train_val\n")
    assert '\nnet: "t.prototxt"\n' in text


def test_a_fault_in_a_table(run):
    text = TABLE.replace("count", "cuont")
    sentence = "net.toml:7:1: [[stages]] has no key `cuont`; did you mean `count`?"
    assert run("net.toml", net_toml=text) == (2, "", f"caffegen: {sentence}\n")
    assert run("net.toml", "--clases", "3", net_toml=TABLE)[2] == (
        "caffegen: there is no option `--clases`; did you mean `--classes`?\n"
    )


def test_as_a_program(tmp_path):
    (tmp_path / "mynet.py").write_text(MYNET)
    done = subprocess.run(
        [sys.executable, "-m", "caffegen", "emit", "mynet.py:mynet", "--depth", "1"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(os.path.dirname(__file__)))},
    )  # fmt: skip
    assert done.stderr == ""
    assert len(net(done.stdout).layer) == 3


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        ("net.toml -o net.toml", "net.toml"),
        ("-o ./net.toml net.toml", "./net.toml"),
        ("net.toml --phase train_val -o t.prototxt --solver net.toml", "net.toml"),
        ("mynet.py:mynet -o mynet.py", "mynet.py"),
    ],
)
def test_what_describes_the_net_is_not_written_over(run, tmp_path, arguments, target):
    read = target.removeprefix("./")
    said = "the file that is read" if read == target else f"`{read}`, which is read"
    sentence = f"`{target}` is {said}; write to another"
    texts = {"net_toml": TABLE, "mynet_py": MYNET}
    assert run(*arguments.split(), **texts) == (2, "", f"caffegen: {sentence}\n")
    assert (tmp_path / "net.toml").read_text() == TABLE
    assert (tmp_path / "mynet.py").read_text() == MYNET
    assert not (tmp_path / "t.prototxt").exists()
