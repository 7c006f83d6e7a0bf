"""What stands around the nodes of a model: names, shapes, outputs, origin, and the refusals."""

import hashlib
import json

import numpy as np
import onnx
import pytest

import caffegen
from caffegen import onnx_bridge
from caffegen.errors import CaffegenError
from caffegen.loader import load, loads
from caffegen.onnx_bridge.write.names import Names
from tests.onnx_bridge.golden_case import GOLDEN, run

INPUT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 4 dim: 4 } } }
"""
CHAIN = (
    INPUT
    + """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 2 kernel_size: 1 bias_term: false } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "abs" type: "AbsVal" bottom: "conv" top: "abs" }
layer { name: "tanh" type: "TanH" bottom: "conv" top: "tanh" }
"""
)
WEIGHTS = {"conv": [np.ones((2, 2, 1, 1), np.float32)]}


def chain():
    return loads(CHAIN, WEIGHTS)


def shape_of(info):
    return [dim.dim_value for dim in info.type.tensor_type.shape.dim]


def test_nodes_have_the_names_of_layers_and_values_those_of_blobs():
    graph = onnx_bridge.to_model(chain()).graph
    assert [node.name for node in graph.node] == ["conv", "relu", "abs", "tanh"]
    assert [list(node.output) for node in graph.node] == [["conv#0"], ["conv"], ["abs"], ["tanh"]]
    assert [tensor.name for tensor in graph.initializer] == ["conv.weight"]
    assert [value.name for value in graph.input] == ["data"]
    assert [value.name for value in graph.output] == ["abs", "tanh"]


def test_every_blob_has_its_shape():
    graph = onnx_bridge.to_model(chain()).graph
    shapes = {info.name: shape_of(info) for info in graph.value_info}
    assert shapes == {"conv#0": [1, 2, 4, 4], "conv": [1, 2, 4, 4]}


def test_an_input_that_is_worked_on_in_place_keeps_its_name():
    net = loads(INPUT + 'layer { name: "relu" type: "ReLU" bottom: "data" top: "data" }')
    model = onnx_bridge.to_model(net)
    assert [value.name for value in model.graph.input] == ["data"]
    assert [value.name for value in model.graph.output] == ["data#1"]
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(told["caffegen.blobs"]) == {"data": "data#1"}


def test_outputs_by_name_leave_out_what_they_do_not_need():
    graph = onnx_bridge.to_model(chain(), outputs=["conv"]).graph
    assert [node.name for node in graph.node] == ["conv", "relu"]
    assert [value.name for value in graph.output] == ["conv"]


def test_an_input_that_the_outputs_do_not_need_goes_too():
    text = (
        CHAIN
        + 'layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 1 } } }'
    )
    net = loads(text, WEIGHTS)
    assert [i.name for i in onnx_bridge.to_model(net).graph.input] == ["data", "label"]
    assert [i.name for i in onnx_bridge.to_model(net, outputs=["abs"]).graph.input] == ["data"]


def test_an_input_may_be_an_output():
    x = np.ones((1, 2, 4, 4), np.float32)
    found = run(onnx_bridge.to_model(loads(INPUT)), {"data": x})
    np.testing.assert_array_equal(found["data"], x)


def test_origin(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text('name: "chain"\n' + CHAIN)
    loads(CHAIN, WEIGHTS).save(caffemodel=tmp_path / "w.caffemodel")
    model = onnx_bridge.to_model(load(path, tmp_path / "w.caffemodel"))
    assert (model.producer_name, model.producer_version) == ("caffegen", caffegen.__version__)
    assert model.graph.name == "chain"
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        "caffegen.phase": "TEST",
        "caffegen.source": "net.prototxt",
        "caffegen.source_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "caffegen.weights": "w.caffemodel",
    }


@pytest.mark.parametrize(("opset", "ir"), [(None, 8), (13, 7), (17, 8), (21, 10), (26, 13)])
def test_opset(opset, ir):
    model = onnx_bridge.to_model(chain(), opset=opset)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", opset or 17)]
    assert model.ir_version == ir


@pytest.mark.parametrize("opset", [12, 27, -1])
def test_opset_out_of_range_says_so(opset):
    with pytest.raises(CaffegenError) as caught:
        onnx_bridge.to_model(chain(), opset=opset)
    assert str(caught.value) == f"the opset is {opset}; caffegen writes 13 to 26"


def test_names_that_are_no_utf8():
    text = CHAIN.replace('"conv"', '"c\\377nv"')
    net = loads(text, {"c\udcffnv": WEIGHTS["conv"]})
    model = onnx_bridge.to_model(net)
    onnx.checker.check_model(model, True)
    assert model.graph.node[0].name == "c\ufffdnv"


def test_names_that_would_meet():
    names = Names()
    assert [names.own(name) for name in ("a", "a", "a_1", "a", "")] == [
        "a",
        "a_1",
        "a_1_1",
        "a_2",
        "_1",
    ]


def test_a_blob_that_is_called_like_a_weight():
    text = CHAIN.replace('top: "abs"', 'top: "conv.weight"')
    model = onnx_bridge.to_model(loads(text, WEIGHTS))
    onnx.checker.check_model(model, True)
    assert [tensor.name for tensor in model.graph.initializer] == ["conv.weight_1"]


def test_equal_constants_are_kept_once():
    text = INPUT + "".join(
        f'layer {{ name: "{name}" type: "Power" bottom: "data" top: "{name}" power_param {{ scale: 3 }} }}'
        for name in "abc"
    )
    assert [t.name for t in onnx_bridge.to_model(loads(text)).graph.initializer] == ["number_3"]


SHARED = (
    INPUT
    + """
