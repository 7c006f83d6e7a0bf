"""BN in PyTorch: what a training step does to the statistics, what is frozen, and what is folded."""

import numpy as np
import pytest
import torch

from caffegen.loader import loads
from caffegen.pytorch import build
from tests.pytorch.one_layer import net_text, one_layer

SHAPE = (4, 3, 2, 5)


def weights(shape=(1, 3)):
    return [np.full(shape, value, np.float32) for value in (2, 0.5, 1, 4)]


@pytest.mark.parametrize("dialect", ["pspnet", "yjxiong", "happynear"])
def test_a_training_step_mixes_the_batch_in(dialect):
    stored = weights((1, 3, 1, 1) if dialect == "pspnet" else (1, 3))
    module = one_layer(
        "BN", [SHAPE], "bn_param { momentum: 0.75 eps: 0.5 }", weights=stored, phase="TRAIN",
        dialect=dialect,
    )  # fmt: skip
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0)).double().float()
    module(x)
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    _, _, new_mean, spread = (blob.detach().flatten() for blob in module.caffe_blobs("layer"))
    torch.testing.assert_close(new_mean, 0.75 * torch.ones(3) + 0.25 * mean)
    batch = (variance + 0.5).rsqrt() if dialect == "happynear" else variance
    torch.testing.assert_close(spread, 0.75 * torch.full((3,), 4.0) + 0.25 * batch)


@pytest.mark.parametrize(("dialect", "shape"), [("pspnet", (1, 3, 1, 1)), ("happynear", (1, 3))])
def test_blobs_come_back_as_they_were(dialect, shape):
    stored = weights(shape)
    module = one_layer("BN", [SHAPE], "bn_param { eps: 1e-3 }", weights=stored, dialect=dialect)
    for found, given in zip(module.caffe_blobs("layer"), stored, strict=True):
        assert tuple(found.shape) == shape
        torch.testing.assert_close(found.detach(), torch.from_numpy(given))


def test_frozen_statistics_stay_and_nothing_learns():
    module = one_layer(
        "BN", [SHAPE], "bn_param { frozen: true }", weights=weights(), phase="TRAIN",
        dialect="yjxiong",
    )  # fmt: skip
    x = torch.randn(SHAPE, requires_grad=True)
    (top,) = module(x).values()
    torch.testing.assert_close(top, (x - 1) / (4 + 1e-5) ** 0.5 * 2 + 0.5)
    top.sum().backward()
    assert x.grad is not None
    assert all(parameter.grad is None for parameter in module.parameters())
    _, _, mean, variance = module.caffe_blobs("layer")
    assert mean.flatten().tolist() == [1, 1, 1]
    assert variance.flatten().tolist() == [4, 4, 4]


@pytest.mark.parametrize(
    ("body", "count", "dialect"),
    [
        ("bn_mode: LEARN", 2, ""), ("bn_mode: INFERENCE", 2, ""), ("eps: 0.1", 4, "yjxiong"),
        ("eps: 0.1", 4, "happynear"),
    ],
)  # fmt: skip
def test_gradient(body, count, dialect):
    shape = (1, 3) if count == 4 else (1, 3, 1, 1)
    module = one_layer(
        "BN", [SHAPE], f"bn_param {{ {body} }}", weights=weights(shape)[:count], phase="TRAIN",
        dialect=dialect,
    ).double()  # fmt: skip
    x = torch.randn(SHAPE, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda value: next(iter(module(value).values())), (x,))


FOLDED = """
input: "a" input_shape { dim: 1 dim: 2 dim: 5 dim: 5 }
layer { name: "conv" type: "Convolution" bottom: "a" top: "conv"
  convolution_param { num_output: 3 kernel_size: 3 weight_filler { type: "msra" } } }
layer { name: "bn" type: "BN" bottom: "conv" top: "bn" bn_param { %s } }
layer { name: "relu" type: "ReLU" bottom: "bn" top: "bn" }
"""


@pytest.mark.parametrize(
    ("body", "count", "dialect"),
    [
        pytest.param("bn_mode: INFERENCE", 2, "", id="segnet"),
        pytest.param("eps: 0.1", 4, "yjxiong", id="yjxiong"),
        pytest.param("eps: 0.1", 4, "happynear", id="happynear"),
    ],
)
def test_it_is_folded_into_the_convolution_before(body, count, dialect):
    from caffegen import onnx_bridge

    shape = (1, 3) if count == 4 else (1, 3, 1, 1)
    filled = {
        "conv": [np.ones((3, 2, 3, 3), np.float32), np.arange(3, dtype=np.float32)],
        "bn": weights(shape)[:count],
    }
    net = loads(FOLDED % body, filled, dialect=dialect)
    whole, fused = build(net), build(net, fuse=True)
    assert not hasattr(fused, "bn")
    x = torch.randn(2, 2, 5, 5)
    torch.testing.assert_close(fused(x)["bn"], whole(x)["bn"], rtol=1e-4, atol=1e-5)
    model = onnx_bridge.to_model(net, fold=True)
    assert [node.op_type for node in model.graph.node] == ["Conv", "Relu"]


def test_learned_statistics_are_not_folded():
    filled = {
        "conv": [np.ones((3, 2, 3, 3), np.float32), np.zeros(3, np.float32)],
        "bn": weights((1, 3, 1, 1))[:2],
    }
    fused = build(loads(FOLDED % "bn_mode: LEARN", filled), fuse=True)
    assert hasattr(fused, "bn")


def test_module_text():
    module = one_layer("BN", [SHAPE], "bn_param { }", weights=weights(), dialect="yjxiong")
    assert "BN(3, eps=1e-05, fraction=0.9)" in str(module)
    assert net_text("BN", [SHAPE])
