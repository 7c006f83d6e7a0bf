"""Upsample with a mask, MaxUnpool, Unpooling and UnPooling against plain loops and OpenCV."""

import random

import numpy as np
import pytest
import torch

from caffegen import onnx_bridge
from caffegen.loader import loads
from caffegen.pytorch import build
from tests.onnx_bridge.golden_case import run
from tests.verify.fork_case import CLOSE, Case, close


def placed(x, mask, height, width):
    """upsample_layer.cpp, Forward_cpu: value by value, the last one for a place stays."""
    top = np.zeros((*x.shape[:2], height * width), np.float32)
    for n, c in np.ndindex(x.shape[:2]):
        for value, place in zip(x[n, c].ravel(), mask[n, c].ravel(), strict=True):
            top[n, c, int(place)] = value
    return top.reshape(*x.shape[:2], height, width)


def there_and_back(pooling, unpool, shape, extra=""):
    """A picture pooled with its places, another in the size of the pooled one brought back."""
    dims = " ".join(f"dim: {size}" for size in shape)
    return (
        f'layer {{ name: "a" type: "Input" top: "a" input_param {{ shape {{ {dims} }} }} }}\n'
        f'layer {{ name: "pool" type: "Pooling" bottom: "a" top: "small" top: "mask" '
        f"pooling_param {{ pool: MAX {pooling} }} }}\n"
        'layer { name: "other" type: "Power" bottom: "small" top: "other" '
        "power_param { scale: -2 shift: 0.5 } }\n"
        f'layer {{ name: "layer" bottom: "other" bottom: "mask" top: "top" {unpool} }}\n{extra}'
    )


def by_caffegen(text, x):
    """All blobs by PyTorch, the top by onnxruntime."""
    net = loads(text)
    with torch.no_grad():
        blobs = build(net).eval().run({"a": torch.from_numpy(x)}, blobs=["other", "mask", "top"])
    blobs = {name: value.numpy() for name, value in blobs.items()}
    top = run(onnx_bridge.to_model(net, outputs=["top"]), {"a": x})["top"]
    np.testing.assert_allclose(top, blobs["top"], **CLOSE)
    return blobs


@pytest.mark.parametrize("seed", range(12))
def test_pooled_and_brought_back(seed, tmp_path):
    import cv2

    generator = random.Random(seed)
    kernel, stride = generator.randint(2, 3), generator.randint(1, 3)
    pad = generator.randint(0, kernel // 2)
    steps = generator.randint(1, 4), generator.randint(1, 4)
    size = [count * stride + kernel - 2 * pad for count in steps]
    # OpenCV's MaxUnpool takes one picture
    shape = (1, generator.randint(1, 3), *size)
    fields = (
        f"pool_k_h: {kernel} pool_k_w: {kernel} pool_stride_h: {stride} pool_stride_w: {stride} "
        f"pool_pad_h: {pad} pool_pad_w: {pad}"
    )
    pooling = f"kernel_size: {kernel} stride: {stride} pad: {pad}"
    text = there_and_back(pooling, f'type: "MaxUnpool" max_unpool_param {{ {fields} }}', shape)
    x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    blobs = by_caffegen(text, x)
    expected = placed(blobs["other"], blobs["mask"], *size)
    np.testing.assert_allclose(blobs["top"], expected, **CLOSE)
    sizes = f"unpool_h: {size[0]} unpool_w: {size[1]}"
    # SegNet's names the size, the pull request's takes a Pooling's fields; all do the same
    for other in (
        f'type: "Upsample" upsample_param {{ upsample_h: {size[0]} upsample_w: {size[1]} }}',
        f'type: "Unpooling" pooling_param {{ pool: MAX {pooling} }}',
        f'type: "Unpooling" unpooling_param {{ kernel_size: {kernel} {sizes} }}',
    ):
        again = by_caffegen(there_and_back(pooling, other, shape), x)
        np.testing.assert_array_equal(again["top"], blobs["top"])
    path = tmp_path / "net.prototxt"
    path.write_text(text, encoding="utf-8")
    net = cv2.dnn.readNetFromCaffe(str(path))
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.setInput(x, "a")
    close(net.forward("layer"), expected)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        pytest.param("scale: 2", (8, 6), id="twice"),
        pytest.param("", (8, 6), id="twice unless it is said"),
        pytest.param("scale: 2 pad_out_h: true", (7, 6), id="one row less"),
        pytest.param("scale_h: 2 scale_w: 3 pad_out_h: true", (7, 9), id="two factors"),
        pytest.param("scale: 2 upsample_h: 9 upsample_w: 11", (9, 11), id="a size overrules"),
    ],
)
def test_sizes_of_segnets_upsample(text, size, tmp_path):
    case = Case("Upsample", [(2, 3, 4, 3), (2, 3, 4, 3)], f"upsample_param {{ {text} }}")
    places = np.random.default_rng(1).random((6, size[0] * size[1])).argsort(1)[:, :12]
    case.feeds["b"] = places.reshape(2, 3, 4, 3).astype(np.float32)
    expected = placed(*case.inputs, *size)
    case.check(expected)
    close(case.opencv_of_onnx(tmp_path)[0], expected)


