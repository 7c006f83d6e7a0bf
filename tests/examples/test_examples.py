"""Every example runs as it stands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
BIN = Path(sys.executable).parent


def run(*arguments, folder):
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("[0-9]*.py")), ids=lambda path: path.stem)
def test_example(path, tmp_path):
    done = run(sys.executable, str(path), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_demo_from_text_to_proof(tmp_path):
    done = run("sh", str(EXAMPLES / "demo.sh"), "out", "18", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "agree across torch, onnxruntime, opencv" in done.stdout
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {"resnet18.prototxt", "resnet18.caffemodel", "resnet18.onnx"}
