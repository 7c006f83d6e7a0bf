"""InnerProduct and Embed."""

import numpy as np
import pytest
import torch
from torch import nn

from caffegen.errors import CaffegenError
from tests.pytorch.one_layer import one_layer


@pytest.mark.parametrize(
    ("shape", "axis", "top"),
    [
        ((2, 3, 4, 5), 1, (2, 7)),
        ((2, 3, 4, 5), 2, (2, 3, 7)),
        ((2, 3, 4, 5), -1, (2, 3, 4, 7)),
        ((6,), 0, (7,)),
        ((2, 6), 1, (2, 7)),
    ],
)
@pytest.mark.parametrize("transpose", ["true", "false"])
def test_axis_and_transpose(shape, axis, top, transpose):
    body = f"inner_product_param {{ num_output: 7 axis: {axis} transpose: {transpose} }}"
    module = one_layer("InnerProduct", [shape], body)
    weight, bias = module.caffe_blobs("layer")
    x = torch.randn(shape)
    found = module(x)["top"]
    assert found.shape == top
    weight = weight if transpose == "true" else weight.t()
    torch.testing.assert_close(
        found.flatten(0, -2), x.reshape(-1, weight.shape[0]) @ weight + bias
    ) if len(top) > 1 else torch.testing.assert_close(found, x @ weight + bias)
    if transpose == "false":
        assert type(module.layer) is nn.Linear


def test_free_batch():
    module = one_layer("InnerProduct", [(2, 3, 4, 4)], "inner_product_param { num_output: 7 }")
    assert module(torch.randn(9, 3, 4, 4))["top"].shape == (9, 7)
    with pytest.raises(
        CaffegenError, match=r"layer `layer` can't run on `a` of shape \[9, 3, 5, 4\]"
    ):
        module(torch.randn(9, 3, 5, 4))


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.uint8])
def test_embed_takes_indices_of_any_type(dtype):
    weight = np.arange(12, dtype=np.float32).reshape(4, 3)
    bias = np.array([0, 100, 0], np.float32)
    body = "embed_param { input_dim: 4 num_output: 3 }"
    module = one_layer("Embed", [(2, 2)], body, weights=[weight, bias])
    rows = torch.tensor([[3, 0], [1, 1]])
    found = module(rows.to(dtype))["top"]
    np.testing.assert_array_equal(found.detach(), (weight + bias)[rows])
    found.sum().backward()
    assert module.caffe_blobs("layer")[0].grad[:, 0].tolist() == [1, 2, 0, 1]


def test_embed_names_the_layer_of_an_index_out_of_range():
    module = one_layer("Embed", [(2,)], "embed_param { input_dim: 4 num_output: 3 }")
    with pytest.raises(CaffegenError, match="layer `layer` can't run on `a`"):
        module(torch.tensor([1, 9]))
