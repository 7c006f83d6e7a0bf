"""Hotspot and SubRegion as their C++ has them, one pixel at a time; in PyTorch and in ONNX."""

import math

import numpy as np
import pytest

from tests.pytorch.beside_onnx import CLOSE, both, noise


def spots_by_hand(points, size, data, std, mean_removed):
    """hotspot_layer.cpp, Forward_cpu."""
    items, count = points.shape[0], points.shape[1] // 2
    top = np.zeros((items, count, *size))
    middle = 0.5 if mean_removed else 0.0
    for n in range(items):
        for i in range(count):
            x = (points[n, 2 * i] / data[1] + middle) * size[1]
            y = (points[n, 2 * i + 1] / data[0] + middle) * size[0]
            for h in range(size[0]):
                for w in range(size[1]):
                    spot = 0.5 / std**2 / math.pi
                    spot *= math.exp(-0.5 * ((x - w) ** 2 + (y - h) ** 2) / std**2)
                    top[n, i, h, w] = spot if spot > 1e-4 else 0
    return top


@pytest.mark.parametrize("mean_removed", [True, False])
def test_hotspot(mean_removed):
    points = 10 * noise(2, 6)
    body = (
        "hotspot_param { gaussian_std: 1.5 output_height: 6 output_width: 9 data_height: 40 "
        f"data_width: 60 mean_removed: {str(mean_removed).lower()} }}"
    )
    (top,) = both("Hotspot", [points], body)
    expected = spots_by_hand(points, (6, 9), (40, 60), 1.5, mean_removed)
    assert (expected == 0).any()
    assert (expected > 0).any()
    np.testing.assert_allclose(top, expected, **CLOSE)


def test_hotspot_takes_the_size_of_bottom_1():
    points = noise(1, 2)
    body = "hotspot_param { data_height: 8 data_width: 8 }"
    (top,) = both("Hotspot", [points, noise(1, 3, 5, 4)], body)
    np.testing.assert_allclose(top, spots_by_hand(points, (5, 4), (8, 8), 1, True), **CLOSE)


def pieces_by_hand(bottom, points, true, region, data, as_dim):
    """subregion_layer.cpp, Forward_cpu."""
    items, channels, height, width = bottom.shape
    count = points.shape[1] // 2
    shape = (items, channels * count) if as_dim else (items * count, channels)
    top, apart, middles = np.zeros((*shape, *region)), np.zeros_like(points), np.zeros_like(points)
    for n in range(items):
        for i in range(count):
            x, y = 2 * i, 2 * i + 1
            x0 = math.floor((points[n, x] / data[1] + 0.5) * width - region[1] // 2)
            y0 = math.floor((points[n, y] / data[0] + 0.5) * height - region[0] // 2)
            middles[n, x] = (x0 + region[1] / 2 + 0.5) / width * data[1]
            middles[n, y] = (y0 + region[0] / 2 + 0.5) / height * data[0]
            apart[n, x] = true[n, x] + data[1] // 2 - middles[n, x]
            apart[n, y] = true[n, y] + data[0] // 2 - middles[n, y]
            for c in range(channels):
                at = (n, channels * i + c) if as_dim else (items * i + n, c)
                for h in range(region[0]):
                    for w in range(region[1]):
                        if 0 <= y0 + h < height and 0 <= x0 + w < width:
                            top[(*at, h, w)] = bottom[n, c, y0 + h, x0 + w]
    return top, apart, middles


@pytest.mark.parametrize("as_dim", [0, 1])
@pytest.mark.parametrize("region", [(3, 2), (4, 5)])
def test_sub_region(as_dim, region):
    bottom, points, true = noise(2, 3, 6, 7), 30 * noise(2, 8, seed=1), noise(2, 8, seed=2)
    body = (
        f"sub_region_param {{ region_height: {region[0]} region_width: {region[1]} data_height: 51 "
        f"data_width: 64 as_dim: {as_dim} }}"
    )
    tops = both("SubRegion", [bottom, points, true], body, tops=("top", "apart", "middle"))
    expected = pieces_by_hand(bottom, points, true, region, (51, 64), as_dim)
    assert (expected[0] == 0).any()
    for top, wanted in zip(tops, expected, strict=True):
        np.testing.assert_allclose(top, wanted, **CLOSE)
