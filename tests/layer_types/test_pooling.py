"""Pooling and SPP: Caffe's rounding, its rules for kernel, stride and pad, and what it drops."""

from __future__ import annotations

import pytest

from caffegen.layer_types import Cost, Window
from caffegen.layer_types.pooling import PoolLevel, pooled_size


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad", "ceil", "floor"),
    [
        pytest.param(112, 3, 2, 0, 56, 55, id="ResNet's pool1"),
        pytest.param(6, 3, 2, 1, 4, 3, id="padded"),
        pytest.param(5, 2, 2, 1, 3, 3, id="last window in the padding is dropped"),
        pytest.param(6, 1, 3, 0, 3, 2, id="last window outside stays without padding"),
        pytest.param(3, 4, 2, 0, 1, 0, id="kernel above the input"),
        pytest.param(6, 9, 1, 0, -2, -2, id="far above the input"),
        pytest.param(16777219, 2, 1, 0, 16777217, 16777217, id="in single precision"),
    ],
)
def test_rounding(size, kernel, stride, pad, ceil, floor):
    assert pooled_size(size, kernel, stride, pad, clip=pad > 0, floor=False) == ceil
    assert pooled_size(size, kernel, stride, pad, clip=pad > 0, floor=True) == floor


def test_padding_one_axis_clips_the_other(layer):
    # without padding the second axis would have a third window, which starts at 6
    text = "pooling_param { kernel_size: 2 stride_h: 1 stride_w: 4 pad_h: 1 pad_w: 0 }"
    found = layer("Pooling", [(1, 1, 8, 8)], text)
    assert found.top_shapes == ((1, 1, 9, 2),)
    text = "pooling_param { kernel_h: 2 kernel_w: 1 stride_h: 1 stride_w: 3 pad_h: 1 pad_w: 0 }"
    assert layer("Pooling", [(1, 1, 6, 6)], text).pooled == (7, 2)


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        pytest.param(
            "kernel_size: 2",
            {"pool": "MAX", "kernel": (2, 2), "stride": (1, 1), "pad": (0, 0), "pooled": (6, 7),
             "floor": False, "global_pooling": False, "mask": False},
            id="defaults",
        ),
        pytest.param(
            "pool: AVE kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 3 pad_h: 1 pad_w: 0",
            {"pool": "AVE", "kernel": (3, 2), "stride": (2, 3), "pad": (1, 0), "pooled": (4, 3)},
            id="per axis",
        ),
        pytest.param(
            "kernel_size: 2 kernel_h: 5", {"kernel": (2, 2)}, id="one of a pair is not looked at"
        ),
        pytest.param(
            "global_pooling: true stride: 1 pad: 0", {"kernel": (7, 8), "pooled": (1, 1)}, id="global"
        ),
        pytest.param("kernel_size: 2 stride: 2 round_mode: FLOOR", {"pooled": (3, 4)}, id="floor"),
    ],
)  # fmt: skip
def test_pooling_facts(layer, text, facts):
    found = layer("Pooling", [(2, 3, 7, 8)], f"pooling_param {{ {text} }}")
    assert list(found.report) == []
    assert {name: getattr(found, name) for name in facts} == facts
    assert found.top_shapes == ((2, 3, *found.pooled),)


def test_a_mask_is_as_large_as_the_top(layer):
    found = layer("Pooling", [(2, 3, 6, 6)], "pooling_param { kernel_size: 2 stride: 2 }", tops=2)
    assert found.mask
    assert found.top_shapes == ((2, 3, 3, 3),) * 2


def test_pooling_window_and_cost(layer):
    found = layer("Pooling", [(2, 3, 6, 6)], "pooling_param { kernel_size: 3 stride: 2 pad: 1 }")
    assert found.window == Window((3, 3), (2, 2), (1, 1), (1, 1))
    assert found.cost() == Cost(0, 2 * 3 * 4 * 4 * 9)


