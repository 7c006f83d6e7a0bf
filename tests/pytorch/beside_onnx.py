"""One layer in PyTorch and in ONNX on the same values, which must agree."""

import numpy as np
import torch

from caffegen import onnx_bridge
from caffegen.loader import loads
from caffegen.pytorch import build
from tests.onnx_bridge.golden_case import run
from tests.pytorch.one_layer import net_text

CLOSE = {"rtol": 1e-4, "atol": 1e-5, "equal_nan": True}


def both(kind, bottoms, body="", weights=None, tops=("top",)):
    """The tops in TEST by PyTorch; onnxruntime's are held against them."""
    values = [np.asarray(bottom, np.float32) for bottom in bottoms]
    text = net_text(kind, [value.shape for value in values], body, tops=tops)
    given = None if weights is None else {"layer": [np.float32(blob) for blob in weights]}
    net = loads(text, given)
    found = build(net)(*map(torch.from_numpy, values))
    there = run(onnx_bridge.to_model(net), dict(zip("abcdefgh", values, strict=False)))
    for top in tops:
        here = found[top].detach().numpy()
        assert here.shape == net.shapes[top] == there[top].shape
        np.testing.assert_allclose(there[top], here, **CLOSE)
    return [found[top].detach().numpy() for top in tops]


def noise(*shape, seed=0):
    """Values of a normal distribution."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
