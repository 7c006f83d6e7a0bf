"""The layers that bring blobs in: what of their shapes stands in the text, and what does not."""

from __future__ import annotations

import pytest

from caffegen.layer_types import Cost


@pytest.mark.parametrize(
    ("tops", "text", "shapes"),
    [
        pytest.param(1, "shape { dim: 1 dim: 3 }", ((1, 3),), id="one"),
        pytest.param(2, "shape { dim: 1 dim: 3 }", ((1, 3),) * 2, id="one for two"),
        pytest.param(2, "shape { dim: 1 } shape { dim: 2 }", ((1,), (2,)), id="one each"),
        pytest.param(1, "shape { }", ((),), id="no axes"),
        pytest.param(1, "shape { dim: 4294967298 }", ((2,),), id="cut to an int"),
        pytest.param(1, f"shape {{ {'dim: 1 ' * 32} }}", ((1,) * 32,), id="32 axes"),
    ],
)
def test_input_shapes(layer, tops, text, shapes):
    found = layer("Input", [], f"input_param {{ {text} }}", tops=tops)
    assert found.top_shapes == shapes
    assert list(found.report) == []
    assert found.cost() == Cost()


@pytest.mark.parametrize(
    ("kind", "tops", "text", "name", "message", "place"),
    [
        pytest.param(
            "Input", 3, "input_param { shape { dim: 1 } shape { dim: 2 } }", "shape-count",
            "`shape` is given 2 times for 3 tops", "shape { dim: 1 }", id="Input, two for three",
        ),
        pytest.param(
            "Input", 2, "input_param { shape { dim: 1 } shape { dim: -1 } }", "dimension-negative",
            "`dim` is -1; a size is 0 or more", "shape { dim: -1 }", id="Input, negative",
        ),
        pytest.param(
            "Input", 1, "input_param { shape { dim: 2147483648 } }", "dimension-negative",
            "`dim` is -2147483648; a size is 0 or more", "shape { dim: 2147483648 }",
            id="Input, negative as an int",
        ),
        pytest.param(
            "Input", 1, "input_param { shape { dim: 65536 dim: 65536 } }", "blob-too-large",
            "the shape [65536, 65536] has more than 2147483647 values",
            "shape { dim: 65536 dim: 65536 }", id="Input, too large",
        ),
        pytest.param(
            "Input", 1, f"input_param {{ shape {{ {'dim: 1 ' * 33}}} }}", "more-than-32-axes",
            "the shape has 33 axes; a blob has 32 at most", f"shape {{ {'dim: 1 ' * 33}}}",
            id="Input, 33 axes",
        ),
        pytest.param(
            "DummyData", 1, "", "shape-count", "DummyData needs `shape`, once or once per top",
            '"DummyData"', id="DummyData, no shape",
        ),
        pytest.param(
            "DummyData", 1, "dummy_data_param { num: 2 }", "shape-count",
            "DummyData needs `channels`, once or once per top", "dummy_data_param { num: 2 }",
            id="DummyData, num alone",
        ),
        pytest.param(
            "DummyData", 3, "dummy_data_param { shape { dim: 1 } shape { dim: 2 } }", "shape-count",
            "`shape` is given 2 times for 3 tops", "shape { dim: 1 }", id="DummyData, two for three",
        ),
        pytest.param(
            "DummyData", 1,
            "dummy_data_param { shape { dim: 1 } num: 1 channels: 1 height: 1 width: 1 }",
            "shape-and-old-sizes", "`shape` and `num` are both set; Caffe takes one or the other",
            "num: 1", id="DummyData, both",
        ),
        pytest.param(
            "DummyData", 3, "dummy_data_param { shape { } data_filler { } data_filler { } }",
            "filler-count", "`data_filler` is given 2 times for 3 tops", "data_filler { }",
            id="DummyData, two fillers",
        ),
        pytest.param(
            "DummyData", 1, "dummy_data_param { shape { dim: 0 } }", "empty-top",
            "the top `t0` is [0]: Caffe can't fill it without values",
            "dummy_data_param { shape { dim: 0 } }", id="DummyData, nothing",
        ),
        pytest.param(
            "MemoryData", 2, "memory_data_param { batch_size: 2 channels: 3 height: 0 width: 1 }",
            "memory-data-size-missing", "`height` is 0; MemoryData needs all four sizes, above 0",
            "height: 0", id="MemoryData",
        ),
        pytest.param(
            "Data", 2, 'data_param { source: "db" }', "batch-size-zero",
            "`batch_size` is 0; it must be at least 1", 'data_param { source: "db" }',
            id="Data, no batch size",
        ),
        pytest.param(
            "Data", 2, "data_param { batch_size: 8 }", "source-missing",
            "Data needs `source`, the file or data base to read", "data_param { batch_size: 8 }",
            id="Data, no source",
        ),
        pytest.param(
            "Data", 2,
            'data_param { source: "db" batch_size: 8 }\n'
            'transform_param { mean_value: 1 mean_file: "m" }',
            "mean-file-and-values", "`mean_file` and `mean_value` are both set; Caffe takes one or the other",
            'mean_file: "m"', id="Data, two means",
        ),
        pytest.param(
            "ImageData", 2, 'image_data_param { source: "l" new_width: 9 }', "new-size-incomplete",
            "`new_width` is set without `new_height`; Caffe takes both or none", "new_width: 9",
            id="ImageData, half a size",
        ),
        pytest.param(
            "ImageData", 2,
            'image_data_param { source: "l" new_height: 20 new_width: 30 }\n'
            "transform_param { crop_size: 24 }",
            "crop-exceeds-image", "`crop_size` (24) is above the image of 20 x 30", "crop_size: 24",
            id="ImageData, crop",
        ),
        pytest.param(
            "ImageData", 2,
            'image_data_param { source: "l" is_color: false }\n'
            "transform_param { mean_value: [1, 2, 3] }",
            "mean-value-count", "`mean_value` is given 3 times for 1 channels", "1",
            id="ImageData, means",
        ),
        pytest.param(
            "WindowData", 2, 'window_data_param { source: "w" batch_size: 2 }', "crop-size-missing",
            "WindowData needs `crop_size` of at least 1 in `transform_param`",
            'window_data_param { source: "w" batch_size: 2 }', id="WindowData",
        ),
        pytest.param(
            "HDF5Data", 1,
            'hdf5_data_param { source: "h" batch_size: 2 } transform_param { scale: 2 }',
            "hdf5-data-transformed", "HDF5Data does not transform; Caffe refuses its `transform_param`",
            "transform_param { scale: 2 }", id="HDF5Data",
        ),
    ],
)  # fmt: skip
def test_refused(finding, kind, tops, text, name, message, place):
    assert finding(kind, [], text, tops=tops) == ("error", name, message, place)