layer { name: "one" type: "Convolution" bottom: "data" top: "one" param { name: "k" }
  convolution_param { num_output: 2 kernel_size: 1 bias_term: false } }
layer { name: "two" type: "Convolution" bottom: "one" top: "two" param { name: "k" }
  convolution_param { num_output: 2 kernel_size: 1 bias_term: false } }
"""
)


def test_shared_weights_are_one_initialiser():
    weight = np.arange(4, dtype=np.float32).reshape(2, 2, 1, 1)
    for weights in ({"one": [weight], "two": [weight]}, {"two": [weight]}):
        model = onnx_bridge.to_model(loads(SHARED, weights))
        assert [tensor.name for tensor in model.graph.initializer] == ["one.weight"]
        x = np.ones((1, 2, 4, 4), np.float32)
        expected = weight[:, :, 0, 0] @ weight[:, :, 0, 0] @ np.ones(2)
        np.testing.assert_allclose(run(model, {"data": x})["two"][0, :, 0, 0], expected)


def test_of_shared_weights_the_last_layer_counts():
    """Caffe copies a caffemodel layer by layer into one memory."""
    fc = """
        layer {{ name: "{0}" type: "InnerProduct" bottom: "{1}" top: "{0}" param {{ name: "w" }}
          inner_product_param {{ num_output: 32 bias_term: false }} }}
    """
    text = INPUT + fc.format("a", "data") + fc.format("b", "a")
    first, last = np.eye(32, dtype=np.float32), np.eye(32, dtype=np.float32) * 3
    x = np.arange(32, dtype=np.float32).reshape(1, 2, 4, 4)
    for given in ({"a": [first], "b": [last]}, {"a": [last]}, {"b": [last]}):
        found = run(onnx_bridge.to_model(loads(text, given)), {"data": x})
        np.testing.assert_array_equal(found["b"], x.reshape(1, 32) * 9)


def test_a_weighted_blob_that_is_read_on_is_an_output_too():
    """By the name that Caffe gives the copy which nothing reads."""
    text = INPUT + (
        'layer { name: "r" type: "ReLU" bottom: "data" top: "a" loss_weight: 2 }\n'
        'layer { name: "t" type: "TanH" bottom: "a" top: "t" }'
    )
    net = loads(text)
    model = onnx_bridge.to_model(net)
    assert [value.name for value in model.graph.output] == ["a_r_0_split_0", "t"]
    assert [node.name for node in model.graph.node] == ["r", "t", "a_r_0_split_0"]
    x = np.arange(-16, 16, dtype=np.float32).reshape(1, 2, 4, 4)
    np.testing.assert_array_equal(run(model, {"data": x})["a_r_0_split_0"], np.maximum(x, 0))
    alone = onnx_bridge.to_model(net, outputs=["a_r_0_split_0"])
    assert [node.name for node in alone.graph.node] == ["r", "a_r_0_split_0"]


def test_a_weighted_batch_norm_stays_apart_from_its_scale():
    text = INPUT + (
        'layer { name: "bn" type: "BatchNorm" bottom: "data" top: "n" loss_weight: 1 }\n'
        'layer { name: "scale" type: "Scale" bottom: "n" top: "s" }'
    )
    ones = np.ones(2, np.float32)
    net = loads(text, {"bn": [ones, ones * 3, ones[:1]], "scale": [ones * 2]})
    x = np.full((1, 2, 4, 4), 4, np.float32)
    found = run(onnx_bridge.to_model(net, fold=True), {"data": x})
    np.testing.assert_allclose(found["n_bn_0_split_0"], (x - 1) / 3**0.5, 1e-4)
    np.testing.assert_allclose(found["s"], 2 * (x - 1) / 3**0.5, 1e-4)


def test_weights_shared_in_another_shape():
    text = (
        INPUT
        + """
layer { name: "a" type: "Scale" bottom: "data" top: "a" param { name: "k" } scale_param { axis: 1 } }
layer { name: "b" type: "Scale" bottom: "a" top: "b" param { name: "k" share_mode: PERMISSIVE }
  scale_param { axis: 2 num_axes: 1 } }
