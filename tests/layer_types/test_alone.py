"""Faults of the parameters that need no shape: told whatever the bottom is, each once."""

from __future__ import annotations

import pytest

UNIFORM = 'type: "uniform" min: 2 max: 1'
PADS = "pooling_param {{ kernel_size: 2 pad: 2 {} }}"

# layer type, its text, the names of its faults; every bottom is unknown
CASES = {
    "Convolution": (
        "Convolution",
        'convolution_param { num_output: 0 kernel_h: 3 stride: 0 weight_filler { type: "xaver" } }',
        "num-output-zero hw-field-missing stride-zero unknown-filler",
    ),
    "a kernel and its pair": (
        "Convolution", "convolution_param { num_output: 1 kernel_size: 3 kernel_w: 3 pad: 1 pad_h: 1 }",
        "repeated-and-hw-fields repeated-and-hw-fields",
    ),
    "two kernels, one of 0": (
        "Convolution", "convolution_param { num_output: 1 kernel_size: 3 kernel_size: 0 dilation: 0 }",
        "kernel-size-zero dilation-zero",
    ),
    "a filler that nothing runs": (
        "Convolution",
        'convolution_param { num_output: 1 kernel_size: 3 bias_term: false bias_filler { type: "x" } }',
        "",
    ),
    "Deconvolution": (
        "Deconvolution",
        f"convolution_param {{ num_output: 1 kernel_size: 0 weight_filler {{ {UNIFORM} }} }}",
        "kernel-size-zero filler-range-reversed",
    ),
    "ConvolutionDepthwise": (
        "ConvolutionDepthwise",
        f"convolution_param {{ kernel_size: 3 stride: 0 bias_filler {{ {UNIFORM} }} }}",
        "stride-zero filler-range-reversed",
    ),
    "Im2col": ("Im2col", "convolution_param { kernel_size: 0 stride_w: 2 }",
               "kernel-size-zero hw-field-missing"),
    "InnerProduct": (
        "InnerProduct",
        'inner_product_param { num_output: 0 weight_filler { type: "gaussian" std: 0 sparse: -5 } }',
        "num-output-zero std-not-positive sparse-below-minus-one",
    ),
    "Embed": (
        "Embed", 'embed_param { num_output: 0 input_dim: 0 bias_filler { type: "xavier" sparse: 1 } }',
        "num-output-zero input-dim-zero sparse-without-gaussian",
    ),
    "Local": (
        "Local", 'local_param { num_output: 0 kernel_size: 0 stride: 0 weight_filler { type: "x" } }',
        "num-output-zero kernel-size-zero stride-zero unknown-filler",
    ),
    "Scale": (
        "Scale", 'scale_param { num_axes: -2 filler { type: "x" } bias_term: true bias_filler { type: "y" } }',
        "num-axes-out-of-range unknown-filler unknown-filler",
    ),
    "Bias": ("Bias", f"bias_param {{ filler {{ {UNIFORM} }} }}", "filler-range-reversed"),
    "PReLU": ("PReLU", 'prelu_param { filler { type: "x" } }', "unknown-filler"),
    "BatchNorm": (
        "BatchNorm", 'batch_norm_param { scale_bias: true scale_filler { type: "x" } }', "unknown-filler",
    ),
    "BN": ("BN", 'bn_param { bn_mode: LEARN shift_filler { type: "x" } }', "unknown-filler"),
    "Normalize": ("Normalize", 'norm_param { scale_filler { type: "x" } }', "unknown-filler"),
    "CenterLoss": (
        "CenterLoss",
        'center_loss_param { num_output: 0 distance_type: "L3" center_filler { type: "x" } }',
        "num-output-zero unknown-norm unknown-filler",
    ),
    "InnerDistance": (
        "InnerDistance",
        'inner_distance_param { num_output: 0 distance_type: "L3" weight_filler { type: "x" } }',
        "num-output-zero unknown-norm unknown-filler",
    ),
    "Pooling": ("Pooling", "pooling_param { kernel_size: 0 stride: 0 }",
                "kernel-size-zero stride-zero"),
    "Pooling, its pads": (
        "Pooling", PADS.format("stride_h: 2"), "pad-not-below-kernel hw-field-missing",
    ),
    "Pooling, global": (
        "Pooling", "pooling_param { global_pooling: true kernel_size: 2 pad_h: 1 }",
        "global-pooling-with-kernel hw-field-missing",
    ),
    "Unpooling": (
        "Unpooling", "unpooling_param { kernel_size: 0 stride: 0 }", "kernel-size-zero stride-zero",
    ),
    "LRN": ("LRN", "lrn_param { local_size: 4 engine: CUDNN }", "engine-needs-cudnn local-size-even"),
    "Eltwise": (
        "Eltwise", "eltwise_param { operation: PROD coeff: 1 coeff: 2 }", "coeff-count coeff-without-sum",
    ),
    "PriorBox": (
        "PriorBox", "prior_box_param { variance: [1, 2] step_h: 1 }",
        "min-size-missing variance-count image-size-missing hw-field-missing",
    ),
    "Reshape": (
        "Reshape", "reshape_param { shape { dim: -1 dim: -1 } num_axes: -2 }",
        "two-inferred-dimensions num-axes-out-of-range",
    ),
    "DummyData": (
        "DummyData", "dummy_data_param { data_filler { } data_filler { } shape { } shape { } }",
        "filler-count shape-count",
    ),
    "Slice": (
        "Slice", "slice_param { slice_point: 3 slice_point: 2 }", "slice-point-count slice-points-not-rising",
    ),
    "ROIPooling": ("ROIPooling", "roi_pooling_param { }", "size-not-positive size-not-positive"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "names"), CASES.values(), ids=CASES)