@pytest.mark.parametrize(
    ("bottom", "text", "name", "message", "place"),
    [
        pytest.param(
            (2, 3, 6, 6), "pool: MAX", "kernel-missing", "Pooling needs `kernel_size`",
            "pooling_param { pool: MAX }", id="no kernel",
        ),
        pytest.param(
            (2, 3, 6, 6), "kernel_h: 3", "hw-field-missing",
            "`kernel_h` is set without `kernel_w`; Pooling takes both", "kernel_h: 3", id="kernel_h alone",
        ),
        pytest.param(
            (2, 3, 6, 6), "kernel_size: 3 stride_w: 2", "hw-field-missing",
            "`stride_w` is set without `stride_h`; Pooling takes both", "stride_w: 2", id="stride_w alone",
        ),
        pytest.param(
            (2, 3, 6, 6), "kernel_size: 3 kernel_h: 3 kernel_w: 3", "repeated-and-hw-fields",
            "`kernel_size` and `kernel_h` are both set; Caffe takes one or the other", "kernel_h: 3",
            id="kernel twice",
        ),
        pytest.param(
            (2, 3, 6, 6), "kernel_size: 3 pad: 1 pad_w: 1", "repeated-and-hw-fields",
            "`pad` and `pad_w` are both set; Caffe takes one or the other", "pad_w: 1", id="pad twice",
        ),
        pytest.param(
            (2, 3, 6, 6), "kernel_size: 0", "kernel-size-zero",
            "`kernel_size` is 0; it must be at least 1", "kernel_size: 0", id="kernel 0",
        ),
        pytest.param(
            (2, 3, 6, 6), "kernel_size: 4294967295", "kernel-size-zero",
            "`kernel_size` is -1; it must be at least 1", "kernel_size: 4294967295", id="kernel -1",
        ),
        pytest.param(
            (2, 3, 6, 6), "kernel_size: 2 stride_h: 1 stride_w: 0", "stride-zero",
            "`stride_w` is 0; it must be at least 1", "stride_w: 0", id="stride 0",
        ),
        pytest.param(
            (2, 3, 6, 6), "kernel_size: 3 pad: 3", "pad-not-below-kernel",
            "`pad` (3) is not below the kernel (3): the first window would see padding only", "pad: 3",
            id="pad",
        ),
        pytest.param(
            (2, 3, 6, 6), "global_pooling: true kernel_h: 6", "global-pooling-with-kernel",
            "`global_pooling` takes the whole picture; `kernel_h` can't be set too", "kernel_h: 6",
            id="global with a kernel",
        ),
        pytest.param(
            (2, 3, 6, 6), "global_pooling: true stride: 2", "global-pooling-with-window",
            "`global_pooling` has one window; `stride` can't be set", "stride: 2", id="global with a stride",
        ),
        pytest.param(
            (2, 3, 6), "kernel_size: 2", "wrong-number-of-axes",
            "Pooling takes 4 axes, (N, C, H, W); the bottom is [2, 3, 6]", 'bottom: "b0"', id="three axes",
        ),
        pytest.param(
            (2, 3, 0, 4), "global_pooling: true", "empty-bottom",
            "the bottom is [2, 3, 0, 4]; there is nothing to pool", 'bottom: "b0"', id="global on nothing",
        ),
        pytest.param(
            (2, 3, 6, 6), "kernel_size: 9", "kernel-exceeds-input",
            "the kernel spans 9, but the input has 6 with its padding", "kernel_size: 9", id="too large",
        ),
        pytest.param(
            (2, 3, 6, 6), "kernel_size: 2 engine: CUDNN", "engine-needs-cudnn",
            "`engine: CUDNN` is refused by every Caffe that is built without cuDNN", "engine: CUDNN",
            id="engine",
        ),
    ],
)  # fmt: skip
def test_pooling_refuses(finding, bottom, text, name, message, place):
    assert finding("Pooling", [bottom], f"pooling_param {{ {text} }}") == (
        "error", name, message, place,
    )  # fmt: skip


def test_two_fields_that_fight_are_both_shown(layer):
    (error,) = layer("Pooling", [(1, 1, 6, 6)], "pooling_param {\nkernel_size: 2\npad: 2\n}").report
    assert (error.span.line, error.span.text) == (7, "pad: 2")
    span, word = error.other
    assert (span.line, span.text, word) == (6, "kernel_size: 2", "the kernel is here")


def test_only_max_has_a_mask(layer):
    (error,) = layer(
        "Pooling", [(1, 1, 6, 6)], "pooling_param { pool: AVE kernel_size: 2 }", tops=2
    ).report
    assert (error.name, error.span.text) == ("wrong-number-of-tops", 'top: "t1"')
    assert error.message == "Pooling by AVE has 1 top; `l` has 2"


