"""Every example runs, as it stands or shortened by its own options."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
BIN = Path(sys.executable).parent
SHORT = ["--nets", "plain-8,resnet-8,highway-11", "--iterations", "4", "--batch", "16"]
OPTIONS = {
    "05_degradation": [*SHORT, "--every", "2", "--save", "trained"],
    "06_deleted_blocks": [*SHORT, "--draws", "2", "--most", "2"],
}


def run(*arguments, folder):
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("[0-9]*.py")), ids=lambda path: path.stem)
def test_example(path, tmp_path):
    done = run(sys.executable, str(path), *OPTIONS.get(path.stem, []), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert done.stderr == ""


def test_the_textbook_blocks_have_the_textbook_shapes(tmp_path):
    done = run(sys.executable, str(EXAMPLES / "04_textbook_blocks.py"), folder=tmp_path)
    lines = [line.split() for line in done.stdout.splitlines()]
    shapes = {"data": "224x224x3", "conv1": "224x224x64"}
    assert lines[0] == ["identity", "block"]
    assert dict(lines[1:5]) == {**shapes, "conv2": "224x224x3", "sum": "224x224x3"}
    assert lines[5] == ["projection", "block"]
    assert dict(lines[6:]) == {
        **shapes, "conv2": "224x224x64", "projection": "224x224x64", "sum": "224x224x64",
    }  # fmt: skip


def test_degradation_adds_nets_to_the_figures_of_the_same_recipe(tmp_path):
    script = [sys.executable, str(EXAMPLES / "05_degradation.py"), "--batch", "8", "--iterations"]
    for options in (["2", "--nets", "resnet-8"], ["2", "--nets", "plain-8"]):
        assert run(*script, *options, folder=tmp_path).returncode == 0
    path = tmp_path / "figures" / "degradation.json"
    figures = json.loads(path.read_text(encoding="utf-8"))
    assert set(figures["nets"]) == {"resnet-8", "plain-8"}
    # both have the same parameters: option A's shortcuts have none
    assert len({net["parameters"] for net in figures["nets"].values()}) == 1
    assert run(*script, "1", "--nets", "plain-8", folder=tmp_path).returncode == 0
    assert set(json.loads(path.read_text(encoding="utf-8"))["nets"]) == {"plain-8"}


def test_degradation_says_what_does_not_fit(tmp_path):
    done = run(
        sys.executable, str(EXAMPLES / "05_degradation.py"), "--nets", "resnet-19", folder=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr.startswith("there is no ResNet-19 for CIFAR, whose depths are 6n + 2")
    assert done.stderr.count("\n") == 1


def test_demo_from_text_to_proof(tmp_path):
    done = run("sh", str(EXAMPLES / "demo.sh"), "out", "18", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "agree across torch, onnxruntime, opencv" in done.stdout
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {"resnet18.prototxt", "resnet18.caffemodel", "resnet18.onnx"}
