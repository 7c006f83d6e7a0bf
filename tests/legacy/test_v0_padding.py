"""Padding layers, folded into the windows behind them."""

from __future__ import annotations

import pytest

PAD = 'layers { layer { name: "p" type: "padding" pad: 2 } bottom: "x" top: "px" }\n'


def layer(name, kind, bottom, top, rest=""):
    return (
        f'layers {{ layer {{ name: "{name}" type: "{kind}" {rest} }}'
        f' bottom: "{bottom}" top: "{top}" }}\n'
    )


def test_two_windows_share_a_padding_layer(upgrade):
    found = upgrade(PAD + layer("c", "conv", "px", "c") + layer("q", "pool", "px", "q", "pad: 9"))
    assert found.text == (
        'layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { pad: 2 } }'
        ' layer { name: "q" type: "Pooling" bottom: "x" top: "q" pooling_param { pad: 2 } }'
    )
    assert found.found() == []


def test_padding_without_pad_gives_zero(upgrade):
    found = upgrade(PAD.replace("pad: 2", "") + layer("c", "conv", "px", "c", "pad: 9"))
    assert found.layers[0].convolution_param.pad == [0]


def test_a_blob_made_again_is_padded_no_more(upgrade):
    again = layer("r", "relu", "x", "px")
    found = upgrade(PAD + again + layer("c", "conv", "px", "c"))
    assert [(one.name, list(one.bottom)) for one in found.layers] == [("r", ["x"]), ("c", ["px"])]
    assert not found.layers[1].has("convolution_param")


def test_padding_in_place(upgrade):
    found = upgrade(PAD.replace("px", "x") + layer("c", "conv", "x", "c"))
    assert found.layers[0].bottom == ["x"]
    assert found.layers[0].convolution_param.pad == [2]


def test_padding_that_nobody_reads_goes(upgrade):
    assert upgrade(PAD + layer("r", "relu", "x", "y")).text.count("layer {") == 1


def test_the_pad_points_to_the_padding_layer(upgrade):
    param = upgrade(PAD + layer("c", "conv", "px", "c")).layers[0]
    assert param.convolution_param.span("pad", 0).text == "pad: 2"
    assert param.span("bottom", 0).text == 'bottom: "x"'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(
            PAD + layer("r", "relu", "px", "r"),
            (
                "padding-without-window",
                "`r` (relu) reads the padding layer `p`; only conv and pool take padding",
                "layers {",
            ),
            id="no window",
        ),
        pytest.param(
            PAD + layer("c", "conv", "px", "c").replace("bottom:", 'bottom: "x" bottom:'),
            (
                "padding-blob-count",
                "`c` has 2 bottoms; a padding layer and its window take one",
                "layers {",
            ),
            id="two bottoms",
        ),
        pytest.param(
            PAD.replace('top: "px"', 'top: "px" top: "py"') + layer("c", "conv", "px", "c"),
            (
                "padding-blob-count",
                "`p` has 2 tops; a padding layer and its window take one",
                "layers {",
            ),
            id="two tops",
        ),
        pytest.param(
            PAD.replace('bottom: "x"', "") + layer("c", "conv", "px", "c"),
            (
                "padding-blob-count",
                "`p` has 0 bottoms; a padding layer and its window take one",
                "layers {",
            ),
            id="no bottom",
        ),
    ],
)
def test_findings(upgrade, text, found):
    upgraded = upgrade(text)
    assert upgraded.found() == [found]
    assert len(upgraded.upgrade.faults) == 1
