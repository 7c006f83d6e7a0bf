"""DetectionOutput in ONNX: row for row as the rules say, in every opset, batch and size."""

import numpy as np
import onnx
import pytest
from onnx import helper

import caffegen
from caffegen import onnx_bridge
from tests.onnx_bridge.golden_case import run
from tests.verify.single_shot import detection_text, detections, random_case

OPSETS = (13, 17, 18, 21, 26)


def found(net, inputs, **options):
    return run(onnx_bridge.to_model(net, **options), inputs)["found"]


@pytest.mark.parametrize("seed", range(60))
def test_random_nets(seed):
    net, inputs, expected, _ = random_case(seed)
    result = found(net, inputs, opset=OPSETS[seed % len(OPSETS)])
    np.testing.assert_allclose(result, expected, 1e-4, 1e-5)


def test_rows_are_free_and_all_else_is_not():
    net, _, _, _ = random_case(0)
    dims = onnx_bridge.to_model(net).graph.output[0].type.tensor_type.shape.dim
    assert [dim.dim_value for dim in dims] == [1, 1, 0, 7]
    assert not dims[2].HasField("dim_value")


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_any_batch(seed, opset):
    # more than one, as the priors would be a batch as well
    images = 2
    net, inputs, expected, _ = random_case(seed, images)
    more = {
        name: array if name == "prior" else np.concatenate([array, array[:1]])
        for name, array in inputs.items()
    }
    result = found(net, more, dynamic_batch=True, opset=opset)
    if expected[0, 0, 0, 1] == -1:
        assert result[0, 0, :, 0].tolist() == list(range(images + 1))
        return
    first = expected[0, 0][expected[0, 0, :, 0] == 0]
    again = first + np.float32([images, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(result[0, 0], np.concatenate([expected[0, 0], again]), 1e-4, 1e-5)


def test_the_order_that_a_runtime_gives_is_no_matter():
    net, inputs, expected, _ = random_case(1)
    model = onnx_bridge.to_model(net)
    (node,) = [n for n in model.graph.node if n.op_type == "NonMaxSuppression"]
    marked = node.output[0]
    node.output[0] = "marked"
    at = list(model.graph.node).index(node) + 1
    for name, values in (("last", [-1]), ("end", [-(2**62)]), ("axis", [0]), ("back", [-1])):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(values), name))
    turned = helper.make_node("Slice", ["marked", "last", "end", "axis", "back"], [marked])
    model.graph.node.insert(at, turned)
    np.testing.assert_allclose(run(model, inputs)["found"], expected, 1e-4, 1e-5)


PRIORS = np.float32([[0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.52], [0.6, 0.6, 0.9, 0.9]])


def by_hand(scores, said=None, **options):
    """A net of three priors and three classes whose locations are corners."""
    scores = np.float32(scores)
    images = scores.shape[0]
    variances = np.full(12, 0.1, np.float32)
    inputs = {
        "loc": np.zeros((images, 12), np.float32) if said is None else np.float32(said),
        "conf": scores.reshape(images, -1),
        "prior": np.concatenate([PRIORS.reshape(-1), variances]).reshape(1, 2, -1),
    }
    return found(caffegen.loads(detection_text(images, 3, 3, **options)), inputs)


@pytest.mark.parametrize(
    "options",
    [{"confidence_threshold": 0.95}, {"keep_top_k": 0}, {"top_k": 0}, {"nms_threshold": 2}],
    ids=lambda options: next(iter(options)),
)
def test_nothing_found(options):
    scores = [[[0.1, 0.8, 0.1], [0.0, 0.9, 0.1], [0.2, 0.3, 0.5]]] * 2
    result = by_hand(scores, **{"confidence_threshold": 0.95} | options)
    assert result.tolist() == [[[[0, *[-1] * 6], [1, *[-1] * 6]]]]


def test_no_class_but_the_background():
    scores = np.zeros((1, 3, 3), np.float32)
    assert by_hand(scores, background_label_id=0, nms_threshold=2).shape == (1, 1, 6, 7)
    net = caffegen.loads(detection_text(1, 3, 1))
    inputs = {"loc": np.zeros((1, 12), np.float32), "conf": np.ones((1, 3), np.float32)}
    inputs["prior"] = np.zeros((1, 2, 12), np.float32)
    assert found(net, inputs).tolist() == [[[[0, *[-1] * 6]]]]


