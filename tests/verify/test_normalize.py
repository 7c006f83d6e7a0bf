"""Normalize, NormalizeBBox and L2Norm: PyTorch, onnxruntime and OpenCV against their formulas."""

import random

import numpy as np
import pytest

from tests.verify.fork_case import Case, close


def drawn(seed, rank=4):
    """A generator, a shape of it, and one factor for each channel."""
    generator = random.Random(seed)
    shape = tuple(generator.randint(1, 5) for _ in range(rank))
    factors = np.array([generator.uniform(-3, 20) for _ in range(shape[1])], np.float32)
    return generator, shape, factors


def ssd(x, factors, eps, across):
    """normalize_layer.cpp: eps is added to the sum of squares."""
    axes = tuple(range(1, x.ndim)) if across else (1,)
    norm = np.sqrt((x.astype(np.float64) ** 2).sum(axes, keepdims=True) + eps)
    return (x / norm * factors.reshape(-1, *(1,) * (x.ndim - 2))).astype(np.float32)


@pytest.mark.parametrize("seed", range(10))
def test_ssd(seed, tmp_path):
    generator, shape, factors = drawn(seed)
    across, shared = generator.random() < 0.5, generator.random() < 0.3
    eps = generator.choice((1e-10, 1e-10, 0.5))
    factors = factors[:1] if shared else factors
    body = (
        f"norm_param {{ across_spatial: {str(across).lower()} "
        f"channel_shared: {str(shared).lower()} eps: {eps} }}"
    )
    weight = factors.reshape(()) if shared else factors
    case = Case("Normalize", [shape], body, weights=[weight], seed=seed)
    expected = ssd(case.inputs[0], factors, eps, across)
    case.check(expected)
    if across and shape[0] > 1:
        # OpenCV refuses a batch there, and sums over three axes wrongly in ONNX files
        return
    # it reads no blob without axes
    found = case.opencv_of_onnx(tmp_path)[0] if shared else case.opencv(tmp_path)
    close(found, expected)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("across", ["true", "false"])
def test_ssd_of_fewer_axes(rank, across):
    _, shape, factors = drawn(rank, rank)
    body = f"norm_param {{ across_spatial: {across} channel_shared: false }}"
    case = Case("Normalize", [shape], body, weights=[factors])
    case.check(ssd(case.inputs[0], factors, 1e-10, across == "true"))


def test_bbox_is_ssd_by_another_name():
    _, shape, factors = drawn(1)
    body = "normalize_bbox_param { across_spatial: false channel_shared: false }"
    case = Case("NormalizeBBox", [shape], body, weights=[factors])
    case.check(ssd(case.inputs[0], factors, 1e-10, across=False))


@pytest.mark.parametrize("rank", [2, 4])
@pytest.mark.parametrize("kind", ["L1", "L2"])
def test_happynear(kind, rank):
    """normalize_layer.cpp: over the channels of each pixel, and the norms as a second top."""
    _, shape, _ = drawn(3, rank)
    body = f'normalize_param {{ normalize_type: "{kind}" }}'
    case = Case("Normalize", [shape], body, tops=("top", "norm"))
    x = case.inputs[0].reshape(*shape, *(1,) * (4 - rank)).astype(np.float64)
    norm = np.abs(x).sum(1, keepdims=True) + 1e-6
    if kind == "L2":
        norm = np.sqrt((x * x).sum(1, keepdims=True) + 1e-6)
    case.check((x / norm).astype(np.float32), norm.astype(np.float32))


def test_yjxiong():
    """normalize_layer.cpp: over the item, without eps: an item of zeros is no number."""
    case = Case("Normalize", [(3, 2, 2, 2)], dialect="yjxiong")
    case.feeds["a"][1] = 0
    x = case.inputs[0]
    with np.errstate(invalid="ignore"):
        case.check(x / np.sqrt((x * x).sum((1, 2, 3), keepdims=True)))


@pytest.mark.parametrize(
    ("shape", "text", "axes", "length"),
    [
        pytest.param((3, 8), "", (1,), 1, id="embeddings"),
        pytest.param((3, 8, 1, 1), "", (1, 2, 3), 1, id="of one pixel"),
        pytest.param((2, 3, 4, 5), "l2norm_param { }", (1,), 1, id="pixels"),
        pytest.param((2, 3, 4, 5), "l2norm_param { l2_length: 16 }", (1,), 4, id="of length 4"),
    ],
)
def test_l2_norm(shape, text, axes, length, tmp_path):
    case = Case("L2Norm", [shape], text)
    case.feeds["a"][0] = 0
    norm = np.sqrt((case.inputs[0] ** 2).sum(axes, keepdims=True))
    expected = length * case.inputs[0] / np.where(norm == 0, 1, norm)
    case.check(expected)
    if len(axes) == 1:
        # OpenCV sums over three axes wrongly
        close(case.opencv_of_onnx(tmp_path)[0], expected)
