"""Axpy and MatMul: PyTorch, onnxruntime and OpenCV against numpy."""

import random

import numpy as np
import pytest

from tests.verify.fork_case import Case, close


@pytest.mark.parametrize("seed", range(6))
def test_axpy(seed):
    generator = random.Random(seed)
    shape = tuple(generator.randint(1, 5) for _ in range(generator.choice((2, 3, 4))))
    factors = generator.choice((shape[:2], (*shape[:2], 1, 1)))
    case = Case("Axpy", [factors, shape, shape], seed=seed)
    a, x, y = case.inputs
    expected = np.empty(shape, np.float32)
    for item in range(shape[0]):
        for channel in range(shape[1]):
            factor = a.reshape(shape[:2])[item, channel]
            expected[item, channel] = factor * x[item, channel] + y[item, channel]
    case.check(expected)


@pytest.mark.parametrize("seed", range(4))
def test_axpy_in_opencv_takes_the_other_two_the_wrong_way_round(seed, tmp_path):
    """OpenCV multiplies bottom 2 and adds bottom 1; axpy_layer.cpp multiplies bottom 1.

    It takes batches of one item alone.
    """
    generator = random.Random(seed)
    shape = (1, *(generator.randint(2, 5) for _ in range(3)))
    case = Case("Axpy", [(*shape[:2], 1, 1), shape, shape], seed=seed)
    a, x, y = case.inputs
    expected = a * x + y
    case.check(expected)
    close(case.opencv(tmp_path), a * y + x)
    close(case.opencv(tmp_path, feeds={"a": a, "b": y, "c": x}), expected)
    close(case.opencv_of_onnx(tmp_path)[0], expected)


@pytest.mark.parametrize("seed", range(8))
def test_matmul(seed, tmp_path):
    generator = random.Random(seed)
    lead = tuple(generator.randint(1, 3) for _ in range(generator.randint(0, 2)))
    rows, inner, columns = (generator.randint(1, 5) for _ in range(3))
    transpose_a, transpose_b = generator.random() < 0.5, generator.random() < 0.5
    shapes = [
        (*lead, *((inner, rows) if transpose_a else (rows, inner))),
        (*lead, *((columns, inner) if transpose_b else (inner, columns))),
    ]
    fields = [("transpose_a", transpose_a), ("transpose_b", transpose_b)]
    text = " ".join(f"{name}: true" for name, on in fields if on)
    case = Case("MatMul", shapes, f"matmul_param {{ {text} }}", seed=seed)
    a, b = case.inputs
    a = np.swapaxes(a, -1, -2) if transpose_a else a
    b = np.swapaxes(b, -1, -2) if transpose_b else b
    expected = np.einsum("...mk,...kn->...mn", a, b)
    case.check(expected)
    if not text:
        # OpenCV's importer does not know Synopsys's fields
        close(case.opencv(tmp_path), expected)