def test_of_equal_scores_the_earlier_prior_and_the_lower_class_win():
    result = by_hand([[[0.0, 0.5, 0.5]] * 3], nms_threshold=0.5)
    np.testing.assert_allclose(result[0, 0, :2, 3:], PRIORS[[0, 2]], 1e-6)
    result = by_hand([[[0.0, 0.5, 0.5]] * 3], nms_threshold=0.5, keep_top_k=3)
    assert result[0, 0, :, 1].tolist() == [1, 1, 2]


@pytest.mark.parametrize("eta", [1.0, 0.9])
def test_boxes_with_swapped_corners_drive_out_none(eta):
    # ONNX's own op would turn the corners of prior 1 round
    said = np.zeros((1, 3, 4), np.float32)
    said[0, 1] = [4, 4, -4, -4.2]
    scores = [[[0, 0.8, 0], [0, 0.9, 0], [0, 0, 0]]]
    options = {"confidence_threshold": 0.5, "nms_threshold": 0.6, "eta": eta}
    result = by_hand(scores, said.reshape(1, 12), **options)
    np.testing.assert_allclose(result[0, 0, :, 2], [0.9, 0.8], 1e-6)


def test_detections_of_a_larger_image():
    # a map of 3 x 3 in the file, of 5 x 7 as it runs
    text = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 12 dim: 12 } } }
    layer { name: "map" type: "Pooling" bottom: "data" top: "map" pooling_param { pool: AVE kernel_size: 4 stride: 4 } }
    layer { name: "prior" type: "PriorBox" bottom: "map" bottom: "data" top: "prior"
      prior_box_param { min_size: 4 aspect_ratio: 2 flip: false clip: true } }
    layer { name: "loc" type: "Convolution" bottom: "map" top: "loc" convolution_param { num_output: 8 kernel_size: 1 weight_filler { type: "xavier" } } }
    layer { name: "loc_row" type: "Permute" bottom: "loc" top: "loc_row" permute_param { order: 0 order: 2 order: 3 order: 1 } }
    layer { name: "loc_flat" type: "Flatten" bottom: "loc_row" top: "loc_flat" }
    layer { name: "conf" type: "Convolution" bottom: "map" top: "conf" convolution_param { num_output: 6 kernel_size: 1 weight_filler { type: "xavier" } } }
    layer { name: "conf_row" type: "Permute" bottom: "conf" top: "conf_row" permute_param { order: 0 order: 2 order: 3 order: 1 } }
    layer { name: "conf_flat" type: "Flatten" bottom: "conf_row" top: "conf_flat" }
    layer { name: "found" type: "DetectionOutput" bottom: "loc_flat" bottom: "conf_flat" bottom: "prior" top: "found"
      detection_output_param { num_classes: 3 code_type: CENTER_SIZE keep_top_k: 30 confidence_threshold: 0.01
        nms_param { nms_threshold: 0.45 top_k: 20 } } }
    """
    from caffegen.analysis.fill import fill_params

    net = caffegen.loads(text, fill_params(caffegen.loads(text).graph, 0))
    model = onnx_bridge.to_model(
        net, dynamic_size=True, dynamic_batch=True,
        outputs=["loc_flat", "conf_flat", "prior", "found"],
    )  # fmt: skip
    image = np.random.default_rng(0).standard_normal((3, 3, 20, 28)).astype(np.float32)
    blobs = run(model, {"data": image})
    assert blobs["prior"].shape == (1, 2, 5 * 7 * 2 * 4)
    expected = detections(
        blobs["loc_flat"], blobs["conf_flat"], blobs["prior"], classes=3, confidence=0.01,
        threshold=0.45, top_k=20, keep=30,
    )  # fmt: skip
    np.testing.assert_allclose(blobs["found"], expected, 1e-4, 1e-5)


def test_an_evaluation_is_no_part_of_a_model():
    text = "\n".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ dim: 1 dim: 1 '
        f"dim: 2 dim: {size} }} }} }}"
        for name, size in (("a", 7), ("b", 8))
    )
    text += """
    layer { name: "e" type: "DetectionEvaluate" bottom: "a" bottom: "b" top: "e"
      detection_evaluate_param { num_classes: 3 } }"""
    with pytest.raises(onnx_bridge.Refusal) as caught:
        onnx_bridge.to_model(caffegen.loads(text))
    assert str(caught.value) == (
        "layer `e` (DetectionEvaluate) has no ONNX form: it holds detections against the boxes that "
        "are really there, which is a test's work and no model's; ask for its bottom as the output"
    )