@pytest.mark.parametrize(
    ("kind", "text", "name", "message", "place"),
    [
        pytest.param(
            "Input", "", "input-without-shape",
            "the shape of `l` is not given: it has no axes and no values", '"Input"', id="no shape",
        ),
        pytest.param(
            "Input", "input_param { shape { dim: 0 } }", "empty-top",
            "the top is [0]: Caffe can't run on no values", "shape { dim: 0 }", id="no values",
        ),
        pytest.param(
            "DummyData", 'dummy_data_param { shape { dim: 0 } data_filler { type: "xavier" } }',
            "empty-top", "the top `t0` is [0]: Caffe can't fill it without values",
            'data_filler { type: "xavier" }', id="nothing to fill anew",
        ),
        pytest.param(
            "HDF5Data", 'hdf5_data_param { source: "h" }', "batch-size-zero", "`batch_size` is 0",
            'hdf5_data_param { source: "h" }', id="no batch size",
        ),
        pytest.param(
            "Data",
            'data_param { source: "db" batch_size: 1 } '
            "transform_param { force_color: true force_gray: true }",
            "force-color-and-gray",
            "`force_color` and `force_gray` are both set; Caffe refuses encoded images then",
            "force_gray: true", id="colour and grey",
        ),
    ],
)  # fmt: skip
def test_warned_of(finding, kind, text, name, message, place):
    assert finding(kind, [], text) == ("warning", name, message, place)


@pytest.mark.parametrize(
    ("tops", "text", "shapes"),
    [
        pytest.param(2, "shape { dim: 2 dim: 3 }", ((2, 3),) * 2, id="one shape"),
        pytest.param(2, "shape { dim: 2 } shape { dim: 3 }", ((2,), (3,)), id="one each"),
        pytest.param(1, "num: 1 channels: 2 height: 3 width: 4", ((1, 2, 3, 4),), id="old sizes"),
        pytest.param(
            2, "num: [1, 5] channels: 2 height: 3 width: [4, 6]", ((1, 2, 3, 4), (5, 2, 3, 6)),
            id="old sizes, some each",
        ),
    ],
)  # fmt: skip
def test_dummy_data_shapes(layer, tops, text, shapes):
    found = layer("DummyData", [], f"dummy_data_param {{ {text} }}", tops=tops)
    assert found.top_shapes == shapes
    assert [(filler.type, filler.value) for filler in found.fillers] == [("constant", 0)] * tops
    assert found.refilled == (False,) * tops


