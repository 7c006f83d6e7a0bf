"""Convolution, Deconvolution and Im2col: kernels over any number of axes, groups, and their blobs."""

from __future__ import annotations

import pytest

from caffegen.layer_types import Cost, Window

DATA = (2, 4, 6, 7)


def define(layer, kind, bottom, text, **kwargs):
    return layer(kind, [bottom], f"convolution_param {{ {text} }}", **kwargs)


@pytest.mark.parametrize(
    ("bottom", "text", "top", "weight"),
    [
        pytest.param(DATA, "kernel_size: 3", (2, 8, 4, 5), (8, 4, 3, 3), id="plain"),
        pytest.param(
            DATA, "kernel_size: 3 pad: 1 stride: 2", (2, 8, 3, 4), (8, 4, 3, 3), id="pad, stride"
        ),
        pytest.param(
            DATA, "kernel_h: 1 kernel_w: 3 pad_w: 1", (2, 8, 6, 7), (8, 4, 1, 3), id="per axis, by name"
        ),
        pytest.param(
            DATA, "kernel_size: [2, 3] stride: [1, 2] pad: 1", (2, 8, 7, 4), (8, 4, 2, 3),
            id="per axis, in order",
        ),
        pytest.param(DATA, "kernel_size: 3 dilation: 2", (2, 8, 2, 3), (8, 4, 3, 3), id="dilation"),
        pytest.param(DATA, "kernel_size: 3 group: 4", (2, 8, 4, 5), (8, 1, 3, 3), id="group"),
        pytest.param((2, 4, 9), "kernel_size: 3", (2, 8, 7), (8, 4, 3), id="one axis"),
        pytest.param((2, 4, 3, 3, 3), "kernel_size: 2", (2, 8, 2, 2, 2), (8, 4, 2, 2, 2), id="three axes"),
        pytest.param((2, 4), "", (2, 8), (8, 4), id="no axes, no kernel"),
        pytest.param((2, 4), "kernel_size: 3", (2, 8), (8, 4), id="no axes, a kernel"),
        pytest.param((4, 5, 5), "kernel_size: 2 axis: 0", (8, 4, 4), (8, 4, 2, 2), id="axis 0"),
        pytest.param((9, 9, 4, 5), "kernel_size: 2 axis: -2", (9, 9, 8, 4), (8, 4, 2), id="axis -2"),
        pytest.param(
            (1, 1, 3, 3), "kernel_size: 6 stride: 4", (1, 8, 1, 1), (8, 1, 6, 6), id="truncation"
        ),
    ],
)  # fmt: skip
def test_convolution_shapes(layer, bottom, text, top, weight):
    found = define(layer, "Convolution", bottom, f"num_output: 8 {text}")
    assert found.top_shapes == (top,)
    assert [(blob.name, blob.shape) for blob in found.blobs] == [("weight", weight), ("bias", (8,))]
    assert found.report.errors == []


@pytest.mark.parametrize(
    ("bottom", "text", "top", "weight"),
    [
        pytest.param(DATA, "kernel_size: 3", (2, 8, 8, 9), (4, 8, 3, 3), id="plain"),
        pytest.param(
            DATA,
            "kernel_size: 4 pad: 1 stride: 2",
            (2, 8, 12, 14),
            (4, 8, 4, 4),
            id="twice as large",
        ),
        pytest.param(
            DATA, "kernel_size: 3 dilation: 2", (2, 8, 10, 11), (4, 8, 3, 3), id="dilation"
        ),
        pytest.param(DATA, "kernel_size: 3 group: 2", (2, 8, 8, 9), (4, 4, 3, 3), id="group"),
        pytest.param((2, 4, 9), "kernel_size: 2 stride: 2", (2, 8, 18), (4, 8, 2), id="one axis"),
    ],
)
def test_deconvolution_shapes(layer, bottom, text, top, weight):
    found = define(layer, "Deconvolution", bottom, f"num_output: 8 bias_term: false {text}")
    assert found.top_shapes == (top,)
    assert [(blob.name, blob.shape) for blob in found.blobs] == [("weight", weight)]


@pytest.mark.parametrize(
    ("bottom", "text", "top"),
    [
        pytest.param((2, 2, 5, 6), "kernel_size: 3", (2, 18, 3, 4), id="plain"),
        pytest.param((2, 3, 8), "kernel_size: 3 stride: 2", (2, 9, 3), id="one axis"),
        pytest.param((2, 3, 3), "kernel_size: 2 axis: 0", (8, 2, 2), id="axis 0"),
        pytest.param((1, 1, 3, 3), "kernel_size: 6 stride: 4", (1, 36, 1, 1), id="truncation"),
    ],
)
def test_im2col_has_the_windows_of_a_convolution(layer, bottom, text, top):
    found = define(layer, "Im2col", bottom, text)
    assert found.top_shapes == (top,)
    convolved = define(layer, "Convolution", bottom, f"num_output: 1 {text}")
    assert convolved.top_shapes[0][found.axis_index + 1 :] == top[found.axis_index + 1 :]


