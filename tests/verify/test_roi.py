"""Pooling over regions: random settings in three runtimes, and every cell by hand."""

import math

import numpy as np
import pytest
import torch

from caffegen.errors import CaffegenError
from caffegen.loader import loads
from caffegen.verify import compare, seeded_inputs
from tests.verify.side_by_side import assert_agree, by_onnxruntime, by_opencv, by_torch, prototxt

F32 = np.float32


def away(number):
    """C's round()."""
    return math.copysign(math.floor(abs(number) + 0.5), number)


def regions(rng, images, height, width, scale, *, halves):
    """Rows of image and corners, also inside out and outside the map."""
    rois = np.zeros((9, 5), F32)
    rois[:, 0] = rng.integers(0, images, 9)
    corners = rng.uniform(-0.2, 1.2, (9, 4)) * [width, height, width, height] / scale
    # OpenCV rounds halves below 0 upwards, the forks away from zero
    corners = np.maximum(np.round(corners * 2) / 2, 0) if halves else corners
    rois[:6, 1:] = np.concatenate(
        [
            np.minimum(corners[:6, :2], corners[:6, 2:]),
            np.maximum(corners[:6, :2], corners[:6, 2:]),
        ],
        1,
    )
    rois[6:, 1:] = corners[6:]
    return rois


def settings():
    rng = np.random.default_rng(11)
    for index in range(24):
        scale = float(rng.choice([0.0625, 0.5, 0.3, 1.0, 0.1]))
        sizes = [int(v) for v in (*rng.integers(1, 3, 1), *rng.integers(3, 18, 2))]
        pooled = [int(v) for v in rng.integers(1, 8, 2)]
        yield index, scale, sizes, pooled, (13, 17, 21, 22, 26)[index % 5]


@pytest.mark.parametrize("setting", list(settings()), ids=str)
def test_roi_pooling_agrees(setting):
    index, scale, (images, height, width), pooled, opset = setting
    rng = np.random.default_rng(index)
    bottom = rng.standard_normal((images, 3, height, width)).astype(F32)
    rois = regions(rng, images, height, width, scale, halves=index % 2)
    body = f"roi_pooling_param {{ pooled_h: {pooled[0]} pooled_w: {pooled[1]} spatial_scale: {scale} }}"
    (top,) = assert_agree("ROIPooling", {"x": bottom, "rois": rois}, body, opset=opset)
    np.testing.assert_array_equal(top, roi_pooling_by_hand(bottom, rois, pooled, F32(scale)))


def roi_pooling_by_hand(bottom, rois, pooled, scale):
    """Cell by cell, as the layer is documented."""
    top = np.zeros((len(rois), bottom.shape[1], *pooled), F32)
    for r, roi in enumerate(rois):
        cells = []
        for axis in (1, 0):
            start, end = (away(F32(roi[1 + axis + side]) * scale) for side in (0, 2))
            step = F32(max(end - start + 1, 1)) / F32(pooled[1 - axis])
            cells.append([
                [min(max(int(edge), 0), bottom.shape[3 - axis]) for edge in (
                    math.floor(F32(i) * step) + start, math.ceil(F32(i + 1) * step) + start)]
                for i in range(pooled[1 - axis])
            ])  # fmt: skip
        for i, (y0, y1) in enumerate(cells[0]):
            for j, (x0, x1) in enumerate(cells[1]):
                if y1 > y0 and x1 > x0:
                    top[r, :, i, j] = bottom[int(roi[0]), :, y0:y1, x0:x1].max((1, 2))
    return top


def test_roi_pooling_by_paper():
    # an 8 x 8 map counted row by row; corners 0 and 14 times 0.5 are 0 and 7: 8 pixels in 2 cells
    bottom = np.arange(64, dtype=F32).reshape(1, 1, 8, 8)
    rois = np.array([[0, 0, 0, 14, 14], [0, 4, 4, 4, 4], [0, 20, 20, 30, 30]], F32)
    body = "roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.5 }"
    text = prototxt("ROIPooling", {"x": bottom, "rois": rois}, body)
    (top,) = by_torch(text, {"x": bottom, "rois": rois}, ["top"])
    # cells of 4 x 4; one pixel, in all four cells; all outside
    assert top[:, 0].tolist() == [[[27, 31], [59, 63]], [[18, 18], [18, 18]], [[0, 0], [0, 0]]]


