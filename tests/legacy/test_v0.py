"""V0 layers: where each parameter goes, what is lost, and where it still points."""

from __future__ import annotations

import pytest

from caffegen.legacy import v0_type_name
from caffegen.legacy.v0 import _FIELDS, _PARAMS, _TYPES
from caffegen.schema import message_type


def net(nested, outer="", before=""):
    return f'{before} layers {{ layer {{ name: "l" {nested} }} {outer} }}'


@pytest.mark.parametrize(
    ("nested", "printed"),
    [
        ('type: "conv" biasterm: false', "convolution_param { bias_term: false }"),
        ('type: "conv" group: 2 pad: 3', "convolution_param { pad: 3 group: 2 }"),
        ('type: "innerproduct" num_output: 2', "inner_product_param { num_output: 2 }"),
        ('type: "pool" pool: STOCHASTIC', "pooling_param { pool: STOCHASTIC }"),
        ('type: "pool" pad: 1', "pooling_param { pad: 1 }"),
        ('type: "lrn" k: 2 beta: 0.5', "lrn_param { beta: 0.5 k: 2 }"),
        ('type: "infogain_loss" source: "h"', 'infogain_loss_param { source: "h" }'),
        ('type: "hdf5_data" batchsize: 4', "hdf5_data_param { batch_size: 4 }"),
        ('type: "images" shuffle_images: true', "image_data_param { shuffle: true }"),
        ('type: "images" new_height: -1', "image_data_param { new_height: 4294967295 }"),
        ('type: "window_data" det_crop_mode: "warp"', 'window_data_param { crop_mode: "warp" }'),
        ('type: "window_data" det_fg_fraction: 0.5', "window_data_param { fg_fraction: 0.5 }"),
        ('type: "concat" concat_dim: 0', "concat_param { concat_dim: 0 }"),
        ('type: "relu" scale: 2 mirror: true', "transform_param { scale: 2 mirror: true }"),
        (
            'type: "hdf5_output" hdf5_output_param { file_name: "f" }',
            'hdf5_output_param { file_name: "f" }',
        ),
        ('type: "conv" blobs_lr: 1 blobs_lr: 2', "param { lr_mult: 1 } param { lr_mult: 2 }"),
    ],
)
def test_parameters_go_where_their_type_has_them(upgrade, nested, printed):
    found = upgrade(net(nested))
    kind = found.parsed.layers[0].layer.type
    assert found.text == f'layer {{ name: "l" type: "{v0_type_name(kind)}" {printed} }}'
    assert found.found() == []


def test_every_v0_field_is_known():
    known = {*_FIELDS, "scale", "meanfile", "cropsize", "mirror", "name", "type"}
    known |= {"blobs", "blobs_lr", "weight_decay"}
    fields = message_type("V0LayerParameter").fields.values()
    own = {field.name for field in fields if field.forks is None}
    assert own - known == {"new_num", "new_channels"}


def test_a_fork_s_field_of_a_v0_layer_is_told_of(upgrade):
    found = upgrade(net('type: "window_data" crop_mode: "square"'))
    assert [name for name, *_ in found.found()] == ["v0-field-without-use"]


def test_every_home_has_its_field():
    layer = message_type("V1LayerParameter").fields
    for field, types in _FIELDS.values():
        assert field == "" or all(field in layer[_PARAMS[kind]].type.fields for kind in types)
    assert set(_TYPES.values()) < set(layer["type"].type.numbers)


@pytest.mark.parametrize(
    ("type", "name"),
    [
        ("conv", "Convolution"),
        ("softmax_loss", "SoftmaxWithLoss"),
        ("padding", None),
        ("Conv", None),
    ],
)
def test_type_names(type, name):
    assert v0_type_name(type) == name


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(
            net('type: "relu" num_output: 3'),
            (
                "v0-field-without-use",
                "`num_output` means nothing to a V0 layer of type `relu`; Caffe drops it",
                "num_output: 3",
            ),
            id="parameter of another type",
        ),
        pytest.param(
            net('type: "conv" new_num: 3'),
            (
                "v0-field-without-use",
                "`new_num` means nothing to a V0 layer of type `conv`; Caffe drops it",
                "new_num: 3",
            ),
            id="parameter of no type",
        ),
        pytest.param(
            net('type: "relu"', "include { phase: TEST }"),
            (
                "field-lost-in-upgrade",
                "`include` is lost: Caffe does not carry it over from outside the nested `layer`",
                "include { phase: TEST }",
            ),
            id="field beside the nested layer",
        ),
        pytest.param(
            net('type: "relu"', before="debug_info: true"),
            (
                "field-lost-in-upgrade",
                "`debug_info` is lost: Caffe does not carry it over from a V0 net",
                "debug_info: true",
            ),
            id="field of the net",
        ),
        pytest.param(
            net('type: "convv"'),
            (
                "unknown-v0-layer-type",
                "V0 has no layer type `convv`; did you mean `conv`?",
                'type: "convv"',
            ),
            id="unknown type",
        ),
        pytest.param(
            net('type: "relu"') + 'layer { name: "new" }',
            (
                "mixed-layer-versions",
                "`layer` stands beside V0 `layers`; Caffe loses `new`",
                "layer {",
            ),
            id="layer of today",
        ),
        pytest.param(
            net('type: "relu"') + 'layers { name: "v1" type: TANH }',
            (
                "mixed-layer-versions",
                "V1 `layers` stand among V0 ones; Caffe keeps only the bottoms and tops of `v1`",
                "layers {",
            ),
            id="V1 layer",
        ),
    ],
)
def test_findings(upgrade, text, found):
    assert upgrade(text).found()[:1] == [found]


@pytest.mark.parametrize("kind", ["unknown type", "lost"])
def test_what_caffe_survives_is_a_warning(upgrade, kind):
    text = net('type: "nothing"') if kind == "unknown type" else net('type: "relu" k: 1')
    found = upgrade(text).upgrade
    assert (len(found.faults), len(found.warnings)) == (
        (1, 0) if kind == "unknown type" else (0, 1)
    )


def test_a_layer_of_today_is_lost_in_a_v0_net_as_in_caffe(upgrade):
    found = upgrade(net('type: "relu"') + 'layer { name: "new" type: "TanH" }')
    assert [layer.name for layer in found.layers] == ["l"]


def test_places_go_along(upgrade):
    text = net('type: "conv" num_output: 3 blobs_lr: 2', 'bottom: "x"')
    layer = upgrade(text).layers[0]
    assert layer.span().text.startswith("layers { layer {")
    assert layer.span("type").text == 'type: "conv"'
    assert layer.span("bottom", 0).text == 'bottom: "x"'
    assert layer.convolution_param.span("num_output").text == "num_output: 3"
    assert layer.span("convolution_param").text == "num_output: 3"
    assert layer.param[0].span("lr_mult").text == "blobs_lr: 2"


def test_unknown_fields_are_carried_along():
    from tests.legacy.conftest import upgraded

    found = upgraded(net('type: "relu" inner: 1', "outer: 2", "whole: 3"))
    assert [field.text for field in found.layers[0].unknown] == ["outer: 2", "inner: 1"]
    assert [field.text for field in found.net.unknown] == ["whole: 3"]
