"""The layers that move values: how axes are joined, cut, repeated and counted anew."""

from __future__ import annotations

import pytest

from caffegen.layer_types import Cost

DATA = (2, 3, 4, 5)


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        pytest.param("", 1, id="default"),
        pytest.param("concat_param { axis: -1 }", 3, id="axis"),
        pytest.param("concat_param { concat_dim: 2 }", 2, id="old name"),
    ],
)
def test_concat_adds_up_one_axis(layer, text, axis):
    found = layer("Concat", [DATA, DATA, DATA], text)
    top = list(DATA)
    top[axis] *= 3
    assert found.axis_index == axis
    assert found.sizes == (DATA[axis],) * 3
    assert found.top_shapes == (tuple(top),)
    assert found.cost() == Cost()


@pytest.mark.parametrize(
    ("tops", "text", "axis", "sizes"),
    [
        pytest.param(3, "", 1, (2, 2, 2), id="even"),
        pytest.param(3, "slice_point: 1 slice_point: 4", 1, (1, 3, 2), id="points"),
        pytest.param(2, "slice_dim: 0", 0, (2, 2), id="old name"),
        pytest.param(1, "axis: -1", 2, (5,), id="one top"),
    ],
)
def test_slice_cuts_one_axis(layer, tops, text, axis, sizes):
    found = layer("Slice", [(4, 6, 5)], f"slice_param {{ {text} }}", tops=tops)
    assert (found.axis_index, found.sizes) == (axis, sizes)
    assert [top[axis] for top in found.top_shapes] == list(sizes)


def test_slice_may_leave_the_last_top_empty(layer):
    found = layer("Slice", [(2, 3)], "slice_param { slice_point: 3 }", tops=2)
    (warning,) = found.report
    assert warning.severity == "warning"
    assert warning.message == "`slice_point` 3 is the end of axis 1: the last top is empty"
    assert found.top_shapes == ((2, 3), (2, 0))


@pytest.mark.parametrize(
    ("text", "top", "template"),
    [
        pytest.param("dim: 4 dim: 30", (4, 30), (4, 30), id="plain"),
        pytest.param("dim: 0 dim: -1", (2, 60), (0, -1), id="copy and infer"),
        pytest.param("dim: 0 dim: 0 dim: 20", (2, 3, 20), (0, 0, 20), id="copies"),
    ],
)
def test_reshape_of_all_axes(layer, text, top, template):
    found = layer("Reshape", [DATA], f"reshape_param {{ shape {{ {text} }} }}")
    assert found.top_shapes == (top,)
    assert (found.start, found.end, found.template) == (0, 4, template)


@pytest.mark.parametrize(
    ("text", "top", "template"),
    [
        pytest.param(
            "axis: 1 num_axes: 2 shape { dim: -1 }", (2, 12, 5), (0, -1, 5), id="middle"
        ),
        pytest.param("axis: -1 shape { dim: 1 }", (*DATA, 1), (0, 0, 0, 0, 1), id="append"),
        pytest.param(
            "num_axes: 0 shape { dim: 1 }", (1, *DATA), (1, *DATA), id="put in front"
        ),
        pytest.param(
            "axis: 1 num_axes: 1 shape { dim: 0 dim: 1 }", (2, 3, 1, 4, 5), (0, 0, 1, 4, 5),
            id="copy from the axis on",
        ),
        pytest.param("axis: 2 num_axes: 2 shape { }", None, (0, 0), id="nothing instead"),
    ],
)  # fmt: skip
def test_reshape_of_some_axes(layer, text, top, template):
    shape = DATA if top else (2, 3, 1, 1)
    found = layer("Reshape", [shape], f"reshape_param {{ {text} }}")
    assert found.top_shapes == (top or (2, 3),)
    assert found.template == template


def test_reshape_keeps_a_dim_in_an_int(layer):
    found = layer("Reshape", [(2, 3)], "reshape_param { shape { dim: 4294967298 dim: 3 } }")
    assert found.top_shapes == ((2, 3),)