def test_ties_give_their_gradient_to_the_first_pixel():
    body = "roi_pooling_param { pooled_h: 1 pooled_w: 1 }"
    module = build_module("ROIPooling", (1, 1, 3, 3), body)
    bottom = torch.zeros(1, 1, 3, 3, requires_grad=True)
    module(a=bottom, b=torch.tensor([[0.0, 1, 0, 2, 2]]))["top"].sum().backward()
    assert bottom.grad[0, 0].tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]


def build_module(kind, shape, body, rois=1):
    from tests.pytorch.one_layer import one_layer

    return one_layer(kind, [shape, (rois, 5)], body)


@pytest.mark.parametrize(
    ("kind", "channels", "body"),
    [
        ("ROIPooling", 2, "roi_pooling_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.5 }"),
        (
            "PSROIPooling", 8,
            "psroi_pooling_param { output_dim: 2 group_size: 2 spatial_scale: 0.5 }",
        ),
        (
            "ROIAlign", 2,
            "roi_align_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.5 sampling_ratio: 2 }",
        ),
        (
            "ROIAlign", 2,
            "roi_pooling_param { pooled_h: 3 pooled_w: 2 spatial_scale: 0.5 pad_ratio: 0.1 }",
        ),
    ],
    ids=["ROIPooling", "PSROIPooling", "ROIAlign", "ROIAlign at corners"],
)  # fmt: skip
def test_gradient(kind, channels, body):
    module = build_module(kind, (2, channels, 7, 6), body, rois=4)
    bottom = torch.randn(2, channels, 7, 6, dtype=torch.float64, requires_grad=True)
    rois = torch.tensor(
        [[0, 1, 1, 8, 9], [1, 0, 2, 4, 12], [1, 5, 5, 5, 5], [0, -4, 3, 30, 6]], dtype=torch.float64
    )
    assert torch.autograd.gradcheck(lambda x: module(a=x, b=rois)["top"], (bottom,))


@pytest.mark.parametrize("setting", list(settings()), ids=str)
def test_psroi_pooling_agrees(setting):
    index, scale, (images, height, width), (group, outputs), opset = setting
    rng = np.random.default_rng(index)
    group, outputs = min(group, 4), min(outputs, 3)
    bottom = rng.standard_normal((images, outputs * group**2, height, width)).astype(F32)
    rois = regions(rng, images, height, width, scale, halves=index % 2)
    body = (
        f"psroi_pooling_param {{ output_dim: {outputs} group_size: {group} "
        f"spatial_scale: {scale} }}"
    )
    (top,) = assert_agree("PSROIPooling", {"x": bottom, "rois": rois}, body, opset=opset)
    expected = psroi_pooling_by_hand(bottom, rois, outputs, group, F32(scale))
    np.testing.assert_allclose(top, expected, rtol=1e-4, atol=1e-5)


def psroi_pooling_by_hand(bottom, rois, outputs, group, scale):
    """Cell by cell, as the layer is documented."""
    top = np.zeros((len(rois), outputs, group, group), F32)
    for r, roi in enumerate(rois):
        cells = []
        for axis in (1, 0):
            start = F32(away(roi[1 + axis])) * scale
            end = F32(away(roi[3 + axis]) + 1) * scale
            step = max(end - start, F32(0.1)) / F32(group)
            size = bottom.shape[3 - axis]
            cells.append([
                (
                    min(max(math.floor(F32(i) * step + start), 0), size),
                    min(max(math.ceil(F32(i + 1) * step + start), 0), size),
                )
                for i in range(group)
            ])  # fmt: skip
        for d in range(outputs):
            for i, (y0, y1) in enumerate(cells[0]):
                for j, (x0, x1) in enumerate(cells[1]):
                    plane = bottom[int(roi[0]), (d * group + i) * group + j]
                    if y1 > y0 and x1 > x0:
                        top[r, d, i, j] = plane[y0:y1, x0:x1].mean()
    return top


def test_psroi_pooling_rounds_halves_below_zero_downwards():
    # round(-0.5) is -1 in C, so that the region ends before the map; OpenCV takes floor(x + 0.5)
    bottom = np.ones((1, 1, 3, 3), F32)
    rois = np.array([[0, 0, -1, 2, -0.5]], F32)
    body = "psroi_pooling_param { output_dim: 1 group_size: 1 spatial_scale: 1 }"
    arrays = {"x": bottom, "rois": rois}
    text = prototxt("PSROIPooling", arrays, body)
    assert by_torch(text, arrays, ["top"])[0].item() == 0
    assert by_onnxruntime(text, arrays, ["top"])[0].item() == 0
    assert by_opencv(text, arrays).item() == 1


