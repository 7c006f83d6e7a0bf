"""SmoothL1Loss in PyTorch: the forks' formulas by hand, and gradients."""

import pytest
import torch

from tests.pytorch.one_layer import one_layer

# differences 0, 0.05, 0.5, 2 and -3
PREDICTIONS = [[1.0, 1.05, 1.5, 3.0, -2.0]] * 2
TARGETS = [[1.0] * 5] * 2


def loss(text="", *more, dialect="ssd"):
    blobs = [torch.tensor(rows, requires_grad=True) for rows in (PREDICTIONS, TARGETS, *more)]
    shapes = [tuple(blob.shape) for blob in blobs]
    body = f"loss_weight: 1 {text}"
    top = one_layer("SmoothL1Loss", shapes, body, dialect=dialect, phase="TRAIN")(*blobs)["top"]
    assert top.shape == ()
    top.backward()
    return top.item(), [blob.grad for blob in blobs]


def test_plain():
    # summed over two equal rows, and divided by two
    expected = 0.5 * (0.05**2 + 0.5**2) + 1.5 + 2.5
    found, gradients = loss()
    assert found == pytest.approx(expected)
    slopes = torch.tensor([[0, 0.05, 0.5, 1, -1]] * 2) / 2
    torch.testing.assert_close(gradients[0], slopes)
    torch.testing.assert_close(gradients[1], -slopes)


def test_sigma():
    # sigma 3: quadratic up to 1/9
    found, gradients = loss("smooth_l1_loss_param { sigma: 3 }", dialect="fast-rcnn")
    line = 0.5 / 9
    assert found == pytest.approx(0.5 * 9 * 0.05**2 + 0.5 + 2 + 3 - 3 * line)
    torch.testing.assert_close(gradients[0], torch.tensor([[0, 0.45, 1, 1, -1]] * 2) / 2)


def test_inside_and_outside_weights():
    inside, outside = [[1.0, 1, 2, 0, 1]] * 2, [[1.0, 1, 3, 1, 0.5]] * 2
    found, gradients = loss("smooth_l1_loss_param { sigma: 1 }", inside, outside, dialect="intel")
    # 0.5 doubled is 1, where the line begins
    assert found == pytest.approx(0.5 * 0.05**2 + 3 * (1 - 0.5) + 0.5 * 2.5)
    expected = torch.tensor([[0, 0.05, 3 * 2, 0, -0.5]] * 2) / 2
    torch.testing.assert_close(gradients[0], expected)
    # weights are no function of anything
    assert gradients[2] is gradients[3] is None


def test_one_weight_of_the_difference():
    found, _ = loss("", [[0.0, 0, 2, 1, 0]] * 2)
    assert found == pytest.approx(0.5 + 1.5)


def test_turn_point():
    found, gradients = loss("smoothl1_param { turn_point: 2.5 }", dialect="happynear")
    line = 3 - 2.5 + 0.5 * 2.5**2
    assert found == pytest.approx(0.5 * (0.05**2 + 0.5**2 + 2**2) + line)
    torch.testing.assert_close(gradients[0], torch.tensor([[0, 0.05, 0.5, 2, -1]] * 2) / 2)


def test_intel_may_leave_the_sum():
    text = "loss_param { normalization: NONE }"
    assert loss(text, dialect="intel")[0] == pytest.approx(2 * loss()[0])


def test_against_torch():
    first, second = torch.randn(2, 4, 7).double()
    top = one_layer("SmoothL1Loss", [(4, 7), (4, 7)], "smooth_l1_loss_param { sigma: 2 }")
    expected = torch.nn.functional.smooth_l1_loss(first, second, reduction="sum", beta=1 / 4) / 4
    torch.testing.assert_close(top(first, second)["top"], expected)
