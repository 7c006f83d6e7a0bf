"""Batch normalisation as its paper has it: Algorithm 1 by hand, and weights of any scale alike.

S. Ioffe, C. Szegedy: Batch Normalization: Accelerating Deep Network Training by Reducing Internal
Covariate Shift. ICML 2015, arXiv:1502.03167
"""

import cv2
import numpy as np
import pytest
import torch

import caffegen
from caffegen import NetSpec, pytorch
from caffegen import layers as L
from caffegen.verify.runtimes import Job, runtime

EPS = 1e-3
FRACTION = 0.9
SHAPE = (6, 3, 5, 4)
CHANNELS = SHAPE[1]
# values that one channel's statistics are of
COUNT = SHAPE[0] * SHAPE[2] * SHAPE[3]
RUNTIMES = ("torch", "onnxruntime")


def close(actual, wanted):
    np.testing.assert_allclose(np.asarray(actual), wanted, rtol=1e-4, atol=1e-5)


def normalised_input():
    """BatchNorm and Scale straight on the data."""
    n = NetSpec("Algorithm 1")
    n.data = L.Input(shape={"dim": SHAPE})
    n.bn = L.BatchNorm(n.data, eps=EPS, moving_average_fraction=FRACTION)
    n.scale = L.Scale(n.bn, bias_term=True)
    return n


def by_channel(values):
    return np.asarray(values).reshape(1, -1, 1, 1)


def algorithm_1(batch, gamma, beta):
    """The four steps in double precision: mean, variance, normalised values, scaled and shifted."""
    batch = batch.astype(np.float64)
    mean = batch.sum((0, 2, 3)) / COUNT
    variance = ((batch - by_channel(mean)) ** 2).sum((0, 2, 3)) / COUNT
    normalised = (batch - by_channel(mean)) / np.sqrt(by_channel(variance) + EPS)
    return mean, variance, normalised, by_channel(gamma) * normalised + by_channel(beta)


def opencv_output(net, data, folder):
    """What OpenCV's own importer makes of the files that caffegen writes."""
    net.save(folder / "net.prototxt", folder / "net.caffemodel")
    imported = cv2.dnn.readNetFromCaffe(
        str(folder / "net.prototxt"), str(folder / "net.caffemodel")
    )
    imported.setInput(data, "data")
    return imported.forward()


@pytest.fixture
def batch():
    random = np.random.default_rng(0)
    spread, centre = by_channel([0.2, 1, 5]), by_channel([-3, 0, 10])
    return (random.standard_normal(SHAPE) * spread + centre).astype(np.float32)


GAMMA = np.array([1.5, -0.5, 2], np.float32)
BETA = np.array([0.25, 1, -4], np.float32)
# the blobs before the pass: sums of means and variances, and the sum of their weights
STATISTICS = {
    "untrained": [np.zeros(CHANNELS), np.zeros(CHANNELS), np.zeros(1)],
    "after-training": [np.array([-20, 1, 70.0]), np.array([0.5, 8, 150]), np.array([7.25])],
}


@pytest.mark.parametrize("before", STATISTICS.values(), ids=STATISTICS)
def test_algorithm_1_by_hand(batch, before, tmp_path):
    weights = {"bn": [blob.astype(np.float32) for blob in before], "scale": [GAMMA, BETA]}
    module = pytorch.build(caffegen.loads(normalised_input(), weights, phase="TRAIN"))
    assert module.training
    mean, variance, normalised, scaled = algorithm_1(batch, GAMMA, BETA)

    blobs = module.run({"data": torch.from_numpy(batch)})
    close(blobs["bn"].detach(), normalised)
    close(blobs["scale"].detach(), scaled)

    # the moving averages: the sums decay by the fraction, and take the unbiased variance
    unbiased = variance * COUNT / (COUNT - 1)
    sums = [FRACTION * before[0] + mean, FRACTION * before[1] + unbiased, FRACTION * before[2] + 1]
    after = [blob.detach().numpy().copy() for blob in module.caffe_blobs("bn")]
    for blob, wanted in zip(after, sums, strict=True):
        close(blob, wanted)

    # TEST: the stored statistics stand in for the batch's
    stored = [sums[0] / sums[2], sums[1] / sums[2]]
    shifted = batch - by_channel(stored[0])
    wanted = by_channel(GAMMA) * shifted / np.sqrt(by_channel(stored[1]) + EPS) + by_channel(BETA)
    net = caffegen.loads(normalised_input(), {"bn": after, "scale": [GAMMA, BETA]})
    for name in RUNTIMES:
        close(runtime(name).run(Job(net, {"data": batch})).blobs["scale"], wanted)
    close(opencv_output(net, batch, tmp_path), wanted)
    if not before[2]:
        # of one batch alone: its own mean, and its variance but for the m / (m - 1)
        close(stored[0], mean)
        close(stored[1], unbiased)