@pytest.mark.parametrize("setting", list(settings())[:12], ids=str)
@pytest.mark.parametrize("corners", [False, True], ids=["means", "corners"])
def test_roi_align_agrees(setting, corners):
    index, scale, (images, height, width), pooled, opset = setting
    rng = np.random.default_rng(index)
    bottom = rng.standard_normal((images, 2, height, width)).astype(F32)
    rois = regions(rng, images, height, width, scale, halves=False)
    field, extra = ("roi_pooling_param", "pad_ratio: 0.125") if corners else (
        "roi_align_param", f"sampling_ratio: {index % 4 - 1}"
    )  # fmt: skip
    body = (
        f"{field} {{ pooled_h: {pooled[0]} pooled_w: {pooled[1]} spatial_scale: {scale} {extra} }}"
    )
    arrays = {"x": bottom, "rois": rois}
    (top,) = assert_agree("ROIAlign", arrays, body, opset=opset, opencv=False)
    by_hand = corners_by_hand if corners else means_by_hand
    expected = by_hand(bottom, rois, pooled, scale, 0.125 if corners else index % 4 - 1)
    np.testing.assert_allclose(top, expected, rtol=1e-4, atol=1e-4)


def bilinear(plane, y, x, reach, edge):
    """A sample between pixels; 0 further outside than `reach` before or `edge` behind."""
    height, width = plane.shape[1:]
    if not (-reach <= y <= height - 1 + edge and -reach <= x <= width - 1 + edge):
        return np.zeros(plane.shape[0])
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    found = 0
    for row in {math.floor(y), math.ceil(y)}:
        for column in {math.floor(x), math.ceil(x)}:
            found = found + plane[:, row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return found


def means_by_hand(bottom, rois, pooled, scale, ratio):
    top = np.zeros((len(rois), bottom.shape[1], *pooled))
    for r, roi in enumerate(rois.astype(np.float64)):
        x0, y0, x1, y1 = roi[1:] * scale
        height, width = max(y1 - y0, 1), max(x1 - x0, 1)
        rows = ratio if ratio > 0 else math.ceil(height / pooled[0])
        columns = ratio if ratio > 0 else math.ceil(width / pooled[1])
        for i, j in np.ndindex(*pooled):
            top[r, :, i, j] = np.mean([
                bilinear(
                    bottom[int(roi[0])],
                    y0 + (i + (a + 0.5) / rows) * height / pooled[0],
                    x0 + (j + (b + 0.5) / columns) * width / pooled[1], 1, 1,
                )
                for a in range(rows) for b in range(columns)
            ], 0)  # fmt: skip
    return top


def corners_by_hand(bottom, rois, pooled, scale, pad):
    top = np.zeros((len(rois), bottom.shape[1], pooled[0] + 1, pooled[1] + 1))
    for r, roi in enumerate(rois.astype(np.float64)):
        x0, y0, x1, y1 = roi[1:]
        wide, high = (x1 - x0 + 1) * pad, (y1 - y0 + 1) * pad
        x0, x1 = (x0 - wide) * scale - 0.5, (x1 + wide) * scale - 0.5
        y0, y1 = (y0 - high) * scale - 0.5, (y1 + high) * scale - 0.5
        if x1 > x0 and y1 > y0:
            for i, j in np.ndindex(pooled[0] + 1, pooled[1] + 1):
                y, x = y0 + i * (y1 - y0) / pooled[0], x0 + j * (x1 - x0) / pooled[1]
                top[r, :, i, j] = bilinear(bottom[int(roi[0])], y, x, 0.5, 0.5)
    return top


@pytest.mark.parametrize("opset", [21, 22])
def test_one_pixel_and_long_maps(opset):
    rois = np.array([[0, 0, 0, 0, 0], [0, 0, 0, 69, 0], [0, 40, 0, 3, 0], [0, 80, 5, 90, 9]], F32)
    for shape in ((1, 2, 1, 1), (1, 1, 1, 70), (1, 1, 70, 1)):
        bottom = np.random.default_rng(0).standard_normal(shape).astype(F32)
        arrays = {"x": bottom, "rois": rois}
        body = "roi_pooling_param { pooled_h: 1 pooled_w: 3 }"
        (top,) = assert_agree("ROIPooling", arrays, body, opset=opset)
        np.testing.assert_array_equal(top, roi_pooling_by_hand(bottom, rois, (1, 3), F32(1)))


@pytest.mark.parametrize("opset", [17, 26])
def test_roi_align_counts_samples_by_the_region(opset):
    # 3 x 5 pixels to a cell of the first region, 1 x 1 of the last; images and sizes left free
    rng = np.random.default_rng(5)
    rois = np.array(
        [[1, 0, 0, 29, 17], [0, -9, -9, -1, -1], [1, 2, 3, 2, 3], [0, 1, 1, 40, 3]], F32
    )
    body = "roi_align_param { pooled_h: 3 pooled_w: 3 spatial_scale: 0.5 sampling_ratio: -1 }"
    written = prototxt("ROIAlign", {"x": np.zeros((1, 2, 4, 4)), "rois": np.zeros((1, 5))}, body)
    arrays = {"x": rng.standard_normal((2, 2, 9, 15)).astype(F32), "rois": rois}
    free = {"dynamic_size": True, "dynamic_batch": True}
    (top,) = by_onnxruntime(written, arrays, ["top"], opset=opset, **free)
    expected = means_by_hand(arrays["x"], rois, (3, 3), 0.5, -1)
    np.testing.assert_allclose(top, expected, rtol=1e-4, atol=1e-5)


def test_roi_align_of_no_region():
    arrays = {"x": np.ones((1, 2, 4, 4), F32), "rois": np.zeros((0, 5), F32)}
    body = "roi_align_param { pooled_h: 2 pooled_w: 2 sampling_ratio: -1 }"
    written = prototxt("ROIAlign", arrays | {"rois": np.zeros((1, 5), F32)}, body)
    (top,) = by_onnxruntime(written, arrays, ["top"], opset=26, dynamic_batch=True)
    assert top.shape == (0, 2, 2, 2)


def test_new_opsets_need_the_size_of_the_map():
    arrays = {"x": np.zeros((1, 2, 4, 4), F32), "rois": np.zeros((1, 5), F32)}
    text = prototxt("ROIPooling", arrays, "roi_pooling_param { pooled_h: 2 pooled_w: 2 }")
    by_onnxruntime(text, arrays, ["top"], opset=21, dynamic_size=True)
    with pytest.raises(CaffegenError, match="there is a table of maxima for each power of two"):
        by_onnxruntime(text, arrays, ["top"], opset=22, dynamic_size=True)


def test_volumes_are_refused():
    arrays = {"x": np.zeros((1, 2, 4, 4, 4), F32), "rois": np.zeros((1, 7), F32)}
    text = prototxt("ROIPooling", arrays, "roi_pooling_param { pooled_size: 2 }")
    with pytest.raises(CaffegenError, match="this one is of volumes"):
        by_onnxruntime(text, arrays, ["top"])
    with pytest.raises(CaffegenError, match="this one is of volumes"):
        by_torch(text, arrays, ["top"])


def test_psroi_pooling_at_a_free_size():
    arrays = {"x": np.random.default_rng(0).standard_normal((1, 8, 9, 7)).astype(F32),
              "rois": np.array([[0, 1, 1, 12, 9], [0, -3, 2, 5, 40]], F32)}  # fmt: skip
    body = "psroi_pooling_param { output_dim: 2 group_size: 2 spatial_scale: 0.5 }"
    other = arrays | {"x": np.zeros((1, 8, 20, 20), F32)}
    written = prototxt("PSROIPooling", other, body)
    (top,) = by_onnxruntime(written, arrays, ["top"], dynamic_size=True)
    (mine,) = by_torch(prototxt("PSROIPooling", arrays, body), arrays, ["top"])
    np.testing.assert_allclose(top, mine, rtol=1e-4, atol=1e-5)


def test_seeded_regions_lie_in_the_map():
    arrays = {"x": np.zeros((2, 4, 6, 9), F32), "rois": np.zeros((50, 5), F32)}
    body = "roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.5 }"
    rois = seeded_inputs(loads(prototxt("ROIPooling", arrays, body)))["rois"]
    assert set(rois[:, 0]) == {0, 1}
    assert (rois[:, 1:3] <= rois[:, 3:]).all()
    assert (rois[:, 1:] >= 0).all()
    assert (rois[:, 3:] <= [17, 11]).all()
    assert rois[:, 3].max() > 11


def test_seeded_image_size_is_that_of_the_map():
    shapes = {"cls": (1, 18, 4, 5), "moves": (1, 36, 4, 5), "im_info": (1, 3)}
    arrays = {name: np.zeros(shape, F32) for name, shape in shapes.items()}
    body = (
        'python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" '
        "param_str: \"'feat_stride': 16\" }"
    )
    inputs = seeded_inputs(loads(prototxt("Python", arrays, body)))
    assert inputs["im_info"].tolist() == [[64, 80, 1]]
    report = compare(loads(prototxt("Python", arrays, body)), ("torch", "onnxruntime"))
    assert report.ok
