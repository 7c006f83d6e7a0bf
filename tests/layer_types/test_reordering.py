"""Permute, Reorg, Padding and their kin: the axes and sizes of their tops, and what they refuse."""

from __future__ import annotations

import pytest

from caffegen.layer_types import Cost

DATA = (2, 12, 4, 6)


@pytest.mark.parametrize(
    ("kind", "bottom", "text", "top"),
    [
        pytest.param(
            "Permute", DATA, "permute_param { order: 0 order: 2 order: 3 order: 1 }",
            (2, 4, 6, 12), id="SSD's order",
        ),
        pytest.param(
            "Permute", DATA, "permute_param { order: 3 }", (6, 2, 12, 4), id="the rest follows"
        ),
        pytest.param("Permute", (5, 7), "", (5, 7), id="no order"),
        pytest.param(
            "Transpose", (5, 7, 3), "transpose_param { dim: 2 dim: 0 dim: 1 }", (3, 5, 7),
            id="Transpose",
        ),
        pytest.param("ShuffleChannel", DATA, "shuffle_channel_param { group: 3 }", DATA, id="groups"),
        pytest.param("ShuffleChannel", (2, 3), "", (2, 3, 1, 1), id="two axes have four"),
        pytest.param("Flip", DATA, "", DATA, id="Flip"),
        pytest.param("Reverse", (5, 2, 3), "", (5, 2, 3), id="Reverse"),
        pytest.param("Padding", DATA, "padding_param { pad: 3 }", (2, 12, 10, 12), id="pad"),
        pytest.param(
            "Padding", DATA, "padding_param { pad_h: 1 pad_w: 2 }", (2, 12, 6, 10), id="pad_h, pad_w"
        ),
        pytest.param(
            "Padding", DATA, "padding_param { pad_beg: -1 pad_end: -2 }", (2, 12, 1, 3), id="cut"
        ),
        pytest.param(
            "Padding", DATA, "padding_param { pad_t: 1 pad_r: 4 }", (2, 12, 5, 10), id="sides"
        ),
        pytest.param("Reorg", DATA, "reorg_param { stride: 2 }", (2, 48, 2, 3), id="Reorg"),
        pytest.param(
            "Reorg", DATA, "reorg_param { stride: 2 reverse: true }", (2, 3, 8, 12), id="reverse"
        ),
    ],
)  # fmt: skip
def test_top(layer, kind, bottom, text, top):
    found = layer(kind, [bottom], text)
    assert list(found.report) == []
    assert found.top_shapes == (top,)
    assert found.cost() == Cost()


def test_gather_hands_every_bottom_on(layer):
    found = layer("Gather", [(2, 3), (4,)], tops=2)
    assert found.top_shapes == ((2, 3), (4,))


@pytest.mark.parametrize(
    ("bottom", "text", "axes"),
    [
        pytest.param(DATA, "", (3,), id="width"),
        pytest.param(DATA, "flip_param { flip_height: true }", (2, 3), id="both"),
        pytest.param((2, 3), "flip_param { flip_height: true }", (), id="none to flip"),
    ],
)
def test_flip_axes(layer, bottom, text, axes):
    assert layer("Flip", [bottom], text).axes == axes


