"""PriorBox in PyTorch: values worked out by hand, and maps of any size."""

import math

import pytest
import torch

from tests.pytorch.one_layer import one_layer


def priors(text, cells, image, *, seen=None):
    module = one_layer(
        "PriorBox", [(1, 2, *cells), (1, 3, *image)], f"prior_box_param {{ {text} }}"
    )
    at, of = seen or (cells, image)
    return module(torch.zeros(1, 2, *at), torch.zeros(1, 3, *of))["top"]


def boxes(top):
    return top[0, 0].reshape(-1, 4)


def test_worked_example():
    # 2 cells side by side on an image of 20 x 10: steps of 10, centres at (5, 5) and (15, 5)
    top = priors("min_size: 4 max_size: 9 aspect_ratio: 4 flip: false", (1, 2), (10, 20))
    assert top.shape == (1, 2, 24)
    expected = [
        [3 / 20, 3 / 10, 7 / 20, 7 / 10],
        # sqrt(4 * 9) = 6
        [2 / 20, 2 / 10, 8 / 20, 8 / 10],
        # 4 sqrt(4) wide, 4 / sqrt(4) high
        [1 / 20, 4 / 10, 9 / 20, 6 / 10],
    ]
    torch.testing.assert_close(boxes(top)[:3], torch.tensor(expected))
    moved = torch.tensor([10 / 20, 0, 10 / 20, 0])
    torch.testing.assert_close(boxes(top)[3:], torch.tensor(expected) + moved)
    torch.testing.assert_close(top[0, 1], torch.full((24,), 0.1))


def test_order_of_several_sizes_and_ratios():
    text = "min_size: 4 min_size: 6 max_size: 8 max_size: 9 aspect_ratio: 2 aspect_ratio: 3"
    found = boxes(priors(text, (1, 1), (100, 100)))
    sides = (found[:, 2:] - found[:, :2]) * 100
    expected = []
    for least, most in ((4, 8), (6, 9)):
        side = math.sqrt(least * most)
        expected += [(least, least), (side, side)]
        for ratio in (2, 1 / 2, 3, 1 / 3):
            expected.append((least * math.sqrt(ratio), least / math.sqrt(ratio)))
    torch.testing.assert_close(sides, torch.tensor(expected))


def test_rows_before_columns():
    found = boxes(priors("min_size: 2", (2, 3), (20, 30)))
    centres = (found[:, :2] + found[:, 2:]) / 2 * torch.tensor([30.0, 20.0])
    expected = [[x, y] for y in (5, 15) for x in (5, 15, 25)]
    torch.testing.assert_close(centres, torch.tensor(expected, dtype=torch.float32))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        pytest.param("min_size: 4 offset: 0", [-0.2, -0.2, 0.2, 0.2], id="offset"),
        pytest.param("min_size: 4 offset: 0 clip: true", [0, 0, 0.2, 0.2], id="clip"),
        pytest.param("min_size: 4 step: 4", [0, 0, 0.4, 0.4], id="step"),
        pytest.param("min_size: 4 step_h: 4 step_w: 8", [0.2, 0, 0.6, 0.4], id="two steps"),
        pytest.param("min_size: 4 img_size: 20", [0.15, 0.15, 0.35, 0.35], id="img_size"),
        pytest.param("min_size: 4 img_h: 20 img_w: 40", [0.2, 0.15, 0.3, 0.35], id="img_h"),
    ],
)
def test_parameters(text, first):
    found = boxes(priors(text, (2, 2), (10, 10)))
    torch.testing.assert_close(found[0], torch.tensor(first))


def test_four_variances():
    text = "min_size: 4 variance: 0.1 variance: 0.2 variance: 0.3 variance: 0.4"
    top = priors(text, (2, 2), (10, 10))
    expected = torch.tensor([0.1, 0.2, 0.3, 0.4]).repeat(4)
    torch.testing.assert_close(top[0, 1], expected)


def test_maps_of_another_size():
    text = "min_size: 4 aspect_ratio: 2"
    small = priors(text, (3, 4), (30, 40))
    torch.testing.assert_close(priors(text, (5, 5), (9, 9), seen=((3, 4), (30, 40))), small)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_boxes_are_of_single_precision_where_the_map_is_of_half(dtype):
    text = "min_size: 30 max_size: 60 aspect_ratio: 2"
    module = one_layer(
        "PriorBox", [(1, 2, 38, 38), (1, 3, 300, 300)], f"prior_box_param {{ {text} }}"
    )
    maps = torch.zeros(1, 2, 38, 38), torch.zeros(1, 3, 300, 300)
    top = module(*(blob.to(dtype) for blob in maps))["top"]
    assert top.dtype == torch.float32
    assert torch.equal(top, module(*maps)["top"])


def test_values_take_the_type_of_the_map_and_have_no_gradient():
    module = one_layer("PriorBox", [(1, 2, 2, 2), (1, 3, 8, 8)], "prior_box_param { min_size: 4 }")
    image = torch.zeros(1, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    top = module(torch.zeros(1, 2, 2, 2, dtype=torch.float64, requires_grad=True), image)["top"]
    assert top.dtype == torch.float64
    assert not top.requires_grad
