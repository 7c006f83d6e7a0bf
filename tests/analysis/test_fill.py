"""Filled weights: by the net's fillers, the same for the same seed, and with a net that lives."""

from math import inf

import numpy as np
import pytest

import caffegen
from caffegen.analysis.fill import fill_params
from caffegen.analysis.moments import expect
from caffegen.errors import CaffegenError
from caffegen.zoo import resnet

INPUT = (
    'layer { name: "data" type: "Input" top: "data" '
    "input_param { shape { dim: 1 dim: 4 dim: 9 dim: 9 } } }\n"
)


def layer(type_name, param, name="w", bottom="data", top="w"):
    return (
        f'layer {{ name: "{name}" type: "{type_name}" bottom: "{bottom}" top: "{top}" {param} }}\n'
    )


def filled(text, seed=0, **options):
    return fill_params(caffegen.loads(text).graph, seed, **options)


def conv(words="", name="w", bottom="data"):
    param = f"convolution_param {{ num_output: 64 kernel_size: 3 {words} }}"
    return layer("Convolution", param, name, bottom, name)


def test_same_seed_same_bytes():
    text = INPUT + conv()
    first, again, other = (filled(text, seed)["w"][0].tobytes() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_each_layer_has_its_own_stream():
    """A layer's weights follow from the seed and its name, not from the layers before it."""
    alone, behind = filled(INPUT + conv()), filled(INPUT + conv(name="first") + conv())
    assert alone["w"][0].tobytes() == behind["w"][0].tobytes()
    assert behind["w"][0].tobytes() != behind["first"][0].tobytes()


def test_only_some_layers():
    graph = caffegen.loads(INPUT + conv(name="x") + conv(name="y")).graph
    assert list(fill_params(graph, 0, only=graph.nodes[2:])) == ["y"]


@pytest.mark.parametrize(
    ("words", "deviation", "mean"),
    [
        ("", (2 / 36) ** 0.5, 0),
        ('weight_filler { type: "msra" }', (2 / 36) ** 0.5, 0),
        ('weight_filler { type: "xavier" }', (1 / 36) ** 0.5, 0),
        ('weight_filler { type: "gaussian" std: 0.5 mean: 2 }', 0.5, 2),
        ('weight_filler { type: "uniform" min: -1 max: 3 }', (16 / 12) ** 0.5, 1),
        ("weight_filler { value: 3 }", 0, 3),
    ],
)
def test_fillers(words, deviation, mean):
    weight, bias = filled(INPUT + conv(words))["w"]
    assert weight.dtype == np.float32
    assert weight.shape == (64, 4, 3, 3)
    assert float(weight.std()) == pytest.approx(deviation, rel=0.05)
    assert float(weight.mean()) == pytest.approx(mean, abs=0.05)
    assert not bias.any()


def test_declared_bias():
    assert (filled(INPUT + conv("bias_filler { value: 0.2 }"))["w"][1] == np.float32(0.2)).all()


def test_strict_is_as_caffe():
    text = INPUT + conv() + layer("BatchNorm", "", "norm", "w", "n")
    blobs = filled(text, strict=True)
    assert not any(array.any() for arrays in blobs.values() for array in arrays)


def test_weights_stored_inputs_first_are_scaled_by_their_inputs():
    """324 inputs, 8 outputs: Caffe's count along axis 0 would take the 8."""
    param = "inner_product_param { num_output: 8 transpose: true }"
    weight, _ = filled(INPUT + layer("InnerProduct", param))["w"]
    assert weight.shape == (324, 8)
    assert float(weight.std()) == pytest.approx((2 / 324) ** 0.5, rel=0.05)


def test_values_in_the_text_stay():
    stored = "blobs { shape { dim: 4 } data: 1 data: 2 data: 3 data: 4 }"
    (factors,) = filled(INPUT + layer("Scale", stored))["w"]
    assert factors.tolist() == [1, 2, 3, 4]


def test_a_filler_that_can_not_fill_names_the_layer():
    graph = caffegen.loads(INPUT + conv('weight_filler { type: "msra" }')).graph
    graph.nodes[1].message.convolution_param.weight_filler.set("type", "nonesuch")
    with pytest.raises(CaffegenError, match="layer `w` can't be filled: no filler type `nonesuch`"):
        fill_params(graph, 0)


def test_statistics_follow_the_values():
    """msra doubles the second moment of the bottom; ReLU halves it; SUM adds."""
    text = INPUT + conv('pad: 0 weight_filler { type: "msra" }')
    relu = layer("ReLU", "", "r", "w", "r")
    total = layer("Eltwise", 'bottom: "w"', "s", "w", "s")
    for between, blob, expected in (("", "w", 2), (relu, "r", 1), (total, "s", 4)):
        mean, variance, factor = filled(text + between + layer("BatchNorm", "", "norm", blob, "n"))[
            "norm"
        ]
        assert not mean.any()
        np.testing.assert_allclose(variance, expected, rtol=1e-6)
        assert factor.tolist() == [1]


@pytest.mark.parametrize("style", ["original", "torchvision"])
def test_deep_nets_live(style):
    """152 layers with seeded weights: activations of one order, and a softmax that is not one-hot."""
    import torch

    from caffegen import pytorch

    net = caffegen.loads(resnet(depth=152, style=style, input_size=96))
    module = pytorch.build(net)
    torch.manual_seed(0)
    with torch.no_grad():
        blobs = module.run(torch.randn(2, 3, 96, 96))
    sizes = [float(b.square().mean()) for name, b in blobs.items() if name not in ("prob", "data")]
    assert min(sizes) > 0.02
    assert max(sizes) < 50
    assert float(blobs["prob"].max()) < 0.5


@pytest.mark.parametrize(
    ("dialect", "spread"), [("yjxiong", lambda v: v), ("happynear", lambda v: (v + 1e-5) ** -0.5)]
)
def test_bn_of_the_forks_is_filled_with_the_expected_variance(dialect, spread):
    text = """
input: "data" input_shape { dim: 2 dim: 8 dim: 6 dim: 6 }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 8 kernel_size: 1 weight_filler { type: "gaussian" std: 2 } } }
layer { name: "bn" type: "BN" bottom: "conv" top: "bn" bn_param { eps: 1e-5 } }
"""
    graph = caffegen.loads(text, dialect=dialect).graph
    slope, bias, mean, found = fill_params(graph, 0)["bn"]
    assert set(slope.flat) == {1.0}
    assert set(bias.flat) == set(mean.flat) == {0.0}
    # eight products of variance 4 each
    np.testing.assert_allclose(found, spread(32.0), rtol=1e-6)
    strict = fill_params(graph, 0, strict=True)["bn"]
    assert set(strict[0].flat) == {0.0}


def chain(links, body):
    """Convolutions that nothing normalises, one behind the other, without fillers."""
    layers = ['input: "data" input_shape { dim: 2 dim: 16 dim: 9 dim: 9 }']
    before = "data"
    for index in range(links):
        layers.append(body.format(before=before, name=f"l{index}"))
        before = f"l{index}"
    return "\n".join(layers)


CONVOLUTION = (
    'layer {{ name: "{name}{end}" type: "Convolution" bottom: "{before}" top: "{name}{end}" '
    "convolution_param {{ num_output: 16 kernel_size: 1 }} }}\n"
)
SEPARABLE = CONVOLUTION.replace("{end}", "")
RESIDUAL = CONVOLUTION.replace("{end}", "/conv") + (
    'layer {{ name: "{name}" type: "Eltwise" bottom: "{before}" bottom: "{name}/conv" top: "{name}" }}'
)
PLAIN = SEPARABLE + 'layer {{ name: "{name}/relu" type: "ReLU" bottom: "{name}" top: "{name}" }}'


@pytest.mark.parametrize("body", [SEPARABLE, RESIDUAL], ids=["no ReLU", "residual"])
def test_deep_nets_whose_normalisation_was_merged_live(body):
    import torch

    from caffegen import pytorch

    net = caffegen.loads(chain(40, body))
    strict = fill_params(net.graph, 0, strict=True)
    assert all(not blob.any() for blobs in strict.values() for blob in blobs)
    module = pytorch.build(caffegen.loads(net.message, fill_params(net.graph, 0)))
    torch.manual_seed(0)
    with torch.no_grad():
        blobs = module.run(torch.randn(2, 16, 9, 9))
    # as msra alone has it they grow by 2 a layer, to 2^40
    sizes = [float(blob.square().mean()) for name, blob in blobs.items()]
    assert min(sizes) > 0.02
    assert max(sizes) < 100


def test_what_does_not_grow_is_filled_as_by_msra():
    bare = caffegen.loads(chain(12, PLAIN))
    told = PLAIN.replace("kernel_size: 1", 'kernel_size: 1 weight_filler {{ type: "msra" }}')
    declared = caffegen.loads(chain(12, told))
    found, expected = fill_params(bare.graph, 3), fill_params(declared.graph, 3)
    assert all((found[name][0] == expected[name][0]).all() for name in expected)


@pytest.mark.parametrize(
    "body",
    [
        'layer {{ name: "{name}" type: "Power" bottom: "{before}" top: "{name}" power_param {{ power: 99 scale: 3e38 }} }}',
        'layer {{ name: "{name}" type: "LRN" bottom: "{before}" top: "{name}" lrn_param {{ k: -1 beta: 0.5 }} }}',
        'layer {{ name: "{name}" type: "Pooling" bottom: "{before}" top: "{name}" pooling_param {{ kernel_size: 1000000000 stride: 1000000000 pad: 999999999 }} }}',
        PLAIN.replace(
            "kernel_size: 1",
            'kernel_size: 1 weight_filler {{ type: "gaussian" mean: 1e30 std: 1e30 }}',
        ),
    ],
    ids=["power", "root of what is negative", "window", "weights"],
)
def test_values_without_end_are_reckoned_with(body):
    text = chain(12, body) + '\nlayer { name: "bn" type: "BatchNorm" bottom: "l11" top: "bn" }'
    (variance,) = expect(caffegen.loads(text).graph).variances.values()
    assert 0 < variance < inf


@pytest.mark.parametrize(
    "kind", ["BatchNorm", "Bias", "Convolution", "InnerProduct", "PReLU", "Scale"]
)
def test_layers_of_shapes_that_only_the_data_tell_are_passed_over(kind):
    data = 'layer { name: "data" type: "Data" top: "data" data_param { source: "db" batch_size: 1 } }\n'
    words = {
        "Convolution": "convolution_param { num_output: 2 kernel_size: 1 }",
        "InnerProduct": "inner_product_param { num_output: 2 }",
    }
    assert filled(data + layer(kind, words.get(kind, ""))) == {}