FAULTS = [
    pytest.param(
        "Permute", DATA, "permute_param { order: 1 order: 1 }", "axis-named-twice",
        "`order` names axis 1 twice", "order: 1", id="axis twice",
    ),
    pytest.param(
        "Permute", DATA, "permute_param { order: 4 }", "axis-out-of-range",
        "`order` names axis 4, but the bottom has 4 axes", "order: 4", id="no such axis",
    ),
    pytest.param(
        "Transpose", DATA, "", "required-field-missing",
        "`transpose_param` has no `dim`; the layers of this name that take none differ in the axes "
        "they move", '"Transpose"', id="Transpose without axes",
    ),
    pytest.param(
        "Transpose", DATA, "transpose_param { dim: 1 dim: 0 }", "wrong-number-of-axes",
        "`dim` names 2 axes; the bottom is [2, 12, 4, 6]", "dim: 1", id="too few axes",
    ),
    pytest.param(
        "ShuffleChannel", DATA, "shuffle_channel_param { group: 5 }", "group-does-not-divide",
        "the bottom's 12 channels are not a multiple of `group` (5)", "group: 5", id="uneven groups",
    ),
    pytest.param(
        "ShuffleChannel", DATA, "shuffle_channel_param { group: 0 }", "group-zero",
        "`group` is 0; it must be at least 1", "group: 0", id="no groups",
    ),
    pytest.param(
        "ShuffleChannel", (1, 2, 3, 4, 5), "", "more-than-four-axes",
        "ShuffleChannel takes blobs of up to 4 axes; the bottom has 5", 'bottom: "b0"', id="five axes",
    ),
    pytest.param(
        "Reverse", (2, 3), "reverse_param { axis: -1 }", "axis-out-of-range",
        "`axis` is -1, but the bottom has 2 axes", "axis: -1", id="from the end",
    ),
    pytest.param(
        "Padding", DATA, "padding_param { pad: 1 pad_beg: 2 }", "padding-fields-mixed",
        "`pad` and `pad_beg` are of two layers of this name; no Caffe has both", "pad_beg: 2",
        id="two layers' fields",
    ),
    pytest.param(
        "Padding", DATA, "padding_param { pad_beg: 1 pad_end: -2 }", "padding-signs-differ",
        "`pad_beg` (1) and `pad_end` (-2) have different signs; the layer pads or cuts",
        "pad_end: -2", id="two signs",
    ),
    pytest.param(
        "Padding", DATA, "padding_param { pad_beg: -2 pad_end: -2 }", "pad-exceeds-output",
        "the padding takes 4 away from a height of 4", "padding_param", id="cut to nothing",
    ),
    pytest.param(
        "Reorg", DATA, "", "required-field-missing", "Reorg needs a `stride`", '"Reorg"',
        id="no stride",
    ),
    pytest.param(
        "Reorg", DATA, "reorg_param { stride: 0 }", "stride-zero",
        "`stride` is 0; it must be at least 1", "stride: 0", id="stride 0",
    ),
    pytest.param(
        "Reorg", (1, 8, 5, 4), "reorg_param { stride: 2 }", "reorg-does-not-divide",
        "the bottom's height (5) is not a multiple of 2; with `stride` 2 Caffe reads and writes past "
        "the end", "stride: 2", id="uneven height",
    ),
    pytest.param(
        "Reorg", (1, 6, 4, 4), "reorg_param { stride: 2 reverse: true }", "reorg-does-not-divide",
        "the bottom's channels (6) is not a multiple of 4; with `stride` 2 Caffe reads and writes "
        "past the end", "stride: 2", id="uneven channels",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "bottom", "text", "name", "message", "place"), FAULTS)
def test_fault(finding, kind, bottom, text, name, message, place):
    severity, found, said, at = finding(kind, [bottom], text)
    assert (severity, found, said) == ("error", name, message)
    assert at.startswith(place) or at == place


@pytest.mark.parametrize(
    ("kind", "text", "name"),
    [
        ("Transpose", "transpose_param { dim: 0 dim: 1 }", "unsupported-in-place"),
        ("Reverse", "", "unsupported-in-place"),
        ("Reorg", "reorg_param { stride: 1 }", "unsupported-in-place"),
        ("Padding", "padding_param { pad: 1 }", "unsupported-in-place"),
        ("Permute", "permute_param { order: 1 }", "in-place-overwrites-input"),
        ("ShuffleChannel", "", "in-place-overwrites-input"),
        ("Flip", "", "in-place-overwrites-input"),
    ],
)
def test_in_place(layer, kind, text, name):
    # the top is called `t0`; so is the bottom here
    found = layer(
        kind, [(2, 4, 4, 4)[: 2 if kind == "Transpose" else 4]], text + ' top: "b0"', tops=0
    )
    assert [entry.name for entry in found.report] == [name]


def test_permute_that_changes_nothing_may_stand_in_place(layer):
    assert (
        list(layer("Permute", [DATA], 'permute_param { order: 0 } top: "b0"', tops=0).report) == []
    )
