"""LRN in ONNX where onnxruntime takes no LRN of its own."""

import numpy as np
import pytest

from caffegen import loads, onnx_bridge
from tests.onnx_bridge.golden_case import run

# two items of four channels with one value each
X = np.float32([[1, 2, 3, 4], [-1, 0, 2, 5]]).reshape(2, 4, 1, 1)
# the squares of each channel and its neighbours, summed
SUMS = np.float32([[5, 14, 29, 25], [1, 5, 29, 29]]).reshape(2, 4, 1, 1)


def net(alpha, beta, k, shape=X.shape):
    dims = " ".join(f"dim: {size}" for size in shape)
    return loads(
        f'layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}'
        'layer { name: "lrn" type: "LRN" bottom: "x" top: "y" lrn_param { local_size: 3 '
        f"alpha: {alpha} beta: {beta} k: {k} }} }}"
    )


@pytest.mark.parametrize("opset", [13, 17, 26])
@pytest.mark.parametrize(
    ("alpha", "beta", "k"), [(0, 0.75, 2), (3, 0, 1), (3, -0.5, 1), (-0.06, 1, 1), (3, 0.75, 1)]
)
def test_across_channels(alpha, beta, k, opset):
    model = onnx_bridge.to_model(net(alpha, beta, k), opset=opset)
    own = alpha > 0 and beta > 0
    assert ("LRN" in {node.op_type for node in model.graph.node}) == own
    expected = X * (k + alpha / 3 * SUMS) ** -beta
    np.testing.assert_allclose(run(model, {"x": X})["y"], expected, 1e-5)


def test_free_sizes():
    model = onnx_bridge.to_model(
        net(3, -0.5, 1, (1, 4, 2, 2)), dynamic_batch=True, dynamic_size=True
    )
    wide = np.tile(X, (1, 1, 3, 5))
    expected = wide * (1 + np.tile(SUMS, (1, 1, 3, 5))) ** 0.5
    np.testing.assert_allclose(run(model, {"x": wide})["y"], expected, 1e-5)
