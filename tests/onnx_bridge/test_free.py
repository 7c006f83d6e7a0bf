"""Free sizes: one model for every batch and every image size, equal to the models of fixed ones."""

import numpy as np
import pytest

from caffegen import onnx_bridge
from caffegen.errors import CaffegenError
from caffegen.loader import load, loads
from tests.onnx_bridge.golden_case import GOLDEN, index, run

RUNNABLE = [
    pytest.param(case, id=case.id)
    for case in index()
    if not case.case.get("shape_only") and not case.case.get("random")
]

REASONS = ("can't be free", "is free", "has no output blob")


def equal_at(case, feeds, **free):
    """Hold the free model against a fixed one at the sizes of these inputs."""
    try:
        model = onnx_bridge.to_model(case.net(), **free)
    except CaffegenError as error:
        return str(error)
    shapes = {name: array.shape for name, array in feeds.items()}
    expected = run(onnx_bridge.to_model(case.net(shapes)), feeds)
    found = run(model, feeds)
    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].shape == array.shape, name
        np.testing.assert_allclose(found[name], array, 1e-5, 1e-6, err_msg=name)
    return ""


@pytest.mark.parametrize("case", RUNNABLE)
def test_batch(case):
    feeds = case.feeds()
    first = next((array.shape[0] for array in feeds.values() if array.ndim), None)
    wider = {
        name: np.concatenate([array] * 3) if array.ndim and array.shape[0] == first else array
        for name, array in feeds.items()
    }
    said = equal_at(case, wider, dynamic_batch=True)
    assert not said or any(reason in said for reason in REASONS), said


@pytest.mark.parametrize("case", RUNNABLE)
def test_size(case):
    feeds = case.feeds()
    first = next((array.shape[2:] for array in feeds.values() if array.ndim == 4), None)
    if first is None:
        pytest.skip("no picture goes in, so there is no size to be free")
    larger = {}
    for name, array in feeds.items():
        grow = [0] * array.ndim
        if array.ndim == 4:
            grow[2:] = [5 * (array.shape[2] == first[0]), 6 * (array.shape[3] == first[1])]
        larger[name] = np.pad(array, [(0, by) for by in grow], mode="wrap")
    said = equal_at(case, larger, dynamic_size=True)
    assert not said or any(reason in said for reason in REASONS), said
    if said and case.case["type"] in ("Convolution", "LRN", "ReLU", "BatchNorm"):
        known = "channels are not on axis 1" in said or "its kernel is larger than" in said
        assert "axis" in case.case["note"] or known, said


def test_batch_1_and_5_of_one_model():
    name = "mobilenet"
    net = load(GOLDEN / f"nets/{name}.prototxt", GOLDEN / f"nets/{name}.caffemodel")
    model = onnx_bridge.to_model(net, dynamic_batch=True, outputs=["score"])
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    x = np.random.default_rng(0).normal(size=(5, *net.shapes["data"][1:])).astype(np.float32)
    whole = run(model, {"data": x})["score"]
    one = np.concatenate([run(model, {"data": x[i : i + 1]})["score"] for i in range(5)])
    np.testing.assert_allclose(whole, one, 1e-5, 1e-5)


FIXED_FULLY = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc"
  inner_product_param { num_output: 2 bias_term: false } }
"""


def test_a_weight_that_follows_the_size_says_so():
    net = loads(FIXED_FULLY, {"fc": [np.zeros((2, 192), np.float32)]})
    with pytest.raises(CaffegenError) as caught:
        onnx_bridge.to_model(net, dynamic_size=True)
    assert str(caught.value) == (
        "the height of `data` can't be free: the weight of layer `fc` is [2, 192] here and "
        "[2, 3264] at 136"
    )


TWO_BATCHES = """
layer { name: "a" type: "Input" top: "a" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "b" type: "Input" top: "b" input_param { shape { dim: 1 dim: 3 } } }
layer { name: "c" type: "Input" top: "c" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "s" type: "Eltwise" bottom: "a" bottom: "c" top: "s" }
"""


def test_inputs_of_one_batch_size_share_it():
    model = onnx_bridge.to_model(loads(TWO_BATCHES), dynamic_batch=True)
    dims = {
        given.name: [dim.dim_param or dim.dim_value for dim in given.type.tensor_type.shape.dim]
        for given in model.graph.input
    }
    assert dims == {"a": ["N", 3], "b": [1, 3], "c": ["N", 3]}


PICTURE = 'layer { name: "d" type: "Input" top: "x" input_param { shape { %s } } }\n'


def picture(*dims):
    return PICTURE % " ".join(f"dim: {dim}" for dim in dims)


def test_what_is_left_out_does_not_fix_a_size():
    net = loads(
        picture(1, 3, 8, 8)
        + 'layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param '
        "{ num_output: 2 kernel_size: 3 } }\n"
        'layer { name: "f" type: "InnerProduct" bottom: "c" top: "f" inner_product_param { num_output: 2 } }\n'
        'layer { name: "r" type: "Reshape" bottom: "c" top: "r" reshape_param { shape { dim: 1 dim: 72 } } }'
    )
    net.fill(0)
    model = onnx_bridge.to_model(net, dynamic_batch=True, dynamic_size=True, outputs=["c"])
    found = run(model, {"x": np.ones((4, 3, 9, 12), np.float32)})
    assert found["c"].shape == (4, 2, 7, 10)
    with pytest.raises(
        CaffegenError, match="the height of `x` can't be free: the weight of layer `f`"
    ):
        onnx_bridge.to_model(net, dynamic_size=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            picture(2, 6, 5, 8)
            + 'layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param '
            "{ num_output: 2 kernel_size: 5 stride: 3 pad: 1 dilation: 2 } }",
            "its kernel is larger than the padded bottom",
        ),
        (
            picture(1, 4, 5, 5)
            + 'layer { name: "r" type: "Reshape" bottom: "x" top: "r" reshape_param '
            "{ shape { dim: -1 } axis: 1 num_axes: 2 } }\n"
            'layer { name: "i" type: "Im2col" bottom: "r" top: "i" convolution_param { kernel_size: 3 } }',
            "its filters are one for each channel",
        ),
    ],
    ids=["a kernel larger than the picture", "channels that follow the size"],
)
def test_sizes_that_onnx_can_not_leave_free(text, reason):
    net = loads(text)
    net.fill(0)
    onnx_bridge.to_model(net)
    with pytest.raises(CaffegenError, match=reason):
        onnx_bridge.to_model(net, dynamic_size=True)
