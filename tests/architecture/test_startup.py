"""What a command brings in when it starts: measured in a process of its own."""

import json
import subprocess
import sys

import pytest

NEVER = {"numpy", "torch", "onnx", "onnxruntime", "cv2", "h5py", "rich", "jinja2", "difflib"}


def modules_after(arguments: list[str]) -> set[str]:
    code = (
        "import sys, json, io, contextlib\n"
        "from caffegen.cli.main import main\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    try:\n"
        f"        main({arguments!r})\n"
        "    except SystemExit as done:\n"
        "        code = done.code\n"
        "assert not code, code\n"
        "print(json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def lenet(tmp_path_factory):
    path = tmp_path_factory.mktemp("net") / "net.prototxt"
    path.write_text(
        'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 1 dim: 28 '
        'dim: 28 } } }\nlayer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" '
        "inner_product_param { num_output: 10 } }\n"
    )
    return str(path)


def test_emitting_a_resnet_brings_in_nothing_heavy():
    loaded = modules_after(["resnet", "--depth", "101"])
    assert not loaded & (NEVER | {"google.protobuf"})


def test_checking_brings_in_no_numpy_and_no_protobuf(lenet):
    loaded = modules_after(["check", lenet])
    assert not loaded & (NEVER | {"google.protobuf"})


def test_summary_brings_in_no_numpy(lenet):
    assert not modules_after(["summary", lenet]) & NEVER


def test_importing_caffegen_is_free():
    code = "import sys, json, caffegen; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & (NEVER | {"google.protobuf", "click"})
    assert not any(name.startswith("caffegen.") for name in loaded)
