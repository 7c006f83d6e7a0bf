"""Nets told to OpenCV in its own accent: it computes what the forks compute, or says why not."""

import sys

import numpy as np
import pytest

from caffegen import load, loads, verify
from caffegen.verify.runtimes import CannotRun
from tests.pytorch.one_layer import net_text

RUNTIMES = ("torch", "onnxruntime", "opencv")
SHAPE = (2, 4, 6, 8)


def compared(text, **options):
    """The report of a net in all three, with seeded weights."""
    net = loads(text, **options)
    net.fill(0)
    return verify.compare(net, RUNTIMES)


def note(report):
    (found,) = [run.note for run in report.runtimes if run.name == "opencv"]
    return found


DEPTHWISE = (
    'convolution_param { num_output: 4 group: 4 kernel_size: 3 weight_filler { type: "xavier" } }'
)


@pytest.mark.parametrize(
    ("kind", "shapes", "body", "change"),
    [
        pytest.param(
            "Axpy", [(1, 4), (1, 4, 6, 8), (1, 4, 6, 8)], "", "Axpy, of which OpenCV", id="Axpy"
        ),
        pytest.param(
            "Axpy", [(2, 4, 1, 1), SHAPE, SHAPE], "", "Axpy, of which OpenCV", id="Axpy of a batch"
        ),
        pytest.param(
            "DepthwiseConvolution", [SHAPE], DEPTHWISE, "as Convolution", id="DepthwiseConvolution"
        ),
        pytest.param(
            "ConvolutionDepthwise", [SHAPE], DEPTHWISE.replace("group: 4", ""), "as Convolution",
            id="ConvolutionDepthwise without its group",
        ),
        pytest.param(
            "Reorg", [SHAPE], "reorg_param { stride: 2 }", "`reorg_stride`", id="Reorg"
        ),
        pytest.param("SeLu", [SHAPE], "", "SeLu as Selu", id="SeLu"),
        pytest.param(
            "SeLu", [SHAPE], "selu_param { lambda: 2 alpha: 0.5 }", "SeLu as Selu",
            id="SeLu, other constants",
        ),
        pytest.param(
            "LRN", [SHAPE], "lrn_param { k: 2 alpha: 0.3 local_size: 3 }", "calls `bias`", id="LRN"
        ),
        pytest.param(
            "Permute", [SHAPE], "permute_param { order: 2 }", "all axes of Permute", id="Permute"
        ),
        pytest.param(
            "MatMul", [(2, 3, 4), (2, 5, 4)], "matmul_param { transpose_b: true }",
            "MatMul's transposes", id="MatMul, b",
        ),
        pytest.param(
            "MatMul", [(2, 4, 3), (2, 5, 4)],
            "matmul_param { transpose_a: true transpose_b: true }", "MatMul's transposes",
            id="MatMul, both",
        ),
        pytest.param("LRN", [SHAPE], "", "LRN's default `alpha`", id="LRN, nothing set"),
        pytest.param(
            "LRN", [SHAPE], "lrn_param { k: 2 norm_region: WITHIN_CHANNEL }",
            "LRN's default `alpha`", id="LRN within channels",
        ),
        pytest.param(
            "Concat", [SHAPE, SHAPE], "concat_param { concat_dim: 0 }", "`concat_dim` as `axis`",
            id="Concat",
        ),
        pytest.param(
            "PriorBox", [(1, 4, 5, 6), (1, 3, 60, 50)], "prior_box_param { min_size: 10 }",
            "PriorBox's `clip`, `flip`, `variance` as Caffe takes it", id="PriorBox, defaults",
        ),
        pytest.param(
            "Interp", [(2, 3, 9, 7)], "interp_param { shrink_factor: 2 }", "the size of Interp",
            id="Interp, shrinking",
        ),
        pytest.param(
            "Interp", [(2, 3, 9, 7)], "interp_param { shrink_factor: 3 zoom_factor: 2 }",
            "the size of Interp", id="Interp, there and back",
        ),
        pytest.param(
            "PriorBox", [(1, 4, 5, 6), (1, 3, 60, 50)],
            "prior_box_param { min_size: 10.7 max_size: 21.9 variance: 0.1 }", "`min_size`, `max_size` as Caffe takes it",
            id="PriorBox",
        ),
    ],
)  # fmt: skip
def test_said_in_other_words(kind, shapes, body, change):
    report = compared(net_text(kind, shapes, body))
    assert report.compared == RUNTIMES
    assert report.ok, report.first_difference
    assert {row.other for row in report.rows} == {"onnxruntime", "opencv"}
    assert note(report).startswith("read in its own accent: ")
    assert change in note(report)


