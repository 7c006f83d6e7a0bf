"""BN of five forks: PyTorch and onnxruntime against each one's bn_layer.cpp, written out in numpy."""

import numpy as np
import pytest
import torch

from caffegen.pytorch import build
from tests.verify.fork_case import Case, close

SHAPE = (4, 3, 2, 5)


def blobs(count, shape, seed=0):
    """Factor and shift, and for four blobs a mean and a spread above 0."""
    generator = np.random.default_rng(seed)
    found = [generator.uniform(-2, 2, shape).astype(np.float32) for _ in range(min(count, 3))]
    if count == 4:
        found.append(generator.uniform(0.2, 3, shape).astype(np.float32))
    return found


def along(blob):
    """A blob of C values against four axes."""
    return blob.reshape(1, -1, 1, 1)


def batch(x, eps, axes=(0, 2, 3)):
    """The values less the batch's mean, over the root of its variance plus eps."""
    x = x.astype(np.float64)
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


@pytest.mark.parametrize("rank", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("dialect", "shape"),
    [("pspnet", (1, 3, 1, 1)), ("yjxiong", (1, 3)), ("happynear", (1, 3))],
    ids=["pspnet", "yjxiong", "happynear"],
)
def test_stored_statistics(dialect, shape, rank, tmp_path):
    if rank == 1:
        shape = tuple(min(size, 1) for size in shape)
    slope, bias, mean, spread = weights = blobs(4, shape)
    case = Case(
        "BN",
        [SHAPE[:rank]],
        "bn_param { eps: 0.01 frozen: false }",
        weights=weights,
        dialect=dialect,
    )
    x = case.inputs[0].reshape(*SHAPE[:rank], *(1,) * (4 - rank))
    scale = along(spread) if dialect == "happynear" else 1 / np.sqrt(along(spread) + 0.01)
    expected = (x - along(mean)) * scale * along(slope) + along(bias)
    expected = expected.reshape(SHAPE[:rank])
    case.check(expected)
    if rank == 4:
        close(case.opencv_of_onnx(tmp_path)[0], expected)


@pytest.mark.parametrize("rank", [2, 4])
def test_training_takes_the_statistics_of_the_batch(rank):
    slope, bias, *_ = weights = blobs(4, (1, 3))
    case = Case(
        "BN", [SHAPE[:rank]], "bn_param { eps: 0.01 }", weights=weights, dialect="yjxiong",
        phase="TRAIN",
    )  # fmt: skip
    x = case.inputs[0].reshape(*SHAPE[:rank], *(1,) * (4 - rank))
    expected = batch(x, 0.01) * along(slope) + along(bias)
    close(case.onnxruntime()[0], expected.reshape(SHAPE[:rank]).astype(np.float32))


def test_segnet_for_inference(tmp_path):
    factor, shift = weights = blobs(2, (1, 3, 1, 1))
    case = Case("BN", [SHAPE], "bn_param { bn_mode: INFERENCE }", weights=weights)
    expected = case.inputs[0] * factor + shift
    case.check(expected)
    close(case.opencv_of_onnx(tmp_path)[0], expected)


def test_segnet_that_learns_takes_the_batch_in_test_too():
    factor, shift = weights = blobs(2, (1, 3, 1, 1))
    case = Case(
        "BN", [SHAPE], "bn_param { bn_mode: LEARN }", weights=weights, tops=("top", "mean", "var")
    )
    x = case.inputs[0]
    expected = (batch(x, 1e-9) * factor + shift).astype(np.float32)
    case.check(expected, x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True))


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_one_value_for_each_channel_becomes_the_shift(phase):
    _, shift = weights = blobs(2, (1, 3, 1, 1))
    case = Case("BN", [(1, 3)], "bn_param { bn_mode: LEARN }", weights=weights, phase=phase)
    case.check(shift)


def test_ssd_over_every_place():
    factor, shift = weights = blobs(2, (1, 3, 2, 5))
    case = Case("BN", [SHAPE], "bn_param { across_spatial: false }", weights=weights)
    case.check((batch(case.inputs[0], 1e-10, (0,)) * factor + shift).astype(np.float32))


