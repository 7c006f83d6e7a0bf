"""Eltwise, Scale and Bias."""

import numpy as np
import pytest
import torch

from tests.pytorch.one_layer import one_layer

SHAPE = (2, 3, 4)


def test_maximum_gives_its_gradient_to_one():
    """On a tie of the first two to the second; a later one must be larger."""
    module = one_layer("Eltwise", [(1, 4)] * 3, "eltwise_param { operation: MAX }")
    rows = [[1.0, 1, 2, 0], [1.0, 0, 1, 0], [1.0, 1, 2, 3]]
    leaves = [torch.tensor([row], requires_grad=True) for row in rows]
    module(*leaves)["top"].sum().backward()
    assert [leaf.grad.tolist()[0] for leaf in leaves] == [[0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", lambda a, b, c: a + b + c),
        ("eltwise_param { coeff: 2 coeff: -1 coeff: 0.5 }", lambda a, b, c: 2 * a - b + c / 2),
        ("eltwise_param { operation: PROD }", lambda a, b, c: a * b * c),
        ("eltwise_param { operation: PROD stable_prod_grad: false }", lambda a, b, c: a * b * c),
        ("eltwise_param { operation: MAX }", lambda a, b, c: torch.maximum(torch.maximum(a, b), c)),
    ],
    ids=["sum", "coeff", "prod", "prod-unstable", "max"],
)
def test_eltwise(body, expected):
    module = one_layer("Eltwise", [SHAPE] * 3, body)
    leaves = [torch.randn(SHAPE, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    torch.testing.assert_close(module(*leaves)["top"], expected(*leaves))
    assert torch.autograd.gradcheck(lambda *x: module(*x)["top"], leaves)


def test_product_at_zero_has_the_textbook_gradient():
    """Where Caffe divides by the bottom: 0 / 0 with `stable_prod_grad: false`."""
    body = "eltwise_param { operation: PROD stable_prod_grad: false }"
    a, b = torch.zeros(1, requires_grad=True), torch.full((1,), 3.0, requires_grad=True)
    one_layer("Eltwise", [(1,)] * 2, body)(a, b)["top"].sum().backward()
    assert (a.grad.item(), b.grad.item()) == (3, 0)


def test_sum_in_place_keeps_its_bottom():
    """Caffe clears the bottom first; the sum of both is what was meant."""
    a, b = torch.randn(SHAPE), torch.randn(SHAPE)
    before = a.clone()
    module = one_layer("Eltwise", [SHAPE] * 2, in_place=True)
    torch.testing.assert_close(module(a, b)["a"], before + b)
    assert torch.equal(a, before)


@pytest.mark.parametrize(
    ("body", "view"),
    [
        ("", (1, 3, 1)),
        ("scale_param { axis: 0 }", (2, 1, 1)),
        ("scale_param { axis: -1 }", (1, 1, 4)),
        ("scale_param { num_axes: 2 }", (1, 3, 4)),
        ("scale_param { num_axes: -1 axis: 0 }", (2, 3, 4)),
        ("scale_param { num_axes: 0 }", (1, 1, 1)),
    ],
)
def test_scale_and_bias_along_axes(body, view):
    factors = np.random.default_rng(0).standard_normal([s for s in view if s > 1])
    x = torch.randn(SHAPE)
    along = torch.tensor(factors, dtype=torch.float32).view(view)
    module = one_layer("Scale", [SHAPE], body, weights=[factors])
    torch.testing.assert_close(module(x)["top"], x * along)
    assert module.caffe_blobs("layer")[0].shape == factors.shape
    module = one_layer("Bias", [SHAPE], body.replace("scale", "bias"), weights=[factors])
    torch.testing.assert_close(module(x)["top"], x + along)


@pytest.mark.parametrize("kind", ["Scale", "Bias"])
def test_operand_from_the_second_bottom(kind):
    """A gate for each item and channel: Caffe sizes nothing by it, so the batch stays free."""
    body = f"{kind.lower()}_param {{ axis: 0 }}"
    module = one_layer(kind, [SHAPE, SHAPE[:2]], body)
    x, gate = torch.randn(5, 3, 7), torch.randn(5, 3)
    expected = x * gate[..., None] if kind == "Scale" else x + gate[..., None]
    torch.testing.assert_close(module(x, gate)["top"], expected)
    assert not list(module.parameters())


def test_scale_by_a_bottom_with_a_learned_bias():
    body = "scale_param { axis: 1 bias_term: true bias_filler { value: 3 } }"
    module = one_layer("Scale", [SHAPE, (3,)], body)
    x, factors = torch.randn(SHAPE), torch.randn(3)
    (bias,) = module.caffe_blobs("layer")
    assert bias.tolist() == [3, 3, 3]
    torch.testing.assert_close(module(x, factors)["top"], x * factors[:, None] + 3)
