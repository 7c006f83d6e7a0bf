"""PriorBox: the boxes of a cell, the sizes of the image, and what is refused."""

from __future__ import annotations

import math

import pytest

MAP = [(2, 8, 3, 5), (2, 3, 30, 50)]


def test_shape_and_boxes(layer):
    text = "prior_box_param { min_size: 30 max_size: 60 aspect_ratio: 2 }"
    found = layer("PriorBox", MAP, text)
    assert list(found.report) == []
    assert found.top_shapes == ((1, 2, 3 * 5 * 4 * 4),)
    side, root = math.sqrt(30 * 60), math.sqrt(2)
    expected = [(30, 30), (side, side), (30 * root, 30 / root), (30 / root, 30 * root)]
    assert [pytest.approx(box) for box in found.boxes] == expected
    assert found.variances == pytest.approx((0.1,) * 4)
    assert (found.image, found.step, found.offset, found.clip) == (None, None, 0.5, False)


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        pytest.param("min_size: 8", 1, id="one square"),
        pytest.param("min_size: 8 min_size: 9", 2, id="two squares"),
        pytest.param("min_size: 8 min_size: 9 max_size: 10 max_size: 11", 4, id="with larger ones"),
        pytest.param("min_size: 8 aspect_ratio: 2 aspect_ratio: 3", 5, id="flipped"),
        pytest.param("min_size: 8 aspect_ratio: 2 flip: false", 2, id="not flipped"),
        pytest.param("min_size: 8 aspect_ratio: 1 aspect_ratio: 2 aspect_ratio: 2", 3, id="again"),
        pytest.param("min_size: 8 aspect_ratio: 2 aspect_ratio: 0.5", 3, id="inverse given too"),
        pytest.param(
            "min_size: 8 min_size: 9 max_size: 10 max_size: 11 aspect_ratio: 2", 8, id="all"
        ),
    ],
)
def test_number_of_boxes(layer, text, boxes):
    found = layer("PriorBox", MAP, f"prior_box_param {{ {text} }}")
    assert len(found.boxes) == boxes
    assert found.top_shapes == ((1, 2, 15 * boxes * 4),)


def test_sizes_are_cut_to_whole_pixels(layer):
    # SSD512's own file says 35.84 and 76.8
    text = "prior_box_param { min_size: 35.84 max_size: 76.8 }"
    side = math.sqrt(35 * 76)
    assert layer("PriorBox", MAP, text).boxes == ((35, 35), pytest.approx((side, side)))


@pytest.mark.parametrize(
    ("text", "image", "step"),
    [
        pytest.param("img_size: 300 step: 8", (300, 300), (8, 8), id="one number"),
        pytest.param(
            "img_h: 200 img_w: 300 step_h: 8 step_w: 16.5", (200, 300), (8, 16.5), id="two"
        ),
    ],
)
def test_image_and_step_may_be_given(layer, text, image, step):
    found = layer("PriorBox", MAP[:1], f"prior_box_param {{ min_size: 8 {text} }}")
    assert list(found.report) == []
    assert (found.image, found.step) == (image, step)


REFUSED = [
    pytest.param("", "min-size-missing", "a PriorBox needs `min_size`", id="no size"),
    pytest.param(
        "min_size: 0", "prior-box-not-positive",
        "`min_size` is 0; a PriorBox takes only what is above 0", id="size 0",
    ),
    pytest.param(
        "min_size: inf", "prior-box-not-positive",
        "`min_size` is inf; a PriorBox takes only what is finite", id="no end of a size",
    ),
    pytest.param(
        "min_size: 4 max_size: inf", "prior-box-not-positive",
        "`max_size` is inf; a PriorBox takes only what is finite", id="no end of a larger one",
    ),
    pytest.param(
        "min_size: 4 aspect_ratio: inf", "prior-box-not-positive",
        "`aspect_ratio` is inf; a PriorBox takes only what is finite", id="no end of a ratio",
    ),
    pytest.param(
        "min_size: 4 aspect_ratio: -2", "prior-box-not-positive",
        "`aspect_ratio` is -2; a PriorBox takes only what is above 0", id="ratio",
    ),
    pytest.param(
        "min_size: 4 min_size: 5 max_size: 6", "max-size-count",
        "`max_size` is given 1 times, `min_size` 2 times; each `min_size` has its own, or none has",
        id="max_size count",
    ),
    pytest.param(
        "min_size: 4 max_size: 4", "max-size-not-above-min-size",
        "`max_size` 4 is not above its `min_size` 4", id="max_size",
    ),
    pytest.param(
        "min_size: 4 variance: 0.1 variance: 0.2", "variance-count",
        "`variance` is given 2 times; a box has 1 or 4", id="variance count",
    ),
    pytest.param(
        "min_size: 4 variance: 0", "prior-box-not-positive",
        "`variance` is 0; a PriorBox takes only what is above 0", id="variance",
    ),
    pytest.param(
        "min_size: 4 img_size: 9 img_h: 9", "repeated-and-hw-fields",
        "`img_size` and `img_h` are both set; Caffe takes one or the other", id="both",
    ),
    pytest.param(
        "min_size: 4 step_w: 9", "hw-field-missing",
        "`step_w` is set without `step_h`; PriorBox takes both", id="half",
    ),
    pytest.param(
        "min_size: 4 step: 0", "prior-box-not-positive",
        "`step` is 0; a PriorBox takes only what is above 0", id="step",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "message"), REFUSED)
def test_refused(finding, text, name, message):
    found = finding("PriorBox", MAP, f"prior_box_param {{ {text} }}")
    assert found[:3] == ("error", name, message)


def test_the_image_is_needed(finding):
    assert finding("PriorBox", MAP[:1], "prior_box_param { min_size: 4 }")[1:3] == (
        "image-size-missing",
        "a PriorBox with 1 bottom does not know the size of the image",
    )


def test_a_map_has_values_and_four_axes(finding):
    text = "prior_box_param { min_size: 4 }"
    assert finding("PriorBox", [(1, 8, 0, 5), MAP[1]], text)[1] == "empty-bottom"
    assert finding("PriorBox", [(1, 8, 3, 5, 2), MAP[1]], text)[1:3] == (
        "wrong-number-of-axes", "PriorBox takes blobs of up to 4 axes; bottom 0 has 5",
    )  # fmt: skip
