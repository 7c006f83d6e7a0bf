"""BatchNorm with Caffe's sums and factor, alone and with the Scale behind it; LRN and MVN."""

import numpy as np
import pytest
import torch
from torch import nn

from caffegen.errors import CaffegenError
from caffegen.loader import loads
from caffegen.pytorch import build
from tests.pytorch.one_layer import one_layer

SUMS = [
    np.array([3.0, -2.0], np.float32), np.array([8.0, 4.0], np.float32), np.array([4.0], np.float32)
]  # fmt: skip


def pair_text(scale="scale_param { bias_term: true }", *, norm="", top="top", between=""):
    return f"""
    layer {{ name: "a" type: "Input" top: "a" input_param {{ shape {{ dim: 2 dim: 2 dim: 3 dim: 3 }} }} }}
    layer {{ name: "norm" type: "BatchNorm" bottom: "a" top: "normed" {norm} }}
    {between}
    layer {{ name: "scale" type: "Scale" bottom: "normed" top: "{top}" {scale} }}"""


def pair(*args, weights=None, phase="TEST", **options):
    given = weights or {
        "norm": SUMS,
        "scale": [np.array([2, 3], np.float32), np.array([1, -1], np.float32)],
    }
    return build(loads(pair_text(*args, **options), given, phase=phase))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((4, 2), nn.BatchNorm1d),
        ((4, 2, 5), nn.BatchNorm1d),
        ((4, 2, 5, 3), nn.BatchNorm2d),
        ((4, 2, 5, 3, 2), nn.BatchNorm3d),
        ((4, 2, 5, 3, 2, 2), nn.modules.batchnorm._BatchNorm),
    ],
)
@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_any_number_of_axes(shape, expected, phase):
    module = one_layer("BatchNorm", [shape], weights=SUMS, phase=phase)
    assert isinstance(module.layer, expected)
    x = torch.randn(shape, dtype=torch.float64) * 3 + 1
    axes = [axis for axis in range(len(shape)) if axis != 1]
    if phase == "TRAIN":
        mean, variance = x.mean(axes), x.var(axes, unbiased=False)
    else:
        mean, variance = torch.tensor([0.75, -0.5]), torch.tensor([2.0, 1.0])
    view = (-1, *[1] * (len(shape) - 2))
    expected = (x - mean.view(view)) / (variance.view(view) + 1e-5).sqrt()
    torch.testing.assert_close(module.double()(x)["top"], expected)


