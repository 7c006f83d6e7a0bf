"""Fillers that can't fill their blob, and values in the text that don't fit it."""

from __future__ import annotations

import pytest

CONV = (
    "convolution_param {{ num_output: 4 kernel_size: 3 bias_term: false weight_filler {{ {} }} }}"
)


@pytest.mark.parametrize(
    "filler",
    [
        "", "value: 2", 'type: "xavier" variance_norm: AVERAGE', 'type: "msra"', 'type: "gaussian"',
        'type: "gaussian" std: 0.01 sparse: 4', 'type: "uniform" min: 1 max: 1',
        'type: "positive_unitball"', 'type: "bilinear"',
    ],
)  # fmt: skip
def test_what_caffe_can_fill(layer, filler):
    found = layer("Convolution", [(1, 2, 5, 5)], CONV.format(filler))
    assert list(found.report) == []


@pytest.mark.parametrize(
    ("filler", "name", "message", "place"),
    [
        pytest.param(
            'type: "xaviar"', "unknown-filler", "no filler `xaviar`; did you mean `xavier`?",
            'type: "xaviar"', id="unknown",
        ),
        pytest.param(
            'type: "gaussian" std: 0', "std-not-positive", "`std` is 0; it must be above 0", "std: 0",
            id="std 0",
        ),
        pytest.param(
            'type: "gaussian" sparse: -2', "sparse-below-minus-one",
            "`sparse` is -2; it counts inputs, or is -1 for all", "sparse: -2", id="sparse -2",
        ),
        pytest.param(
            'type: "gaussian" sparse: 5', "sparse-exceeds-outputs",
            "`sparse` (5) is above the 4 outputs of the blob `weight`", "sparse: 5", id="sparse 5",
        ),
        pytest.param(
            'type: "xavier" sparse: 1', "sparse-without-gaussian",
            "`sparse` is set, but the filler `xavier` can't leave values out; `gaussian` can",
            "sparse: 1", id="sparse xavier",
        ),
        pytest.param(
            'type: "uniform" min: 2', "filler-range-reversed", "`min` (2) is above `max` (1)", "min: 2",
            id="uniform",
        ),
    ],
)  # fmt: skip
def test_what_caffe_cannot_fill(finding, filler, name, message, place):
    found = finding("Convolution", [(1, 2, 5, 5)], CONV.format(filler))
    assert found == ("error", name, message, place)


@pytest.mark.parametrize(
    ("kind", "text", "name", "message"),
    [
        pytest.param(
            "Convolution",
            'convolution_param { num_output: 4 kernel_h: 3 kernel_w: 2 weight_filler { type: "bilinear" } }',
            "bilinear-not-square",
            "the filler `bilinear` fills square kernels; the blob `weight` is [4, 2, 3, 2]", id="rectangle",
        ),
        pytest.param(
            "Scale", 'scale_param { filler { type: "bilinear" } }', "bilinear-needs-four-axes",
            "the filler `bilinear` fills blobs of 4 axes; the blob `scale` is [2]", id="one axis",
        ),
        pytest.param(
            "Scale", 'scale_param { num_axes: 0 filler { type: "msra" } }', "filler-needs-axes",
            "the filler `msra` counts along axis 0, which the blob `scale` does not have", id="no axes",
        ),
    ],
)  # fmt: skip
def test_shapes_that_a_filler_cannot_fill(finding, kind, text, name, message):
    severity, found, sentence, place = finding(kind, [(1, 2, 5, 5)], text)
    assert (severity, found, sentence) == ("error", name, message)
    assert place.startswith('type: "')


def test_a_faulty_filler_leaves_the_shapes_known(layer):
    found = layer("Convolution", [(1, 2, 5, 5)], CONV.format('type: "none"'))
    assert found.top_shapes == ((1, 4, 3, 3),)
    (error,) = found.report
    assert error.help.startswith("the fillers are constant, uniform, gaussian")


IP = "inner_product_param { num_output: 2 bias_term: false } "


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        pytest.param(
            "Convolution",
            "convolution_param { num_output: 1 kernel_size: 1 bias_term: false } "
            "blobs { shape { dim: [1, 2, 1, 1] } data: [1, 2] }",
            id="shape",
        ),
        pytest.param(
            "InnerProduct", IP + "blobs { num: 1 channels: 1 height: 2 width: 50 " + "data: 1 " * 100 + "}",
            id="four old sizes",
        ),
        pytest.param("PReLU", "blobs { shape { dim: 2 } double_data: [1, 2] }", id="double"),
    ],
)  # fmt: skip
def test_values_in_the_text(layer, kind, text):
    assert list(layer(kind, [(1, 2, 5, 5)], text).report) == []


@pytest.mark.parametrize(
    ("kind", "text", "severity", "name", "message"),
    [
        pytest.param(
            "Convolution",
            "convolution_param { num_output: 1 kernel_size: 1 bias_term: false } "
            "blobs { shape { dim: [1, 1, 1, 2] } data: [1, 2] }",
            "error", "stored-blobs-differ",
            "blob 0 in the text is [1, 1, 1, 2], but `weight` is [1, 2, 1, 1]", id="shape",
        ),
        pytest.param(
            "Convolution",
            "convolution_param { num_output: 1 kernel_size: 1 } "
            "blobs { shape { dim: [1, 2, 1, 1] } data: [1, 2] }",
            "error", "stored-blobs-differ", "1 blobs stand in the text; Convolution has 2 here",
            id="number",
        ),
        pytest.param(
            "PReLU", "blobs { shape { dim: 2 } data: 1 }", "error", "stored-values-differ",
            "blob 0 in the text is [2], but 1 values stand there", id="values",
        ),
        pytest.param(
            "InnerProduct", IP + "blobs { shape { dim: 2 } data: [1, 2] }", "warning",
            "stored-blobs-differ", "blob 0 in the text is [2], but `weight` is [2, 50]", id="too few",
        ),
    ],
)  # fmt: skip
def test_values_in_the_text_that_do_not_fit(finding, kind, text, severity, name, message):
    found = finding(kind, [(1, 2, 5, 5)], text)
    assert found[:3] == (severity, name, message)
    assert found[3].startswith("blobs {")
