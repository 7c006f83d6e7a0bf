"""Interp, Resize, Upsample and the unpoolings: shapes, and what is refused."""

import pytest

PICTURE = (2, 3, 5, 7)
SMALL = [(2, 3, 4, 3), (2, 3, 4, 3)]


@pytest.mark.parametrize(
    ("text", "top"),
    [
        ("zoom_factor: 8", (2, 3, 33, 49)),
        ("shrink_factor: 2", (2, 3, 3, 4)),
        ("height: 60 width: 61", (2, 3, 60, 61)),
        ("shrink_factor: 3 zoom_factor: 2", (2, 3, 3, 5)),
        ("height: 9 width: 9 zoom_factor: 2 shrink_factor: 2", (2, 3, 9, 9)),
        ("height: 9 width: 9 zoom_factor: 2", (2, 3, 9, 13)),
        ("pad_beg: -1 pad_end: -2 zoom_factor: 1", (2, 3, 2, 4)),
    ],
)
def test_shape_of_interp(layer, text, top):
    assert layer("Interp", [PICTURE], f"interp_param {{ {text} }}").top_shapes == (top,)


def test_interp_takes_the_size_of_bottom_1(layer):
    body = "interp_param { use_blob_size: true }"
    assert layer("Interp", [PICTURE, (1, 8, 9, 4)], body).top_shapes == ((2, 3, 9, 4),)


@pytest.mark.parametrize(
    ("bottoms", "text", "message"),
    [
        ([PICTURE], "use_blob_size: true", "Interp takes a bottom 1 of its size, `l` has 1"),
        ([PICTURE, PICTURE], "zoom_factor: 2", "Interp takes 1 bottom, `l` has 2"),
    ],
)
def test_bottoms_of_interp(finding, bottoms, text, message):
    found = finding("Interp", bottoms, f"interp_param {{ {text} }}")
    assert found[:3] == ("error", "wrong-number-of-bottoms", message)


def test_interp_counts_four_axes(layer):
    assert layer("Interp", [(2, 3)], "interp_param { zoom_factor: 2 }").top_shapes == (
        (2, 3, 1, 1),
    )


@pytest.mark.parametrize(
    ("text", "name", "message", "at"),
    [
        (
            "pad_beg: 1 zoom_factor: 2", "padding-outward",
            "`pad_beg` is 1; Interp only cuts off, by a number below 0", "pad_beg: 1",
        ),
        (
            "zoom_factor: 0", "size-not-positive", "`zoom_factor` is 0; it must be at least 1",
            "zoom_factor: 0",
        ),
        (
            "height: 0 width: 4", "size-not-positive", "`height` is 0; it must be at least 1",
            "height: 0",
        ),
        (
            "height: 4", "required-field-missing", "`height` is set without `width`", "height: 4",
        ),
        (
            "pad_end: 0", "required-field-missing",
            "Interp needs a size: `height` and `width`, `zoom_factor` or `shrink_factor`",
            "interp_param { pad_end: 0 }",
        ),
        (
            "pad_end: -5 zoom_factor: 2", "pad-exceeds-output",
            "`pad_beg` and `pad_end` take 5 away from a height of 5", "pad_end: -5",
        ),
    ],
)  # fmt: skip
def test_interp_refuses(finding, text, name, message, at):
    found = finding("Interp", [PICTURE], f"interp_param {{ {text} }}")
    assert found == ("error", name, message, at)


def test_a_factor_overrules_a_size(finding):
    found = finding("Interp", [PICTURE], "interp_param { zoom_factor: 2 height: 8 width: 8 }")
    assert found[:3] == (
        "warning", "size-without-effect", "`height` has no effect beside `zoom_factor`",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "top"),
    [
        ("height: 4 width: 6", (2, 3, 4, 6)),
        # 5 times 0.7 is just below 3.5, and cut
        ("is_pyramid_test: true out_height_scale: 0.7 out_width_scale: 2 height: 9", (2, 3, 3, 14)),
    ],
)
def test_shape_of_resize(layer, text, top):
    assert layer("Resize", [PICTURE], f"resize_param {{ {text} }}").top_shapes == (top,)


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("height: 4", "required-field-missing", "Resize needs `width`"),
        ("height: 0 width: 4", "size-not-positive", "`height` makes a picture of 0 x 4 pixels"),
        (
            "is_pyramid_test: true out_width_scale: 2",
            "required-field-missing",
            "Resize needs `out_height_scale`",
        ),
    ],
)
def test_resize_refuses(finding, text, name, message):
    found = finding("Resize", [PICTURE], f"resize_param {{ {text} }}")
    assert found[:3] == ("error", name, message)


