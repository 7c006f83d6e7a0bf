"""Reduction and Softmax in PyTorch beyond the golden cases."""

import pytest
import torch
from torch import nn

from tests.pytorch.one_layer import one_layer


def build(kind, text):
    return one_layer(kind, [(2, 3, 4)], text)


def values(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("SUM", lambda rows: rows.sum(-1)),
        ("ASUM", lambda rows: rows.abs().sum(-1)),
        ("SUMSQ", lambda rows: (rows * rows).sum(-1)),
        ("MEAN", lambda rows: rows.mean(-1)),
    ],
    ids=["sum", "asum", "sumsq", "mean"],
)
def test_reduction_with_free_sizes(operation, expected, axis):
    text = f"reduction_param {{ operation: {operation} axis: {axis} coeff: -0.5 }}"
    bottom = values(5, 3, 7)
    top = build("Reduction", text)(bottom)["top"]
    torch.testing.assert_close(top, -0.5 * expected(bottom.flatten(axis)))


@pytest.mark.parametrize("operation", ["SUM", "ASUM", "SUMSQ", "MEAN"])
def test_reduction_gradient(operation):
    text = f"reduction_param {{ operation: {operation} axis: 1 coeff: 3 }}"
    module = build("Reduction", text)
    bottom = values(2, 3, 4).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: module(x)["top"], bottom)


def test_asum_has_the_gradient_0_at_0():
    bottom = torch.zeros(2, 3, 4, requires_grad=True)
    build("Reduction", "reduction_param { operation: ASUM }")(bottom)["top"].backward()
    assert not bottom.grad.any()


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_softmax_is_the_standard_module(axis):
    module = build("Softmax", f"softmax_param {{ axis: {axis} }}")
    assert isinstance(module.get_submodule("layer"), nn.Softmax)
    bottom = values(6, 3, 5)
    assert torch.equal(module(bottom)["top"], bottom.softmax(axis))


def test_compiles_and_exports_in_one_piece():
    module = build("Reduction", "reduction_param { operation: MEAN axis: 1 coeff: 2 }")
    bottom = values(2, 3, 4)
    expected = module(bottom)["top"]
    torch.compiler.reset()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(bottom)["top"], expected)
    exported = torch.export.export(module, (bottom,)).module()
    assert torch.equal(exported(bottom)["top"], expected)
