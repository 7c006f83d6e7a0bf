"""Losses of rarer forks: their formulas by hand, gradients, and the same in ONNX."""

import math

import numpy as np
import pytest
import torch

from caffegen import onnx_bridge
from caffegen.loader import loads
from caffegen.onnx_bridge.write.registry import Refusal as OnnxRefusal
from caffegen.pytorch import Refusal, build
from tests.pytorch.beside_onnx import CLOSE, both, noise
from tests.pytorch.one_layer import net_text, one_layer


def test_svr_loss_is_the_distance_per_item():
    (top,) = both("SVRLoss", [[[1.0, -2], [0, 4]], [[3.0, -2], [0.5, 1]]])
    # (2 + 0 + 0.5 + 3) / 2
    assert top == pytest.approx(2.75)


def test_svr_loss_teaches_the_scores_alone():
    bottoms = [torch.tensor(rows, requires_grad=True) for rows in ([[1.0], [0.0]], [[3.0], [-1.0]])]
    one_layer("SVRLoss", [(2, 1)] * 2, phase="TRAIN")(*bottoms)["top"].backward()
    torch.testing.assert_close(bottoms[0].grad, torch.tensor([[-0.5], [0.5]]))
    assert bottoms[1].grad is None


def test_xcov_loss_by_sums():
    first, second = noise(5, 3), noise(5, 2, 2, seed=1)
    (top,) = both("XCovLoss", [first, second])
    rows = second.reshape(5, 4)
    total = 0.0
    for i in range(3):
        for j in range(4):
            cov = np.mean((first[:, i] - first[:, i].mean()) * (rows[:, j] - rows[:, j].mean()))
            total += cov**2
    np.testing.assert_allclose(top.item(), total / 2, rtol=1e-4)


def test_the_gradient_of_xcov():
    module = one_layer("XCovLoss", [(4, 3), (4, 2)]).double()
    bottoms = [
        torch.tensor(noise(4, n, seed=n), dtype=torch.float64, requires_grad=True) for n in (3, 2)
    ]
    assert torch.autograd.gradcheck(lambda *x: module(*x)["top"], bottoms)


def pairs_by_hand(codes, labels, threshold):
    """pairwise_loss_layer.cu, one pair at a time."""
    total = 0.0
    for code, label in zip(codes, labels, strict=True):
        for other, shared in zip(codes, labels, strict=True):
            product, alike = float(code @ other), float(label @ shared > 0)
            if threshold >= 0 and product >= threshold:
                total += abs(product * (1 - alike))
            else:
                total += abs(math.log1p(math.exp(product)) - alike * product)
    return total / len(codes) ** 2


@pytest.mark.parametrize("threshold", [-1, 0, 1.5])
def test_pairwise_loss(threshold):
    codes = noise(6, 4)
    labels = (noise(6, 3, seed=1) > 0).astype(np.float32)
    (top,) = both("PairwiseLoss", [codes, labels], f"pairwise_param {{ threshold: {threshold} }}")
    np.testing.assert_allclose(top, pairs_by_hand(codes, labels, threshold), rtol=1e-4)


def test_pairwise_loss_of_far_codes_is_finite():
    (top,) = both("PairwiseLoss", [[[30.0], [-30.0]], [[1.0], [1.0]]])
    # alike: 0 for two equal codes, 900 for two opposite ones
    assert top == pytest.approx(450)


@pytest.mark.parametrize("threshold", [-1, 0.5])
def test_quantization_loss(threshold):
    codes = 2 * noise(3, 4)
    (top,) = both("QuantizationLoss", [codes], f"quantization_param {{ threshold: {threshold} }}")
    apart = np.abs(codes.astype(np.float64)) - 1
    losses = np.log(np.cosh(apart))
    if threshold > 0:
        losses = np.where(apart > threshold, apart - math.log(2), losses)
    np.testing.assert_allclose(top, np.abs(losses).mean(), **CLOSE)


@pytest.mark.parametrize(
    ("kind", "shapes", "body", "reason"),
    [
        (
            "WassersteinLoss", [(2, 3), (2, 1)], "wasserstein_param { ground_metric: 'd.h5' }",
            "the distances of its classes stand in the file `d.h5`",
        ),
        (
            "SqueezeDetLoss", [(1, 8, 4), (1, 2, 2, 1), (1, 2, 2, 4), (1, 100, 1, 1)],
            "squeezedet_param { classes: 4 anchors_per_grid: 1 anchor_shapes: 9 anchor_shapes: 9 }",
            "it matches anchors to true boxes while training",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(kind, shapes, body, reason):
    net = loads(net_text(kind, shapes, body))
    assert net.shapes["top"] == ()
    with pytest.raises(Refusal, match=reason):
        build(net)
    with pytest.raises(OnnxRefusal, match=reason):
        onnx_bridge.to_model(net)
