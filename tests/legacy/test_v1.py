"""V1 layers: types, parameters of each blob, and nets that mix them with layers of today."""

from __future__ import annotations

import pytest

from caffegen.legacy import V1_TYPE_NAMES, upgrade_net
from caffegen.legacy.v1 import _FORK_TYPES, _NOT_TAKEN
from caffegen.schema import enum_type, message_type
from caffegen.schema.forks import TYPES
from caffegen.text import Source, parse
from tests.legacy.conftest import upgraded


def test_every_word_and_number_has_its_name():
    numbers = enum_type("V1LayerParameter.LayerType").numbers
    forks = enum_type("V1LayerParameter.LayerType").forks
    own = {word: number for word, number in numbers.items() if word not in forks}
    assert {key for key in V1_TYPE_NAMES if isinstance(key, str)} == set(own)
    assert {key for key in V1_TYPE_NAMES if isinstance(key, int)} == set(own.values())
    for word, number in own.items():
        name = V1_TYPE_NAMES[word]
        assert V1_TYPE_NAMES[number] == name
        renamed = {"NONE": "", "SOFTMAX_LOSS": "SoftmaxWithLoss"}
        assert renamed.get(word, word.replace("_", "").lower()).lower() == name.lower()


def test_a_fork_s_word_is_one_of_the_schema():
    assert set(_FORK_TYPES) <= set(enum_type("V1LayerParameter.LayerType").forks)
    assert set(_FORK_TYPES.values()) - set(TYPES) == {"BatchNorm", "LRN"}


@pytest.mark.parametrize(
    ("word", "name"),
    [("ROI_POOLING", "ROIPooling"), ("SMOOTH_L1_LOSS", "SmoothL1Loss"), ("MATTING", "MATTING"),
     ("CROP", "CROP")],
    ids=str,
)  # fmt: skip
def test_a_fork_s_word_becomes_its_type_or_stays(upgrade, word, name):
    found = upgrade(f"layers {{ type: {word} }}")
    assert found.text == f'layer {{ type: "{name}" }}'
    assert found.found() == []


def test_a_word_of_no_schema_stays_too():
    net = "layers { name: 'a' type: NEW_KIND bottom: 'x' top: 'y' relu_param { } }"
    parsed = parse(Source(net), message_type("NetParameter"))
    assert [fault.name for fault in parsed.faults] == ["unknown-enum-word"]
    layer = upgrade_net(parsed.message).message.layer[0]
    assert (layer.type, layer.unknown) == ("NEW_KIND", ())
    assert layer.span("type", value=True).text == "NEW_KIND"


def test_a_type_that_is_no_word_is_no_type():
    parsed = parse(Source("layers { type: 3.5 }"), message_type("NetParameter"))
    layer = upgrade_net(parsed.message).message.layer[0]
    assert not layer.has("type")
    assert [field.text for field in layer.unknown] == ["type: 3.5"]


def test_a_fork_s_parameters_go_along(upgrade):
    text = "layers { type: SMOOTH_L1_LOSS smooth_l1_loss_param { sigma: 3 } topk_param { k: 2 } }"
    assert upgrade(text).text == (
        'layer { type: "SmoothL1Loss" smooth_l1_loss_param { sigma: 3 } topk_param { k: 2 } }'
    )


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


@pytest.mark.parametrize("param", ["lrn_map_param", "lrn_param"])
def test_the_lrn_within_maps_is_an_lrn(upgrade, param):
    text = f'layers {{ name: "n" type: LRN_MAP {param} {{ local_size: 3 alpha: 2 }} }}'
    assert upgrade(text).text == (
        'layer { name: "n" type: "LRN"'
        " lrn_param { local_size: 3 alpha: 2 norm_region: WITHIN_CHANNEL } }"
    )