def test_of_two_values_for_one_place_the_later_counts_and_both_have_its_gradient():
    case = Case("Upsample", [(1, 1, 1, 3), (1, 1, 1, 3)])
    case.feeds = {
        "a": np.array([[[[1, 2, 3]]]], np.float32),
        "b": np.array([[[[4, 0, 4]]]], np.float32),
    }
    top = np.array([[[[2, 0, 0, 0, 3, 0], [0] * 6]]], np.float32)
    case.check(top)
    bottom = torch.from_numpy(case.feeds["a"]).requires_grad_()
    made = build(case.net)(a=bottom, b=torch.from_numpy(case.feeds["b"]))["top"]
    (made * torch.arange(12.0).reshape(1, 1, 2, 6)).sum().backward()
    assert bottom.grad.flatten().tolist() == [4, 0, 4]


def test_one_onnx_model_of_an_unpooling_for_all_sizes():
    shape = (1, 2, 4, 6)
    text = there_and_back("kernel_size: 2 stride: 2", 'type: "Upsample"', shape)
    model = onnx_bridge.to_model(
        loads(text), dynamic_batch=True, dynamic_size=True, outputs=["top"]
    )
    module = build(loads(text)).eval()
    for size in ((1, 2, 4, 6), (3, 2, 8, 10)):
        x = np.random.default_rng(0).standard_normal(size).astype(np.float32)
        with torch.no_grad():
            expected = module(a=torch.from_numpy(x))["top"].numpy()
        assert expected.shape == size
        np.testing.assert_allclose(run(model, {"a": x})["top"], expected, **CLOSE)


def windows(shape, new, kernel, stride, pad):
    """The windows of unpooling_layer.cpp: index, (start, end) uncut, for each pixel."""
    for h, w in np.ndindex(shape[2:]):
        top, left = h * stride - pad, w * stride - pad
        yield (h, w), (top, top + kernel), (left, left + kernel)


