# ruff: noqa: C408 - options are keywords
from __future__ import annotations

import hashlib

import numpy as np
import pytest

import caffegen
from caffegen.analysis.summary import summarize
from caffegen.zoo import senet

IMPLIED = {"stride": [1], "pad": [0]}
NETS = {
    "SE-ResNet-50": dict(depth=50),
    "SE-ResNet-101": dict(depth=101),
    "SE-ResNet-152": dict(depth=152),
    "SE-ResNeXt-50 (32 x 4d)": dict(depth=50, resnext=True),
    "SE-ResNeXt-101 (32 x 4d)": dict(depth=101, resnext=True),
    "SENet": dict(depth=154),
}


def listing(message):
    """A message in one line: what is set and does not say what unset fields say; engines aside."""
    words = []
    for name, field in sorted(message.message_type.fields.items()):
        if not message.has(name) or name == "engine":
            continue
        value = message.get(name)
        if field.kind == "message":
            items = [listing(item) for item in (value if field.repeated else [value])]
            words += [f"{name}{{{item}}}" for item in items if item or field.repeated]
        elif field.repeated:
            if list(value) != IMPLIED.get(name):
                words.append(f"{name}={list(value)}")
        elif value != field.default or name == "type":
            words.append(f"{name}={value}")
    return " ".join(words)


def is_ours(layer):
    """What stands here in place of the published Axpy layers."""
    return layer.type in ("Flatten", "Eltwise") or len(layer.bottom) > 1


# The published files, read by `listing`, without their Axpy layers and the input: how many layers
# are left, and the digest of the sorted lines
@pytest.mark.parametrize(
    ("name", "count", "digest"),
    [
        ("SE-ResNet-50", 292, "c787a1dd534386cea843b7d89abae755206682f1b0b490b344c7b3160742d084"),
        ("SE-ResNet-101", 581, "d8e4f84707d34bd63439876bac296c0be636924f0afd5da7b91b1554d49c864f"),
        ("SE-ResNet-152", 870, "e1c181ed777257edf94d6d488bce76cd71b2ab3778abdd70a3dcf83eb316b2cb"),
        ("SE-ResNeXt-50 (32 x 4d)", 292,
         "4e46e82d0099bc2a3007068584a640f3da5279ff001f26497312b0a73d475db3"),
        ("SE-ResNeXt-101 (32 x 4d)", 581,
         "1ffdcf45ed2d854299e52369c16eba5c9340b04adb9130aec964ac4ce6833e27"),
        ("SENet", 879, "97650f06184f20a1cb6f95449c9b76a48229dd7c32a782190a9ea961236b498d"),
    ],
)  # fmt: skip
def test_it_is_the_published_net_layer_for_layer(name, count, digest):
    net = senet(**NETS[name]).to_message()
    assert net.name == name
    lines = sorted(listing(x) for x in net.layer if x.type != "Input" and not is_ours(x))
    assert len(lines) == count
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == digest


# Axpy reads weights, main path and shortcut, and its top is called as the block is
@pytest.mark.parametrize("name", NETS)
def test_three_layers_stand_for_each_axpy(name):
    layers = {x.name: x for x in senet(**NETS[name]).to_message().layer}
    sums = [x for x in layers.values() if x.type == "Eltwise"]
    assert len(sums) == {"50": 16, "01": 33}.get(str(NETS[name]["depth"])[-2:], 50)
    for layer in sums:
        block = layer.name
        shortcut, weighed = layer.bottom
        scale, flat = layers[weighed], layers[f"{block}_prob/flat"]
        assert (list(layer.top), scale.type, scale.scale_param.axis) == ([block], "Scale", 0)
        assert list(scale.bottom) == [f"{block}_1x1_increase", flat.top[0]]
        assert list(flat.bottom) == [f"{block}_1x1_up"]
        projected = f"{block}_1x1_proj" in layers
        assert shortcut.endswith("_1x1_proj") == projected


# The sizes of the published caffemodels, in MiB
@pytest.mark.parametrize(
    ("name", "size"),
    [("SE-ResNet-50", 107), ("SE-ResNet-101", 189), ("SE-ResNet-152", 256),
     ("SE-ResNeXt-50 (32 x 4d)", 105), ("SE-ResNeXt-101 (32 x 4d)", 187), ("SENet", 440)],
)  # fmt: skip
def test_sizes_of_the_published_weights(name, size):
    summary = summarize(caffegen.loads(senet(**NETS[name])).graph)
    assert 4 * (summary.params + summary.statistics) / 2**20 == pytest.approx(size, abs=0.75)


# Axpy itself, as its source computes it: weights times main path plus shortcut
def test_the_layers_compute_what_axpy_computes():
    import torch

    from caffegen import pytorch
    from caffegen.analysis.fill import fill_params

    spec = senet(50, input_size=40, batch=2)
    net = caffegen.loads(spec, fill_params(caffegen.loads(spec).graph, 0))
    data = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 40, 40)).astype("f"))
    wanted = ["conv3_1", "conv3_1_1x1_increase", "conv3_1_1x1_up", "conv3_1_1x1_proj"]
    with torch.no_grad():
        blobs = pytorch.build(net).eval().run({"data": data}, wanted)
    total, main, weights, shortcut = (blobs[name] for name in wanted)
    torch.testing.assert_close(total, torch.relu(weights * main + shortcut))


def test_se_resnet_strides_in_the_1x1_and_the_others_in_the_3x3():
    for options, strided in [
        (dict(depth=50), "conv3_1_1x1_reduce"),
        (dict(depth=50, resnext=True), "conv3_1_3x3"),
        (dict(depth=154), "conv3_1_3x3"),
    ]:
        layers = senet(**options).to_message().layer
        found = [
            x.name
            for x in layers
            if x.name.startswith("conv3_1") and list(x.convolution_param.stride) == [2]
        ]
        assert set(found) == {strided, "conv3_1_1x1_proj"}


def test_images_are_as_the_authors_subtracted_from_them():
    train = senet(phase="train_val").to_message().layer[0]
    assert list(train.transform_param.mean_value) == [104, 117, 123]
    assert not train.transform_param.mean_file
