"""What follows a convolution or a product, folded into it and fused; exact to 1e-5."""

import numpy as np
import pytest

from caffegen import onnx_bridge
from caffegen.analysis.fill import fill_params
from caffegen.loader import load, loads
from tests.onnx_bridge.golden_case import GOLDEN, arrays, run

DATA = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 dim: 6 dim: 6 } } }
"""
CONV = """
layer { name: "conv" type: "Convolution" bottom: "x" top: "y"
  convolution_param { num_output: 6 kernel_size: 3 group: 2 bias_term: false } }
"""
NORM = """
layer { name: "bn" type: "BatchNorm" bottom: "y" top: "y" }
layer { name: "scale" type: "Scale" bottom: "y" top: "y" scale_param { bias_term: true } }
"""


def filled(text):
    """The net with random weights of every kind, statistics too."""
    graph = loads(text).graph
    rng = np.random.default_rng(0)
    weights = {
        name: [rng.uniform(0.5, 1.5, array.shape).astype(np.float32) for array in blobs]
        for name, blobs in fill_params(graph, 0).items()
    }
    return loads(text, weights)


def ops(model):
    return [node.op_type for node in model.graph.node]


def same(net, **options):
    """The folded model, which gives what the plain one gives."""
    rng = np.random.default_rng(1)
    feeds = {name: rng.normal(size=net.shapes[name]).astype(np.float32) for name in net.inputs}
    folded = onnx_bridge.to_model(net, fold=True, **options)
    plain, found = run(onnx_bridge.to_model(net, **options), feeds), run(folded, feeds)
    for name, array in plain.items():
        np.testing.assert_allclose(found[name], array, 1e-5, 1e-5 * np.abs(array).max())
    return folded


FOLDED = {
    "batch norm and scale": DATA + CONV + NORM,
    "bias behind scale": DATA + CONV + NORM + 'layer { name: "b" type: "Bias" bottom: "y" top: "z" }',
    "conv with a bias": DATA + CONV.replace("bias_term: false", "") + NORM,
    "one factor for all": DATA + CONV
    + 'layer { name: "s" type: "Scale" bottom: "y" top: "z" scale_param { num_axes: 0 } }',
    "transposed": DATA + CONV.replace('"Convolution"', '"Deconvolution"') + NORM,
    "power": DATA + CONV
    + 'layer { name: "p" type: "Power" bottom: "y" top: "z" power_param { scale: 2 shift: 3 } }',
}  # fmt: skip


@pytest.mark.parametrize("text", FOLDED.values(), ids=FOLDED)
def test_one_node_is_left(text):
    model = same(filled(text))
    assert len(model.graph.node) == 1
    assert model.graph.node[0].name == "conv"
    assert len(model.graph.initializer) == 2


@pytest.mark.parametrize("transpose", ["true", "false"])
def test_product(transpose):
    text = (
        DATA
        + f"""
layer {{ name: "fc" type: "InnerProduct" bottom: "x" top: "y"
  inner_product_param {{ num_output: 6 transpose: {transpose} }} }}