def spread(x, method, new, kernel, stride, pad):
    """unpooling_layer.cpp of both forks, Forward_cpu: window by window."""
    top = np.zeros((*x.shape[:2], *new), np.float32)
    times = np.zeros(new)
    for (h, w), rows, columns in windows(x.shape, new, kernel, stride, pad):
        if method in ("FIXED", "FIRST"):
            places = [
                min(max(start if method == "FIRST" else (start + end - 1) // 2, 0), size - 1)
                for (start, end), size in zip((rows, columns), new, strict=True)
            ]
            top[:, :, places[0], places[1]] = x[:, :, h, w]
            continue
        ends = [min(end, size + pad) for (_, end), size in zip((rows, columns), new, strict=True)]
        size = (ends[0] - rows[0]) * (ends[1] - columns[0])
        # a window that lies wholly outside has no size, and nothing to be put in
        share = x[:, :, h, w] / (max(size, 1) if method in ("DIV", "AVE") else 1)
        for r in range(max(rows[0], 0), min(ends[0], new[0])):
            for c in range(max(columns[0], 0), min(ends[1], new[1])):
                top[:, :, r, c] += share
                times[r, c] += 1
    if method in ("DIV", "REP"):
        top /= np.maximum(times, 1)
    return top


@pytest.mark.parametrize("method", ["FIXED", "DIV", "REP"])
@pytest.mark.parametrize("seed", range(6))
def test_unpooling_of_ssds_author(method, seed, tmp_path):
    generator = random.Random(seed)
    kernel, stride = generator.randint(1, 4), generator.randint(1, 3)
    pad = generator.randint(0, kernel - 1)
    shape = (2, 2, generator.randint(2, 5), generator.randint(2, 5))
    new = tuple((size - 1) * stride + kernel - 2 * pad for size in shape[2:])
    if min(new) < 1:
        shape = (2, 2, 5, 5)
        new = ((4 * stride + kernel - 2 * pad),) * 2
    text = (
        f"unpooling_param {{ unpool: {method} out_kernel_size: {kernel} out_stride: {stride} "
        f"out_pad: {pad} }}"
    )
    case = Case("UnPooling", [shape], text, seed=seed)
    expected = spread(case.inputs[0], method, new, kernel, stride, pad)
    case.check(expected)
    close(case.opencv_of_onnx(tmp_path)[0], expected)


@pytest.mark.parametrize(
    ("small", "large", "window"),
    [
        pytest.param((3, 3), (6, 6), (2, 2, 0), id="twice"),
        pytest.param((3, 3), (7, 7), (3, 3, 1), id="rounded up"),
        pytest.param((1, 1), (5, 5), (5, 1, 0), id="one pixel"),
    ],
)
def test_a_second_bottom_says_the_window(small, large, window):
    kernel, stride, pad = window
    text = "unpooling_param { unpool: REP out_kernel_size: 9 }"
    case = Case("UnPooling", [(1, 2, *small), (1, 1, *large)], text)
    new = tuple((size - 1) * stride + kernel - 2 * pad for size in small)
    case.check(spread(case.inputs[0], "REP", new, *window))


@pytest.mark.parametrize("method", ["MAX", "AVE", "TILE"])
@pytest.mark.parametrize("seed", range(5))
def test_unpooling_of_deconvnet_without_a_mask(method, seed):
    generator = random.Random(seed)
    kernel, stride = generator.randint(1, 3), generator.randint(1, 3)
    shape = (2, 2, generator.randint(1, 4), generator.randint(1, 4))
    new = generator.randint(3, 9), generator.randint(3, 9)
    text = (
        f"unpooling_param {{ unpool: {method} kernel_size: {kernel} stride: {stride} "
        f"unpool_h: {new[0]} unpool_w: {new[1]} }}"
    )
    case = Case("Unpooling", [shape], text, seed=seed)
    kind = "FIRST" if method == "MAX" else method
    case.check(spread(case.inputs[0], kind, new, kernel, stride, 0))


@pytest.mark.parametrize("method", ["DIV", "REP", "FIXED"])
def test_the_gradient_of_a_spread(method):
    text = f"unpooling_param {{ unpool: {method} out_kernel_size: 3 out_stride: 2 out_pad: 1 }}"
    module = build(Case("UnPooling", [(1, 2, 3, 2)], text).net).double()
    bottom = torch.randn(1, 2, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a: module(a=a)["top"], [bottom])


def test_windows_are_laid_out_for_one_size():
    case = Case("UnPooling", [(1, 2, 3, 2)], "unpooling_param { out_kernel_size: 2 }")
    with pytest.raises(onnx_bridge.Refusal, match="its windows are laid out for this size"):
        onnx_bridge.to_model(case.net, dynamic_size=True)


def test_an_old_deconvnet_layer():
    net = loads(
        'input: "a" input_dim: 1 input_dim: 2 input_dim: 8 input_dim: 8\n'
        'layers { name: "pool" type: POOLING bottom: "a" top: "p" top: "m" '
        "pooling_param { pool: MAX kernel_size: 2 stride: 2 } }\n"
        'layers { name: "un" type: UNPOOLING bottom: "p" bottom: "m" top: "u" '
        "unpooling_param { unpool: MAX kernel_size: 2 stride: 2 unpool_size: 8 } }"
    )
    x = torch.randn(1, 2, 8, 8)
    top = build(net).eval()(x)["u"]
    assert net.shapes["u"] == (1, 2, 8, 8)
    assert torch.equal(top, x.where(top != 0, 0.0))
    assert (top != 0).sum() == 32
