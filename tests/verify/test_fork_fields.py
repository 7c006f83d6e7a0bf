"""Fields that forks add to BVLC's layers and that are honoured: PyTorch, onnxruntime, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caffegen import NetError, loads
from caffegen.pytorch import build
from caffegen.verify import compare

INPUT = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 4 } } }\n'
NORM = (
    INPUT + 'layer { name: "n" type: "BatchNorm" bottom: "x" top: "n" batch_norm_param { %s } }\n'
)
BLOBS = [
    np.float32([1, -2, 0.5]), np.float32([4, 1, 2]), np.float32([2]),
    np.float32([2, -1, 0.5]), np.float32([0.25, 3, -1]),
]  # fmt: skip


def bottom():
    return torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(3)) * 2 + 1


def along(values):
    return torch.as_tensor(values).reshape(1, 3, 1, 1)


def agree(net):
    report = compare(net, ["torch", "onnxruntime"], 0)
    assert report.ok, report.verdict


@pytest.mark.parametrize("phase", ["TEST", "TRAIN"])
def test_nvidia_s_batch_norm_has_a_scale_and_a_bias(phase):
    net = loads(NORM % "scale_bias: true eps: 0.001", {"n": BLOBS}, phase=phase)
    assert [(blob.name, blob.shape) for blob in net.layers[1].definition.blobs] == [
        ("mean", (3,)), ("variance", (3,)), ("scale_factor", (1,)), ("scale", (3,)), ("bias", (3,)),
    ]  # fmt: skip
    x = bottom()
    if phase == "TEST":
        mean, variance = along(BLOBS[0] / 2), along(BLOBS[1] / 2)
    else:
        mean = x.mean((0, 2, 3), keepdim=True)
        variance = x.var((0, 2, 3), keepdim=True, unbiased=False)
    expected = (x - mean) / (variance + 0.001).sqrt() * along(BLOBS[3]) + along(BLOBS[4])
    module = build(net)
    torch.testing.assert_close(module(x)["n"], expected, rtol=1e-4, atol=1e-5)
    if phase == "TEST":
        stored = module.caffe_blobs("n")
        for mine, given in zip(stored, BLOBS, strict=True):
            np.testing.assert_allclose(mine.detach().numpy(), given, rtol=1e-6)
        agree(net)


def test_its_scale_is_filled_with_1_and_its_bias_with_0():
    filled = build(loads(NORM % "scale_bias: true")).caffe_blobs("n")
    assert [blob.tolist() for blob in filled[3:]] == [[1, 1, 1], [0, 0, 0]]
    text = NORM % "scale_filler { value: 3 } bias_filler { value: -1 }"
    filled = build(loads(text, dialect="nvidia")).caffe_blobs("n")
    assert [blob.tolist() for blob in filled[3:]] == [[3, 3, 3], [-1, -1, -1]]
    with pytest.raises(NetError, match="dialect-undecided"):
        loads(text)
    assert len(loads(text, dialect="happynear").layers[1].definition.blobs) == 3


def test_a_scale_behind_it_stays_a_layer_of_its_own():
    scale = 'layer { name: "s" type: "Scale" bottom: "n" top: "s" scale_param { bias_term: true } }'
    affine = [np.float32([3, 2, 1]), np.float32([1, 1, -1])]
    net = loads(NORM % "scale_bias: true" + scale, {"n": BLOBS, "s": affine})
    blobs = build(net).run(bottom())
    torch.testing.assert_close(blobs["s"], blobs["n"] * along(affine[0]) + along(affine[1]))
    agree(net)


def test_an_eps_below_cudnn_s_counts_as_that_in_nvidia():
    def eps(inside, dialect=""):
        return loads(NORM % inside, dialect=dialect).layers[1].definition.eps

    assert eps("eps: 1e-8") == pytest.approx(1e-8)
    assert eps("eps: 1e-8", "nvidia") == 1e-5
    assert eps("eps: 1e-8 scale_bias: true") == 1e-5
    assert eps("eps: 1e-3 scale_bias: true") == pytest.approx(1e-3)


DROP = (
    INPUT
    + 'layer { name: "d" type: "Dropout" bottom: "x" top: "d" dropout_param { dropout_ratio: 0.25 %s } }\n'
)


def test_a_dropout_that_scales_in_test():
    net = loads(DROP % "scale_train: false")
    x = bottom()
    torch.testing.assert_close(build(net)(x)["d"], x * 0.75)
    agree(net)
    torch.testing.assert_close(build(loads(DROP % "scale_train: true"))(x)["d"], x)


def test_and_does_not_scale_in_train():
    module = build(loads(DROP % "scale_train: false", phase="TRAIN"))
    x = bottom()
    dropped = module(x)["d"]
    kept = dropped != 0
    assert 0 < kept.sum() < kept.numel()
    torch.testing.assert_close(dropped[kept], x[kept])


@pytest.mark.parametrize("ceil", ["true", "false"])
def test_ceil_mode(ceil):
    pool = f'layer {{ name: "p" type: "Pooling" bottom: "x" top: "p" pooling_param {{ kernel_size: 2 stride: 2 ceil_mode: {ceil} }} }}'
    net = loads(INPUT + pool)
    expected = torch.nn.functional.max_pool2d(bottom(), 2, 2, ceil_mode=ceil == "true")
    torch.testing.assert_close(build(net)(bottom())["p"], expected)
    agree(net)


def test_a_parameter_that_is_filled():
    text = 'layer { name: "v" type: "Parameter" top: "v" parameter_param { shape { dim: 2 } blob_filler { value: 3 } } }'
    assert build(loads(text))()["v"].tolist() == [3, 3]