@pytest.mark.parametrize(
    ("pool", "made"),
    [pytest.param("MAX", "-FLT_MAX", id="MAX"), pytest.param("AVE", "0/0", id="AVE")],
)
def test_a_window_wholly_outside_is_warned_of_once(finding, pool, made):
    text = f"pooling_param {{ pool: {pool} kernel_size: 1 stride: 3 }}"
    assert finding("Pooling", [(1, 1, 6, 6)], text) == (
        "warning",
        "window-outside-input",
        f"the last window starts at 6, behind the input of 6: Caffe makes {made} of it",
        "stride: 3",
    )


def test_a_top_of_nothing_is_warned_of(finding):
    assert finding("Pooling", [(1, 2, 3, 5)], "pooling_param { kernel_size: 4 }") == (
        "warning",
        "empty-top",
        "the top is [1, 2, 0, 2]: Caffe can't run on no values",
        "pooling_param { kernel_size: 4 }",
    )


def test_stochastic_pooling_takes_no_padding(layer):
    text = "pooling_param { pool: STOCHASTIC kernel_size: 2 stride: 2 }"
    found = layer("Pooling", [(1, 1, 6, 6)], text)
    assert [(d.severity, d.name) for d in found.report] == [
        ("warning", "stochastic-pooling-on-cpu")
    ]
    found = layer("Pooling", [(1, 1, 6, 6)], text.replace("stride: 2", "pad: 1"))
    assert "stochastic-pooling-with-pad" in [d.name for d in found.report.errors]


def test_pooling_in_place_loses_its_input(layer):
    found = layer("Pooling", [(1, 1, 4, 4)], 'top: "b0" pooling_param { kernel_size: 2 }', tops=0)
    assert found.top_shapes == ((1, 1, 3, 3),)
    assert [(d.severity, d.name) for d in found.report] == [
        ("warning", "in-place-overwrites-input")
    ]


@pytest.mark.parametrize(
    ("bottom", "height", "top"),
    [
        pytest.param((1, 2, 8, 9), 3, (1, 42), id="3 levels"),
        pytest.param((2, 5, 7, 7), 1, (2, 5, 1, 1), id="1 level is not flattened"),
        pytest.param((1, 1, 5, 5), 2, (1, 5), id="uneven"),
    ],
)
def test_spp_shapes(layer, bottom, height, top):
    found = layer("SPP", [bottom], f"spp_param {{ pyramid_height: {height} }}")
    assert found.top_shapes == (top,)
    assert found.flat == (height > 1)
    assert len(found.levels) == height
    assert list(found.report) == []


def test_spp_levels(layer):
    found = layer("SPP", [(1, 2, 10, 7)], "spp_param { pyramid_height: 3 pool: AVE }")
    assert found.pool == "AVE"
    assert found.levels == (
        PoolLevel((10, 7), (0, 0), (1, 1)),
        PoolLevel((5, 4), (0, 1), (2, 2)),
        PoolLevel((3, 2), (1, 1), (4, 4)),
    )
    assert found.cost() == Cost(0, 2 * (70 + 4 * 20 + 16 * 6))


@pytest.mark.parametrize(
    ("bottom", "text", "name", "message", "place"),
    [
        pytest.param(
            (1, 2, 4, 4), "", "pyramid-height-missing", "SPP needs a `pyramid_height` of at least 1",
            "spp_param {  }", id="no height",
        ),
        pytest.param(
            (1, 2, 4, 4), "pyramid_height: 4", "pyramid-too-high",
            "level 4 of the pyramid has 8 x 8 bins, too many for 4 x 4 pixels", "pyramid_height: 4",
            id="too high",
        ),
        pytest.param(
            (1, 2, 4), "pyramid_height: 2", "wrong-number-of-axes",
            "SPP takes 4 axes, (N, C, H, W); the bottom is [1, 2, 4]", 'bottom: "b0"', id="three axes",
        ),
        pytest.param(
            (1, 2, 4, 0), "pyramid_height: 2", "empty-bottom",
            "the bottom is [1, 2, 4, 0]; there is nothing to pool", 'bottom: "b0"', id="nothing",
        ),
    ],
)  # fmt: skip
def test_spp_refuses(finding, bottom, text, name, message, place):
    assert finding("SPP", [bottom], f"spp_param {{ {text} }}") == ("error", name, message, place)


def test_spp_in_place_is_refused_where_it_is_flattened(layer):
    def names(height):
        text = f'top: "b0" spp_param {{ pyramid_height: {height} }}'
        found = layer("SPP", [(1, 1, 4, 4)], text, tops=0)
        return [(d.severity, d.name) for d in found.report]

    assert names(2) == [("error", "unsupported-in-place")]
    assert names(1) == [("warning", "in-place-overwrites-input")]
