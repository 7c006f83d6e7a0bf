"""Interp, Resize and Upsample: PyTorch, onnxruntime and OpenCV against plain loops."""

import random

import numpy as np
import pytest
import torch

from caffegen import onnx_bridge
from caffegen.loader import loads
from caffegen.pytorch import build
from tests.onnx_bridge.golden_case import run
from tests.verify.fork_case import CLOSE, Case, close


def drawn(seed, most=7):
    """A generator and a shape of it."""
    generator = random.Random(seed)
    return generator, tuple(generator.randint(1, most) for _ in range(4))


def from_corners(x, height, width):
    """util/interp.cpp, caffe_cpu_interp2: pixel by pixel, in single precision."""
    old_height, old_width = x.shape[2:]
    top = np.empty((*x.shape[:2], height, width), np.float32)
    down = np.float32(old_height - 1) / np.float32(height - 1) if height > 1 else np.float32(0)
    across = np.float32(old_width - 1) / np.float32(width - 1) if width > 1 else np.float32(0)
    for row in range(height):
        place = np.float32(down * np.float32(row))
        h = int(place)
        below = 1 if h < old_height - 1 else 0
        low = place - h
        for column in range(width):
            along = np.float32(across * np.float32(column))
            w = int(along)
            right = 1 if w < old_width - 1 else 0
            far = along - w
            top[:, :, row, column] = (1 - low) * (
                (1 - far) * x[:, :, h, w] + far * x[:, :, h, w + right]
            ) + low * ((1 - far) * x[:, :, h + below, w] + far * x[:, :, h + below, w + right])
    return top


@pytest.mark.parametrize("seed", range(16))
def test_interp_to_a_size(seed, tmp_path):
    generator, shape = drawn(seed)
    height, width = generator.randint(1, 20), generator.randint(1, 20)
    text = f"interp_param {{ height: {height} width: {width} }}"
    case = Case("Interp", [shape], text, seed=seed)
    expected = from_corners(case.inputs[0], height, width)
    case.check(expected)
    close(case.opencv(tmp_path), expected)