@pytest.mark.parametrize(
    ("text", "top"),
    [
        pytest.param("", (2, 60), id="default"),
        pytest.param("axis: 1 end_axis: 2", (2, 12, 5), id="middle"),
        pytest.param("axis: -2 end_axis: -2", DATA, id="one axis"),
        pytest.param("axis: 0", (120,), id="all"),
    ],
)
def test_flatten(layer, text, top):
    assert layer("Flatten", [DATA], f"flatten_param {{ {text} }}").top_shapes == (top,)


def test_flatten_of_no_axes_puts_one_in(layer):
    found = layer("Flatten", [DATA], "flatten_param { axis: 2 end_axis: 1 }")
    (warning,) = found.report
    assert (warning.severity, warning.name) == ("warning", "flatten-of-no-axes")
    assert warning.span.text == "end_axis: 1"
    assert found.top_shapes == ((2, 3, 1, 4, 5),)


@pytest.mark.parametrize(
    ("text", "offsets", "top"),
    [
        pytest.param("", (0, 0, 0, 0), (2, 3, 1, 2), id="default"),
        pytest.param("offset: 2", (0, 0, 2, 2), (2, 3, 1, 2), id="one offset"),
        pytest.param(
            "axis: 1 offset: 1 offset: 2 offset: 3", (0, 1, 2, 3), (2, 2, 1, 2), id="each"
        ),
    ],
)
def test_crop(layer, text, offsets, top):
    found = layer("Crop", [DATA, (9, 2, 1, 2)], f"crop_param {{ {text} }}")
    assert found.offsets == offsets
    assert found.top_shapes == (top,)


def test_tile_split_batch_reindex_and_silence(layer):
    assert layer("Tile", [(2, 3)], "tile_param { axis: 0 tiles: 4 }").top_shapes == ((8, 3),)
    assert layer("Split", [DATA], tops=3).top_shapes == (DATA, DATA, DATA)
    assert layer("BatchReindex", [DATA, (7,)]).top_shapes == ((7, 3, 4, 5),)
    assert layer("Silence", [DATA, (7,)], tops=0).top_shapes == ()


def test_a_filter_is_set_up_with_the_whole_batch(layer):
    found = layer("Filter", [(4, 3), (4, 1, 1), (4, 1)], tops=2)
    assert list(found.report) == []
    assert found.top_shapes == ((4, 3), (4, 1, 1))


