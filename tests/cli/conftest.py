"""The program in this process, and nets to run it on."""

import io
from types import SimpleNamespace

import pytest

from caffegen.cli.main import main

INPUT = (
    'layer {\n  name: "data"\n  type: "Input"\n  top: "data"\n'
    "  input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } }\n}\n"
)
RELU = 'layer {\n  name: "relu"\n  type: "ReLU"\n  bottom: "data"\n  top: "relu"\n}\n'


@pytest.fixture
def program(capfd, monkeypatch, tmp_path):
    """Run a command line in a folder of its own: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments, stdin=None):
        if stdin is not None:
            monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return end.value.code, captured.out, captured.err

    return call


@pytest.fixture
def write(tmp_path):
    """Write a file into the folder of the test; returns its name."""

    def call(text, name="net.prototxt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return name

    return call
