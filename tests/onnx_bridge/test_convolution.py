"""Convolutions that ONNX says otherwise than Caffe, against Caffe's sums written out."""

from itertools import product

import numpy as np
import pytest

from caffegen import onnx_bridge
from caffegen.loader import loads
from tests.onnx_bridge.golden_case import run


def net(kind, shape, weights, fields):
    dims = " ".join(f"dim: {dim}" for dim in shape)
    text = f"""
layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}
layer {{ name: "conv" type: "{kind}" bottom: "x" top: "out" convolution_param {{ {fields} }} }}
"""
    return loads(text, {"conv": weights} if weights else None)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def convolved(x, weight, stride, pad, dilation):
    """A convolution in one group, on axis 1, over any spatial axes, by its definition."""
    spatial = x.shape[2:]
    kernel = weight.shape[2:]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    sizes = [
        int((s + 2 * p - r) / t) + 1 for s, p, r, t in zip(spatial, pad, reach, stride, strict=True)
    ]
    out = np.zeros((x.shape[0], weight.shape[0], *sizes), np.float64)
    for place in product(*map(range, sizes)):
        for tap in product(*map(range, kernel)):
            at = tuple(
                i * t - p + k * d
                for i, t, p, k, d in zip(place, stride, pad, tap, dilation, strict=True)
            )
            if all(0 <= a < s for a, s in zip(at, spatial, strict=True)):
                out[(..., *place)] += x[(..., *at)] @ weight[(..., *tap)].T
    return out


CASES = {
    "dilation 0": ((2, 3, 6, 7), (3, 2), (1, 2), (1, 1), (0, 2)),
    "dilation 0 on both axes": ((1, 2, 4, 4), (3, 3), (1, 1), (0, 0), (0, 0)),
    "kernel larger than the input": ((1, 2, 3, 3), (5, 4), (3, 2), (0, 0), (1, 1)),
    "one spatial axis": ((2, 3, 9), (4,), (2,), (1,), (2,)),
    "three spatial axes": ((1, 2, 4, 5, 4), (2, 3, 1), (1, 2, 1), (1, 0, 0), (1, 1, 1)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_convolution(case):
    shape, kernel, stride, pad, dilation = case
    weight = normal(4, shape[1], *kernel)
    words = {"kernel_size": kernel, "stride": stride, "pad": pad, "dilation": dilation}
    fields = " ".join(f"{name}: {value}" for name, values in words.items() for value in values)
    written = net("Convolution", shape, [weight], f"num_output: 4 bias_term: false {fields}")
    x = normal(*shape, seed=1)
    found = run(onnx_bridge.to_model(written), {"x": x})["out"]
    expected = convolved(x, weight, stride, pad, dilation)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, 1e-4, 1e-5)


def test_channels_on_another_axis():
    weight, bias = normal(4, 3, 2, 2), normal(4)
    written = net(
        "Convolution", (2, 5, 3, 6, 6), [weight, bias], "num_output: 4 kernel_size: 2 axis: 2"
    )
    x = normal(2, 5, 3, 6, 6, seed=1)
    found = run(onnx_bridge.to_model(written, dynamic_batch=True), {"x": x})["out"]
    expected = convolved(x.reshape(10, 3, 6, 6), weight, (1, 1), (0, 0), (1, 1))
    expected = (expected + bias[:, None, None]).reshape(2, 5, 4, 5, 5)
    np.testing.assert_allclose(found, expected, 1e-4, 1e-5)


def test_no_spatial_axes():
    weight, bias = normal(4, 3), normal(4)
    written = net("Convolution", (2, 3), [weight, bias], "num_output: 4")
    x = normal(2, 3, seed=1)
    found = run(onnx_bridge.to_model(written), {"x": x})["out"]
    np.testing.assert_allclose(found, x @ weight.T + bias, 1e-5, 1e-5)


def test_deconvolution_with_dilation_0_and_groups():
    weight = normal(4, 3, 2, 3)
    fields = "num_output: 6 bias_term: false group: 2 kernel_size: 2 kernel_size: 3 stride: 2"
    written = net("Deconvolution", (1, 4, 3, 4), [weight], f"{fields} dilation: 0 dilation: 1")
    x = normal(1, 4, 3, 4, seed=1)
    found = run(onnx_bridge.to_model(written), {"x": x})["out"]
    expected = np.zeros((1, 6, 5, 9))
    for group, i, j, tap, k in product(range(2), range(3), range(4), range(2), range(3)):
        rows = slice(2 * group, 2 * group + 2)
        painted = x[:, rows, i, j] @ weight[rows, :, tap, k]
        expected[:, 3 * group : 3 * group + 3, 2 * i, 2 * j + k] += painted
    np.testing.assert_allclose(found, expected, 1e-4, 1e-5)


def test_im2col_is_a_convolution_with_places():
    written = net("Im2col", (2, 3, 5, 6), None, "kernel_size: 2 kernel_size: 3 stride: 2 pad: 1")
    x = normal(2, 3, 5, 6)
    model = onnx_bridge.to_model(written)
    assert [node.op_type for node in model.graph.node] == ["Conv"]
    found = run(model, {"x": x})["out"]
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    for c, i, j in product(range(3), range(2), range(3)):
        column = padded[:, c, i : i + 5 : 2, j : j + 5 : 2][:, :3, :3]
        np.testing.assert_array_equal(found[:, (c * 2 + i) * 3 + j], column)


def test_several_bottoms_share_the_weights():
    text = """
layer { name: "a" type: "Input" top: "a" input_param { shape { dim: 1 dim: 2 dim: 4 dim: 4 } } }
layer { name: "b" type: "Input" top: "b" input_param { shape { dim: 1 dim: 2 dim: 4 dim: 4 } } }
layer { name: "conv" type: "Convolution" bottom: "a" bottom: "b" top: "c" top: "d"
  convolution_param { num_output: 2 kernel_size: 3 bias_term: false } }
"""
    weight = normal(2, 2, 3, 3)
    model = onnx_bridge.to_model(loads(text, {"conv": [weight]}))
    assert [node.name for node in model.graph.node] == ["conv", "conv/Conv"]
    assert [tensor.name for tensor in model.graph.initializer] == ["conv.weight"]
    feeds = {"a": normal(1, 2, 4, 4, seed=1), "b": normal(1, 2, 4, 4, seed=2)}
    found = run(model, feeds)
    for top, bottom in (("c", "a"), ("d", "b")):
        expected = convolved(feeds[bottom], weight, (1, 1), (0, 0), (1, 1))
        np.testing.assert_allclose(found[top], expected, 1e-4, 1e-5)


def test_padding_of_a_1x1_kernel_is_a_pad():
    weight, bias = normal(2, 3, 1, 1), normal(2, seed=1)
    model = onnx_bridge.to_model(
        net("Convolution", (1, 3, 4, 5), [weight, bias], "num_output: 2 kernel_size: 1 pad: 1")
    )
    assert [node.op_type for node in model.graph.node] == ["Pad", "Conv"]
    x = normal(1, 3, 4, 5, seed=2)
    expected = convolved(x, weight, (1, 1), (1, 1), (1, 1)) + bias.reshape(2, 1, 1)
    np.testing.assert_allclose(run(model, {"x": x})["out"], expected, 1e-4, 1e-5)