@pytest.mark.parametrize(
    ("bottoms", "text", "top"),
    [
        pytest.param([PICTURE], "scale: 2", (2, 3, 10, 14), id="repeated"),
        pytest.param([PICTURE], "", PICTURE, id="once unless it is said"),
        pytest.param(SMALL, "", (2, 3, 8, 6), id="twice unless it is said"),
        pytest.param(SMALL, "scale: 2 pad_out_w: true", (2, 3, 8, 5), id="one column less"),
        pytest.param(SMALL, "upsample_h: 9 upsample_w: 5", (2, 3, 9, 5), id="a size"),
        pytest.param(SMALL, "scale_h: 3 scale_w: 2", (2, 3, 12, 6), id="two factors"),
    ],
)
def test_shape_of_upsample(layer, bottoms, text, top):
    definition = layer("Upsample", bottoms, f"upsample_param {{ {text} }}")
    assert definition.top_shapes == (top,)
    assert definition.report.errors == []


@pytest.mark.parametrize(
    ("bottoms", "text", "name", "message"),
    [
        (
            [PICTURE], "scale: 0", "size-not-positive", "`scale` is 0; it must be at least 1",
        ),
        (
            [PICTURE], "upsample_h: 8 upsample_w: 8", "wrong-number-of-bottoms",
            "an Upsample has 2 bottoms if it is one with `upsample_h`; `l` has 1",
        ),
        (SMALL, "scale: 1", "upsampling-not-larger", "`scale` is 1; it must be at least 2"),
        (
            SMALL, "scale: 2 scale_h: 2 scale_w: 2", "repeated-and-hw-fields",
            "`scale` and `scale_h` are both set; Caffe takes one or the other",
        ),
        (
            SMALL, "scale_w: 2", "hw-field-missing",
            "`scale_w` is set without `scale_h`; Upsample takes both",
        ),
        (
            SMALL, "scale: 3 pad_out_w: true", "pad-out-without-scale-2",
            "`pad_out_w` takes one off twice the size, and the factor is 3",
        ),
        (
            [PICTURE, (2, 3, 5, 6)], "", "mask-shape-differs",
            "bottom 1 holds the place of each value of bottom 0, which is [2, 3, 5, 7]; it is [2, 3, 5, 6]",
        ),
    ],
)  # fmt: skip
def test_upsample_refuses(finding, bottoms, text, name, message):
    found = finding("Upsample", bottoms, f"upsample_param {{ {text} }}")
    assert found[:3] == ("error", name, message)


@pytest.mark.parametrize(
    ("bottoms", "dialect", "message"),
    [
        (
            SMALL, "mobilenet-yolo",
            "an Upsample has 1 bottom if it is MobileNet-YOLO's; `l` has 2",
        ),
        ([PICTURE], "segnet", "an Upsample has 2 bottoms if it is SegNet's; `l` has 1"),
    ],
)  # fmt: skip
def test_upsample_of_a_named_fork(finding, bottoms, dialect, message):
    found = finding("Upsample", bottoms, dialect=dialect)
    assert found[:3] == ("error", "wrong-number-of-bottoms", message)


def test_half_a_size_has_no_effect(finding):
    found = finding("Upsample", SMALL, "upsample_param { upsample_h: 9 }")
    assert found[:3] == (
        "warning", "size-without-effect",
        "`upsample_h` alone has no effect; the size follows from the factors",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["Interp", "Resize", "Upsample", "UnPooling"])
def test_no_size_changes_in_place(finding, kind):
    found = finding(kind, [PICTURE], 'top: "b0"', tops=0)
    assert found[1:3] == (
        "unsupported-in-place", f"{kind} can't work in place, but its top `b0` is its bottom",
    )  # fmt: skip


POOL_FIELDS = "pool_k_h: 3 pool_k_w: 2 pool_stride_h: 2 pool_stride_w: 2 pool_pad_h: 1"


