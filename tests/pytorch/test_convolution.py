"""Convolutions: which module stands for them, and what only Caffe's can do."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from caffegen.pytorch.convolution import ConvolutionAnyAxes, DeconvolutionAnyAxes
from tests.pytorch.one_layer import one_layer


@pytest.mark.parametrize(
    ("shape", "body", "expected"),
    [
        ((2, 4, 9), "num_output: 6 kernel_size: 3", nn.Conv1d),
        ((2, 4, 9, 9), "num_output: 6 kernel_size: 3 group: 2 dilation: 2", nn.Conv2d),
        ((2, 4, 9, 9, 9), "num_output: 6 kernel_size: 3", nn.Conv3d),
        ((2, 4), "num_output: 6", ConvolutionAnyAxes),
        ((2, 3, 4, 9, 9), "num_output: 6 kernel_size: 3 axis: 2", ConvolutionAnyAxes),
        ((2, 4, 9, 9), "num_output: 6 kernel_size: 3 dilation: 0", ConvolutionAnyAxes),
        ((2, 4, 2, 9), "num_output: 6 kernel_size: 3 stride: 2", ConvolutionAnyAxes),
    ],
    ids=["1d", "2d", "3d", "no-axes", "axis-2", "dilation-0", "kernel-exceeds-input"],
)
def test_module_of_convolution(shape, body, expected):
    module = one_layer("Convolution", [shape], f"convolution_param {{ {body} }}")
    assert type(module.layer) is expected


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 4, 5), nn.ConvTranspose1d),
        ((2, 4, 5, 5), nn.ConvTranspose2d),
        ((2, 4, 3, 3, 3), nn.ConvTranspose3d),
        ((2, 4, 3, 3, 3, 3), DeconvolutionAnyAxes),
    ],
    ids=["1d", "2d", "3d", "4d"],
)
def test_module_of_deconvolution(shape, expected):
    body = "convolution_param { num_output: 2 kernel_size: 2 stride: 2 }"
    assert type(one_layer("Deconvolution", [shape], body).layer) is expected


def convolved(bottom, weight, bias, stride, pad, dilation, group):
    """A convolution over any number of axes, value by value."""
    axes = weight.ndim - 2
    padded = np.pad(bottom, [(0, 0), (0, 0), *[(p, p) for p in pad]])
    kernel = weight.shape[2:]
    sizes = [
        (padded.shape[i + 2] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1
        for i in range(axes)
    ]
    top = np.zeros((bottom.shape[0], weight.shape[0], *sizes))
    ins, outs = bottom.shape[1] // group, weight.shape[0] // group
    for place in itertools.product(*map(range, sizes)):
        for tap in itertools.product(*map(range, kernel)):
            at = tuple(
                p * s + t * d for p, s, t, d in zip(place, stride, tap, dilation, strict=True)
            )
            for out in range(weight.shape[0]):
                first = out // outs * ins
                values = padded[(slice(None), slice(first, first + ins), *at)]
                top[(slice(None), out, *place)] += values @ weight[(out, slice(None), *tap)]
    return top + bias.reshape(-1, *[1] * axes)


def test_four_spatial_axes():
    shape, kernel, stride, pad, dilation = (2, 4, 5, 4, 3, 4), (2, 3, 2, 2), (2, 1, 1, 2), (1, 1, 0, 1), (2, 1, 1, 1)  # fmt: skip
    words = {"kernel_size": kernel, "stride": stride, "pad": pad, "dilation": dilation}
    body = " ".join(f"{name}: {value}" for name, values in words.items() for value in values)
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((6, 2, *kernel)).astype(np.float32)
    bias = rng.standard_normal(6).astype(np.float32)
    module = one_layer(
        "Convolution", [shape], f"convolution_param {{ num_output: 6 group: 2 {body} }}",
        weights=[weight, bias],
    )  # fmt: skip
    bottom = rng.standard_normal((3, *shape[1:])).astype(np.float32)
    expected = convolved(bottom, weight, bias, stride, pad, dilation, 2)
    found = module(torch.from_numpy(bottom))["top"].detach().numpy()
    np.testing.assert_allclose(found, expected, 1e-4, 1e-4)


@pytest.mark.parametrize("axes", [0, 1, 2, 3, 4])
def test_deconvolution_is_the_transpose(axes):
    """<conv(x), y> = <x, deconv(y)> with one weight, over any number of axes."""
    body = "num_output: {} bias_term: false group: 2" + (
        " kernel_size: 3 stride: 2 pad: 1 dilation: 2" if axes else ""
    )
    shape = (2, 4, *[9, 11, 9, 9][:axes])
    rng = np.random.default_rng(axes)
    weight = rng.standard_normal((6, 2, *[3] * axes)).astype(np.float32)
    forward = one_layer(
        "Convolution", [shape], f"convolution_param {{ {body.format(6)} }}", weights=[weight]
    ).double()
    x = torch.randn(shape, dtype=torch.float64)
    y = forward(x)["top"]
    other = torch.randn_like(y)
    back = one_layer(
        "Deconvolution", [tuple(y.shape)], f"convolution_param {{ {body.format(4)} }}",
        weights=[weight],
    ).double()  # fmt: skip
    painted = back(other)["top"]
    assert painted.shape == x.shape
    torch.testing.assert_close((y * other).sum(), (x * painted).sum())


def test_dilation_zero_reads_one_value():
    body = "convolution_param { num_output: 2 kernel_size: 3 dilation: 0 dilation: 1 }"
    module = one_layer("Convolution", [(1, 2, 5, 5)], body)
    weight, bias = module.caffe_blobs("layer")
    x = torch.randn(1, 2, 5, 5)
    expected = nn.functional.conv2d(x, weight.sum(2, keepdim=True), bias)
    torch.testing.assert_close(module(x)["top"], expected)


def test_kernel_past_the_end_reads_zeros():
    """A kernel of 6 on 3 rows with stride 4: the truncated division leaves one window."""
    body = "convolution_param { num_output: 2 kernel_h: 6 kernel_w: 2 stride_h: 4 stride_w: 1 }"
    module = one_layer("Convolution", [(1, 2, 3, 4)], body)
    x = torch.randn(1, 2, 3, 4)
    padded = nn.functional.pad(x, (0, 0, 0, 3))
    expected = nn.functional.conv2d(padded, *module.caffe_blobs("layer"), stride=(4, 1))
    torch.testing.assert_close(module(x)["top"], expected)
    # sizes are free: a larger input has no need of zeros
    y = torch.randn(2, 2, 11, 9)
    expected = nn.functional.conv2d(y, *module.caffe_blobs("layer"), stride=(4, 1))
    torch.testing.assert_close(module(y)["top"], expected)


def test_several_bottoms_share_the_weights():
    body = "convolution_param { num_output: 3 kernel_size: 3 }"
    shapes = [(1, 2, 5, 5), (1, 2, 5, 5)]
    module = one_layer("Convolution", shapes, body, tops=("x", "y"))
    a, b = torch.randn(2, 2, 5, 5), torch.randn(2, 2, 5, 5)
    tops = module(a, b)
    weight, bias = module.caffe_blobs("layer")
    torch.testing.assert_close(tops["x"], nn.functional.conv2d(a, weight, bias))
    torch.testing.assert_close(tops["y"], nn.functional.conv2d(b, weight, bias))
    (tops["x"].sum() + tops["y"].sum()).backward()
    assert len(list(module.parameters())) == 2
    assert weight.grad is not None


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((2, 3, 7), "kernel_size: 3 stride: 2 pad: 1"),
        ((2, 3, 7, 6), "kernel_size: 3 kernel_size: 2 dilation: 2 pad: 1"),
        ((1, 2, 4, 5, 4), "kernel_size: 2 stride: 2"),
    ],
    ids=["1d", "2d", "3d"],
)
def test_im2col_makes_convolution_a_product(shape, words):
    convolution = one_layer(
        "Convolution", [shape], f"convolution_param {{ num_output: 5 bias_term: false {words} }}"
    )
    columns = one_layer("Im2col", [shape], f"convolution_param {{ {words} }}")
    x = torch.randn(shape)
    (weight,) = convolution.caffe_blobs("layer")
    product = torch.einsum("oc,nc...->no...", weight.flatten(1), columns(x)["top"])
    torch.testing.assert_close(product, convolution(x)["top"], rtol=1e-4, atol=1e-5)
