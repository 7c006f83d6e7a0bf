"""AnnotatedData: the shapes of images and boxes as far as the text says them."""

from __future__ import annotations

import pytest

SOURCE = 'data_param { source: "db" batch_size: 4 backend: LMDB }'
MEANS = "mean_value: 104 mean_value: 117 mean_value: 123"


@pytest.mark.parametrize(
    ("transform", "size"),
    [
        pytest.param("resize_param { height: 300 width: 200 }", (300, 200), id="warped"),
        pytest.param(
            "resize_param { resize_mode: FIT_LARGE_SIZE_AND_PAD height: 3 width: 2 }", (3, 2),
            id="padded",
        ),
        pytest.param("crop_size: 28 resize_param { height: 32 width: 32 }", (28, 28), id="crop"),
        pytest.param("crop_h: 20 crop_w: 30", (20, 30), id="crop of two sizes"),
        pytest.param("crop_h: 20 resize_param { height: 32 width: 40 }", (20, 40), id="mixed"),
    ],
)  # fmt: skip
def test_sizes(layer, transform, size):
    found = layer(
        "AnnotatedData", (), f"{SOURCE} transform_param {{ {MEANS} {transform} }}", tops=2
    )
    assert list(found.report) == []
    assert found.top_shapes == ((4, 3, *size), (1, 1, 1, 8))


@pytest.mark.parametrize(
    "transform",
    [
        pytest.param("", id="nothing said"),
        pytest.param(
            "resize_param { resize_mode: FIT_SMALL_SIZE height: 3 width: 2 }", id="by the image"
        ),
    ],
)
def test_sizes_that_only_the_images_say(layer, transform):
    found = layer(
        "AnnotatedData", (), f"{SOURCE} transform_param {{ {MEANS} {transform} }}", tops=2
    )
    assert found.top_shapes == (None, (1, 1, 1, 8))


@pytest.mark.parametrize(
    ("param", "boxes", "masks"),
    [
        ("", (1, 1, 1, 8), (4, 1, 8, 5)),
        ("yolo_data_type: 1", (4, 1, 300, 5), (4, 1, 8, 5)),
        ("seg_scales: 2", (1, 1, 1, 8), (4, 1, 32, 20)),
        ("seg_resize_height: 6 seg_resize_width: 7", (1, 1, 1, 8), (4, 1, 7, 6)),
        ("single_class: false", (1, 1, 1, 8), None),
    ],
)
def test_boxes_and_masks_of_yolo(layer, param, boxes, masks):
    transform = f"transform_param {{ {MEANS} resize_param {{ height: 64 width: 40 }} }}"
    text = f"{SOURCE} {transform} annotated_data_param {{ {param} }}"
    assert layer("AnnotatedData", (), text, tops=3).top_shapes == ((4, 3, 64, 40), boxes, masks)


def test_a_data_base_is_needed(finding):
    assert finding("AnnotatedData", (), "data_param { batch_size: 1 }", tops=2)[1:3] == (
        "source-missing", "AnnotatedData needs `source`, the file or data base to read",
    )  # fmt: skip


def test_its_files_are_not_read_and_the_reason_is_told():
    from caffegen import CaffegenError, loads
    from caffegen.pytorch.datasets import dataset_of

    text = f'layer {{ name: "data" type: "AnnotatedData" top: "data" top: "label" {SOURCE} }}'
    with pytest.raises(CaffegenError) as caught:
        dataset_of(loads(text).layers[0])
    assert str(caught.value) == (
        "layer `data` (AnnotatedData) can't be read: it samples, expands, distorts and crops images "
        "together with their boxes by random rules of its own; feed its tops from a loader of your "
        "own"
    )
