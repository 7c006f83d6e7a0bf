"""Permute, ShuffleChannel, Reorg and their kin: PyTorch, onnxruntime and OpenCV against plain loops."""

import random
from itertools import product

import numpy as np
import pytest

from tests.verify.fork_case import Case, close


def drawn(seed, rank=4, most=6):
    """A generator and a shape of it."""
    generator = random.Random(seed)
    return generator, tuple(generator.randint(1, most) for _ in range(rank))


def permuted(x, order):
    """permute_layer.cpp: the place of each value of the top, counted by steps."""
    shape = [x.shape[axis] for axis in order]
    top = np.empty(shape, np.float32)
    for place in np.ndindex(*shape):
        source = [0] * x.ndim
        for index, axis in enumerate(order):
            source[axis] = place[index]
        top[place] = x[tuple(source)]
    return top


@pytest.mark.parametrize("seed", range(12))
def test_permute(seed, tmp_path):
    generator, shape = drawn(seed, rank=random.Random(seed).randint(2, 5), most=4)
    order = list(range(len(shape)))
    generator.shuffle(order)
    named = order[: generator.randint(1, len(order))]
    whole = named + [axis for axis in range(len(shape)) if axis not in named]
    body = "permute_param { " + " ".join(f"order: {axis}" for axis in named) + " }"
    case = Case("Permute", [shape], body, seed=seed)
    expected = permuted(case.inputs[0], whole)
    case.check(expected)
    if len(named) == len(shape):
        # OpenCV wants every axis to be named
        close(case.opencv(tmp_path), expected)


@pytest.mark.parametrize("seed", range(4))
def test_transpose(seed):
    generator, shape = drawn(seed, most=4)
    order = list(range(4))
    generator.shuffle(order)
    body = "transpose_param { " + " ".join(f"dim: {axis}" for axis in order) + " }"
    case = Case("Transpose", [shape], body, seed=seed)
    case.check(permuted(case.inputs[0], order))


@pytest.mark.parametrize("seed", range(8))
def test_shuffle_channel(seed, tmp_path):
    generator, (items, _, height, width) = drawn(seed)
    group, share = generator.randint(1, 4), generator.randint(1, 4)
    shape = (items, group * share, height, width)
    case = Case("ShuffleChannel", [shape], f"shuffle_channel_param {{ group: {group} }}", seed=seed)
    expected = np.empty(shape, np.float32)
    for row, column in product(range(group), range(share)):
        expected[:, column * group + row] = case.inputs[0][:, row * share + column]
    case.check(expected)
    close(case.opencv(tmp_path), expected)


def test_shuffle_channel_of_two_axes_has_four():
    case = Case("ShuffleChannel", [(2, 6)], "shuffle_channel_param { group: 3 }")
    case.check(case.inputs[0][:, [0, 2, 4, 1, 3, 5]].reshape(2, 6, 1, 1))