REFUSED = [
    pytest.param(
        "Concat", [DATA, (2, 3, 9, 5)], "", 1, "concat-shapes-differ",
        "the bottoms of a Concat differ on axis 1 alone; bottom 0 is [2, 3, 4, 5], bottom 1 is "
        "[2, 3, 9, 5]", 'bottom: "b1"', id="concat",
    ),
    pytest.param(
        "Concat", [DATA], "concat_param { concat_dim: 4 }", 1, "axis-out-of-range",
        "`concat_dim` is 4, but the bottom has 4 axes", "concat_dim: 4", id="concat_dim",
    ),
    pytest.param(
        "Concat", [(1 << 30,), (1 << 30,)], "concat_param { axis: 0 }", 1, "blob-too-large",
        "the shape [2147483648] has more than 2147483647 values", "concat_param { axis: 0 }",
        id="concat, too large",
    ),
    pytest.param(
        "Slice", [DATA], "slice_param { axis: 1 slice_dim: 1 }", 3, "axis-set-twice",
        "`axis` and `slice_dim` are both set; Caffe takes one or the other", "slice_dim: 1",
        id="slice, two axes",
    ),
    pytest.param(
        "Slice", [DATA], "", 2, "slice-uneven",
        "axis 1 has 3 values, which 2 tops can't share evenly", 'top: "t0"', id="slice, uneven",
    ),
    pytest.param(
        "Slice", [DATA], "slice_param { slice_point: 1 }", 3, "slice-point-count",
        "3 tops take 2 slice points, not 1", "slice_point: 1", id="slice, points",
    ),
    pytest.param(
        "Slice", [DATA], "slice_param { slice_point: 2 slice_point: 2 }", 3,
        "slice-points-not-rising", "`slice_point` 2 does not lie behind 2", "slice_point: 2",
        id="slice, points that don't rise",
    ),
    pytest.param(
        "Slice", [DATA], "slice_param { slice_point: 4 }", 2, "slice-point-past-end",
        "`slice_point` 4 leaves nothing for the last top: axis 1 has 3 values", "slice_point: 4",
        id="slice, past the end",
    ),
    pytest.param(
        "Reshape", [DATA], "reshape_param { shape { dim: -1 dim: 2 dim: -1 } }", 1,
        "two-inferred-dimensions", "`shape` has more than one -1; one size alone can be inferred",
        "dim: -1", id="reshape, two -1",
    ),
    pytest.param(
        "Reshape", [DATA], "reshape_param { axis: 5 shape { dim: 1 } }", 1, "axis-out-of-range",
        "`axis` is 5, but the bottom has 4 axes", "axis: 5", id="reshape, axis",
    ),
    pytest.param(
        "Reshape", [DATA], "reshape_param { num_axes: -2 }", 1, "num-axes-out-of-range",
        "`num_axes` is -2; it counts axes, or is -1 for all", "num_axes: -2", id="reshape, num_axes",
    ),
    pytest.param(
        "Reshape", [DATA], "reshape_param { axis: 3 num_axes: 2 }", 1, "num-axes-out-of-range",
        "`num_axes` (2) from axis 3 on goes past the bottom's 4 axes", "num_axes: 2",
        id="reshape, num_axes past the end",
    ),
    pytest.param(
        "Reshape", [(2, 3)], "reshape_param { shape { dim: 2 dim: 3 dim: 0 } }", 1,
        "zero-copies-past-end", "`dim` 0 copies axis 2, but the bottom has 2 axes", "dim: 0",
        id="reshape, 0",
    ),
    pytest.param(
        "Reshape", [(0, 3)], "reshape_param { shape { dim: 0 dim: 3 } }", 1, "empty-bottom",
        "the bottom is [0, 3]; Reshape can't be set up without values", 'bottom: "b0"',
        id="reshape, empty",
    ),
    pytest.param(
        "Reshape", [DATA], "reshape_param { axis: 4 shape { dim: [" + "1, " * 28 + "1] } }", 1,
        "more-than-32-axes", "the shape has 33 axes; a blob has 32 at most",
        "shape { dim: [" + "1, " * 28 + "1] }", id="reshape, 33 axes",
    ),
    pytest.param(
        "Filter", [(0, 3), (0,)], "", 1, "empty-bottom",
        "the selector of a Filter has no values; Caffe reads it when it is set up",
        'bottom: "b1"', id="filter, empty",
    ),
    pytest.param(
        "Flatten", [DATA], "flatten_param { axis: 3 end_axis: 1 }", 1, "flatten-ends-before-start",
        "`axis` (3) lies behind `end_axis` (1)", "axis: 3", id="flatten",
    ),
    pytest.param(
        "Flatten", [DATA], "flatten_param { end_axis: 4 }", 1, "axis-out-of-range",
        "`end_axis` is 4, but the bottom has 4 axes", "end_axis: 4", id="flatten, end_axis",
    ),
    pytest.param(
        "Crop", [DATA, (2, 3, 4, 4)], "crop_param { offset: 0 offset: 2 }", 1, "crop-past-edge",
        "axis 3 has 5 values; 4 from 2 on go past its end", "offset: 2", id="crop, offset",
    ),
    pytest.param(
        "Crop", [DATA, (2, 3, 5, 4)], "", 1, "crop-past-edge",
        "axis 2 has 4 values; 5 go past its end", 'bottom: "b1"', id="crop, size",
    ),
    pytest.param(
        "Crop", [DATA, DATA], "crop_param { offset: 0 offset: 0 offset: 0 }", 1,
        "crop-offset-count", "`offset` is given 3 times for 2 axes", "offset: 0",
        id="crop, offsets",
    ),
    pytest.param(
        "Crop", [DATA, (2, 3, 4)], "", 1, "crop-reference-axes",
        "a Crop from axis 2 on needs a size for axis 3; bottom 1 has 3 axes", 'bottom: "b1"',
        id="crop, axes",
    ),
    pytest.param(
        "Tile", [DATA], "", 1, "tiles-missing", "a Tile needs `tiles`", '"Tile"', id="tile"
    ),
    pytest.param(
        "Tile", [DATA], "tile_param { tiles: -1 }", 1, "tiles-not-positive",
        "`tiles` is -1; it must be at least 1", "tiles: -1", id="tile, negative",
    ),
    pytest.param(
        "BatchReindex", [DATA, (2, 1)], "", 1, "wrong-number-of-axes",
        "bottom 1 of a BatchReindex has one axis, not 2", 'bottom: "b1"', id="batch reindex",
    ),
    pytest.param(
        "Filter", [DATA, (2,)], "", 2, "wrong-number-of-tops",
        "a Filter makes one top for each bottom but the selector; `l` has 2 bottoms and 2 tops",
        'top: "t0"', id="filter, tops",
    ),
    pytest.param(
        "Filter", [DATA, (2, 2)], "", 1, "selector-not-flat",
        "the selector holds one number per item; bottom 1 is [2, 2]", 'bottom: "b1"',
        id="filter, selector",
    ),
    pytest.param(
        "Filter", [DATA, (3,)], "", 1, "batch-sizes-differ",
        "the selector has 3 items, bottom 0 is [2, 3, 4, 5]", 'bottom: "b0"', id="filter, batch",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "bottoms", "text", "tops", "name", "message", "place"), REFUSED)