""".replace("dim: 2 dim: 4 dim: 4", "dim: 4 dim: 4 dim: 1").replace(
            "axis: 1", "axis: 1 num_axes: 1"
        )
    )
    net = loads(
        text.replace("dim: 2 dim: 4 dim: 4", "dim: 4 dim: 4 dim: 1"),
        {"a": [np.arange(4, dtype=np.float32)]},
    )
    model = onnx_bridge.to_model(net)
    assert sum(tensor.name.endswith(".scale") for tensor in model.graph.initializer) == 1
    shape = net.shapes["data"]
    found = run(model, {"data": np.ones(shape, np.float32)})["b"]
    factors = np.arange(4, dtype=np.float32)
    np.testing.assert_allclose(
        found, np.broadcast_to(factors[:, None, None] * factors[:, None], shape)
    )


def test_a_net_without_weights_says_so():
    with pytest.raises(CaffegenError) as caught:
        onnx_bridge.to_model(loads(CHAIN))
    assert str(caught.value) == "layer `conv` has weights, and the net was loaded without any"


def test_a_layer_without_weights_says_so():
    net = loads(CHAIN, {"other": [np.ones(1, np.float32)]})
    with pytest.raises(CaffegenError, match=r"^the weights hold nothing for layer `conv`$"):
        onnx_bridge.to_model(net)


def test_an_unknown_blob_says_so():
    with pytest.raises(CaffegenError, match=r"^the net has no blob `tanj`; did you mean `tanh`\?$"):
        onnx_bridge.to_model(chain(), outputs=["tanj"])


def test_an_input_of_unknown_shape_says_so():
    net = loads("""
layer { name: "d" type: "Data" top: "data" data_param { source: "db" batch_size: 2 } }
layer { name: "r" type: "ReLU" bottom: "data" top: "r" }
""")
    with pytest.raises(CaffegenError) as caught:
        onnx_bridge.to_model(net)
    assert str(caught.value) == (
        "the shape of the input blob `data` can't be told from the file; give it, as in --input "
        "data=1,3,224,224"
    )


FILTERED = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 } } }
layer { name: "s" type: "Input" top: "s" input_param { shape { dim: 4 } } }
layer { name: "f" type: "Filter" bottom: "x" bottom: "s" top: "f" }
"""


def test_how_many_items_pass_a_filter_is_free_behind_it():
    text = (
        FILTERED
        + """
layer { name: "r" type: "ReLU" bottom: "f" top: "r" }
layer { name: "t" type: "Tile" bottom: "r" top: "t" tile_param { axis: 1 tiles: 2 } }
layer { name: "v" type: "Reshape" bottom: "t" top: "v" reshape_param { shape { dim: -1 dim: 2 } } }
"""
    )
    model = onnx_bridge.to_model(loads(text))
    dims = {
        info.name: [
            dim.dim_value or dim.dim_param or None for dim in info.type.tensor_type.shape.dim
        ]
        for info in [*model.graph.value_info, *model.graph.output]
    }
    assert dims == {"f": [None, 3], "r": [None, 3], "t": [None, 6], "v": [None, 2]}
    x = np.arange(12, dtype=np.float32).reshape(4, 3) - 6
    found = run(model, {"x": x, "s": np.array([1, 0, 0, 1], np.float32)})["v"]
    np.testing.assert_array_equal(found, np.tile(np.maximum(x[[0, 3]], 0), 2).reshape(-1, 2))


def test_a_layer_that_fixes_what_a_filter_leaves_open_says_so():
    text = (
        FILTERED
        + """
layer { name: "b" type: "Reshape" bottom: "f" top: "b" reshape_param { shape { dim: 12 } } }
"""
    )
    with pytest.raises(CaffegenError, match=r"^the size of `f` can't be free; at 7: ") as caught:
        onnx_bridge.to_model(loads(text))
    assert "21" in str(caught.value)


@pytest.mark.parametrize("opset", [13, 17, 21, 26])
def test_a_net_by_opset(opset):
    net = load(GOLDEN / "nets/se_net.prototxt", GOLDEN / "nets/se_net.caffemodel")
    with np.load(GOLDEN / "nets/se_net.npz") as values:
        found = run(onnx_bridge.to_model(net, opset=opset), {"data": values["in/data"]})
        for name, array in found.items():
            np.testing.assert_allclose(array, values[f"out/{name}"], 1e-4, 1e-5)


@pytest.mark.parametrize("name", ["bottleneck", "mobilenet", "inception", "se_net", "resnet18"])
def test_no_initialiser_is_left_unread(name):
    folder = GOLDEN / "nets"
    net = caffegen.load(folder / f"{name}.prototxt", folder / f"{name}.caffemodel")
    graph = onnx_bridge.to_model(net).graph
    read = {name for node in graph.node for name in node.input} | {out.name for out in graph.output}
    assert [tensor.name for tensor in graph.initializer if tensor.name not in read] == []


def test_a_scale_of_a_shape_that_only_the_data_tell_is_refused_with_the_reason():
    net = loads("""
layer { name: "data" type: "Data" top: "data" data_param { source: "db" batch_size: 1 } }
layer { name: "bn" type: "BatchNorm" bottom: "data" top: "bn" }
layer { name: "scale" type: "Scale" bottom: "bn" top: "bn" scale_param { bias_term: true } }
""")
    with pytest.raises(
        CaffegenError, match="the shape of the input blob `data` can't be told from"
    ):
        onnx_bridge.to_model(net)
