"""The wheel: what is in it, and that it runs where nothing else is installed."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "-w",
        str(folder),
        str(ROOT),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def test_wheel_holds_templates_schema_and_catalogue(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    templates = {path.name for path in (ROOT / "templates").iterdir() if path.is_file()}
    assert templates <= {Path(n).name for n in names if n.startswith("caffegen/templates/")}
    assert {
        "caffegen/schema/caffe_pb2.py",
        "caffegen/schema/tables.py",
        "caffegen/py.typed",
    } <= set(names)
    assert "caffegen/diagnostics/flaws/unknown-field.md" in names
    assert not [n for n in names if n.startswith("tests/")]


def test_wheel_runs_in_an_empty_environment(wheel, tmp_path):
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    binary = environment / "bin"
    command = [
        binary / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        str(wheel),
    ]
    subprocess.run(command, check=True)

    def run(*arguments):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        return subprocess.run(
            [binary / "caffegen", *arguments],
            cwd=tmp_path,
            env=clean,
            capture_output=True,
            text=True,
            check=False,
        )

    emitted = run("resnet", "--depth", "101")
    assert emitted.returncode == 0, emitted.stderr
    (tmp_path / "net.prototxt").write_text(emitted.stdout)
    assert run("check", "net.prototxt").returncode == 0
    assert run("init", "net.prototxt", "-o", "net.caffemodel").returncode == 0
    missing = run("convert", "net.prototxt", "net.caffemodel", "-o", "net.onnx")
    assert missing.returncode == 2
    assert "pip install 'caffegen[onnx]'" in missing.stderr
    assert not (tmp_path / "net.onnx").exists()
    inside = "from caffegen.templating import render_template as r; print(len(r.__module__))"
    assert (
        subprocess.run([binary / "python", "-c", inside], cwd=tmp_path, check=True).returncode == 0
    )