def test_a_second_pass_normalises_by_its_own_batch(batch):
    """In TRAIN the stored statistics are written, never read."""
    zeros = [np.zeros(n, np.float32) for n in (CHANNELS, CHANNELS, 1)]
    weights = {"bn": zeros, "scale": [GAMMA, BETA]}
    module = pytorch.build(caffegen.loads(normalised_input(), weights, phase="TRAIN"))
    other = (7 - 2 * batch).astype(np.float32)
    module(torch.from_numpy(batch))
    close(module(torch.from_numpy(other))["scale"].detach(), algorithm_1(other, GAMMA, BETA)[3])
    means = [algorithm_1(one, GAMMA, BETA)[0] for one in (batch, other)]
    close(module.caffe_blobs("bn")[0].detach(), FRACTION * means[0] + means[1])
    close(module.caffe_blobs("bn")[2].detach(), [FRACTION + 1])


def convolved(eps):
    """A convolution without a bias, normalised."""
    n = NetSpec("scaled weights")
    n.data = L.Input(shape={"dim": SHAPE})
    n.conv = L.Convolution(n.data, num_output=4, kernel_size=3, bias_term=False)
    n.bn = L.BatchNorm(n.conv, eps=eps, moving_average_fraction=FRACTION)
    n.scale = L.Scale(n.bn, bias_term=True)
    return n


def trained_once(weight, batch, eps):
    """The top and the gradients of a training pass, and the net with the statistics of that pass."""
    ones, zeros = np.ones(4, np.float32), np.zeros(4, np.float32)
    weights = {
        "conv": [weight.astype(np.float32)],
        "bn": [zeros, zeros, zeros[:1]],
        "scale": [ones, zeros],
    }
    module = pytorch.build(caffegen.loads(convolved(eps), weights, phase="TRAIN"))
    data = torch.from_numpy(batch).requires_grad_()
    top = module(data)["scale"]
    (top * torch.linspace(-1, 1, top.numel()).reshape(top.shape)).sum().backward()
    weights["bn"] = [blob.detach().numpy().copy() for blob in module.caffe_blobs("bn")]
    (blob,) = module.caffe_blobs("conv")
    gradients = [data.grad.numpy(), blob.grad.numpy()]
    return top.detach().numpy(), gradients, caffegen.loads(convolved(eps), weights)


SCALES = (1e-2, 0.3, 1, 7, 1000)


@pytest.fixture
def weight():
    return np.random.default_rng(1).standard_normal((4, CHANNELS, 3, 3))


@pytest.mark.parametrize("k", SCALES)
def test_k_times_the_weights_normalises_as_eps_over_k_squared(batch, weight, k):
    """BN(kWx) with eps is BN(Wx) with eps / k^2, exactly: k leaves mean and deviation by division."""
    top, (by_data, by_weight), _ = trained_once(k * weight, batch, EPS)
    wanted, (wanted_by_data, wanted_by_weight), _ = trained_once(weight, batch, EPS / k**2)
    close(top, wanted)
    # section 3.3: the gradient of the data does not see k, that of the weights is divided by it
    for actual, right in ((by_data, wanted_by_data), (k * by_weight, wanted_by_weight)):
        close(actual / np.abs(right).max(), right / np.abs(right).max())


@pytest.mark.parametrize("k", SCALES)
def test_k_times_the_weights_normalises_alike_up_to_eps(batch, weight, k):
    """No initial scale of the weights is a wrong one: what differs is eps against the variance."""
    plain, _, net = trained_once(weight, batch, EPS)
    top, _, scaled_net = trained_once(k * weight, batch, EPS)
    windows = np.lib.stride_tricks.sliding_window_view(batch.astype(np.float64), (3, 3), (2, 3))
    product = np.einsum("nchwij,ocij->nohw", windows, weight)
    variance = by_channel(product.var((0, 2, 3)))
    ratio = np.sqrt((variance + EPS) / (variance + EPS / k**2))
    close(top, ratio * plain)
    if k >= 0.3:
        close(ratio, np.ones_like(ratio))
        close(top, plain)
        # and with the statistics of that pass in TEST, in every runtime
        outputs = {
            name: [runtime(name).run(Job(one, {"data": batch})).blobs["scale"] for one in pair]
            for name, pair in dict.fromkeys((*RUNTIMES, "opencv"), (net, scaled_net)).items()
        }
        for one, other in outputs.values():
            close(other, one)
            close(one, outputs["torch"][0])
    else:
        assert np.abs(ratio - 1).max() > 1e-2
