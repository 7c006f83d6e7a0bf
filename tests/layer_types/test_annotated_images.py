"""The forks' data layers: what the text says of the shapes of their tops."""

import pytest

from caffegen.layer_types import FED, definition_class, known_types
from caffegen.layer_types.data import _Source

LISTED = 'source: "list.txt" batch_size: 4'


@pytest.mark.parametrize(
    ("kind", "text", "tops"),
    [
        pytest.param(
            "DenseImageData", f"dense_image_data_param {{ {LISTED} }}", (None, None),
            id="dense, as the files are",
        ),
        pytest.param(
            "DenseImageData", f"dense_image_data_param {{ {LISTED} new_height: 6 new_width: 8 }}",
            ((4, 3, 6, 8), (4, 1, 6, 8)), id="dense, resized",
        ),
        pytest.param(
            "DenseImageData",
            f"dense_image_data_param {{ {LISTED} is_color: false new_height: 6 new_width: 8 "
            "crop_height: 3 crop_width: 5 }", ((4, 1, 3, 5), (4, 1, 3, 5)), id="dense, cut out",
        ),
        pytest.param(
            "DenseImageData",
            f"dense_image_data_param {{ {LISTED} crop_height: 3 crop_width: 5 }} "
            "transform_param { crop_size: 7 }", ((4, 3, 7, 7), (4, 1, 7, 7)), id="dense, a square",
        ),
        pytest.param(
            "ImageSegData",
            f"image_data_param {{ {LISTED} }} transform_param {{ crop_size: 473 }}",
            ((4, 3, 473, 473), (4, 1, 473, 473), (4, 1, 1, 2)), id="segmented",
        ),
        pytest.param(
            "ImageSegData",
            f"image_data_param {{ {LISTED} }} transform_param {{ crop_height: 5 crop_width: 9 }}",
            ((4, 3, 5, 9), (4, 1, 5, 9), (4, 1, 1, 2)), id="segmented, two sizes",
        ),
        pytest.param(
            "MultiLabelImageData",
            f"image_data_param {{ {LISTED} new_height: 6 new_width: 8 }}", ((4, 3, 6, 8), None),
            id="several labels",
        ),
        pytest.param("SegData", 'seg_data_param { source: "list.txt" }', (None, None), id="seg"),
        pytest.param(
            "BoxData", f"data_param {{ {LISTED} }} transform_param {{ crop_size: 8 }}",
            (None, (4, 150)), id="boxes",
        ),
        pytest.param(
            "BoxData",
            f"data_param {{ {LISTED} side: 7 side: 13 }} transform_param {{ crop_size: 8 "
            "mean_value: 1 mean_value: 2 mean_value: 3 }", ((4, 3, 8, 8), (4, 150), (4, 150)),
            id="boxes of two maps",
        ),
        pytest.param(
            "VideoData",
            "data_param { batch_size: 2 } video_data_param { video_type: WEBCAM } "
            "transform_param { resize_param { height: 300 width: 200 } }",
            ((2, 3, 300, 200), (2,)), id="a camera",
        ),
        pytest.param(
            "VideoData",
            f"video_data_param {{ {LISTED} new_length: 5 num_segments: 3 modality: FLOW }} "
            "transform_param { crop_size: 224 }", ((4, 30, 224, 224), (4, 1, 1, 1)), id="flows",
        ),
        pytest.param(
            "VideoData",
            f"video_data_param {{ {LISTED} num_segments: 3 modality: RGB new_height: 6 "
            "new_width: 8 }", ((4, 9, 6, 8), (4, 1, 1, 1)), id="clips",
        ),
        pytest.param(
            "RandVec", "randvec_param { batch_size: 64 dim: 100 }", ((64, 100, 1, 1),), id="noise",
        ),
        pytest.param(
            "RandVec", "randvec_param { batch_size: 64 dim: 100 height: 0 }", ((64, 100),),
            id="flat noise",
        ),
        pytest.param(
            "RandVec", "rand_vec_param { batch_size: 64 dim: 10 height: 2 repeat: 3 }",
            ((64, 10, 2, 1),), id="noise of a DCGAN",
        ),
        pytest.param(
            "RemoteData", "remote_data_param { shape { dim: 2 dim: 3 } shape { dim: 2 } }",
            ((2, 3), (2,)), id="remote",
        ),
    ],
)  # fmt: skip
def test_shapes(layer, kind, text, tops):
    definition = layer(kind, [], text, tops=len(tops))
    assert definition.top_shapes == tops
    assert list(definition.report) == []


def test_labels_of_poses(layer):
    # twice 38 fields and 19 maps, an eighth as large
    text = (
        'data_param { source: "poses" batch_size: 10 } '
        "cpm_transform_param { stride: 8 crop_size_x: 368 crop_size_y: 184 num_parts: 56 }"
    )
    definition = layer("CPMData", [], text, tops=2, phase="TRAIN")
    assert definition.top_shapes == (None, (10, 114, 23, 46))
    assert layer("CPMData", [], text, tops=2).top_shapes == (None, None)
    old = 'cpmdata_param { source: "poses" batch_size: 10 } transform_param { }'
    definition = layer("CPMData", [], old, tops=2, phase="TRAIN")
    assert definition.top_shapes == (None, (10, 30, 92, 92))


@pytest.mark.parametrize(
    ("classes", "planes"),
    [("", 9), ("object_class { src: 1 dst: 0 } object_class { src: 8 dst: 1 }", 10)],
)
def test_shapes_of_detectnet(layer, classes, planes):
    text = f"detectnet_groundtruth_param {{ stride: 16 {classes} }}"
    definition = layer("DetectNetTransformation", [(2, 3, 50, 60), (2, 1, 9, 16)], text, tops=2)
    assert definition.top_shapes == ((2, 3, 384, 1248), (2, planes, 24, 78))


@pytest.mark.parametrize(
    ("kind", "text", "tops", "name", "message"),
    [
        (
            "DenseImageData", f"dense_image_data_param {{ {LISTED} crop_width: 5 }}", 2,
            "new-size-incomplete",
            "`crop_width` is set without `crop_height`; Caffe takes both or none",
        ),
        (
            "DenseImageData", "dense_image_data_param { batch_size: 2 }", 2, "source-missing",
            "DenseImageData needs `source`, the file or data base to read",
        ),
        (
            "ImageSegData", f'image_data_param {{ {LISTED} }} transform_param {{ mean_file: "m" }}', 3,
            "mean-file-and-values", "ImageSegData takes no `mean_file`",
        ),
        (
            "BoxData", f"data_param {{ {LISTED} side: 7 side: 13 }}", 2, "wrong-number-of-tops",
            "BoxData has a top of labels for each `side`, of which there are 2; `l` has 2 tops",
        ),
        (
            "VideoData", "video_data_param { video_type: WEBCAM }", 1, "batch-size-zero",
            "`batch_size` is 0; it must be at least 1",
        ),
        (
            "RemoteData", "remote_data_param { shape { dim: 2 } }", 2, "shape-count",
            "`shape` is given 1 times for 2 tops",
        ),
    ],
)  # fmt: skip
def test_refusals(finding, kind, text, tops, name, message):
    assert finding(kind, [], text, tops=tops)[:3] == ("error", name, message)


@pytest.mark.parametrize("kind", known_types())
def test_what_nothing_flows_into_is_fed(kind):
    found = definition_class(kind)
    assert (kind in FED) == (issubclass(found, _Source) and kind != "DummyData")