@pytest.mark.parametrize(
    ("kind", "shapes", "body"),
    [
        pytest.param("LRN", [SHAPE], "lrn_param { alpha: 0.3 }", id="LRN"),
        pytest.param("ConvolutionDepthwise", [SHAPE], DEPTHWISE, id="ConvolutionDepthwise"),
        pytest.param("Permute", [SHAPE], "permute_param { order: [0, 2, 3, 1] }", id="Permute"),
        pytest.param("ReLU6", [SHAPE], "", id="ReLU6"),
        pytest.param("Interp", [SHAPE], "interp_param { zoom_factor: 2 }", id="Interp"),
        pytest.param("MatMul", [(3, 4), (4, 5)], "", id="MatMul"),
    ],
)  # fmt: skip
def test_nothing_to_say_otherwise(kind, shapes, body):
    report = compared(net_text(kind, shapes, body))
    assert report.ok, report.first_difference
    assert note(report) == "read the net as caffegen writes it"


@pytest.mark.parametrize(
    ("kind", "shapes", "body", "reason"),
    [
        pytest.param(
            "Reorg", [(2, 4, 3, 3)], "reorg_param { stride: 2 reverse: true }",
            "`layer` (Reorg): OpenCV's Reorg has no `reverse`", id="Reorg",
        ),
        pytest.param(
            "ReLU6", [SHAPE], "relu6_param { negative_slope: 0.5 }",
            "`layer` (ReLU6): OpenCV's ReLU6 has no `negative_slope`", id="ReLU6",
        ),
        pytest.param(
            "SeLu", [SHAPE], "selu_param { alpha: -1 }",
            "`layer` (SeLu): OpenCV's importer would drop the sign of `alpha` (-1)", id="SeLu",
        ),
        pytest.param(
            "DetectionOutput", [(1, 8), (1, 6), (1, 2, 8)],
            "detection_output_param { num_classes: 3 nms_param { eta: 0.5 nms_threshold: 0.9 } }",
            "`layer` (DetectionOutput): OpenCV's DetectionOutput reads no `eta`", id="DetectionOutput",
        ),
        pytest.param(
            "MVN", [SHAPE], "mvn_param { eps: 0.01 }",
            "`layer` (MVN): OpenCV's MVN adds `eps` (0.01) to another number", id="MVN",
        ),
        pytest.param(
            "InnerProduct", [SHAPE],
            'inner_product_param { num_output: 3 transpose: true weight_filler { type: "xavier" } }',
            "`layer` (InnerProduct): OpenCV's InnerProduct reads no `transpose`", id="InnerProduct",
        ),
        pytest.param(
            "Resize", [SHAPE], "resize_param { height: 3 width: 5 }",
            "`layer` (Resize): OpenCV's Resize begins at another corner", id="Resize",
        ),
        pytest.param(
            "Proposal", [(1, 2, 3, 4), (1, 4, 3, 4), (1, 3)],
            "proposal_param { ratio: 1 scale: 2 min_size: 5 }",
            "`layer` (Proposal): OpenCV's Proposal reads no `min_size` (5)", id="Proposal",
        ),
    ],
)  # fmt: skip
def test_what_it_can_not_be_told_is_its_reason(kind, shapes, body, reason):
    report = compared(net_text(kind, shapes, body))
    assert report.ok, report.first_difference
    assert report.compared == ("torch", "onnxruntime")
    assert note(report) == reason


FRONT = (
    'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 dim: 6 dim: 8 } } }\n'
    'layer { name: "conv" type: "DepthwiseConvolution" bottom: "x" top: "conv" '
    + DEPTHWISE
    + " }\n"
    'layer { name: "tanh" type: "TanH" bottom: "conv" top: "tanh" }\n'
)
BEHIND = (
    'layer { name: "six" type: "ReLU6" bottom: "conv" top: "six" relu6_param { negative_slope: 0.1 } }\n'
    'layer { name: "sum" type: "Eltwise" bottom: "six" bottom: "tanh" top: "sum" }\n'
    'layer { name: "relu" type: "ReLU" bottom: "sum" top: "sum" }\n'
)


def test_behind_what_is_left_out_it_reads_another_runtimes_values():
    report = compared(FRONT + BEHIND)
    assert report.ok, report.first_difference
    assert {row.blob for row in report.rows if row.other == "opencv"} == {"conv", "tanh", "sum"}
    assert {row.blob for row in report.rows} == {"conv", "tanh", "six", "sum"}
    assert note(report) == (
        "read in its own accent: DepthwiseConvolution as Convolution with `group`; left out: `six` "
        "(ReLU6): OpenCV's ReLU6 has no `negative_slope`; behind them it read torch's `six`"
    )


def test_values_that_nothing_has_leave_out_what_reads_them():
    # of what is worked on in place the last values alone are known
    in_place = 'layer { name: "more" type: "TanH" bottom: "six" top: "six" }\n'
    six, *others = BEHIND.splitlines(keepends=True)
    report = compared(FRONT + six + in_place + "".join(others))
    assert report.ok, report.first_difference
    assert {row.blob for row in report.rows if row.other == "opencv"} == {"conv", "tanh", "sum"}
    assert note(report).endswith("negative_slope`; behind them it read torch's `six`")