@pytest.mark.parametrize(
    ("text", "stored"), [("decay: 0.5", True), ("moving_average: false", False)]
)
def test_the_old_one_of_happynear_adds_no_eps_in_test(text, stored):
    factor, shift, mean, variance = weights = blobs(4, (1, 3, 1, 1))
    text = f"bn_param {{ {text} var_eps: 0.5 }}"
    case = Case("BN", [SHAPE], text, weights=weights, dialect="happynear")
    x = case.inputs[0]
    normal = (x - mean) / np.sqrt(variance) if stored else batch(x, 0)
    case.check((normal * factor + shift).astype(np.float32))


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_the_synchronised_one_in_test_is_yjxiongs(rank):
    shape = (1, 3) if rank > 1 else (1, 1)
    slope, bias, mean, variance = weights = blobs(4, shape)
    case = Case("SyncBN", [SHAPE[:rank]], "bn_param { eps: 0.01 }", weights=weights)
    x = case.inputs[0].reshape(*SHAPE[:rank], *(1,) * (4 - rank))
    normal = (x - along(mean)) / np.sqrt(along(variance) + 0.01)
    case.check((normal * along(slope) + along(bias)).reshape(SHAPE[:rank]))


def unbiased(x, eps):
    """sync_bn_layer.cu, Forward_gpu, with one process: the variance of m values by m - 1."""
    x = x.astype(np.float64)
    m = x.size // x.shape[1]
    variance = x.var((0, 2, 3), keepdims=True) * (m / (m - 1) if m > 1 else 1)
    return x.mean((0, 2, 3), keepdims=True), variance


@pytest.mark.parametrize("shape", [SHAPE, (2, 3, 1, 1), (1, 3, 1, 1)], ids=str)
def test_the_synchronised_one_normalises_by_m_minus_1(shape):
    slope, bias, *_ = weights = blobs(4, (1, 3))
    body = "bn_param { eps: 0.01 momentum: 0.75 }"
    case = Case("SyncBN", [shape], body, weights=weights, phase="TRAIN")
    x = case.inputs[0]
    mean, variance = unbiased(x, 0.01)
    expected = (x - mean) / np.sqrt(variance + 0.01) * along(slope) + along(bias)
    close(case.onnxruntime()[0], expected.astype(np.float32))
    close(case.onnxruntime(dynamic_batch=True)[0], expected.astype(np.float32))

    module = build(case.net)
    (found,) = module(torch.from_numpy(x)).values()
    close(found.detach().numpy(), expected.astype(np.float32))
    # what a training step stores
    kept = [blob.detach().numpy() for blob in module.caffe_blobs("layer")]
    close(kept[2], 0.75 * weights[2] + 0.25 * mean.reshape(1, 3).astype(np.float32))
    close(kept[3], 0.75 * weights[3] + 0.25 * variance.reshape(1, 3).astype(np.float32))


def test_the_gradient_of_the_synchronised_one_divides_by_m():
    """sync_bn_layer.cu, kernel_backward_bottom."""
    slope, *_ = weights = blobs(4, (1, 3))
    case = Case("SyncBN", [SHAPE], "bn_param { eps: 0.01 }", weights=weights, phase="TRAIN")
    x = case.inputs[0]
    mean, variance = unbiased(x, 0.01)
    over = 1 / np.sqrt(variance + 0.01)
    gradient = np.random.default_rng(1).standard_normal(SHAPE)
    normal, m = (x - mean) * over, x.size // 3
    of_slope, of_bias = (v.sum((0, 2, 3), keepdims=True) for v in (gradient * normal, gradient))
    expected = along(slope) * over * (gradient - (normal * of_slope + of_bias) / m)

    bottom = torch.from_numpy(x).requires_grad_()
    (top,) = build(case.net)(bottom).values()
    top.backward(torch.from_numpy(gradient.astype(np.float32)))
    close(bottom.grad.numpy(), expected.astype(np.float32))
