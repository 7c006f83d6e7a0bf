"""torchvision's ResNets with random weights, ported by name, against OpenCV's Caffe importer."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from caffegen.schema import caffe_pb2
from caffegen.zoo import resnet

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def models():
    with pytest.MonkeyPatch.context() as patch:
        # a torchvision built for another torch lacks its compiled operators, which no ResNet uses
        patch.setattr(torch.library, "register_fake", lambda *_, **__: lambda function: function)
        return pytest.importorskip("torchvision").models


def blob(array):
    """A BlobProto; the values go in as one packed field, since millions of floats are slow."""
    made = caffe_pb2.BlobProto()
    made.shape.dim.extend(array.shape)
    data = np.ascontiguousarray(array, dtype="<f4").tobytes()
    length = len(data)
    varint = bytearray()
    while length > 127:
        varint.append(length & 127 | 128)
        length >>= 7
    made.MergeFromString(struct.pack("B", 5 << 3 | 2) + bytes([*varint, length]) + data)
    return made


def ported(spec, state):
    """The caffemodel of a torchvision-style net, by the names that the docstring of resnet.py gives."""
    net = spec.to_proto()
    layers = {layer.name: layer for layer in net.layer}
    for key, tensor in state.items():
        module, _, parameter = key.rpartition(".")
        name = module.replace(".", "_")
        if parameter in ("running_mean", "running_var"):
            layers[name].blobs.append(blob(tensor.numpy()))
        elif parameter == "num_batches_tracked":
            layers[name].blobs.append(blob(np.ones(1)))
        else:
            layers.get(f"{name}_scale", layers[name]).blobs.append(blob(tensor.numpy()))
    return net.SerializeToString()


@pytest.mark.parametrize(
    ("depth", "size"), [(18, 64), (18, 97), (34, 32), (50, 64)], ids=["18", "18 odd", "34", "50"]
)
def test_it_computes_what_torchvision_computes(models, depth, size):
    torch.manual_seed(0)
    model = getattr(models, f"resnet{depth}")()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1)
            torch.nn.init.normal_(module.bias, 0, 0.1)
    spec = resnet(depth, style="torchvision", input_size=size)
    weights = ported(spec, model.state_dict())
    importer = cv2.dnn.readNetFromCaffe(
        np.frombuffer(spec.to_prototxt().encode(), np.uint8), np.frombuffer(weights, np.uint8)
    )
    images = torch.randn(1, 3, size, size)
    importer.setInput(images.numpy())
    with torch.no_grad():
        expected = model.eval()(images).numpy()
    difference = np.abs(importer.forward("fc") - expected).max()
    assert difference < 1e-5 * np.abs(expected).max()