def darknet(x, side, reverse):
    """reorg_layer.hpp, reorg_cpu: places counted in one long array."""
    items, channels, height, width = x.shape
    few, wide, tall = channels // side**2, width * side, height * side
    flat, top = x.ravel(), np.empty(x.size, np.float32)
    for n, c, h, w in np.ndindex(*x.shape):
        near = w + width * (h + height * (c + channels * n))
        offset = c // few
        across, down = w * side + offset % side, h * side + offset // side
        far = across + wide * (down + tall * (c % few + few * n))
        if reverse:
            top[far] = flat[near]
        else:
            top[near] = flat[far]
    if reverse:
        return top.reshape(items, few, tall, wide)
    return top.reshape(items, channels * side**2, height // side, width // side)


@pytest.mark.parametrize("seed", range(8))
def test_reorg(seed, tmp_path):
    generator, (items, many, height, width) = drawn(seed, most=3)
    side = generator.choice((1, 2, 2, 3))
    shape = (items, many * side**2, height * side, width * side)
    case = Case("Reorg", [shape], f"reorg_param {{ stride: {side} }}", seed=seed)
    expected = darknet(case.inputs[0], side, reverse=False)
    case.check(expected)
    # OpenCV's own name for the field; it has no `reverse`
    close(case.opencv(tmp_path, case.text.replace("stride", "reorg_stride")), expected)
    reverse = Case("Reorg", [shape], f"reorg_param {{ stride: {side} reverse: true }}", seed=seed)
    case_top = darknet(reverse.inputs[0], side, reverse=True)
    reverse.check(case_top)
    close(reverse.opencv_of_onnx(tmp_path)[0], case_top)


@pytest.mark.parametrize(
    ("shape", "text", "expected"),
    [
        pytest.param((2, 3, 4, 5), "", np.s_[..., ::-1], id="left to right"),
        pytest.param((2, 3, 4, 5), "flip_height: true", np.s_[..., ::-1, ::-1], id="both"),
        pytest.param(
            (2, 3, 4, 5),
            "flip_width: false flip_height: true",
            np.s_[..., ::-1, :],
            id="upside down",
        ),
        pytest.param((2, 3, 4, 5), "flip_width: false", np.s_[:], id="neither"),
        pytest.param((2, 3), "", np.s_[:], id="no pictures"),
        pytest.param((2, 3, 4), "flip_height: true", np.s_[..., ::-1], id="one row of three axes"),
    ],
)
def test_flip(shape, text, expected):
    case = Case("Flip", [shape], f"flip_param {{ {text} }}")
    case.check(case.inputs[0][expected])


@pytest.mark.parametrize("axis", range(3))
def test_reverse(axis):
    case = Case("Reverse", [(3, 4, 5)], f"reverse_param {{ axis: {axis} }}" if axis else "")
    case.check(np.flip(case.inputs[0], axis))


def test_gather_of_one_process_changes_nothing():
    case = Case("Gather", [(2, 3), (4,)], tops=("s", "t"))
    case.check(*case.inputs)


@pytest.mark.parametrize(
    ("text", "sides", "value"),
    [
        pytest.param("pad: 2", ((2, 2), (2, 2)), 0, id="pad"),
        pytest.param("pad_h: 1", ((1, 1), (0, 0)), 0, id="pad_h"),
        pytest.param("pad: 1 pad_w: 5", ((1, 1), (1, 1)), 0, id="pad counts before pad_w"),
        pytest.param("pad_beg: 1 pad_end: 2", ((1, 2), (1, 2)), 0, id="begin and end"),
        pytest.param("pad_t: 1 pad_l: 2 pad_b: 3", ((1, 3), (2, 0)), 0, id="sides"),
        pytest.param("pad_r: 2 pad_value: -1.5", ((0, 0), (0, 2)), -1.5, id="a value"),
        pytest.param("", ((0, 0), (0, 0)), 0, id="none"),
    ],
)
def test_padding(text, sides, value, tmp_path):
    case = Case("Padding", [(2, 3, 4, 5)], f"padding_param {{ {text} }}")
    expected = np.pad(case.inputs[0], ((0, 0), (0, 0), *sides), constant_values=value)
    case.check(expected)
    # its Caffe importer hands on no list of paddings, so OpenCV reads the ONNX file
    close(case.opencv_of_onnx(tmp_path)[0], expected)


@pytest.mark.parametrize("seed", range(6))
def test_padding_sweep(seed, tmp_path):
    generator, shape = drawn(seed, most=4)
    top, left, bottom, right = (generator.randint(0, 4) for _ in range(4))
    body = f"padding_param {{ pad_t: {top} pad_l: {left} pad_b: {bottom} pad_r: {right} }}"
    case = Case("Padding", [shape], body, seed=seed)
    expected = np.pad(case.inputs[0], ((0, 0), (0, 0), (top, bottom), (left, right)))
    case.check(expected)
    close(case.opencv_of_onnx(tmp_path)[0], expected)


def test_padding_below_zero_cuts():
    case = Case("Padding", [(2, 3, 6, 7)], "padding_param { pad_beg: -1 pad_end: -2 }")
    case.check(case.inputs[0][:, :, 1:-2, 1:-2])
    one_side = Case("Padding", [(2, 3, 6, 7)], "padding_param { pad_beg: -1 }")
    one_side.check(one_side.inputs[0][:, :, 1:, 1:])
