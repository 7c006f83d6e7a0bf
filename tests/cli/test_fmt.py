"""`caffegen fmt`: in place, checked, as a difference, and through a pipe."""

import pytest

UGLY = "layer{name:\"a\"  # the first\ntype :'ReLU'}\n"
NEAT = 'layer {\n  name: "a"  # the first\n  type: "ReLU"\n}\n'


def test_in_place(program, write, tmp_path):
    name = write(UGLY)
    assert program("fmt", name) == (0, "", "1 of 1 changed\n")
    assert (tmp_path / name).read_text() == NEAT
    assert program("fmt", name) == (0, "", "0 of 1 changed\n")


def test_check_writes_nothing(program, write, tmp_path):
    write(NEAT, "neat.prototxt")
    name = write(UGLY, "ugly.prototxt")
    code, out, err = program("fmt", "--check", ".")
    assert (code, out) == (1, "")
    assert err == "would change: ./ugly.prototxt\n1 of 2 would change\n"
    assert (tmp_path / name).read_text() == UGLY
    assert program("fmt", "--check", "neat.prototxt")[0] == 0


def test_diff_writes_nothing(program, write, tmp_path):
    name = write(UGLY)
    code, out, _ = program("fmt", "--diff", name)
    assert code == 1
    assert out.startswith("--- net.prototxt\n+++ net.prototxt\n@@ ")
    assert '+  name: "a"  # the first\n' in out
    assert (tmp_path / name).read_text() == UGLY


def test_diff_of_a_text_without_a_last_newline(program, write):
    out = program("fmt", "--diff", write('name: "a"'))[1]
    assert out.endswith('-name: "a"\n+name: "a"\n')


def test_standard_input(program):
    assert program("fmt", "-", stdin=UGLY) == (0, NEAT, "")
    assert program("fmt", "--check", "-", stdin=NEAT)[0] == 0
    code, out, _ = program("fmt", "--check", "-", stdin=UGLY)
    assert (code, out) == (1, "")


def test_bytes_that_are_no_utf8_pass_through(program, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_bytes(b'name:"caf\xe9"')
    assert program("fmt", "net.prototxt")[0] == 0
    assert path.read_bytes() == b'name: "caf\xe9"\n'


def test_broken_text_is_left_alone(program, write, tmp_path):
    name = write("layer { name: }\n")
    code, out, err = program("fmt", name)
    assert (code, out) == (1, "")
    assert err.startswith("error[")
    assert "net.prototxt:1:" in err
    assert (tmp_path / name).read_text() == "layer { name: }\n"


@pytest.mark.parametrize("options", [[], ["--check"]], ids=["write", "check"])
def test_unreadable(program, options):
    code, _, err = program("fmt", "absent.prototxt", *options)
    assert code == 3
    assert "`absent.prototxt`: it can't be read" in err


def test_excluded_files(program, write):
    write('[tool.caffegen]\nexclude = ["vendor"]\n', "pyproject.toml")
    write(UGLY, "vendor/net.prototxt")
    assert program("fmt", "--check", ".")[0] == 0
    assert program("fmt", "--check", "vendor/net.prototxt")[0] == 1