def test_dummy_data_fillers(layer):
    text = 'shape { dim: 2 } data_filler { type: "uniform" } data_filler { value: 7 }'
    found = layer("DummyData", [], f"dummy_data_param {{ {text} }}", tops=2)
    assert [filler.type for filler in found.fillers] == ["uniform", "constant"]
    assert found.refilled == (True, False)


def test_memory_data_shapes(layer):
    text = "memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 }"
    assert layer("MemoryData", [], text, tops=2).top_shapes == ((2, 3, 4, 5), (2,))


SOURCE = 'source: "x" batch_size: 8'


@pytest.mark.parametrize(
    ("kind", "text", "top"),
    [
        pytest.param("Data", f"data_param {{ {SOURCE} }}", None, id="Data"),
        pytest.param(
            "Data", f"data_param {{ {SOURCE} }} transform_param {{ crop_size: 9 }}", None,
            id="Data, channels unknown",
        ),
        pytest.param(
            "Data",
            f"data_param {{ {SOURCE} }} transform_param {{ crop_size: 9 mean_value: [1, 2, 3] }}",
            (8, 3, 9, 9), id="Data, channels from the means",
        ),
        pytest.param("ImageData", f"image_data_param {{ {SOURCE} }}", None, id="ImageData"),
        pytest.param(
            "ImageData", f"image_data_param {{ {SOURCE} new_height: 4 new_width: 5 }}", (8, 3, 4, 5),
            id="ImageData, resized",
        ),
        pytest.param(
            "ImageData",
            f"image_data_param {{ {SOURCE} new_height: 4 new_width: 5 is_color: false }} "
            "transform_param { crop_size: 3 }",
            (8, 1, 3, 3), id="ImageData, grey and cropped",
        ),
        pytest.param(
            "WindowData", f"window_data_param {{ {SOURCE} }} transform_param {{ crop_size: 9 }}", None,
            id="WindowData",
        ),
        pytest.param(
            "WindowData",
            f"window_data_param {{ {SOURCE} }} "
            "transform_param { crop_size: 9 mean_value: [1, 2, 3] }",
            (8, 3, 9, 9), id="WindowData, channels from the means",
        ),
    ],
)  # fmt: skip
def test_shapes_come_from_what_stands_in_the_text(layer, kind, text, top):
    found = layer(kind, [], text, tops=2)
    assert found.top_shapes == (top, (8,))
    assert list(found.report) == []


def test_transform_facts(layer):
    transform = 'scale: 0.5 mirror: true crop_size: 9 mean_file: "m"'
    found = layer("Data", [], f"data_param {{ {SOURCE} }} transform_param {{ {transform} }}")
    facts = (found.batch_size, found.source, found.backend, found.crop_size, found.scale)
    assert facts == (8, "x", "LEVELDB", 9, 0.5)
    assert (found.mirror, found.mean_file, found.mean_values) == (True, "m", ())


def test_hdf5_data_says_nothing_of_its_shapes(layer):
    assert (
        layer("HDF5Data", [], f"hdf5_data_param {{ {SOURCE} }}", tops=3).top_shapes == (None,) * 3
    )


HDF5_OUTPUT = 'hdf5_output_param { file_name: "o.h5" }'


def test_hdf5_output_has_no_tops(layer):
    found = layer("HDF5Output", [(2, 3), (2,)], HDF5_OUTPUT, tops=0)
    assert (found.top_shapes, found.file_name) == ((), "o.h5")
    assert list(found.report) == []


@pytest.mark.parametrize(
    ("bottoms", "text", "severity", "name", "message", "place"),
    [
        pytest.param(
            [(2, 3), (2,)], "", "error", "file-name-missing", "HDF5Output needs `file_name`",
            '"HDF5Output"', id="no file",
        ),
        pytest.param(
            [(2, 3), (4,)], HDF5_OUTPUT, "warning", "batch-sizes-differ",
            "bottom 0 has 2 items, bottom 1 has 4: Caffe stops when it runs", 'bottom: "b1"',
            id="batch sizes",
        ),
        pytest.param(
            [(2, 3, 4, 5, 6), (2,)], HDF5_OUTPUT, "warning", "more-than-four-axes",
            "Caffe sets up HDF5Output on 5 axes, and stops when it runs", 'bottom: "b0"',
            id="five axes",
        ),
    ],
)  # fmt: skip
def test_hdf5_output_findings(finding, bottoms, text, severity, name, message, place):
    assert finding("HDF5Output", bottoms, text, tops=0) == (severity, name, message, place)