@pytest.mark.parametrize("seed", range(16))
def test_interp_by_a_factor(seed, tmp_path):
    generator, shape = drawn(seed, most=6)
    zoom = seed % 2 == 0
    factor = generator.randint(1, 5)
    text = f"interp_param {{ {'zoom' if zoom else 'shrink'}_factor: {factor} }}"
    case = Case("Interp", [shape], text, seed=seed)
    sizes = [(n - 1) * factor + 1 if zoom else (n - 1) // factor + 1 for n in shape[2:]]
    expected = from_corners(case.inputs[0], *sizes)
    case.check(expected)
    if zoom:
        # OpenCV's Caffe importer knows no shrink_factor
        close(case.opencv(tmp_path), expected)
    else:
        close(case.opencv_of_onnx(tmp_path)[0], expected)


@pytest.mark.parametrize(
    ("text", "sides", "size"),
    [
        pytest.param("pad_beg: -1 zoom_factor: 2", np.s_[:, :, 1:, 1:], (11, 9), id="begin"),
        pytest.param("pad_end: -2 shrink_factor: 2", np.s_[:, :, :-2, :-2], (3, 2), id="end"),
        pytest.param(
            "pad_beg: -1 pad_end: -1 height: 4 width: 9", np.s_[:, :, 1:-1, 1:-1], (4, 9), id="both"
        ),
        pytest.param(
            "shrink_factor: 2 zoom_factor: 3", np.s_[:], (10, 7), id="shrunk, then zoomed"
        ),
        pytest.param("height: 7 width: 6", np.s_[:], (7, 6), id="as it was"),
    ],
)
def test_interp_of_a_part(text, sides, size):
    case = Case("Interp", [(2, 3, 7, 6)], f"interp_param {{ {text} }}")
    case.check(from_corners(case.inputs[0][sides], *size))


@pytest.mark.parametrize(("old", "new"), [(4, 3), (3, 8), (8, 15), (5, 1), (1, 4), (9, 9), (4, 7)])
def test_interp_to_the_nearest(old, new):
    text = f"interp_param {{ height: {new} width: {new} mode: NEAREST }}"
    case = Case("Interp", [(2, 2, old, old)], text)
    step = np.float32(old - 1) / np.float32(max(1, new - 1))
    index = []
    for place in range(new):
        exact = np.float32(step * np.float32(place))
        below = int(exact)
        # the earlier only where it is strictly nearer
        index.append(below if 1 - (exact - below) > exact - below else min(below + 1, old - 1))
    case.check(case.inputs[0][:, :, index][:, :, :, index])


def test_half_way_the_later_one_is_the_nearest():
    case = Case("Interp", [(1, 1, 4, 1)], "interp_param { height: 3 width: 1 mode: NEAREST }")
    case.check(case.inputs[0][:, :, [0, 2, 3]])


def test_the_gradient_of_interp():
    text = "interp_param { zoom_factor: 3 pad_beg: -1 }"
    module = build(Case("Interp", [(1, 2, 4, 3)], text).net).double()
    bottom = torch.randn(1, 2, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a: module(a=a)["top"], [bottom])


def net_of(body, size=5):
    return loads(
        f'layer {{ name: "a" type: "Input" top: "a" input_param {{ shape {{ dim: 1 dim: 3 dim: {size} '
        f'dim: {size} }} }} }}\nlayer {{ name: "layer" bottom: "a" top: "top" {body} }}'
    )


@pytest.mark.parametrize(
    "body",
    [
        'type: "Interp" interp_param { zoom_factor: 8 }',
        'type: "Interp" interp_param { shrink_factor: 2 zoom_factor: 2 pad_end: -1 }',
        'type: "Interp" interp_param { height: 11 width: 13 }',
        'type: "Upsample" upsample_param { scale: 3 }',
    ],
)
def test_one_onnx_model_for_all_sizes(body):
    model = onnx_bridge.to_model(net_of(body), dynamic_batch=True, dynamic_size=True)
    module = build(net_of(body)).eval()
    for shape in ((1, 3, 5, 5), (2, 3, 9, 14)):
        x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        with torch.no_grad():
            expected = module(torch.from_numpy(x))["top"].numpy()
        np.testing.assert_allclose(run(model, {"a": x})["top"], expected, **CLOSE)


def test_pixels_picked_by_number_need_a_size():
    body = 'type: "Interp" interp_param { zoom_factor: 2 mode: NEAREST }'
    with pytest.raises(onnx_bridge.Refusal, match="the nearest of its pixels are picked by number"):
        onnx_bridge.to_model(net_of(body), dynamic_size=True)


def from_the_corner(x, height, width):
    """util_img.cpp, BiLinearResizeMat_cpu: what lies behind the last row and column adds nothing."""
    old_height, old_width = x.shape[2:]
    top = np.zeros((*x.shape[:2], height, width), np.float32)
    for row, column in np.ndindex(height, width):
        fh = np.float32(row) * (np.float32(old_height) / np.float32(height))
        fw = np.float32(column) * (np.float32(old_width) / np.float32(width))
        h, w = int(np.floor(fh)), int(np.floor(fw))
        fh, fw = fh - h, fw - w
        value = (1 - fh) * (1 - fw) * x[:, :, h, w]
        if w + 1 < old_width:
            value = value + (1 - fh) * fw * x[:, :, h, w + 1]
        if h + 1 < old_height:
            value = value + fh * (1 - fw) * x[:, :, h + 1, w]
        if w + 1 < old_width and h + 1 < old_height:
            value = value + fh * fw * x[:, :, h + 1, w + 1]
        top[:, :, row, column] = value
    return top


@pytest.mark.parametrize("seed", range(10))
def test_resize(seed, tmp_path):
    generator, shape = drawn(seed)
    height, width = generator.randint(1, 15), generator.randint(1, 15)
    text = f"resize_param {{ height: {height} width: {width} }}"
    case = Case("Resize", [shape], text, seed=seed)
    expected = from_the_corner(case.inputs[0], height, width)
    case.check(expected)
    # OpenCV's own Resize begins at another corner, so it reads the ONNX file
    close(case.opencv_of_onnx(tmp_path)[0], expected)


def test_resize_by_a_scale_fades_at_the_far_edges():
    text = "resize_param { is_pyramid_test: true out_height_scale: 2 out_width_scale: 1.5 }"
    case = Case("Resize", [(1, 1, 2, 2)], text)
    case.feeds["a"] = np.array([[[[4, 8], [12, 16]]]], np.float32)
    # columns at 0, 2/3 and 4/3, rows at 0, 0.5, 1 and 1.5; behind 8 and 12 stands 0
    first, third = [4, 20 / 3, 16 / 3], [12, 44 / 3, 32 / 3]
    second = [8, 32 / 3, 8]
    case.check(np.array([[[first, second, third, [6, 22 / 3, 16 / 3]]]], np.float32))


@pytest.mark.parametrize("scale", [1, 2, 3, 5, 7, 41])
def test_upsample_repeats_every_pixel(scale, tmp_path):
    case = Case("Upsample", [(2, 3, 5, 4)], f"upsample_param {{ scale: {scale} }}")
    expected = case.inputs[0].repeat(scale, 2).repeat(scale, 3)
    case.check(expected)
    close(case.opencv_of_onnx(tmp_path)[0], expected)
