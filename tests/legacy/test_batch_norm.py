"""BatchNorm's three param blocks, set to zero."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    "specs",
    ["", "param { lr_mult: 1 }", "param { } param { }", "param { } param { } param { } param { }"],
    ids=["none", "one", "two", "four"],
)
def test_other_counts_are_left_alone(upgrade, specs):
    assert upgrade(f'layer {{ type: "BatchNorm" {specs} }}').upgrade.changed == ()


def test_other_types_are_left_alone(upgrade):
    assert upgrade('layer { type: "Scale" param { } param { } param { } }').upgrade.changed == ()


def test_names_stay_and_rates_go(upgrade):
    found = upgrade(
        'layer { type: "BatchNorm" param { name: "m" lr_mult: 5 } param { } param { decay_mult: 1 } }'
    )
    assert found.upgrade.changed == ("batch-norm",)
    zero = "lr_mult: 0 decay_mult: 0"
    assert found.text == (
        f'layer {{ type: "BatchNorm" param {{ name: "m" {zero} }}'
        f" param {{ {zero} }} param {{ {zero} }} }}"
    )


def test_what_is_zero_already_is_no_change(upgrade):
    spec = "param { lr_mult: 0 decay_mult: 0 }"
    assert upgrade(f'layer {{ type: "BatchNorm" {spec * 3} }}').upgrade.changed == ()
    assert upgrade(
        f'layer {{ type: "BatchNorm" {spec * 2} param {{ lr_mult: 0 }} }}'
    ).upgrade.changed


def test_places_go_along(upgrade):
    spec = (
        upgrade('layer { type: "BatchNorm" param { lr_mult: 5 } param { } param { } }')
        .layers[0]
        .param
    )
    assert spec[0].span("lr_mult").text == "lr_mult: 5"
    assert spec[0].span("decay_mult").text == "param { lr_mult: 5 }"


def test_layers_beside_it_are_shared(upgrade):
    found = upgrade('layer { name: "x" } layer { type: "BatchNorm" param { } param { } param { } }')
    assert found.layers[0] is found.parsed.layer[0]
