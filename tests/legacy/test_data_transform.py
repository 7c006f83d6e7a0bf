"""Image fields of V1 data layers, moved to transform_param."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("kind", "param", "name"),
    [
        ("DATA", "data_param", "Data"),
        ("IMAGE_DATA", "image_data_param", "ImageData"),
        ("WINDOW_DATA", "window_data_param", "WindowData"),
    ],
)
def test_the_fields_move(upgrade, kind, param, name):
    fields = 'scale: 2 mean_file: "m" crop_size: 3 mirror: true'
    found = upgrade(f'layers {{ type: {kind} {param} {{ source: "s" {fields} }} }}')
    assert found.upgrade.changed == ("data-transform", "v1")
    assert found.text == (
        f'layer {{ type: "{name}" transform_param'
        ' { scale: 2 mirror: true crop_size: 3 mean_file: "m" }'
        f' {param} {{ source: "s" }} }}'
    )


def test_old_fields_win_over_new_ones(upgrade):
    found = upgrade(
        "layers { type: DATA transform_param { scale: 1 crop_size: 5 } data_param { scale: 2 } }"
    )
    transform = found.layers[0].transform_param
    assert (transform.scale, transform.crop_size) == (2, 5)
    assert transform.span("scale").text == "scale: 2"


def test_a_transform_param_of_2014_moves_out_of_its_message(upgrade):
    found = upgrade(
        "layers { type: DATA data_param { batch_size: 2 transform_param { crop_size: 3 } } }"
        " layers { type: IMAGE_DATA image_data_param { transform_param { mirror: true } } }"
    )
    assert found.text == (
        'layer { type: "Data" transform_param { crop_size: 3 } data_param { batch_size: 2 } }'
        ' layer { type: "ImageData" transform_param { mirror: true } image_data_param { } }'
    )


def test_one_old_layer_gives_every_data_layer_both_messages(upgrade):
    found = upgrade(
        "layers { type: DATA data_param { mirror: false } } layers { type: IMAGE_DATA }"
        " layers { type: RELU }"
    )
    assert found.text == (
        'layer { type: "Data" transform_param { mirror: false } data_param { } }'
        ' layer { type: "ImageData" transform_param { } image_data_param { } }'
        ' layer { type: "ReLU" }'
    )


@pytest.mark.parametrize(
    "text",
    [
        'layers { type: DATA data_param { source: "s" } }',
        "layers { type: RELU data_param { scale: 2 } }",
        "layers { data_param { scale: 2 } }",
    ],
    ids=["nothing to move", "another type", "no type"],
)
def test_left_alone(upgrade, text):
    assert upgrade(text).upgrade.changed == ("v1",)
