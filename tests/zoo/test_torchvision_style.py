"""torchvision's residual nets with random weights, ported by name, against OpenCV's Caffe importer."""

from __future__ import annotations

import struct
from importlib import import_module

import cv2
import numpy as np
import pytest
import torch

import caffegen
from caffegen.schema import caffe_pb2
from caffegen.zoo import resnet, resnext, wideresnet


@pytest.fixture(scope="module")
def models():
    with pytest.MonkeyPatch.context() as patch:
        # a torchvision built for another torch lacks its compiled operators, which no ResNet uses
        patch.setattr(torch.library, "register_fake", lambda *_, **__: lambda function: function)
        return import_module("torchvision.models")


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


NETS = {
    "resnet18": (resnet, {"depth": 18, "style": "torchvision"}),
    "resnet34": (resnet, {"depth": 34, "style": "torchvision"}),
    "resnet50": (resnet, {"depth": 50, "style": "torchvision"}),
    "resnet101": (resnet, {"depth": 101, "style": "torchvision"}),
    "resnet152": (resnet, {"depth": 152, "style": "torchvision"}),
    "resnext50_32x4d": (resnext, {"depth": 50}),
    "resnext101_32x8d": (resnext, {"depth": 101}),
    "resnext101_64x4d": (resnext, {"depth": 101, "cardinality": 64, "path_width": 4}),
    "wide_resnet50_2": (wideresnet, {"depth": 50, "dataset": "imagenet"}),
    "wide_resnet101_2": (wideresnet, {"depth": 101, "dataset": "imagenet"}),
}


@pytest.mark.parametrize("name", NETS)
def test_every_parameter_has_its_place(models, name):
    with torch.device("meta"):
        state = getattr(models, name)().state_dict()
    build, options = NETS[name]
    places = {
        x.name: [b.shape for b in x.definition.blobs]
        for x in caffegen.loads(build(**options)).layers
    }
    found = {}
    for key, tensor in state.items():
        module, _, parameter = key.rpartition(".")
        layer = module.replace(".", "_")
        kind = parameter in ("running_mean", "running_var", "num_batches_tracked")
        layer = layer if kind or f"{layer}_scale" not in places else f"{layer}_scale"
        found.setdefault(layer, []).append(tuple(tensor.shape) or (1,))
    assert found == {layer: shapes for layer, shapes in places.items() if shapes}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resnet18", 64),
        ("resnet18", 97),
        ("resnet34", 32),
        ("resnet50", 64),
        ("resnext50_32x4d", 48),
        ("wide_resnet50_2", 33),
    ],
    ids=["18", "18 odd", "34", "50", "resnext 50", "wide 50"],
)
def test_it_computes_what_torchvision_computes(models, name, size):
    torch.manual_seed(0)
    model = getattr(models, name)()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1)
            torch.nn.init.normal_(module.bias, 0, 0.1)
    build, options = NETS[name]
    spec = build(input_size=size, **options)
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