"""
        + NORM
    )
    assert ops(same(filled(text))) == ["Flatten", "Gemm"]


KEPT = {
    "a blob that is read twice": (
        DATA + CONV.replace('top: "y"', 'top: "w"') + NORM.replace('bottom: "y" top: "y" }\nlayer { name: "s',
        'bottom: "w" top: "y" }\nlayer { name: "s', 1)
        + 'layer { name: "e" type: "Eltwise" bottom: "w" bottom: "y" top: "z" }',
        ["Conv", "BatchNormalization", "Add"],
    ),
    "a factor along another axis": (
        DATA + CONV + 'layer { name: "s" type: "Scale" bottom: "y" top: "z" scale_param { axis: 2 } }',
        ["Conv", "Mul"],
    ),
    "a factor that is computed": (
        DATA + 'layer { name: "f" type: "Input" top: "f" input_param { shape { dim: 2 dim: 6 } } }'
        + CONV + 'layer { name: "s" type: "Scale" bottom: "y" bottom: "f" top: "z" scale_param { axis: 0 } }',
        ["Conv", "Reshape", "Mul"],
    ),
    "statistics of the batch": (
        DATA + CONV + 'layer { name: "bn" type: "BatchNorm" bottom: "y" top: "z" '
        "batch_norm_param { use_global_stats: false } }",
        ["Conv", "ReduceMean", "Sub", "Mul", "ReduceMean", "Add", "Sqrt", "Div"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), KEPT.values(), ids=KEPT)
def test_what_can_not_be_folded_stays(text, expected):
    assert ops(same(filled(text))) == expected


def test_a_blob_that_is_asked_for_stays():
    text = (
        DATA
        + CONV.replace('top: "y"', 'top: "w"')
        + NORM.replace('bottom: "y" top: "y" }', 'bottom: "w" top: "y" }', 1)
    )
    model = same(filled(text), outputs=["w", "y"])
    assert ops(model) == ["Conv", "BatchNormalization"]


def test_shared_weights_stay():
    conv = CONV.replace('top: "y"', 'top: "w"').replace(
        "convolution_param", 'param { name: "k" } convolution_param'
    )
    twin = conv.replace('"conv"', '"twin"').replace('top: "w"', 'top: "y"')
    graph_text = DATA + conv + twin + NORM
    assert ops(same(filled(graph_text))) == ["Conv", "Conv", "BatchNormalization"]


def test_fused_with_the_scale_behind_it():
    model = onnx_bridge.to_model(filled(DATA + CONV + NORM))
    assert ops(model) == ["Conv", "BatchNormalization"]
    node = model.graph.node[1]
    assert (node.name, node.doc_string) == ("bn", "with the Scale layer `scale`")
    assert list(node.input[1:]) == ["scale.scale", "scale.bias", "bn.mean", "bn.variance"]


APART = {
    "the value between is read elsewhere": NORM.replace('top: "y" }\nlayer { name: "scale" type: "Scale" bottom: "y" top: "y"',
        'top: "n" }\nlayer { name: "scale" type: "Scale" bottom: "n" top: "z"', 1)
        + 'layer { name: "r" type: "ReLU" bottom: "n" top: "r" }',
    "the factor is along another axis": NORM.replace("bias_term: true", "axis: 2"),
    "the factor has all axes": NORM.replace("bias_term: true", "num_axes: 2"),
    "batch statistics": NORM.replace('top: "y" }', 'top: "y" batch_norm_param { use_global_stats: false } }', 1),
}  # fmt: skip


@pytest.mark.parametrize("norm", APART.values(), ids=APART)
def test_not_fused(norm):
    model = onnx_bridge.to_model(filled(DATA + CONV + norm))
    assert "Mul" in ops(model)


def test_a_factor_of_0_makes_the_statistics_0():
    net = loads(DATA.replace("dim: 6 dim: 6", "") + 'layer { name: "bn" type: "BatchNorm" bottom: "x" top: "y" batch_norm_param { eps: 4 } }',
                {"bn": [np.full(4, 7, np.float32), np.full(4, 9, np.float32), np.zeros(1, np.float32)]})  # fmt: skip
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_allclose(run(onnx_bridge.to_model(net), {"x": x})["y"], x / 2)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet", "bottleneck", "plain20"])
def test_golden_nets_have_no_batch_norm_left(name):
    net = load(GOLDEN / f"nets/{name}.prototxt", GOLDEN / f"nets/{name}.caffemodel")
    model = onnx_bridge.to_model(net, fold=True)
    assert not {"BatchNormalization", "Mul"} & set(ops(model))
    values = arrays(f"nets/{name}.npz")
    feeds = {key[3:]: array for key, array in values.items() if key.startswith("in/")}
    for blob, array in run(model, feeds).items():
        np.testing.assert_allclose(array, values[f"out/{blob}"], 1e-4, 1e-5)


def test_what_a_graph_inside_a_node_reads_stays():
    """The Scan of a DetectionOutput with `eta` has constants that nothing else reads."""
    text = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}'
        for name, dims in (
            ("loc", "dim: 1 dim: 40"), ("conf", "dim: 1 dim: 30"), ("prior", "dim: 1 dim: 2 dim: 40"),
        )
    )  # fmt: skip
    text += """
        layer { name: "found" type: "DetectionOutput" bottom: "loc" bottom: "conf" bottom: "prior"
          top: "found" detection_output_param { num_classes: 3 keep_top_k: 5 confidence_threshold: 0.1
            nms_param { nms_threshold: 0.9 eta: 0.8 } } }
    """
    assert "Scan" in ops(same(loads(text)))