def test_a_layer_refuses(finding, kind, bottoms, text, tops, name, message, place):
    assert finding(kind, bottoms, text, tops=tops) == ("error", name, message, place)


@pytest.mark.parametrize(
    ("kind", "text", "tops"),
    [
        pytest.param("Split", "", 0, id="split"),
        pytest.param("Reshape", "reshape_param { shape { dim: 0 dim: -1 } }", 0, id="reshape"),
        pytest.param("Flatten", "", 0, id="flatten"),
        pytest.param("Slice", 'top: "t1" top: "t2"', 0, id="slice"),
    ],
)
def test_in_place_is_refused(finding, kind, text, tops):
    assert finding(kind, [DATA], f'top: "b0" {text}', tops=tops) == (
        "error", "unsupported-in-place", f"{kind} can't work in place, but its top `b0` is its bottom",
        'top: "b0"',
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "bottoms", "text"),
    [
        pytest.param("Concat", [DATA, DATA], "", id="concat"),
        pytest.param("Tile", [DATA], "tile_param { tiles: 2 }", id="tile"),
        pytest.param("Crop", [DATA, (2, 3, 2, 2)], "", id="crop"),
        pytest.param("BatchReindex", [DATA, (2,)], "", id="batch reindex"),
        pytest.param("Filter", [DATA, (2,)], "", id="filter"),
    ],
)
def test_in_place_is_warned_of(finding, kind, bottoms, text):
    assert finding(kind, bottoms, f'top: "b0" {text}', tops=0) == (
        "warning", "in-place-overwrites-input",
        f"Caffe writes `b0` over the bottom that {kind} still needs; what it computes then is wrong",
        'top: "b0"',
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "bottoms", "text"),
    [
        pytest.param("Concat", [DATA], "", id="one bottom"),
        pytest.param("Slice", [DATA], "", id="one top"),
        pytest.param("Tile", [DATA], "tile_param { tiles: 1 }", id="one tile"),
        pytest.param("Crop", [DATA, DATA], "", id="nothing to cut"),
    ],
)
def test_in_place_where_nothing_moves_is_fine(layer, kind, bottoms, text):
    found = layer(kind, bottoms, f'top: "b0" {text}', tops=0)
    assert list(found.report) == []
    assert found.top_shapes == (DATA,)