def test_facts(layer):
    text = "num_output: 8 kernel_size: 3 pad_h: 1 stride: 2 dilation: [1, 2] group: 2"
    found = define(layer, "Convolution", DATA, text)
    assert (found.num_output, found.group, found.bias_term) == (8, 2, True)
    assert (found.axis_index, found.spatial_axes, found.channels) == (1, 2, 4)
    assert found.window == Window((3, 3), (2, 2), (1, 0), (1, 2))
    assert (found.kernel, found.stride, found.pad, found.dilation) == found.window


def test_several_bottoms_share_the_weights(layer):
    found = layer(
        "Convolution", [DATA, DATA], "convolution_param { num_output: 8 kernel_size: 3 }", tops=2
    )
    assert found.top_shapes == ((2, 8, 4, 5),) * 2
    assert len(found.blobs) == 2


def test_cost(layer):
    text = "num_output: 8 kernel_size: 3 group: 2"
    assert define(layer, "Convolution", DATA, text).cost() == Cost(2 * 8 * 20 * 9 * 2, 2 * 8 * 20)
    assert define(layer, "Deconvolution", DATA, text).cost() == Cost(2 * 4 * 42 * 9 * 4, 2 * 8 * 72)
    assert define(layer, "Im2col", DATA, "kernel_size: 3").cost() == Cost()


@pytest.mark.parametrize(
    ("bottom", "text", "name", "message", "place"),
    [
        pytest.param(
            DATA, "num_output: 0 kernel_size: 3", "num-output-zero",
            "Convolution needs a `num_output` of at least 1", "num_output: 0", id="num_output 0",
        ),
        pytest.param(
            DATA, "num_output: 4 kernel_size: 3 group: 0", "group-zero",
            "`group` is 0; it must be at least 1", "group: 0", id="group 0",
        ),
        pytest.param(
            DATA, "num_output: 7 kernel_size: 3 group: 2", "group-does-not-divide",
            "`num_output` (7) is not a multiple of `group` (2)", "group: 2", id="group and outputs",
        ),
        pytest.param(
            DATA, "num_output: 9 kernel_size: 3 group: 3", "group-does-not-divide",
            "the bottom's 4 channels are not a multiple of `group` (3)", "group: 3",
            id="group and channels",
        ),
        pytest.param(
            DATA, "num_output: 4", "kernel-missing", "Convolution needs `kernel_size`",
            "convolution_param { num_output: 4 }", id="no kernel",
        ),
        pytest.param(
            DATA, "num_output: 4 kernel_size: [3, 0]", "kernel-size-zero",
            "`kernel_size` is 0; it must be at least 1", "3", id="kernel 0",
        ),
        pytest.param(
            DATA, "num_output: 4 kernel_w: 3", "hw-field-missing",
            "`kernel_w` is set without `kernel_h`, which then counts as 0", "kernel_w: 3",
            id="kernel_w alone",
        ),
        pytest.param(
            DATA, "num_output: 4 kernel_size: 3 stride_h: 2", "hw-field-missing",
            "`stride_h` is set without `stride_w`, which then counts as 0", "stride_h: 2",
            id="stride_h alone",
        ),
        pytest.param(
            DATA, "num_output: 4 kernel_h: 3 kernel_w: 0", "kernel-size-zero",
            "`kernel_w` is 0; it must be at least 1", "kernel_w: 0", id="kernel_w 0",
        ),
        pytest.param(
            DATA, "num_output: 4 kernel_size: 3 stride: 0", "stride-zero",
            "`stride` is 0; it must be at least 1", "stride: 0", id="stride 0",
        ),
        pytest.param(
            DATA, "num_output: 4 kernel_size: 3 kernel_h: 3 kernel_w: 3", "repeated-and-hw-fields",
            "`kernel_size` and `kernel_h` are both set; Caffe takes one or the other", "kernel_h: 3",
            id="kernel twice",
        ),
        pytest.param(
            (2, 4, 9), "num_output: 4 kernel_size: 3 pad_h: 1", "hw-fields-not-2d",
            "`pad_h` is for two spatial axes; this layer has 1", "pad_h: 1", id="pad_h on one axis",
        ),
        pytest.param(
            DATA, "num_output: 4 kernel_size: 3 dilation: [1, 1, 1]", "wrong-number-of-values",
            "`dilation` has 3 values for 2 spatial axes", "1", id="three dilations",
        ),
        pytest.param(
            DATA, "num_output: 4 kernel_size: 9", "kernel-exceeds-input",
            "the kernel spans 9, but the input has 6 with its padding", "kernel_size: 9", id="too large",
        ),
        pytest.param(
            DATA, "num_output: 4 kernel_h: 2 kernel_w: 3 dilation: 4", "kernel-exceeds-input",
            "the kernel spans 9, but the input has 7 with its padding", "kernel_w: 3",
            id="too large on the second axis",
        ),
        pytest.param(
            DATA, "num_output: 4 kernel_size: 3 axis: 4", "axis-out-of-range",
            "`axis` is 4, but the bottom has 4 axes", "axis: 4", id="axis",
        ),
        pytest.param(
            DATA, "num_output: 4 kernel_size: 3 dilation: 2 engine: CUDNN", "cudnn-with-dilation",
            "`engine: CUDNN` can't dilate; Caffe refuses it with `dilation`", "engine: CUDNN",
            id="cuDNN with dilation",
        ),
        pytest.param(
            DATA, "num_output: 4 kernel_size: 3 engine: CUDNN", "engine-needs-cudnn",
            "`engine: CUDNN` is refused by every Caffe that is built without cuDNN", "engine: CUDNN",
            id="cuDNN",
        ),
        pytest.param(
            (1, 64, 3000, 3000), "num_output: 1 kernel_size: 3", "column-buffer-too-large",
            f"Caffe unrolls an item into {64 * 9 * 2998 * 2998} values; a blob holds 2147483647 at most",
            "convolution_param { num_output: 1 kernel_size: 3 }", id="too much to unroll",
        ),
        pytest.param(
            (2, 0, 6, 6), "num_output: 4 kernel_size: 3 bias_term: false", "empty-weight-blob",
            "the blob `weight` is [4, 0, 3, 3]: Caffe can't fill it without values",
            "convolution_param { num_output: 4 kernel_size: 3 bias_term: false }", id="no channels",
        ),
    ],
)  # fmt: skip
def test_convolution_refuses(finding, bottom, text, name, message, place):
    assert finding("Convolution", [bottom], f"convolution_param {{ {text} }}") == (
        "error", name, message, place,
    )  # fmt: skip


