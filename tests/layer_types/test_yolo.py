"""YOLO's outputs and losses: shapes, priors, and what does not fit."""

import pytest

BIASES = " ".join(f"biases: {number}" for number in range(1, 13))


@pytest.mark.parametrize(
    ("kind", "bottoms", "text", "tops"),
    [
        pytest.param(
            "YoloDetectionOutput", [(2, 16, 4, 4)],
            "yolo_detection_output_param { num_classes: 3 num_box: 2 " + BIASES + " }",
            [(1, 1, 1, 7)], id="YoloDetectionOutput",
        ),
        pytest.param(
            "Yolov3DetectionOutput", [(2, 16, 4, 5), (2, 16, 8, 10)],
            "yolov3_detection_output_param { num_classes: 3 num_box: 2 anchors_scale: 32 "
            "anchors_scale: 16 mask: 2 mask: 3 mask: 0 mask: 1 " + BIASES + " }",
            [(1, 1, 1, 7)], id="Yolov3DetectionOutput",
        ),
        pytest.param(
            "RegionOutput", [(1, 48, 4, 5), (1, 2)],
            "region_output_param { classes: 3 " + BIASES + " }", [(1, 120, 4), (1, 120, 4)],
            id="RegionOutput",
        ),
        pytest.param(
            "RegionLoss", [(2, 40, 4, 4), (2, 1, 300, 5)], "region_loss_param { num_class: 3 }", [()],
            id="RegionLoss",
        ),
        pytest.param(
            "Yolov3", [(2, 16, 4, 5), (2, 1, 300, 5)],
            "yolov3_param { num_class: 3 num: 2 mask: 0 mask: 1 " + BIASES + " }", [()],
            id="Yolov3",
        ),
        pytest.param("YoloSeg", [(2, 3, 4, 4), (2, 3, 4, 4), (2, 3)], "", [()], id="YoloSeg"),
        pytest.param(
            "EvalDetection", [(2, 16, 4, 4), (1, 1, 6, 8)],
            "eval_detection_param { side: 4 num_class: 3 num_object: 2 }", [(2, 3 + 4 * 2 * 16)],
            id="EvalDetection",
        ),
    ],
)  # fmt: skip
def test_shapes(layer, kind, bottoms, text, tops):
    found = layer(kind, bottoms, text, tops=len(tops))
    assert list(found.report) == []
    assert list(found.top_shapes) == tops
    assert found.cost().ops > 0


def test_priors_of_each_map(layer):
    text = (
        "yolov3_detection_output_param { num_classes: 3 num_box: 2 anchors_scale: 32 "
        "anchors_scale: 16 mask: 4 mask: 5 mask: 0 mask: 1 " + BIASES + " }"
    )
    found = layer("Yolov3DetectionOutput", [(1, 16, 4, 4), (1, 16, 8, 8)], text)
    assert [prior_map.stride for prior_map in found.maps] == [32, 16]
    assert [[tuple(p) for p in m.priors] for m in found.maps] == [
        [(9, 10), (11, 12)],
        [(1, 2), (3, 4)],
    ]


@pytest.mark.parametrize(
    ("kind", "bottoms", "text", "name", "message"),
    [
        pytest.param(
            "YoloDetectionOutput", [(1, 16, 4, 4)], "yolo_detection_output_param { num_box: 2 }",
            "num-classes-missing", "YoloDetectionOutput needs `num_classes`", id="no classes",
        ),
        pytest.param(
            "YoloDetectionOutput", [(1, 16, 4, 4)],
            "yolo_detection_output_param { num_classes: 3 num_box: 2 biases: 1 }",
            "anchors-missing",
            "2 priors need 4 `biases`, a width and a height each; YoloDetectionOutput has 1",
            id="one bias",
        ),
        pytest.param(
            "YoloDetectionOutput", [(1, 16, 4, 5)],
            "yolo_detection_output_param { num_classes: 3 num_box: 2 " + BIASES + " }",
            "map-not-square",
            "YoloDetectionOutput takes maps as high as they are wide; bottom 0 is [1, 16, 4, 5]",
            id="not square",
        ),
        pytest.param(
            "YoloDetectionOutput", [(1, 16, 4, 4), (1, 15, 8, 8)],
            "yolo_detection_output_param { num_classes: 3 num_box: 2 " + BIASES + " }",
            "channels-differ-from-parameters",
            "2 boxes of 5 numbers and 3 classes are 16 channels; bottom 1 is [1, 15, 8, 8]",
            id="channels of the second map",
        ),
        pytest.param(
            "Yolov3DetectionOutput", [(1, 8, 4, 4)],
            "yolov3_detection_output_param { num_classes: 3 num_box: 1 mask: 0 }",
            "mask-groups-differ", "`mask_group_num` is 2; `l` has 1 bottoms", id="one map of two",
        ),
        pytest.param(
            "Yolov3DetectionOutput", [(1, 16, 4, 4)],
            "yolov3_detection_output_param { num_classes: 3 num_box: 2 mask_group_num: 1 mask: 0 }",
            "mask-groups-differ", "1 maps of 2 boxes need `mask` 2 times; it is given 1 times",
            id="mask",
        ),
        pytest.param(
            "Yolov3DetectionOutput", [(1, 8, 4, 4)],
            "yolov3_detection_output_param { num_classes: 3 num_box: 1 mask_group_num: 1 mask: 0 "
            + BIASES + " }",
            "mask-groups-differ",
            "1 maps of 1 boxes need `anchors_scale` 1 times; it is given 0 times",
            id="anchors_scale",
        ),
        pytest.param(
            "RegionOutput", [(3, 48, 4, 5), (1, 2)], "region_output_param { classes: 3 " + BIASES + " }",
            "proposals-of-one-image",
            "RegionOutput takes one image, or one and its mirror image; bottom 0 has 3",
            id="three images",
        ),
        pytest.param(
            "Yolov3", [(2, 16, 4, 5), (1, 1, 300, 5)],
            "yolov3_param { num_class: 3 num: 2 mask: 0 mask: 1 " + BIASES + " }",
            "batch-sizes-differ",
            "the bottoms of Yolov3 have one first size; bottom 0 is [2, 16, 4, 5], bottom 1 [1, 1, 300, 5]",
            id="labels of one image",
        ),
        pytest.param(
            "YoloSeg", [(2, 3, 4, 4), (2, 3, 4, 5), (2, 3)], "", "label-count-differs",
            "bottom 1 is [2, 3, 4, 5]; YoloSeg takes a mask for each of [2, 3, 4, 4]", id="masks",
        ),
        pytest.param(
            "EvalDetection", [(2, 16, 5, 5), (1, 1, 6, 8)],
            "eval_detection_param { side: 4 num_class: 3 num_object: 2 }",
            "channels-differ-from-parameters",
            "2 boxes of 5 numbers and 3 classes in 4 x 4 cells are 256 numbers; bottom 0 is "
            "[2, 16, 5, 5]",
            id="cells",
        ),
    ],
)  # fmt: skip
def test_faults(finding, kind, bottoms, text, name, message):
    assert finding(kind, bottoms, text)[:3] == ("error", name, message)


def test_no_groups_of_priors_for_no_maps(finding):
    text = "yolov3_detection_output_param { num_classes: 2 mask_group_num: 0 }"
    found = finding("Yolov3DetectionOutput", [], text)
    assert found[:3] == ("error", "mask-groups-differ", "`mask_group_num` is 0; `l` has 0 bottoms")
