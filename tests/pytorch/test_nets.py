"""Whole nets of real Caffe: inner blobs in TEST; loss, gradients and statistics in TRAIN."""

import json

import numpy as np
import pytest
import torch

import caffegen
from caffegen import pytorch
from tests.pytorch.golden_case import GOLDEN, arrays, close, close_to_caffe, in_double

NETS = json.loads((GOLDEN / "nets" / "nets.json").read_text(encoding="utf-8"))
BY_NAME = {net["name"]: net for net in NETS}
TRAINED = [net["name"] for net in NETS if "train" in net]


def load(name, phase="TEST"):
    folder = GOLDEN / "nets"
    return caffegen.load(folder / f"{name}.prototxt", folder / f"{name}.caffemodel", phase=phase)


def section(name, kind):
    prefix = f"{kind}/"
    return {
        k[len(prefix) :]: v for k, v in arrays(f"nets/{name}.npz").items() if k.startswith(prefix)
    }


@pytest.mark.parametrize("name", BY_NAME)
def test_every_blob_in_test_phase(name):
    net, given = load(name), section(name, "in")
    module = pytorch.build(net)
    inputs = {key: torch.from_numpy(array) for key, array in given.items()}
    inner, outputs = section(name, "blob"), section(name, "out")
    exact = in_double(net, given, inner)
    with torch.no_grad():
        found = module.run(inputs, blobs=inner)
    for blob, array in inner.items():
        close_to_caffe(found[blob].numpy(), array, exact[blob], blob)
    found = module(**inputs)
    assert found.keys() == outputs.keys()
    for blob, array in outputs.items():
        close(found[blob], array, blob)


@pytest.mark.parametrize("name", BY_NAME)
def test_fused_outputs(name):
    net = load(name)
    inputs = {key: torch.from_numpy(array) for key, array in section(name, "in").items()}
    plain, fused = pytorch.build(net), pytorch.build(net, fuse=True)
    assert len(fused._steps) <= len(plain._steps)
    with torch.no_grad():
        for blob, tensor in plain(**inputs).items():
            close(fused(**inputs)[blob], tensor.numpy(), blob, relative=1e-5, absolute=1e-6)


@pytest.fixture(params=TRAINED, scope="module")
def trained(request):
    """A net after one forward and backward pass in TRAIN, its inputs and its blobs."""
    name = request.param
    module = pytorch.build(load(name, "TRAIN"))
    values = section(name, "in") | section(name, "train/in")
    inputs = {key: torch.from_numpy(values[key]) for key in module.input_names}
    blobs = module.run(inputs, blobs=["loss", *section(name, "train/blob")])
    module.total_loss(blobs).backward()
    return name, module, blobs


def test_train_loss_and_blobs(trained):
    name, module, blobs = trained
    for blob, array in (section(name, "train/out") | section(name, "train/blob")).items():
        close(blobs[blob], array, blob, relative=1e-3, absolute=1e-4)
    expected = BY_NAME[name]["train"]["total_loss"]
    close(module.total_loss(blobs), np.float32(expected), "total loss")


def test_train_statistics(trained):
    name, module, _ = trained
    for key, array in section(name, "train/param_after").items():
        layer, _, index = key.rpartition("/")
        close(module.caffe_blobs(layer)[int(index)], array, key, relative=1e-3, absolute=1e-4)


def test_train_gradients(trained):
    name, module, _ = trained
    # at least ten times the largest change that 3e-7 on the input makes (golden/README.md)
    relative = max(1e-3, 10 * BY_NAME[name]["train_sensitivity"])
    exact, norms = section(name, "train/paramdiff"), section(name, "train/paramdiff_norm")
    assert exact or norms
    for key, array in exact.items():
        grad = gradient(module, key)
        scale = float(np.abs(array).max())
        close(grad, array, key, relative=relative, absolute=max(1e-5, relative * 0.1 * scale))
    for key, array in norms.items():
        grad = gradient(module, key).double()
        norm = float(grad.norm())
        np.testing.assert_allclose(norm, array[1], relative, 1e-5, err_msg=key)
        # a sum of values of both signs is as exact as the norm allows
        slack = relative * norm * grad.numel() ** 0.5
        np.testing.assert_allclose(float(grad.sum()), array[0], relative, slack, err_msg=key)


def gradient(module, key):
    layer, _, index = key.rpartition("/")
    tensor = module.caffe_blobs(layer)[int(index)]
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
