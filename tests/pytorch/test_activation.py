"""Layers that work on every value alone: modules, gradients, and what is random."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from tests.pytorch.golden_case import layer_cases
from tests.pytorch.one_layer import one_layer

GRADIENTS = {
    "AbsVal": "", "BNLL": "", "Clip": "clip_param { min: -0.5 max: 0.8 }",
    "ELU": "elu_param { alpha: 0.7 }", "Exp": "exp_param { base: 3 scale: 0.2 shift: 1 }",
    "Log": "log_param { base: 2 scale: 0.1 shift: 9 }", "PReLU": "",
    "Power": "power_param { power: 3 scale: 0.5 shift: 0.2 }",
    "ReLU": "relu_param { negative_slope: 0.1 }", "Sigmoid": "", "Swish": "swish_param { beta: 2 }",
    "TanH": "",
}  # fmt: skip


@pytest.mark.parametrize("type_name", GRADIENTS)
def test_gradient(type_name):
    module = one_layer(type_name, [(2, 3, 4)], GRADIENTS[type_name]).double()
    x = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: module(x)["top"], x)


@pytest.mark.parametrize(
    ("type_name", "body", "expected"),
    [
        ("ReLU", "", nn.ReLU),
        ("ReLU", "relu_param { negative_slope: 0.1 }", nn.LeakyReLU),
        ("Sigmoid", "", nn.Sigmoid),
        ("TanH", "", nn.Tanh),
        ("ELU", "", nn.ELU),
        ("Dropout", "", nn.Dropout),
        ("PReLU", "", nn.PReLU),
        ("Swish", "", nn.SiLU),
    ],
)
def test_standard_module(type_name, body, expected):
    assert type(one_layer(type_name, [(2, 3)], body).layer) is expected


def test_bnll_past_the_threshold():
    """Softplus turns linear at 20, Caffe never does: the difference is below 3e-9."""
    module = one_layer("BNLL", [(4,)])
    x = torch.tensor([-30.0, 19.9, 20.1, 88.0], dtype=torch.float64)
    expected = [math.log1p(math.exp(value)) for value in x.tolist()]
    np.testing.assert_allclose(module(x)["top"], expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("body", "expected"),
    [("power: 0", 1), ("scale: 0 shift: 3 power: 2", 9), ("scale: 0 power: 1", 0)],
)
def test_constant_power_cuts_the_gradient(body, expected):
    x = torch.tensor([1.0, -2.0, math.inf, math.nan], requires_grad=True)
    top = one_layer("Power", [(4,)], f"power_param {{ {body} }}")(x)["top"]
    assert top.tolist() == [expected] * 4
    top[:2].sum().backward()
    assert x.grad[:2].tolist() == [0, 0]


def test_clip_with_its_bounds_reversed():
    x = torch.tensor([-1.0, 0.0, 1.0], requires_grad=True)
    top = one_layer("Clip", [(3,)], "clip_param { min: 0.5 max: -0.5 }")(x)["top"]
    assert top.tolist() == [0.5] * 3
    top.sum().backward()
    assert x.grad.tolist() == [0, 0, 0]


def test_threshold_has_no_gradient():
    x = torch.tensor([0.4, 0.5, 0.6], requires_grad=True)
    top = one_layer("Threshold", [(3,)], "threshold_param { threshold: 0.5 }")(x)["top"]
    assert top.tolist() == [0, 0, 1]
    assert not top.requires_grad


def test_shared_slope_has_no_axes():
    body = "prelu_param { channel_shared: true filler { value: 0.5 } }"
    module = one_layer("PReLU", [(2, 3)], body)
    (slope,) = module.caffe_blobs("layer")
    assert slope.shape == ()
    module(torch.tensor([[-2.0, 4.0, 0.0]]))["top"].sum().backward()
    assert slope.grad.item() == -2


DROPOUTS = [case for case in layer_cases() if case.type == "Dropout" and case.case.get("random")]


@pytest.mark.parametrize("case", DROPOUTS, ids=lambda case: case.name)
def test_dropout_keeps_scaled_values_or_none(case):
    """What Caffe's own values show, ours show too: each is 0 or the bottom times one factor."""
    module = case.build()
    (name,) = module.output_names
    bottom = case.values("in")["data"]
    ratio = next(m for m in module.modules() if isinstance(m, nn.Dropout)).p
    caffe, gradient = case.values("out")[name], case.values("indiff")["data"]
    leaf = torch.tensor(bottom, requires_grad=True)
    torch.manual_seed(0)
    ours = module(leaf)[name]
    ours.backward(torch.from_numpy(case.values("topdiff")[name]))
    for top, diff in ((caffe, gradient), (ours.detach().numpy(), leaf.grad.numpy())):
        kept = top != 0
        np.testing.assert_allclose(top[kept], bottom[kept] / (1 - ratio), rtol=1e-5)
        above = case.values("topdiff")[name]
        np.testing.assert_allclose(diff, np.where(kept, above / (1 - ratio), 0), rtol=1e-5)
    many = module(torch.ones(200, *bottom.shape[1:]))[name]
    assert float((many == 0).float().mean()) == pytest.approx(ratio, abs=0.05)
    assert torch.equal(module.eval()(leaf)[name], leaf)


@pytest.mark.parametrize("ratio", [0, 1])
def test_dropout_at_its_bounds(ratio):
    body = f"dropout_param {{ dropout_ratio: {ratio} }}"
    module = one_layer("Dropout", [(2, 3)], body, phase="TRAIN")
    x = torch.randn(2, 3)
    torch.testing.assert_close(module(x)["top"], x * (1 - ratio))
