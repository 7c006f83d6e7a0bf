"""Insanity and SeLuDropout: TEST by hand and in ONNX, TRAIN by what can't be chance."""

import math

import numpy as np
import pytest
import torch

from caffegen import onnx_bridge
from caffegen.loader import loads
from tests.onnx_bridge.golden_case import run
from tests.pytorch.beside_onnx import both, noise
from tests.pytorch.one_layer import net_text, one_layer


@pytest.mark.parametrize(("low", "high"), [(5, 10), (3, 8)])
def test_insanity_divides_by_the_mean(low, high):
    bottom = noise(2, 3, 4, 4)
    (top,) = both("Insanity", [bottom], f"insanity_param {{ lb: {low} ub: {high} }}")
    mean = (high - low) / (math.log(high) - math.log(low))
    expected = np.maximum(bottom, 0) + np.minimum(bottom, 0) / mean
    np.testing.assert_allclose(top, expected, rtol=1e-5, atol=1e-6)


def test_insanity_draws_a_divisor_for_each_value():
    torch.manual_seed(0)
    bottom = -torch.ones(1, 1, 100, 100)
    top = one_layer("Insanity", [(1, 1, 100, 100)], phase="TRAIN")(bottom)["top"]
    divisors = -1 / top
    assert divisors.min() >= 5
    assert divisors.max() <= 10
    # even over 5 to 10: mean 7.5, deviation 5 / sqrt(12)
    assert divisors.mean().item() == pytest.approx(7.5, abs=0.06)
    assert divisors.std().item() == pytest.approx(5 / math.sqrt(12), abs=0.05)


@pytest.mark.parametrize("opset", [13, 21, 22, 26])
def test_insanity_in_training_in_onnx(opset):
    net = loads(net_text("Insanity", [(1, 1, 40, 40)]), phase="TRAIN")
    top = run(onnx_bridge.to_model(net, opset=opset), {"a": -np.ones((1, 1, 40, 40), np.float32)})[
        "top"
    ]
    divisors = -1 / top
    assert divisors.min() >= 5 - 1e-5
    assert divisors.max() <= 10 + 1e-5
    assert len(np.unique(divisors)) > 1000


def test_selu_dropout_does_nothing_in_test():
    bottom = noise(2, 5)
    (top,) = both("SeLuDropout", [bottom])
    np.testing.assert_array_equal(top, bottom)


def test_selu_dropout_keeps_mean_and_variance():
    torch.manual_seed(0)
    bottom = torch.randn(200, 500)
    body = "selu_dropout_param { dropout_ratio: 0.3 }"
    top = one_layer("SeLuDropout", [(200, 500)], body, phase="TRAIN")(bottom)["top"]
    assert top.mean().item() == pytest.approx(0, abs=0.02)
    assert top.std().item() == pytest.approx(1, abs=0.02)
    # the dropped ones are all one value, scale * alpha + shift
    kept = 0.7
    alpha = -1.7580993175506592
    scale = (kept * (1 + alpha**2 * 0.3)) ** -0.5
    dropped = scale * alpha - scale * 0.3 * alpha
    assert (top - dropped).abs().lt(1e-5).float().mean().item() == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("opset", [13, 26])
def test_selu_dropout_in_training_in_onnx(opset):
    text = net_text("SeLuDropout", [(40, 40)], "selu_dropout_param { dropout_ratio: 0.3 }")
    top = run(onnx_bridge.to_model(loads(text, phase="TRAIN"), opset=opset), {
        "a": np.ones((40, 40), np.float32)
    })["top"]  # fmt: skip
    values, counts = np.unique(top, return_counts=True)
    assert len(values) == 2
    # 1600 values, of which 480 are dropped, give or take five deviations of 18.3
    assert 388 < counts[0] < 572
