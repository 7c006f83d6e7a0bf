"""The models as OpenCV's own ONNX importers read them: that of OpenCV 4, and that of OpenCV 5.

OpenCV 5 can't be installed beside OpenCV 4: `make` puts it into a folder of its own.
"""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

import caffegen
from caffegen import onnx_bridge, zoo
from caffegen.analysis.fill import fill_params

OPENCV_5 = Path(sys.prefix) / "opencv5"
NETS = {
    "lenet": zoo.lenet,
    "alexnet": lambda: zoo.alexnet(input_size=99),
    "caffenet": lambda: zoo.caffenet(input_size=99),
    "googlenet": lambda: zoo.googlenet(input_size=64),
    "squeezenet": lambda: zoo.squeezenet(input_size=63),
    "vgg-11": lambda: zoo.vgg(depth=11, input_size=32),
    "resnet-18-torchvision": lambda: zoo.resnet(depth=18, style="torchvision", input_size=64),
    "resnet-50-original": lambda: zoo.resnet(depth=50, input_size=64),
    "resnet-50-torchvision": lambda: zoo.resnet(depth=50, style="torchvision", input_size=64),
    "cifar-20-A": lambda: zoo.resnet(depth=20, dataset="cifar10", shortcut="A"),
    "cifar-20-B": lambda: zoo.resnet(depth=20, dataset="cifar10", shortcut="B"),
    "cifar-20-C": lambda: zoo.resnet(depth=20, dataset="cifar10", shortcut="C"),
    "cifar-20-plain": lambda: zoo.resnet(depth=20, dataset="cifar10", plain=True),
}
RUNNER = """
import sys
import cv2, numpy as np
assert cv2.__version__.startswith("5."), cv2.__version__
for name in sys.argv[1:]:
    net = cv2.dnn.readNetFromONNX(name + ".onnx")
    net.setInput(np.load(name + ".npy"))
    np.save(name + ".out.npy", net.forward())
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with each net as a model, its input, and what onnxruntime makes of it."""
    folder = tmp_path_factory.mktemp("models")
    for name, make in NETS.items():
        bare = caffegen.loads(make())
        net = caffegen.loads(bare.message, fill_params(bare.graph, 0))
        path = folder / f"{name}.onnx"
        onnx_bridge.save(net, path)
        (blob,) = net.inputs
        image = np.random.default_rng(1).standard_normal(net.shapes[blob]).astype(np.float32)
        np.save(folder / f"{name}.npy", image)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        np.save(folder / f"{name}.expected.npy", session.run(None, {blob: image})[0])
    return folder


@pytest.mark.parametrize("name", NETS)
def test_opencv_4(models, name):
    net = cv2.dnn.readNetFromONNX(str(models / f"{name}.onnx"))
    net.setInput(np.load(models / f"{name}.npy"))
    np.testing.assert_allclose(net.forward(), np.load(models / f"{name}.expected.npy"), 1e-4, 1e-5)


@pytest.fixture(scope="module")
def by_opencv_5(models):
    if not (OPENCV_5 / "cv2").is_dir():
        pytest.skip("OpenCV 5 is not installed beside the environment; `make` tries to")
    subprocess.run(
        [sys.executable, "-c", RUNNER, *NETS],
        cwd=models,
        env={**os.environ, "PYTHONPATH": str(OPENCV_5)},
        check=True,
    )
    return models


@pytest.mark.parametrize("name", NETS)
def test_opencv_5(by_opencv_5, name):
    found, expected = (np.load(by_opencv_5 / f"{name}.{end}.npy") for end in ("out", "expected"))
    np.testing.assert_allclose(found, expected, 1e-4, 1e-5)
