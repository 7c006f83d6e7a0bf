"""The offsets of V1's CROP layers: those that the published FCNs of today have."""

from __future__ import annotations

import pytest


def layer(kind, bottom, top, param=""):
    bottoms = " ".join(f'bottom: "{name}"' for name in bottom.split())
    return f'layers {{ name: "{top}" type: {kind} {bottoms} top: "{top}" {param} }}'


def conv(bottom, top, kernel, pad=0, stride=1, kind="CONVOLUTION"):
    param = f"num_output: 1 kernel_size: {kernel} pad: {pad} stride: {stride}"
    return layer(kind, bottom, top, f"convolution_param {{ {param} }}")


def up(bottom, top, kernel, stride):
    return conv(bottom, top, kernel, stride=stride, kind="DECONVOLUTION")


def trunk():
    """VGG-16 as FCN takes it: 100 pixels of padding, five halvings, and fc6 with a kernel of 7."""
    lines, blob = [], "data"
    for stage, depth in enumerate((2, 2, 3, 3, 3), 1):
        for index in range(1, depth + 1):
            top = f"conv{stage}_{index}"
            lines.append(conv(blob, top, 3, pad=100 if top == "conv1_1" else 1))
            lines.append(layer("RELU", top, top))
            blob = top
        param = "pooling_param { pool: MAX kernel_size: 2 stride: 2 }"
        lines.append(layer("POOLING", blob, f"pool{stage}", param))
        blob = f"pool{stage}"
    return [*lines, conv("pool5", "fc6", 7), conv("fc6", "score", 1)]


def offsets(upgrade, *lines):
    found = upgrade("\n".join(lines)).layers
    return {
        one.name: (one.type, one.crop_param.axis, list(one.crop_param.offset))
        for one in found
        if one.type.lower() == "crop"
    }


def test_fcn_32s(upgrade):
    lines = [*trunk(), up("score", "big", 64, 32), layer("CROP", "big data", "out")]
    assert offsets(upgrade, *lines) == {"out": ("Crop", 2, [19, 19])}


def test_fcn_8s(upgrade):
    lines = [
        *trunk(),
        up("score", "score2", 4, 2),
        conv("pool4", "score-pool4", 1),
        layer("CROP", "score-pool4 score2", "score-pool4c"),
        layer("ELTWISE", "score2 score-pool4c", "fused"),
        up("fused", "score4", 4, 2),
        conv("pool3", "score-pool3", 1),
        layer("CROP", "score-pool3 score4", "score-pool3c"),
        layer("ELTWISE", "score4 score-pool3c", "final"),
        up("final", "big", 16, 8),
        layer("CROP", "big data", "out"),
    ]
    assert offsets(upgrade, *lines) == {
        "score-pool4c": ("Crop", 2, [5, 5]),
        "score-pool3c": ("Crop", 2, [9, 9]),
        "out": ("Crop", 2, [31, 31]),
    }


def test_each_axis_has_its_own(upgrade):
    param = "convolution_param { num_output: 1 kernel_h: 5 kernel_w: 3 pad_h: 4 pad_w: 2 }"
    lines = [layer("CONVOLUTION", "data", "c", param), layer("CROP", "c data", "out")]
    assert offsets(upgrade, *lines) == {"out": ("Crop", 2, [2, 1])}


@pytest.mark.parametrize(
    "lines",
    [
        [conv("data", "c", 3, pad=4, stride=2)],
        [conv("data", "c", 2, pad=4)],
        [conv("data", "c", 7)],
        [layer("FLATTEN", "data", "c")],
        [layer("POOLING", "data", "c", "pooling_param { pool: AVE global_pooling: true }")],
        [conv("other", "c", 3, pad=4)],
    ],
    ids=["other scale", "half a pixel", "below 0", "flattened", "whole picture", "no ancestor"],
)
def test_without_an_offset_the_word_stays(upgrade, lines):
    found = offsets(upgrade, *lines, layer("CROP", "c data", "out"))
    assert found == {"out": ("CROP", 2, [])}
