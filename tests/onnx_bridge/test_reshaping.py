"""The layers that move values: free sizes, the ops that stand for them, and selections."""

import re

import numpy as np
import pytest

import caffegen
from caffegen import onnx_bridge
from caffegen.errors import CaffegenError
from tests.onnx_bridge.golden_case import run

OPSETS = (13, 17, 18, 26)


def net_of(inputs, layers):
    """A net from inputs {name: shape} and the text of its layers."""
    text = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ '
        + " ".join(f"dim: {size}" for size in shape)
        + " } } }\n"
        for name, shape in inputs.items()
    )
    return caffegen.loads(text + layers)


def written(inputs, layers, **options):
    return onnx_bridge.to_model(net_of(inputs, layers), **options)


def feeds(inputs):
    rng = np.random.default_rng(5)
    return {name: rng.standard_normal(shape, np.float32) for name, shape in inputs.items()}


def ops(model):
    return [node.op_type for node in model.graph.node]


def layer(kind, param="", bottom=("x",), top=("y",)):
    tops = " ".join(f'top: "{name}"' for name in top)
    bottoms = " ".join(f'bottom: "{name}"' for name in bottom)
    return f'layer {{ name: "l" type: "{kind}" {bottoms} {tops} {param} }}'


# id: (inputs as the file has them, inputs as the caller gives them, the layer)
FREE = {
    "concat-batch": (
        {"x": (2, 3), "z": (2, 3)}, {"x": (5, 3), "z": (5, 3)},
        layer("Concat", "concat_param { axis: 0 }", ("x", "z")),
    ),
    "concat-channels": (
        {"x": (2, 3), "z": (2, 1)}, {"x": (5, 3), "z": (5, 1)}, layer("Concat", "", ("x", "z")),
    ),
    "slice-channels": (
        {"x": (2, 6)}, {"x": (5, 6)},
        layer("Slice", "slice_param { slice_point: 1 }", top=("y", "z")),
    ),
    "slice-batch": (
        {"x": (3, 2)}, {"x": (9, 2)},
        layer("Slice", "slice_param { axis: 0 }", top=("a", "b", "c")),
    ),
    "slice-batch-points": (
        {"x": (4, 2)}, {"x": (6, 2)},
        layer(
            "Slice", "slice_param { axis: 0 slice_point: 1 slice_point: 3 }", top=("a", "b", "c")
        ),
    ),
    "tile-batch": ({"x": (2, 3)}, {"x": (4, 3)}, layer("Tile", "tile_param { axis: 0 tiles: 2 }")),
    "flatten": ({"x": (2, 3, 2)}, {"x": (5, 3, 2)}, layer("Flatten")),
    "flatten-all": (
        {"x": (2, 3, 2)}, {"x": (5, 3, 2)}, layer("Flatten", "flatten_param { axis: 0 }"),
    ),
    "flatten-front": (
        {"x": (2, 3, 2)}, {"x": (5, 3, 2)},
        layer("Flatten", "flatten_param { axis: 0 end_axis: 1 }"),
    ),
    "flatten-none": (
        {"x": (2, 3)}, {"x": (5, 3)}, layer("Flatten", "flatten_param { axis: 1 end_axis: 0 }"),
    ),
    "flatten-image": (
        {"x": (2, 3, 4, 5)}, {"x": (3, 3, 6, 7)},
        layer("Flatten", "flatten_param { axis: 2 end_axis: 3 }"),
    ),
    "flatten-channels": (
        {"x": (2, 3, 4, 5)}, {"x": (3, 3, 6, 7)},
        layer("Flatten", "flatten_param { axis: 1 end_axis: 2 }"),
    ),
    "reshape-copy": (
        {"x": (2, 6)}, {"x": (5, 6)},
        layer("Reshape", "reshape_param { shape { dim: 0 dim: 2 dim: 3 } }"),
    ),
    "reshape-infer": (
        {"x": (2, 6)}, {"x": (5, 6)}, layer("Reshape", "reshape_param { shape { dim: -1 dim: 2 } }"),
    ),
    "reshape-front": (
        {"x": (2, 6)}, {"x": (5, 6)},
        layer("Reshape", "reshape_param { axis: 0 num_axes: 0 shape { dim: 1 } }"),
    ),
    "reshape-behind-channels": (
        {"x": (2, 6, 4, 5)}, {"x": (3, 6, 6, 7)},
        layer("Reshape", "reshape_param { axis: 1 num_axes: 1 shape { dim: 2 dim: 3 } }"),
    ),
    "reshape-infer-channels": (
        {"x": (2, 6, 4, 5)}, {"x": (3, 6, 6, 7)},
        layer("Reshape", "reshape_param { axis: 1 num_axes: 1 shape { dim: -1 dim: 3 } }"),
    ),
    "reshape-positions": (
        {"x": (2, 6, 4, 5)}, {"x": (3, 6, 6, 7)},
        layer("Reshape", "reshape_param { shape { dim: 0 dim: 0 dim: -1 } }"),
    ),
    "crop-batch": (
        {"x": (4, 3), "z": (4, 2)}, {"x": (6, 3), "z": (6, 2)},
        layer("Crop", "crop_param { axis: 0 }", ("x", "z")),
    ),
    "crop-image": (
        {"x": (2, 3, 9, 9), "p": (2, 3, 4, 4)}, {"x": (3, 3, 11, 12), "p": (3, 3, 4, 4)},
        layer("Crop", "crop_param { offset: 2 offset: 3 }", ("x", "p")),
    ),
    "crop-to-image": (
        {"x": (2, 3, 4, 4), "z": (2, 1, 4, 4)}, {"x": (3, 3, 6, 8), "z": (3, 1, 6, 8)},
        layer("Tile", "tile_param { axis: 2 tiles: 2 }", top=("w",)).replace('"l"', '"t"')
        + layer("Crop", "crop_param { offset: 3 offset: 0 }", ("w", "z")),
    ),
    "split": (
        {"x": (2, 3)}, {"x": (5, 3)}, layer("Split", top=("a", "b")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("case", FREE)
def test_free_sizes(case, opset):
    inputs, others, text = FREE[case]
    sizes = "image" in case or "behind" in case or "channels" in case or "positions" in case
    options = {"opset": opset, "dynamic_batch": True}
    free = written(inputs, text, dynamic_size=sizes, **options)
    fixed = written(others, text, opset=opset)
    given = feeds(others)
    found, expected = run(free, given), run(fixed, given)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def test_reshape_that_fixes_the_batch():
    text = layer("Reshape", "reshape_param { shape { dim: 4 dim: 3 } }")
    with pytest.raises(CaffegenError, match=re.escape("the batch of `x` can't be free; at 5: ")):
        written({"x": (2, 6)}, text, dynamic_batch=True)


def test_reshape_infers_the_one_size_that_is_free():
    text = layer("Reshape", "reshape_param { axis: 0 num_axes: 0 shape { dim: 1 } }")
    model = written({"x": (2, 6)}, text, dynamic_batch=True)
    assert ops(model) == ["Reshape"]
    assert model.graph.initializer[0].name == "ints_1_-1_6"


def test_reshape_follows_the_file_where_nothing_is_free():
    model = written({"x": (2, 6)}, layer("Reshape", "reshape_param { shape { dim: 0 dim: -1 } }"))
    (shape,) = model.graph.initializer
    assert shape.name == "ints_2_6"


@pytest.mark.parametrize(
    ("inputs", "text", "expected"),
    [
        ({"x": (2, 3, 4)}, layer("Flatten"), ["Flatten"]),
        ({"x": (2, 3)}, layer("Slice"), ["Identity"]),
        ({"x": (2, 4)}, layer("Slice", top=("a", "b")), ["Split"]),
        ({"x": (2, 4)}, layer("Split", top=("a", "b")), ["Identity", "Identity"]),
        (
            {"x": (2, 4), "z": (2, 4)},
            layer("Crop", "crop_param { axis: 1 }", ("x", "z")),
            ["Identity"],
        ),
        (
            {"x": (2, 4), "z": (2, 3)},
            layer("Crop", "crop_param { axis: 0 }", ("x", "z")),
            ["Slice"],
        ),
        ({"x": (2, 4)}, layer("Tile", "tile_param { tiles: 3 }"), ["Tile"]),
    ],
    ids=["flatten", "slice-one", "slice", "split", "crop-nothing", "crop", "tile"],
)
def test_one_op_for_one_layer(inputs, text, expected):
    model = written(inputs, text)
    assert ops(model) == expected
    assert model.graph.node[0].name == "l"


def test_crop_skips_the_axes_that_it_leaves_whole():
    model = written(
        {"x": (2, 3, 6, 6), "z": (2, 3, 6, 4)}, layer("Crop", "crop_param { axis: 1 }", ("x", "z"))
    )
    assert list(model.graph.node[0].input)[1:] == ["ints_0", "ints_4", "ints_3"]


def test_silence_and_its_bottom_stay_out_of_the_way():
    model = written(
        {"x": (2, 3), "z": (2, 3)}, layer("Silence", top=()) + layer("Flatten", bottom=("z",))
    )
    assert ops(model) == ["Flatten"]


def test_batch_reindex_repeats_and_leaves_out():
    model = written({"x": (3, 2), "i": (4,)}, layer("BatchReindex", bottom=("x", "i")))
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    found = run(model, {"x": x, "i": np.array([2, 0, 2, 2.9], np.float32)})
    np.testing.assert_array_equal(found["y"], x[[2, 0, 2, 2]])


@pytest.mark.parametrize("selector", [(4,), (4, 1, 1)], ids=str)
def test_filter_by_one_selector(selector):
    model = written(
        {"x": (4, 2, 3), "z": (4,), "s": selector},
        layer("Filter", bottom=("x", "z", "s"), top=("a", "b")),
    )
    a, b = (output.type.tensor_type.shape.dim for output in model.graph.output)
    assert [size.WhichOneof("value") for size in (a[0], b[0])] == [None, None]
    assert [size.dim_value for size in a[1:]] == [2, 3]
    given = feeds({"x": (4, 2, 3), "z": (4,)})
    marks = np.array([0, -0.25, 0, 3], np.float32)
    found = run(model, given | {"s": marks.reshape(selector)})
    np.testing.assert_array_equal(found["a"], given["x"][[1, 3]])
    np.testing.assert_array_equal(found["b"], given["z"][[1, 3]])
    none = run(model, given | {"s": np.zeros(selector, np.float32)})
    assert (none["a"].shape, none["b"].shape) == ((0, 2, 3), (0,))


def test_layers_behind_a_filter_take_any_number_of_items():
    model = written(
        {"x": (4, 6), "z": (4,), "s": (4,)},
        layer("Filter", "", ("x", "z", "s"), ("a", "b")).replace('"l"', '"f"')
        + layer("Reshape", "reshape_param { shape { dim: 0 dim: 2 dim: 3 } }", ("a",), ("y",))
        + layer("EuclideanLoss", "", ("b", "b"), ("loss",)).replace('"l"', '"e"'),
    )
    given = feeds({"x": (4, 6), "z": (4,)})
    found = run(model, given | {"s": np.array([1, 0, 1, 1], np.float32)})
    np.testing.assert_array_equal(found["y"], given["x"][[0, 2, 3]].reshape(3, 2, 3))
    assert found["loss"] == 0
    (y,) = (output for output in model.graph.output if output.name == "y")
    assert not y.type.tensor_type.shape.dim[0].HasField("dim_value")


def test_two_filters_with_one_selector_pass_the_same_items():
    model = written(
        {"x": (4, 3), "z": (4, 3), "s": (4,)},
        layer("Filter", bottom=("x", "s"), top=("a",)).replace('"l"', '"f"')
        + layer("Filter", bottom=("z", "s"), top=("b",)).replace('"l"', '"g"')
        + layer("Eltwise", bottom=("a", "b"), top=("y",)),
        dynamic_batch=True,
    )
    given = feeds({"x": (4, 3), "z": (4, 3)})
    found = run(model, given | {"s": np.array([1, 0, 1, 0], np.float32)})
    np.testing.assert_array_equal(found["y"], (given["x"] + given["z"])[[0, 2]])


ZERO_CHANNELS = layer("Power", "power_param { scale: 0 }", ("x",), ("zeros",)).replace('"l"', '"z"')
PADDED = ZERO_CHANNELS + layer("Concat", "", ("x", "zeros", "zeros"), ("y",))


def test_zero_channels_are_padding():
    model = written({"x": (2, 3, 4)}, PADDED)
    assert [node.op_type for node in model.graph.node] == ["Pad"]
    x = np.array(feeds({"x": (2, 3, 4)})["x"])
    x[0, 0, 0], x[1, 2, 3] = np.nan, np.inf
    found = run(model, {"x": x})["y"]
    np.testing.assert_array_equal(found, np.concatenate([x, np.zeros((2, 6, 4), np.float32)], 1))


# what is behind the zeros or around them; the parts of y by letter; the axis; how it is written
STAYING = {
    "asked for": (PADDED, "x00", 1, {"outputs": ["zeros", "y"]}),
    "read elsewhere": (
        PADDED + layer("ReLU", "", ("zeros",), ("r",)).replace('"l"', '"r"'), "x00", 1, {},
    ),
    "in front": (ZERO_CHANNELS + layer("Concat", "", ("zeros", "x"), ("y",)), "0x", 1, {}),
    "not zero": (PADDED.replace("scale: 0", "scale: 0 shift: 1"), "x11", 1, {}),
    "of a free axis": (
        ZERO_CHANNELS + layer("Concat", "concat_param { axis: 0 }", ("x", "zeros"), ("y",)),
        "x0", 0, {"dynamic_batch": True},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "axis", "options"), STAYING.values(), ids=STAYING)
def test_zeros_that_stay_a_blob(text, parts, axis, options):
    model = written({"x": (2, 3)}, text, **options)
    assert "Concat" in [node.op_type for node in model.graph.node]
    given = feeds({"x": (2, 3)})
    blobs = {"x": given["x"], "0": np.zeros((2, 3), np.float32), "1": np.ones((2, 3), np.float32)}
    expected = np.concatenate([blobs[part] for part in parts], axis)
    np.testing.assert_array_equal(run(model, given)["y"], expected)


def test_empty_blobs_are_reshaped():
    text = (
        'layer { name: "s" type: "Slice" bottom: "x" top: "a" top: "e" slice_param { axis: 2 slice_point: 4 } }\n'
        'layer { name: "f" type: "Flatten" bottom: "e" top: "f" flatten_param { axis: 0 end_axis: 1 } }'
    )
    inputs = {"x": (2, 3, 4)}
    for options, batch in (({}, 2), ({"dynamic_batch": True}, 5)):
        model = written(inputs, text, **options)
        assert run(model, {"x": np.ones((batch, 3, 4), np.float32)})["f"].shape == (3 * batch, 0)
    with pytest.raises(
        CaffegenError, match="it reshapes an empty blob, which ONNX can say from opset 14"
    ):
        written(inputs, text, opset=13)
