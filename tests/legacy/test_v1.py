"""V1 layers: types, parameters of each blob, and nets that mix them with layers of today."""

from __future__ import annotations

import pytest

from caffegen.legacy import V1_TYPE_NAMES
from caffegen.legacy.v1 import _NOT_TAKEN
from caffegen.schema import enum_type, message_type
from tests.legacy.conftest import upgraded


def test_every_word_and_number_has_its_name():
    numbers = enum_type("V1LayerParameter.LayerType").numbers
    assert {key for key in V1_TYPE_NAMES if isinstance(key, str)} == set(numbers)
    assert {key for key in V1_TYPE_NAMES if isinstance(key, int)} == set(numbers.values())
    for word, number in numbers.items():
        name = V1_TYPE_NAMES[word]
        assert V1_TYPE_NAMES[number] == name
        renamed = {"NONE": "", "SOFTMAX_LOSS": "SoftmaxWithLoss"}
        assert renamed.get(word, word.replace("_", "").lower()).lower() == name.lower()


def test_every_other_field_is_the_same_today():
    old, new = message_type("V1LayerParameter").fields, message_type("LayerParameter").fields
    for name in old.keys() - _NOT_TAKEN:
        same = ("kind", "repeated", "type_name")
        assert all(getattr(old[name], key) == getattr(new[name], key) for key in same), name


@pytest.mark.parametrize(
    ("fields", "printed"),
    [
        ("blobs_lr: 3", "param { lr_mult: 3 }"),
        ("weight_decay: 1 weight_decay: 0", "param { decay_mult: 1 } param { decay_mult: 0 }"),
        (
            'param: "w" blob_share_mode: PERMISSIVE blobs_lr: 1 blobs_lr: 2',
            'param { name: "w" share_mode: PERMISSIVE lr_mult: 1 } param { lr_mult: 2 }',
        ),
        (
            "loss_weight: 0.5 loss_param { ignore_label: 3 }",
            "loss_weight: 0.5 loss_param { ignore_label: 3 }",
        ),
        (
            "exclude { phase: TRAIN } include { stage: 's' }",
            'include { stage: "s" } exclude { phase: TRAIN }',
        ),
        ("relu_param { }", "relu_param { }"),
    ],
)
def test_fields(upgrade, fields, printed):
    assert upgrade(f"layers {{ {fields} }}").text == f"layer {{ {printed} }}"


def test_a_layer_without_a_type_has_none_today(upgrade):
    assert not upgrade('layers { name: "r" }').layers[0].has("type")
    assert upgrade("layers { type: NONE }").layers[0].has("type")


def test_places_go_along(upgrade):
    found = upgrade('name: "n"\nlayers { type: RELU blobs_lr: 1 weight_decay: 2 bottom: "x" }')
    layer = found.layers[0]
    assert found.net.span("layer", 0).text.startswith("layers {")
    assert layer.span("type", value=True).text == "RELU"
    assert layer.span("bottom", 0).line == 2
    assert layer.span("param", 0).text == "blobs_lr: 1"
    assert layer.param[0].span("decay_mult").text == "weight_decay: 2"


def test_unknown_fields_are_carried_along():
    found = upgraded("layers { type: RELU of_a_fork: 1 relu_param { too: 2 } }").layers[0]
    assert [field.text for field in found.unknown] == ["of_a_fork: 1"]
    assert [field.text for field in found.relu_param.unknown] == ["too: 2"]


def test_a_mixed_net_names_what_caffe_would_lose(upgrade):
    found = upgrade(
        'layers { name: "a" type: RELU }\nlayer { name: "b" type: "TanH" }\n'
        'layers { name: "c" type: RELU }'
    )
    assert found.found() == [
        (
            "mixed-layer-versions",
            "`layers` are mixed with `layer`; Caffe refuses the net, for it would lose `a`, `c`",
            "layers {",
        )
    ]
    assert found.upgrade.faults[0].other == (32, 39)
    assert [layer.name for layer in found.layers] == ["a", "b", "c"]


def test_of_many_lost_layers_the_first_are_named(upgrade):
    many = "".join(f'layers {{ name: "l{number}" }}' for number in range(11))
    message = upgrade(many + "layer { }").upgrade.faults[0].message
    assert message.endswith("lose `l0`, `l1`, `l2`, `l3`, `l4`, `l5`, `l6`, `l7` and 3 more")
