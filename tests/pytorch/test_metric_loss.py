"""L1Loss, TripletLoss and CenterLoss: the forks' formulas by hand, gradients, and the same in ONNX."""

import numpy as np
import pytest
import torch

from caffegen import onnx_bridge
from caffegen.loader import loads
from caffegen.pytorch import Refusal
from caffegen.pytorch import build as build_net
from tests.onnx_bridge.golden_case import run
from tests.pytorch.one_layer import net_text, one_layer


def in_onnx(kind, blobs, body="", weights=None):
    """The top by onnxruntime."""
    values = [np.asarray(blob, np.float32) for blob in blobs]
    text = net_text(kind, [value.shape for value in values], body)
    net = loads(text, {"layer": weights} if weights else None)
    return run(onnx_bridge.to_model(net), dict(zip("abcd", values, strict=False)))["top"]


def double(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)


def test_l1():
    first, second = [[1.0, -2, 3], [0, 4, 2]], [[3.0, -2, 0], [0.5, 4, 1]]
    bottoms = [torch.tensor(rows, requires_grad=True) for rows in (first, second)]
    top = one_layer("L1Loss", [(2, 3), (2, 3)], phase="TRAIN")(*bottoms)["top"]
    # (2 + 0 + 3 + 0.5 + 0 + 1) / 2
    assert top.item() == pytest.approx(3.25)
    assert in_onnx("L1Loss", [first, second]) == pytest.approx(3.25)
    top.backward()
    # where the difference is 0 its sign is too
    signs = torch.tensor([[-1, 0, 1], [-1, 0, 1.0]])
    torch.testing.assert_close(bottoms[0].grad, signs / 2)
    torch.testing.assert_close(bottoms[1].grad, -signs / 2)


def test_l1_of_two_layouts():
    first, second = double(2, 6).detach().float(), double(2, 3, 2, seed=1).detach().float()
    top = one_layer("L1Loss", [(2, 6), (2, 3, 2)])(first, second)["top"]
    expected = (first - second.reshape(2, 6)).abs().sum() / 2
    torch.testing.assert_close(top, expected)
    assert in_onnx("L1Loss", [first, second]) == pytest.approx(expected.item(), rel=1e-5)


TRIPLETS = ([[1.0, 0], [0, 2], [1, 1]], [[1.0, 1], [0, 2], [1, 1]], [[3.0, 0], [0, 1], [1, 1]])


def test_triplets():
    body = "triplet_loss_param { margin: 2 }"
    bottoms = [torch.tensor(rows, requires_grad=True) for rows in TRIPLETS]
    shapes = [(3, 2)] * 3
    top = one_layer("TripletLoss", shapes, body, phase="TRAIN")(*bottoms)["top"]
    # max(0, 2 + 1 - 4), 2 + 0 - 1 and 2 + 0 - 0, by 2 * 3
    assert top.item() == pytest.approx(3 / 6)
    assert in_onnx("TripletLoss", TRIPLETS, body) == pytest.approx(3 / 6)
    top.backward()
    # triplet_loss_layer.cpp, Backward_cpu: (n - p) / N, (p - a) / N, (a - n) / N; 0 below the margin
    a, p, n = (bottom.detach() for bottom in bottoms)
    counts = torch.tensor([[0.0], [1], [1]])
    for bottom, slope in zip(bottoms, (n - p, p - a, a - n), strict=True):
        torch.testing.assert_close(bottom.grad, counts * slope / 3)


def test_triplets_with_more_axes():
    blobs = [np.reshape(rows, (3, 2, 1, 1)) for rows in TRIPLETS]
    bottoms = [torch.tensor(blob, dtype=torch.float32) for blob in blobs]
    top = one_layer("TripletLoss", [(3, 2, 1, 1)] * 3)(*bottoms)["top"]
    # the margin is 1: 0, 0 and 1
    assert top.item() == pytest.approx(1 / 6)
    assert in_onnx("TripletLoss", blobs) == pytest.approx(1 / 6)


def test_the_gradient_of_triplets():
    module = one_layer("TripletLoss", [(4, 5)] * 3, "triplet_loss_param { margin: 8 }").double()
    bottoms = [double(4, 5, seed=seed) for seed in range(3)]
    assert torch.autograd.gradcheck(lambda *x: module(*x)["top"], bottoms)


@pytest.mark.parametrize(
    ("bottoms", "text", "reason"),
    [
        (3, "losstype: 0", "a TripletLoss with `losstype` forms its triplets in a way of its own"),
        (2, "", "a TripletLoss of 2 bottoms forms its triplets in a way of its own"),
    ],
)
def test_other_triplets_are_refused(bottoms, text, reason):
    net = loads(net_text("TripletLoss", [(4, 5)] * bottoms, f"triplet_loss_param {{ {text} }}"))
    assert net.shapes["top"] == ()
    for form, refusal in ((build_net, Refusal), (onnx_bridge.to_model, onnx_bridge.Refusal)):
        with pytest.raises(refusal, match=reason):
            form(net)


CENTERS = np.array([[0, 0], [1, 1], [5, 5]], np.float32)
FEATURES = [[1.0, 0], [3, 1], [0, 2], [2, 2]]
LABELS = [0.0, 1, 0, 1]


def centered(text="", weight=1):
    body = f"loss_weight: {weight} center_loss_param {{ num_output: 3 {text} }}"
    module = one_layer("CenterLoss", [(4, 2), (4,)], body, weights=[CENTERS], phase="TRAIN")
    features = torch.tensor(FEATURES, requires_grad=True)
    top = module(features, torch.tensor(LABELS))["top"]
    (weight * top).backward()
    return top.item(), features.grad, module.caffe_blobs("layer")[0].grad


def test_center_loss():
    top, gradient, step = centered()
    # distances (1, 0), (2, 0), (0, 2), (1, 1); halves of their squares by 4
    assert top == pytest.approx((1 + 4 + 4 + 2) / 8)
    distance = torch.tensor([[1, 0], [2, 0], [0, 2], [1, 1.0]])
    torch.testing.assert_close(gradient, distance / 4)
    # each centre towards its two features, by 1 + 2; the third has none
    torch.testing.assert_close(step, torch.tensor([[-1, -2], [-3, -1], [0, 0.0]]) / 3)
    blobs = [FEATURES, LABELS]
    found = in_onnx("CenterLoss", blobs, "center_loss_param { num_output: 3 }", [CENTERS])
    assert found == pytest.approx(top)


def test_the_step_of_the_centers_takes_no_loss_weight():
    _, gradient, step = centered()
    _, weighed, same = centered(weight=0.5)
    torch.testing.assert_close(weighed, gradient / 2)
    torch.testing.assert_close(same, step)


def test_center_loss_by_absolute_distances():
    text = 'distance_type: "L1"'
    top, gradient, step = centered(text)
    assert top == pytest.approx((1 + 2 + 2 + 2) / 4)
    signs = torch.tensor([[1, 0], [1, 0], [0, 1], [1, 1.0]])
    torch.testing.assert_close(gradient, signs / 4)
    torch.testing.assert_close(step, torch.tensor([[-1, -1], [-2, -1], [0, 0.0]]) / 3)
    body = f"center_loss_param {{ num_output: 3 {text} }}"
    found = in_onnx("CenterLoss", [FEATURES, LABELS], body, [CENTERS])
    assert found == pytest.approx(top)