def test_all_faults_are_found_in_one_run(layer):
    found = define(layer, "Convolution", DATA, "num_output: 7 group: 2 kernel_size: 3 stride: 0")
    assert [d.name for d in found.report] == ["group-does-not-divide", "stride-zero"]
    assert found.top_shapes == ()


def test_bottoms_of_two_shapes(finding):
    found = finding(
        "Convolution",
        [DATA, (2, 4, 5, 5)],
        "convolution_param { num_output: 8 kernel_size: 3 }",
        tops=2,
    )
    assert found == (
        "error",
        "bottoms-differ",
        "all bottoms of Convolution have one shape; bottom 0 is [2, 4, 6, 7], bottom 1 is [2, 4, 5, 5]",
        'bottom: "b1"',
    )


@pytest.mark.parametrize(("bias", "severity"), [("true", "error"), ("false", "warning")])
def test_a_top_of_nothing_takes_no_bias(layer, bias, severity):
    text = f"num_output: 2 kernel_size: 7 bias_term: {bias}"
    found = define(layer, "Convolution", (2, 3, 6, 7), text)
    assert [(d.severity, d.name) for d in found.report] == [
        ("warning", "kernel-exceeds-input"), (severity, "empty-top"),
    ]  # fmt: skip
    assert found.top_shapes == (() if bias == "true" else ((2, 2, 0, 1),))


@pytest.mark.parametrize(
    ("kind", "text", "name", "message", "place"),
    [
        pytest.param(
            "Convolution", "num_output: 4 kernel_size: 7 stride: 2", "kernel-exceeds-input",
            "the kernel spans 7, but the input has 6 with its padding", "kernel_size: 7",
            id="one window by truncation",
        ),
        pytest.param(
            "Convolution", "num_output: 4 kernel_size: 3 dilation: 0", "dilation-zero",
            "`dilation` is 0: every tap of the kernel reads the same value", "dilation: 0",
            id="dilation 0",
        ),
        pytest.param(
            "Deconvolution", "num_output: 4 kernel_size: 3 dilation: [0, 1]", "dilation-zero",
            "`dilation` is 0: every tap of the kernel reads the same value", "0",
            id="dilation 0 on one axis",
        ),
    ],
)  # fmt: skip
def test_warned_of(finding, kind, text, name, message, place):
    found = finding(kind, [DATA], f"convolution_param {{ {text} }}")
    assert found == ("warning", name, message, place)