def test_every_fault_is_told_where_the_bottom_is_unknown(layer, kind, text, names):
    found = layer(kind, [None] * (kind != "DummyData"), text)
    assert [fault.name for fault in found.report] == names.split()


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
@pytest.mark.parametrize("bottoms", [[None, None], [(5, 2, 3), (5, 2)]], ids=["unknown", "known"])
def test_recurrent_layers_fill_many_blobs_and_tell_once(layer, kind, bottoms):
    text = 'recurrent_param { num_output: 4 weight_filler { type: "x" } bias_filler { type: "y" } }'
    found = layer(kind, bottoms, text)
    assert [fault.message for fault in found.report] == ["no filler `x`", "no filler `y`"]


def test_the_fillers_of_recurrent_layers_run_beside_values_in_the_text(layer):
    text = 'recurrent_param { num_output: 4 weight_filler { type: "x" } } blobs { }'
    assert [fault.name for fault in layer("RNN", [None, None], text).report] == ["unknown-filler"]
    text = 'inner_product_param { num_output: 4 weight_filler { type: "x" } } blobs { }'
    assert list(layer("InnerProduct", [None], text).report) == []


@pytest.mark.parametrize(
    ("kind", "bottom", "text", "names"),
    [
        pytest.param(
            "InnerProduct", (2, 3),
            'inner_product_param { num_output: 0 axis: -9 weight_filler { type: "xaver" } }',
            "unknown-filler num-output-zero axis-out-of-range", id="InnerProduct",
        ),
        pytest.param(
            "Convolution", (1, 3, 8, 8),
            "convolution_param { num_output: 4 group: 2 kernel_size: 0 stride: 0 "
            'bias_filler { type: "x" } }',
            "kernel-size-zero stride-zero unknown-filler group-does-not-divide", id="Convolution",
        ),
        pytest.param(
            "Convolution", (1, 3, 8, 8), "convolution_param { num_output: 4 axis: 7 kernel_size: 0 }",
            "kernel-size-zero axis-out-of-range", id="an axis that is not there",
        ),
        pytest.param(
            "Local", (3, 4), "local_param { num_output: 4 kernel_size: 0 stride: 1 }",
            "kernel-size-zero wrong-number-of-axes", id="Local",
        ),
        pytest.param(
            "LSTM", (5, 2), "recurrent_param { num_output: 0 }",
            "num-output-zero wrong-number-of-axes", id="LSTM",
        ),
        pytest.param(
            "Convolution", (2, 3), "convolution_param { num_output: 4 stride: 0 }", "",
            id="no axis for the stride",
        ),
        pytest.param(
            "ConvolutionDepthwise", (2, 3), "convolution_param { kernel_h: 1 kernel_w: 1 }",
            "wrong-number-of-axes", id="too few axes for a pair",
        ),
        pytest.param(
            "Im2col", (2, 3), "convolution_param { kernel_size: 1 kernel_size: 1 }", "no-spatial-axes",
            id="Im2col without axes",
        ),
        pytest.param(
            "Convolution", (1, 1, 4), "convolution_param { num_output: 1 kernel_h: 3 }",
            "hw-fields-not-2d", id="half a pair for one axis",
        ),
    ],
)  # fmt: skip
def test_faults_that_do_not_depend_on_each_other_come_together(layer, kind, bottom, text, names):
    bottoms = [bottom, bottom[:2]] if kind == "LSTM" else [bottom]
    found = layer(kind, bottoms, text)
    assert sorted(fault.name for fault in found.report) == sorted(names.split())
