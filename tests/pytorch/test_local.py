"""Local by loops over places, in PyTorch and in ONNX; SparseInnerProduct as InnerProduct."""

import numpy as np
import pytest

from tests.pytorch.beside_onnx import CLOSE, both, noise


def by_loops(bottom, weight, bias, kernel, stride, pad):
    """local_layer.cpp, Forward_cpu: a column of each window times the weights of its place."""
    padded = np.pad(bottom, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    rows = (padded.shape[2] - kernel) // stride + 1
    columns = (padded.shape[3] - kernel) // stride + 1
    top = np.zeros((len(bottom), len(weight), rows, columns))
    for i in range(rows):
        for j in range(columns):
            window = padded[
                :, :, i * stride : i * stride + kernel, j * stride : j * stride + kernel
            ]
            place = i * columns + j
            top[:, :, i, j] = window.reshape(len(bottom), -1) @ weight[:, 0, :, place].T
            if bias is not None:
                top[:, :, i, j] += bias[0, 0, :, place]
    return top


@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "bias"), [(3, 1, 0, True), (2, 2, 1, False), (3, 2, 2, True)]
)
def test_local(kernel, stride, pad, bias):
    bottom = noise(2, 3, 6, 5)
    grid = [(size + 2 * pad - kernel) // stride + 1 for size in (6, 5)]
    weights = [noise(4, 1, 3 * kernel**2, grid[0] * grid[1], seed=1)]
    if bias:
        weights.append(noise(1, 1, 4, grid[0] * grid[1], seed=2))
    body = (
        f"local_param {{ num_output: 4 kernel_size: {kernel} stride: {stride} pad: {pad} "
        f"bias_term: {'true' if bias else 'false'} }}"
    )
    (top,) = both("Local", [bottom], body, weights)
    expected = by_loops(bottom, weights[0], weights[1] if bias else None, kernel, stride, pad)
    np.testing.assert_allclose(top, expected, **CLOSE)


def test_a_sparse_product_is_a_product():
    weights = [noise(2, 12), noise(2, seed=1)]
    bottom = noise(3, 3, 4)
    (top,) = both("SparseInnerProduct", [bottom], "inner_product_param { num_output: 2 }", weights)
    np.testing.assert_allclose(top, bottom.reshape(3, 12) @ weights[0].T + weights[1], **CLOSE)