@pytest.mark.parametrize(
    ("text", "name", "message", "place"),
    [
        pytest.param(
            "num_output: 4 kernel_size: 3 pad: 6", "pad-exceeds-output",
            "`pad` (6) takes 12 away from an output of 8", "pad: 6", id="pad",
        ),
        pytest.param(
            "num_output: 4 kernel_size: 3 pad_h: 0 pad_w: 5", "pad-exceeds-output",
            "`pad_w` (5) takes 10 away from an output of 9", "pad_w: 5", id="pad_w",
        ),
        pytest.param(
            "num_output: 4 kernel_size: 3 group: 3", "group-does-not-divide",
            "`num_output` (4) is not a multiple of `group` (3)", "group: 3", id="group",
        ),
    ],
)  # fmt: skip
def test_deconvolution_refuses(finding, text, name, message, place):
    found = finding("Deconvolution", [DATA], f"convolution_param {{ {text} }}")
    assert found == ("error", name, message, place)


def test_im2col_needs_an_axis_to_slide_over(finding):
    assert finding("Im2col", [(2, 3)], "convolution_param { kernel_size: 1 }") == (
        "error",
        "no-spatial-axes",
        "Im2col needs axes behind `axis`; the bottom is [2, 3]",
        "convolution_param { kernel_size: 1 }",
    )


def test_depthwise_is_a_convolution_by_groups(layer):
    text = "convolution_param { num_output: 4 kernel_size: 3 group: 4 pad: 1 engine: CUDNN }"
    found = layer("DepthwiseConvolution", [(2, 4, 9, 9)], text)
    assert list(found.report) == []
    assert [(spec.name, spec.shape) for spec in found.blobs] == [
        ("weight", (4, 1, 3, 3)), ("bias", (4,)),
    ]  # fmt: skip
    assert found.top_shapes == ((2, 4, 9, 9),)
    assert found.cost() == Cost(2 * 4 * 81 * 9, 2 * 4 * 81)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        pytest.param(
            "DepthwiseConvolution", "num_output: 4",
            "the bottom has 4 channels; on GPUs DepthwiseConvolution computes as if `group` (1) and "
            "`num_output` (4) were 4 too, on CPUs as they say", id="no group",
        ),
        pytest.param(
            "DepthwiseConvolution", "num_output: 8 group: 4",
            "the bottom has 4 channels; on GPUs DepthwiseConvolution computes as if `group` (4) and "
            "`num_output` (8) were 4 too, on CPUs as they say", id="two filters for each channel",
        ),
        pytest.param(
            "DepthwiseConvolution", "num_output: 4 group: 4 dilation: 2",
            "on GPUs DepthwiseConvolution leaves out the `dilation`, on CPUs it dilates", id="dilation",
        ),
        pytest.param(
            "ConvolutionDepthwise", "num_output: 8",
            "ConvolutionDepthwise does not read `num_output` (8); it is the number of channels, 4",
            id="outputs",
        ),
    ],
)  # fmt: skip
def test_depthwise_that_is_none(finding, kind, text, message):
    severity, name, said, _ = finding(
        kind, [(2, 4, 9, 9)], f"convolution_param {{ kernel_size: 3 {text} }}"
    )
    assert (severity, name, said) == ("warning", "depthwise-not-by-channel", message)


@pytest.mark.parametrize("text", ["", "num_output: 4 group: 4"], ids=["bare", "told"])
def test_convolution_depthwise_counts_its_own_channels(layer, text):
    text = f"convolution_param {{ {text} kernel_h: 3 kernel_w: 1 stride: 2 bias_term: false }}"
    found = layer("ConvolutionDepthwise", [(2, 4, 9, 9)], text)
    assert list(found.report) == []
    assert [(spec.name, spec.shape) for spec in found.blobs] == [("weight", (4, 1, 3, 1))]
    assert found.top_shapes == ((2, 4, 4, 5),)


def test_convolution_depthwise_takes_pictures_alone(finding):
    severity, name, message, _ = finding(
        "ConvolutionDepthwise", [(2, 4, 9)], "convolution_param { kernel_size: 3 }"
    )
    assert (severity, name) == ("error", "wrong-number-of-axes")
    assert message == "ConvolutionDepthwise takes 4 axes, (N, C, H, W); the bottom is [2, 4, 9]"


def test_an_axis_of_0_between_windows_that_stand_apart(finding):
    found = finding(
        "Deconvolution", [(1, 2, 4, 4, 0)],
        "convolution_param { num_output: 2 kernel_size: 1 stride: 3 }",
    )  # fmt: skip
    said = "the shape [1, 2, 10, 10, -2] has a negative dimension"
    assert found[:3] == ("error", "dimension-negative", said)


def test_a_depthwise_convolution_of_no_channels(finding):
    found = finding("ConvolutionDepthwise", [(1, 0, 4, 4)], "convolution_param { kernel_size: 1 }")
    said = "the bottom is [1, 0, 4, 4]; ConvolutionDepthwise can't be set up without values"
    assert found[:3] == ("error", "empty-bottom", said)
