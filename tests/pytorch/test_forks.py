"""The forks' layers in PyTorch: torch.nn's own modules where they are exact, and true gradients."""

import pytest
import torch
from torch import nn

from tests.pytorch.one_layer import one_layer

SHAPE = (2, 4, 4, 6)


@pytest.mark.parametrize(
    ("kind", "body", "module"),
    [
        ("ReLU6", "", nn.ReLU6), ("Mish", "", nn.Mish), ("HardSwish", "", nn.Hardswish),
        ("HardSigmoid", "hard_sigmoid_param { alpha: 0.16666667 }", nn.Hardsigmoid),
        ("SeLu", "", nn.SELU), ("SpatialDropout", "", nn.Dropout2d),
        ("ShuffleChannel", "shuffle_channel_param { group: 2 }", nn.ChannelShuffle),
        ("Padding", "padding_param { pad: 1 }", nn.ZeroPad2d),
        ("Padding", "padding_param { pad_t: 1 pad_value: 2 }", nn.ConstantPad2d),
        ("Permute", "", nn.Identity), ("Gather", "", nn.Identity),
        ("Flip", "flip_param { flip_width: false }", nn.Identity),
        (
            "DepthwiseConvolution",
            "convolution_param { num_output: 4 kernel_size: 3 group: 4 }", nn.Conv2d,
        ),
        ("ConvolutionDepthwise", "convolution_param { kernel_size: 3 }", nn.Conv2d),
    ],
)  # fmt: skip
def test_torch_nn_where_it_is_exact(kind, body, module):
    built = one_layer(kind, [SHAPE], body)
    assert type(built.layer) is module


@pytest.mark.parametrize(
    ("kind", "shapes", "body", "options"),
    [
        pytest.param("Permute", [SHAPE], "permute_param { order: 2 }", {}, id="Permute"),
        pytest.param("Reorg", [SHAPE], "reorg_param { stride: 2 }", {}, id="Reorg"),
        pytest.param("Flip", [SHAPE], "", {}, id="Flip"),
        pytest.param("ReLU6", [SHAPE], "relu6_param { negative_slope: 0.5 }", {}, id="ReLU6"),
        pytest.param("Mish", [SHAPE], "", {}, id="Mish"),
        pytest.param("HardSigmoid", [SHAPE], "", {}, id="HardSigmoid"),
        pytest.param("SeLu", [SHAPE], "selu_param { alpha: 2 }", {}, id="SeLu"),
        pytest.param("CReLU", [SHAPE], "", {}, id="CReLU"),
        pytest.param("Axpy", [(2, 4), (2, 4, 3, 3), (2, 4, 3, 3)], "", {}, id="Axpy"),
        pytest.param(
            "MatMul", [(2, 3, 4), (2, 5, 4)], "matmul_param { transpose_b: true }", {}, id="MatMul"
        ),
        pytest.param("Normalize", [SHAPE], "norm_param { }", {}, id="Normalize"),
        pytest.param(
            "Normalize",
            [SHAPE],
            "norm_param { across_spatial: false channel_shared: false }",
            {},
            id="Normalize by pixel",
        ),
        pytest.param(
            "Normalize", [SHAPE], 'normalize_param { normalize_type: "L1" }', {}, id="Normalize, L1"
        ),
        pytest.param("L2Norm", [(3, 5)], "", {}, id="L2Norm"),
    ],
)
def test_gradient(kind, shapes, body, options):
    """Against finite differences, away from the bends."""
    module = one_layer(kind, shapes, body, **options).double()
    generator = torch.Generator().manual_seed(0)
    bottoms = [
        torch.rand(shape, generator=generator, dtype=torch.float64).add(0.25).requires_grad_()
        for shape in shapes
    ]
    torch.autograd.gradcheck(lambda *values: tuple(module(*values).values()), bottoms)


def test_relu6_has_no_gradient_at_its_ends():
    for body, at_zero in (("", 0.0), ("relu6_param { negative_slope: 0.5 }", 0.5)):
        module = one_layer("ReLU6", [(4,)], body)
        x = torch.tensor([0.0, 3.0, 6.0, 7.0], requires_grad=True)
        next(iter(module(x).values())).sum().backward()
        assert x.grad.tolist() == [at_zero, 1, 0, 0]


@pytest.mark.parametrize(("asked", "gradient"), [("true", True), ("false", False)])
def test_happynear_norms_get_a_gradient_where_they_are_asked_to(asked, gradient):
    module = one_layer(
        "Normalize", [SHAPE], f"normalize_param {{ bp_norm: {asked} }}", tops=("top", "norm")
    )
    x = torch.randn(SHAPE, requires_grad=True)
    assert module(x)["norm"].requires_grad is gradient


def test_the_factor_of_normalize_is_learned_and_comes_back():
    module = one_layer(
        "Normalize", [SHAPE],
        "norm_param { channel_shared: false scale_filler { value: 20 } }", phase="TRAIN",
    )  # fmt: skip
    (top,) = module(torch.randn(SHAPE)).values()
    top.sum().backward()
    (scale,) = module.caffe_blobs("layer")
    assert scale.tolist() == [20.0] * 4
    assert scale.grad.shape == (4,)
