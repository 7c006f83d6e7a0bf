"""The layers that move values, in PyTorch: free sizes, odd shapes, exporting."""

import pytest
import torch
from torch import nn

from caffegen import CaffegenError
from tests.pytorch.one_layer import one_layer


def build(kind, shapes, text="", tops=1):
    return one_layer(kind, shapes, text, tops=[f"t{index}" for index in range(tops)])


def values(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tops_of(module, *bottoms):
    return list(module(*bottoms).values())


@pytest.mark.parametrize(
    ("kind", "built", "text", "tops", "given", "shapes"),
    [
        pytest.param("Concat", [(2, 3), (2, 5)], "", 1, [(7, 1), (7, 2)], [(7, 3)], id="concat"),
        pytest.param("Concat", [(2, 3), (2, 0)], "", 1, [(2, 3), (2, 0)], [(2, 3)], id="empty part"),
        pytest.param("Slice", [(2, 6, 3)], "", 3, [(5, 9, 2)], [(5, 3, 2)] * 3, id="even parts"),
        pytest.param(
            "Slice", [(2, 6, 3)], "slice_param { slice_point: 1 slice_point: 4 }", 3,
            [(5, 9, 2)], [(5, 1, 2), (5, 3, 2), (5, 5, 2)], id="slice points",
        ),
        pytest.param("Slice", [(2, 6)], "", 1, [(3, 4)], [(3, 4)], id="slice to one"),
        pytest.param("Split", [(2, 3)], "", 2, [(4, 5)], [(4, 5)] * 2, id="split"),
        pytest.param(
            "Tile", [(2, 3, 4)], "tile_param { axis: -2 tiles: 3 }", 1, [(5, 2, 1)], [(5, 6, 1)],
            id="tile",
        ),
        pytest.param("Flatten", [(2, 3, 4)], "", 1, [(6, 5, 2)], [(6, 10)], id="flatten"),
        pytest.param(
            "Flatten", [(2, 3, 4)], "flatten_param { axis: 2 end_axis: 1 }", 1,
            [(6, 5, 2)], [(6, 5, 1, 2)], id="flatten no axes",
        ),
        pytest.param(
            "Reshape", [(2, 6, 4)], "reshape_param { shape { dim: 0 dim: 3 dim: -1 } }", 1,
            [(5, 6, 2)], [(5, 3, 4)], id="reshape",
        ),
        pytest.param(
            "Reshape", [(2, 6, 4)], "reshape_param { axis: 1 num_axes: 1 shape { dim: 2 dim: -1 } }",
            1, [(7, 8, 3)], [(7, 2, 4, 3)], id="reshape in the middle",
        ),
        pytest.param(
            "Reshape", [(1, 1)], "reshape_param { shape { } }", 1, [(1, 1)], [()], id="to no axes"
        ),
        pytest.param(
            "Crop", [(2, 3, 8, 8), (2, 3, 4, 4)], "crop_param { offset: 1 offset: 2 }", 1,
            [(5, 3, 9, 9), (1, 1, 6, 7)], [(5, 3, 6, 7)], id="crop",
        ),
    ],
)  # fmt: skip
def test_sizes_are_free(kind, built, text, tops, given, shapes):
    bottoms = [values(*shape, seed=index) for index, shape in enumerate(given)]
    found = tops_of(build(kind, built, text, tops), *bottoms)
    assert [tuple(top.shape) for top in found] == shapes


def test_standard_modules_where_they_do_the_same():
    assert isinstance(build("Flatten", [(2, 3, 4)]).get_submodule("layer"), nn.Flatten)


def test_slice_cuts_before_its_points():
    bottom = torch.arange(6.0).unsqueeze(0)
    text = "slice_param { slice_point: 1 slice_point: 4 }"
    found = tops_of(build("Slice", [(1, 6)], text, 3), bottom)
    assert [top.tolist() for top in found] == [[[0]], [[1, 2, 3]], [[4, 5]]]


@pytest.mark.parametrize(
    ("kind", "text", "tops", "shape"),
    [
        pytest.param("Slice", "", 2, (1, 5), id="uneven"),
        pytest.param("Slice", "slice_param { slice_point: 4 }", 2, (1, 3), id="point past the end"),
        pytest.param(
            "Reshape", "reshape_param { shape { dim: 4 dim: -1 } }", 1, (1, 6), id="count"
        ),
    ],
)
def test_a_size_that_does_not_fit_is_refused(kind, text, tops, shape):
    module = build(kind, [(2, 6)], text, tops)
    built = r"of shape \[.*\] \(in the file \[2, 6\]\)"
    with pytest.raises(CaffegenError, match=rf"layer `layer` can't run on `a` {built}"):
        module(values(*shape))


def test_crop_past_the_edge_is_refused():
    module = build("Crop", [(1, 1, 5, 5), (1, 1, 3, 3)], "crop_param { offset: 2 }")
    with pytest.raises(CaffegenError, match="layer `layer` can't run on `a`"):
        module(values(1, 1, 5, 5), values(1, 1, 4, 3))


def test_tile_repeats_the_whole_axis():
    bottom = torch.tensor([[1.0, 2.0]])
    found = tops_of(build("Tile", [(1, 2)], "tile_param { tiles: 2 }"), bottom)
    assert found[0].tolist() == [[1, 2, 1, 2]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_batch_reindex_adds_the_gradients_of_repeated_items(dtype):
    module = build("BatchReindex", [(3, 2), (4,)])
    bottom = values(3, 2).requires_grad_()
    top = tops_of(module, bottom, torch.tensor([2, 0, 2, 2], dtype=dtype))[0]
    assert torch.equal(top, bottom[[2, 0, 2, 2]])
    top.sum().backward()
    assert bottom.grad.tolist() == [[1, 1], [0, 0], [3, 3]]


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [([0.0, 1.0, -0.5], [1, 2]), ([0.0, 0.0, 0.0], []), ([[1], [0], [1]], [0, 2])],
    ids=["any but 0", "none", "column of integers"],
)
def test_filter_passes_the_same_items_of_each_bottom(selector, chosen):
    selector = torch.tensor(selector)
    module = build("Filter", [(3, 2), (3, 4, 5), selector.shape], tops=2)
    first, second = values(3, 2).requires_grad_(), values(3, 4, 5)
    found = tops_of(module, first, second, selector)
    assert torch.equal(found[0], first[chosen])
    assert torch.equal(found[1], second[chosen])
    found[0].sum().backward()
    assert first.grad[:, 0].tolist() == [float(item in chosen) for item in range(3)]


def test_silence_makes_nothing():
    assert build("Silence", [(2, 3), (4,)], tops=0)(values(2, 3), values(4)) == {}


PIECES = [
    ("Concat", [(4, 3), (4, 2)], "", 1),
    ("Slice", [(4, 6)], "", 2),
    ("Slice", [(4, 6)], "slice_param { slice_point: 2 }", 2),
    ("Split", [(4, 6)], "", 2),
    ("Tile", [(4, 6)], "tile_param { tiles: 2 }", 1),
    ("Flatten", [(4, 6, 2)], "flatten_param { axis: 0 end_axis: -1 }", 1),
    ("Reshape", [(4, 6)], "reshape_param { shape { dim: 0 dim: 2 dim: -1 } }", 1),
    ("Crop", [(4, 2, 6, 6), (4, 2, 3, 3)], "crop_param { offset: 1 }", 1),
    ("BatchReindex", [(4, 6), (2,)], "", 1),
    ("Filter", [(4, 6), (4,)], "", 1),
]


@pytest.mark.parametrize(("kind", "shapes", "text", "tops"), PIECES)
def test_compiles_and_exports_in_one_piece(kind, shapes, text, tops):
    module = build(kind, shapes, text, tops)
    bottoms = [values(*shapes[0]), *(torch.ones(shape) for shape in shapes[1:])]
    expected = module(*bottoms)
    torch.compiler.reset()
    # the number of items that a Filter passes is known only when it runs
    with torch._dynamo.config.patch(capture_dynamic_output_shape_ops=kind == "Filter"):
        compiled = torch.compile(module, fullgraph=True, backend="aot_eager")(*bottoms)
    exported = torch.export.export(module, tuple(bottoms)).module()(*bottoms)
    for name, tensor in expected.items():
        assert torch.equal(compiled[name], tensor)
        assert torch.equal(exported[name], tensor)