@pytest.mark.parametrize(
    ("kind", "bottoms", "text", "top"),
    [
        (
            "MaxUnpool", SMALL, f"max_unpool_param {{ {POOL_FIELDS} pool_pad_w: 0 }}",
            (2, 3, 7, 6),
        ),
        (
            "Unpooling", SMALL, "pooling_param { kernel_size: 3 stride: 2 pad: 1 }", (2, 3, 7, 5),
        ),
        (
            "Unpooling", SMALL, "unpooling_param { kernel_size: 2 stride: 2 unpool_size: 8 }",
            (2, 3, 8, 8),
        ),
        (
            "Unpooling", [PICTURE],
            "unpooling_param { unpool: TILE kernel_size: 2 unpool_h: 4 unpool_w: 9 }", (2, 3, 4, 9),
        ),
        (
            "UnPooling", [PICTURE],
            "unpooling_param { out_kernel_h: 3 out_kernel_w: 2 out_stride: 2 }", (2, 3, 11, 14),
        ),
        (
            "UnPooling", [PICTURE, (2, 1, 10, 14)], "unpooling_param { out_kernel_size: 7 }",
            (2, 3, 10, 14),
        ),
    ],
)  # fmt: skip
def test_shapes_of_unpoolings(layer, kind, bottoms, text, top):
    definition = layer(kind, bottoms, text)
    assert definition.top_shapes == (top,)
    assert list(definition.report) == []


@pytest.mark.parametrize(
    ("kind", "bottoms", "text", "name", "message"),
    [
        (
            "MaxUnpool", SMALL, f"max_unpool_param {{ {POOL_FIELDS} }}", "required-field-missing",
            "MaxUnpool needs `pool_pad_w`",
        ),
        (
            "Unpooling", [PICTURE], "pooling_param { kernel_size: 2 }", "unpooling-without-mask",
            "an Unpooling by MAX with 1 bottom; with a `pooling_param` it takes MAX and a mask",
        ),
        (
            "Unpooling", SMALL, "pooling_param { pool: AVE kernel_size: 2 }",
            "unpooling-without-mask",
            "an Unpooling by AVE with 2 bottoms; with a `pooling_param` it takes MAX and a mask",
        ),
        (
            "Unpooling", SMALL, "unpooling_param { unpool: REP kernel_size: 2 }",
            "unpooling-of-another-fork",
            "`unpool: REP` is a method of UnPooling; Unpooling has MAX, AVE and TILE",
        ),
        (
            "Unpooling", SMALL, "unpooling_param { kernel_size: 2 pad: 1 unpool_size: 4 }",
            "padding-outward", "the padding is 1 x 1; Unpooling takes none",
        ),
        (
            "Unpooling", SMALL, "unpooling_param { kernel_size: 2 }", "required-field-missing",
            "Unpooling needs `unpool_size`",
        ),
        (
            "UnPooling", [PICTURE], "unpooling_param { unpool: MAX out_kernel_size: 2 }",
            "unpooling-of-another-fork",
            "`unpool: MAX` is a method of Unpooling; UnPooling has FIXED, DIV and REP",
        ),
        (
            "UnPooling", [PICTURE], "unpooling_param { out_kernel_size: 2 out_pad: 2 }",
            "pad-not-below-kernel", "the padding (2) is not below the kernel (2)",
        ),
        (
            "UnPooling", [PICTURE], "unpooling_param { out_kernel_size: 2 out_stride: 0 }",
            "stride-zero", "the stride is 0 x 0; it must be at least 1",
        ),
        (
            "UnPooling", [(1, 1, 1, 1)], "unpooling_param { out_kernel_size: 2 out_pad: 1 }",
            "pad-exceeds-output", "the top would have 0 x 0 pixels",
        ),
    ],
)  # fmt: skip
def test_unpoolings_refuse(finding, kind, bottoms, text, name, message):
    assert finding(kind, bottoms, text)[:3] == ("error", name, message)


def test_resize_by_no_number(finding):
    text = "resize_param { is_pyramid_test: true out_height_scale: 2 out_width_scale: inf }"
    found = finding("Resize", [PICTURE], text)
    said = "`out_width_scale` is inf; a factor is finite"
    assert found == ("error", "size-not-positive", said, "out_width_scale: inf")


def test_a_factor_that_is_not_read_may_be_anything(layer):
    text = "interp_param { height: 4 width: 6 zoom_factor: 2 shrink_factor: 0 }"
    assert layer("Interp", [PICTURE], text).top_shapes == ((2, 3, 4, 6),)


def test_resize_beyond_what_a_blob_holds(finding):
    text = "resize_param { is_pyramid_test: true out_height_scale: 3e38 out_width_scale: 3e38 }"
    assert finding("Resize", [PICTURE], text)[:2] == ("error", "blob-too-large")