def test_what_stands_in_front_is_compared(monkeypatch):
    # an OpenCV that stops at the values that it is given
    real = sys.modules["caffegen.verify.runtimes.by_opencv"]._run

    def run(job, accent):
        if accent.given:
            raise CannotRun("it stopped")
        return real(job, accent)

    monkeypatch.setattr("caffegen.verify.runtimes.by_opencv._run", run)
    report = compared(FRONT + BEHIND)
    assert report.ok, report.first_difference
    assert {row.blob for row in report.rows if row.other == "opencv"} == {"conv", "tanh"}
    assert note(report) == (
        "read in its own accent: DepthwiseConvolution as Convolution with `group`; left out with all "
        "behind it: `six` (ReLU6): OpenCV's ReLU6 has no `negative_slope`"
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(
            'type: "BN" bn_param { frozen: true slope_filler { value: 1 } }',
            "`n` (BN): OpenCV has no such layer", id="a layer that it lacks",
        ),
        pytest.param(
            'type: "Python" python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" '
            "param_str: \"'feat_stride': 4\" }",
            "`n` (Python): OpenCV has no such layer", id="a Python layer",
        ),
    ],
)  # fmt: skip
def test_a_layer_that_it_lacks(body, reason):
    shapes = [(1, 18, 6, 8), (1, 36, 6, 8), (1, 3)] if "Python" in body else [(1, 18, 6, 8)]
    inputs = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ '
        + " ".join(f"dim: {size}" for size in shape) + " } } }\n"
        for name, shape in zip("abc", shapes, strict=False)
    )  # fmt: skip
    bottoms = " ".join(f'bottom: "{name}"' for name in "abc"[: len(shapes)])
    net = loads(
        inputs + 'layer { name: "front" type: "AbsVal" bottom: "a" top: "front" }\n'
        f'layer {{ name: "n" {bottoms} top: "n" {body} }}\n'
        'layer { name: "behind" type: "TanH" bottom: "n" top: "behind" }\n',
        dialect="yjxiong" if "BN" in body else "",
    )
    net.fill(0)
    report = verify.compare(net, RUNTIMES)
    assert report.ok, report.first_difference
    assert report.compared == RUNTIMES
    assert {row.blob for row in report.rows if row.other == "opencv"} == {"front", "behind"}
    assert note(report) == (
        f"read the net as caffegen writes it; left out: {reason}; behind them it read torch's `n`"
    )


def test_the_users_own_weights_are_read(tmp_path, monkeypatch):
    import cv2

    net = loads(FRONT)
    net.fill(0)
    prototxt, caffemodel = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    net.save(prototxt, caffemodel)
    real, paths = cv2.dnn.readNetFromCaffe, []
    monkeypatch.setattr(
        cv2.dnn, "readNetFromCaffe", lambda *given: paths.append(given) or real(*given)
    )
    assert verify.compare(load(prototxt, caffemodel), RUNTIMES).ok
    ((text, weights),) = paths
    assert weights == str(caffemodel)
    assert text != str(prototxt)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing but classes"),
        pytest.param("keep_top_k: -1 share_location: true", id="all are kept"),
        pytest.param("confidence_threshold: 0.3 nms_param { top_k: 3 }", id="a threshold"),
        pytest.param("keep_top_k: 5 code_type: CENTER_SIZE", id="some are kept"),
    ],
)
def test_detections_without_what_opencv_asks_for(text):
    priors = 8
    body = f"detection_output_param {{ num_classes: 3 {text} }}"
    shapes = [(2, 4 * priors), (2, 3 * priors), (1, 2, 4 * priors)]
    rng = np.random.default_rng(0)
    corners = np.sort(rng.random((priors, 2, 2)), 1).reshape(-1)
    inputs = {
        "a": rng.standard_normal(shapes[0]) / 5,
        "b": rng.random(shapes[1]),
        "c": np.stack([corners, np.full(4 * priors, 0.1)])[None],
    }
    inputs = {name: array.astype(np.float32) for name, array in inputs.items()}
    report = verify.compare(
        loads(net_text("DetectionOutput", shapes, body)), RUNTIMES, inputs=inputs
    )
    assert report.compared == RUNTIMES
    assert report.ok, report.first_difference
    assert report.rows[0].shape[2] > 5
    assert note(report) == "read in its own accent: DetectionOutput's defaults"


def test_regions_end_where_opencv_fills_up():
    body = "proposal_param { ratio: 1 scale: 4 min_size: 0 post_nms_topn: 50 }"
    net = loads(net_text("Proposal", [(1, 2, 3, 4), (1, 4, 3, 4), (1, 3)], body))
    rng = np.random.default_rng(0)
    inputs = {
        "a": rng.random((1, 2, 3, 4)).astype(np.float32),
        "b": rng.standard_normal((1, 4, 3, 4)).astype(np.float32) / 5,
        "c": np.array([[48, 64, 1]], np.float32),
    }
    report = verify.compare(net, RUNTIMES, inputs=inputs)
    assert report.compared == RUNTIMES
    assert report.ok, report.first_difference
    (row,) = [row for row in report.rows if row.other == "opencv"]
    assert 1 < row.shape[0] < 50
