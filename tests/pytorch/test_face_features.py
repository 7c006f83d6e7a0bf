"""InnerDistance and ChannelScale by loops, in PyTorch and in ONNX."""

import numpy as np
import pytest

from caffegen.loader import loads
from caffegen.pytorch import Refusal, build
from tests.pytorch.beside_onnx import CLOSE, both, noise
from tests.pytorch.one_layer import net_text


def distances(items, rows, kind):
    apart = items[:, None].astype(np.float64) - rows[None]
    return (np.abs(apart) if kind == "L1" else apart**2).sum(2)


@pytest.mark.parametrize("kind", ["L1", "L2"])
@pytest.mark.parametrize("normalize", [False, True])
def test_distances_to_learned_centres(kind, normalize):
    bottom, weight = noise(3, 2, 2), noise(5, 4, seed=1)
    body = (
        f"inner_distance_param {{ num_output: 5 distance_type: '{kind}' "
        f"normalize: {str(normalize).lower()} }}"
    )
    (top,) = both("InnerDistance", [bottom], body, [weight])
    if normalize:
        weight = weight / np.sqrt((weight**2).sum(1, keepdims=True) + 1e-6)
    np.testing.assert_allclose(top, distances(bottom.reshape(3, 4), weight, kind), **CLOSE)


def test_a_transposed_weight_is_read_as_it_lies():
    bottom, weight = noise(2, 3), noise(3, 2, seed=1)
    body = "inner_distance_param { num_output: 2 transpose: true }"
    (top,) = both("InnerDistance", [bottom], body, [weight])
    np.testing.assert_allclose(top, distances(bottom, weight.reshape(2, 3), "L2"), **CLOSE)


def test_distances_to_the_rows_of_bottom_1():
    bottom, rows = noise(2, 3, 4), noise(6, 2, 2, seed=1)
    (top,) = both("InnerDistance", [bottom, rows], "inner_distance_param { axis: 2 }")
    expected = distances(bottom.reshape(6, 4), rows.reshape(6, 4), "L2").reshape(2, 3, 6)
    np.testing.assert_allclose(top, expected, **CLOSE)


@pytest.mark.parametrize("shape", [(2, 1, 4, 5), (2, 4, 5), (2, 20)])
def test_channel_scale(shape):
    bottom, factors = noise(2, 3, 4, 5), noise(*shape, seed=1)
    (top,) = both("ChannelScale", [bottom, factors])
    np.testing.assert_allclose(top, bottom * factors.reshape(2, 1, 4, 5), **CLOSE)


def test_channel_scale_of_rows():
    bottom, factors = noise(4, 3), noise(4, seed=1)
    (top,) = both("ChannelScale", [bottom, factors])
    np.testing.assert_allclose(top, bottom * factors[:, None], **CLOSE)


def test_channel_scale_that_acts_backwards_alone():
    bottom = noise(2, 3, 4, 5)
    body = "channel_scale_param { do_forward: false }"
    (top,) = both("ChannelScale", [bottom, noise(2, 20)], body)
    np.testing.assert_array_equal(top, bottom)


def test_a_global_scale_is_refused():
    body = "channel_scale_param { global_scale: true }"
    net = loads(net_text("ChannelScale", [(2, 3), (2,)], body, tops=("top", "scale")))
    assert net.shapes["scale"] == (1,)
    with pytest.raises(Refusal, match="its factor follows the batches"):
        build(net)
