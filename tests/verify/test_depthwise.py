"""Depthwise convolutions: PyTorch, onnxruntime and OpenCV over random windows."""

import random

import numpy as np
import pytest

from tests.verify.fork_case import Case, close


def depthwise(x, weight, bias, stride, pad, dilation):
    """conv_dw_layer.cpp: each channel by its own filter, zeros outside."""
    (kernel_h, kernel_w), channels = weight.shape[2:], x.shape[1]
    sizes = [
        (x.shape[axis + 2] + 2 * pad[axis] - dilation * (weight.shape[axis + 2] - 1) - 1)
        // stride[axis]
        + 1
        for axis in (0, 1)
    ]
    padded = np.pad(x, ((0, 0), (0, 0), (pad[0], pad[0]), (pad[1], pad[1])))
    top = np.zeros((x.shape[0], channels, *sizes), np.float32)
    for row, column in np.ndindex(kernel_h, kernel_w):
        down, across = row * dilation, column * dilation
        seen = padded[:, :, down :: stride[0], across :: stride[1]][:, :, : sizes[0], : sizes[1]]
        top += seen * weight[:, 0, row, column].reshape(1, -1, 1, 1)
    return top if bias is None else top + bias.reshape(1, -1, 1, 1)


@pytest.mark.parametrize("kind", ["ConvolutionDepthwise", "DepthwiseConvolution"])
@pytest.mark.parametrize("seed", range(8))
def test_windows(kind, seed, tmp_path):
    generator = random.Random(seed)
    channels, items = generator.randint(1, 6), generator.randint(1, 3)
    kernel = generator.randint(1, 4), generator.randint(1, 4)
    pad = generator.randint(0, 2), generator.randint(0, 2)
    stride = generator.randint(1, 3), generator.randint(1, 3)
    dilation = generator.choice((1, 1, 2)) if kind == "ConvolutionDepthwise" else 1
    shape = (items, channels, *(generator.randint(8, 12) for _ in range(2)))
    biased = generator.random() < 0.7
    body = (
        f"convolution_param {{ num_output: {channels} group: {channels} "
        f"kernel_h: {kernel[0]} kernel_w: {kernel[1]} stride_h: {stride[0]} stride_w: {stride[1]} "
        f"pad_h: {pad[0]} pad_w: {pad[1]} dilation: {dilation} bias_term: {str(biased).lower()} }}"
    )
    drawn = np.random.default_rng(seed)
    weights = [drawn.standard_normal((channels, 1, *kernel)).astype(np.float32)]
    weights += [drawn.standard_normal(channels).astype(np.float32)] * biased
    case = Case(kind, [shape], body, weights=weights, seed=seed)
    bias = weights[1] if biased else None
    expected = depthwise(case.inputs[0], weights[0], bias, stride, pad, dilation)
    case.check(expected)
    # OpenCV knows one of the two names
    text = case.text.replace("DepthwiseConvolution", "ConvolutionDepthwise")
    close(case.opencv(tmp_path, text), expected)


def test_num_output_and_group_play_no_part(tmp_path):
    weights = [np.arange(27, dtype=np.float32).reshape(3, 1, 3, 3)]
    body = "convolution_param { kernel_size: 3 bias_term: false"
    told = Case("ConvolutionDepthwise", [(1, 3, 5, 5)], f"{body} num_output: 7 }}", weights=weights)
    bare = Case("ConvolutionDepthwise", [(1, 3, 5, 5)], f"{body} }}", weights=weights)
    expected = depthwise(told.inputs[0], weights[0], None, (1, 1), (0, 0), 1)
    told.check(expected)
    bare.check(expected)