def test_moving_averages_over_steps():
    """Each sum times the fraction, plus the batch's mean and its variance times m / (m - 1)."""
    body = "batch_norm_param { moving_average_fraction: 0.9 }"
    module = one_layer("BatchNorm", [(2, 2, 3, 3)], body, weights=SUMS, phase="TRAIN").double()
    mean, variance, factor = (torch.from_numpy(array).double() for array in SUMS)
    for _ in range(3):
        x = torch.randn(2, 2, 3, 3, dtype=torch.float64)
        module(x)
        mean = 0.9 * mean + x.mean((0, 2, 3))
        variance = 0.9 * variance + x.var((0, 2, 3), unbiased=False) * 18 / 17
        factor = 0.9 * factor + 1
    for found, expected in zip(module.caffe_blobs("layer"), (mean, variance, factor), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_one_value_for_each_channel():
    """m = 1: torch refuses it; Caffe's variance is 0 and stays uncorrected."""
    module = one_layer("BatchNorm", [(1, 2)], weights=SUMS, phase="TRAIN")
    x = torch.tensor([[5.0, -7.0]], requires_grad=True)
    top = module(x)["top"]
    assert top.tolist() == [[0, 0]]
    top.sum().backward()
    assert x.grad.tolist() == [[0, 0]]
    mean, variance, factor = module.caffe_blobs("layer")
    np.testing.assert_allclose(mean, [3 * 0.999 + 5, -2 * 0.999 - 7], rtol=1e-5)
    np.testing.assert_allclose(variance, [8 * 0.999, 4 * 0.999], rtol=1e-5)
    np.testing.assert_allclose(factor, [4 * 0.999 + 1], rtol=1e-5)


@pytest.mark.parametrize(
    ("word", "phase", "stored"),
    [("true", "TRAIN", True), ("false", "TEST", False), ("true", "TEST", True)],
)
def test_use_global_stats_stands_against_the_phase(word, phase, stored):
    body = f"batch_norm_param {{ use_global_stats: {word} }}"
    module = one_layer("BatchNorm", [(2, 2, 3, 3)], body, weights=SUMS, phase=phase)
    x = torch.randn(2, 2, 3, 3) + 4
    for mode in (True, False):
        module.train(mode)
        before = [blob.clone() for blob in module.caffe_blobs("layer")]
        top = module(x)["top"]
        centred = bool(top.mean().abs() < 1e-3)
        assert centred is not stored
        unchanged = all(map(torch.equal, before, module.caffe_blobs("layer")))
        assert unchanged is stored


def test_factor_zero_means_zeros():
    sums = [SUMS[0], SUMS[1], np.zeros(1, np.float32)]
    module = one_layer("BatchNorm", [(2, 2, 3, 3)], "batch_norm_param { eps: 0.25 }", weights=sums)
    x = torch.randn(2, 2, 3, 3)
    torch.testing.assert_close(module(x)["top"], x * 2)


def test_scale_behind_becomes_one_module():
    module = pair()
    assert isinstance(module.norm, nn.BatchNorm2d)
    assert not hasattr(module, "scale")
    assert list(module.state_dict()) == [
        "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var", "norm.factor",
    ]  # fmt: skip
    for found, expected in zip(module.caffe_blobs("norm"), SUMS, strict=True):
        np.testing.assert_allclose(found, expected)
    weight, bias = module.caffe_blobs("scale")
    assert weight.tolist() == [2, 3]
    assert isinstance(bias, nn.Parameter)


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_the_value_between_is_there(phase):
    together, apart = pair(phase=phase), pair(phase=phase)
    x = torch.randn(2, 2, 3, 3, requires_grad=True)
    blobs = together.run(x, blobs=["normed", "top"])
    torch.testing.assert_close(apart(x)["top"], blobs["top"])
    expected = blobs["normed"] * torch.tensor([2.0, 3.0]).view(2, 1, 1) + torch.tensor(
        [1.0, -1.0]
    ).view(2, 1, 1)
    torch.testing.assert_close(blobs["top"], expected)
    assert set(together.run(x)) == {"a", "normed", "top"}
    blobs["normed"].square().sum().backward()
    assert x.grad.abs().sum() > 0
    if phase == "TRAIN":
        # statistics move once for each pass, whichever blobs are asked for
        torch.testing.assert_close(together.norm.factor, 0.999 * apart.norm.factor + 1)


def test_scale_without_bias():
    weights = {"norm": SUMS, "scale": [np.array([2, 3], np.float32)]}
    module = pair("", weights=weights)
    assert module.norm.bias is None
    x = torch.randn(2, 2, 3, 3)
    blobs = module.run(x, blobs=["normed", "top"])
    torch.testing.assert_close(blobs["top"], module(x)["top"])
    assert len(module.caffe_blobs("scale")) == 1
    module.train()(x)


TWO_READERS = 'layer { name: "r" type: "ReLU" bottom: "normed" top: "r" }'


@pytest.mark.parametrize(
    "options",
    [
        {"scale": "scale_param { axis: 0 num_axes: 2 }"},
        {"scale": "scale_param { num_axes: 0 }"},
        {"scale": "scale_param { num_axes: 2 }"},
        {"between": TWO_READERS},
        {"scale": "propagate_down: false"},
    ],
    ids=["axis-0", "one-number", "two-axes", "two-readers", "cut"],
)
def test_other_scales_stay_apart(options):
    module = build(loads(pair_text(**options), None))
    assert isinstance(module.norm, nn.BatchNorm2d)
    assert not module.norm.affine
    assert hasattr(module, "scale")
    x = torch.randn(2, 2, 3, 3)
    assert module(x)["top"].shape == x.shape


def test_a_state_dict_without_version_loads():
    """As it comes from safetensors: a plain dictionary."""
    module, other = pair(), pair(weights={"norm": [s * 2 for s in SUMS], "scale": [np.ones(2)] * 2})
    other.load_state_dict(dict(module.state_dict()))
    x = torch.randn(2, 2, 3, 3)
    torch.testing.assert_close(module(x)["top"], other(x)["top"])


def test_shared_statistics_move_together():
    text = """
    layer {{ name: "a" type: "Input" top: "a" input_param {{ shape {{ dim: 4 dim: 2 }} }} }}
    layer {{ name: "x" type: "BatchNorm" bottom: "a" top: "x" {0} }}
    layer {{ name: "y" type: "BatchNorm" bottom: "a" top: "y" {0} }}"""
    names = " ".join(f'param {{ name: "{name}" lr_mult: 0 }}' for name in "mvf")
    module = build(loads(text.format(names), phase="TRAIN"))
    module(torch.randn(4, 2))
    assert module.x.factor is module.y.factor
    # twice times 0.999 plus 1, from the filled 1
    np.testing.assert_allclose(module.x.factor, [0.999 * 1.999 + 1], rtol=1e-6)
    halves = 'param { name: "m" lr_mult: 0 }'
    with pytest.raises(CaffegenError, match=r"`y` \(BatchNorm\).*some of its statistics"):
        build(loads(text.format(halves)))


@pytest.mark.parametrize("region", ["ACROSS_CHANNELS", "WITHIN_CHANNEL"])
def test_lrn_by_hand(region):
    body = f"lrn_param {{ local_size: 3 alpha: 0.6 beta: 0.75 norm_region: {region} }}"
    module = one_layer("LRN", [(1, 4, 3, 3)], body).double()
    x = torch.randn(2, 4, 5, 6, dtype=torch.float64)
    squares = nn.functional.pad(x * x, (1, 1, 1, 1, 1, 1))
    if region == "ACROSS_CHANNELS":
        total = sum(squares[:, i : i + 4, 1:-1, 1:-1] for i in range(3)) / 3
    else:
        total = sum(squares[:, 1:-1, i : i + 5, j : j + 6] for i in range(3) for j in range(3)) / 9
    torch.testing.assert_close(module(x)["top"], x / (1 + 0.6 * total) ** 0.75)
    assert isinstance(module.layer, nn.LocalResponseNorm) is (region == "ACROSS_CHANNELS")


@pytest.mark.parametrize("across", ["true", "false"])
@pytest.mark.parametrize("variance", ["true", "false"])
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 3, 4, 5)], ids=str)
def test_mvn_gradient(shape, variance, across):
    body = f"mvn_param {{ normalize_variance: {variance} across_channels: {across} eps: 0.1 }}"
    module = one_layer("MVN", [shape], body).double()
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    assert module(x)["top"].shape == (*shape, 1, 1)[:4]
    assert torch.autograd.gradcheck(lambda x: module(x)["top"], x)


def test_mvn_of_a_constant_has_a_finite_gradient():
    module = one_layer("MVN", [(1, 2, 3, 3)])
    x = torch.ones(1, 2, 3, 3, requires_grad=True)
    top = module(x)["top"]
    top.sum().backward()
    assert not top.any()
    assert torch.isfinite(x.grad).all()
