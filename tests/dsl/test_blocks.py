from __future__ import annotations

import cv2
import numpy as np
import pytest

from caffegen.dsl import DslError, NetSpec, blocks
from caffegen.dsl import layers as L
from caffegen.dsl.blocks import BlockNames, Conv, Feature, Recipe, UnitNames

UNIT = UnitNames("conv", "bn", "scale", "relu")
BLOCK = BlockNames(
    (UnitNames("a", "a_bn", "a_scale", "a_relu"), UnitNames("b", "b_bn", "b_scale", "b_relu")),
    UnitNames("p", "p_bn", "p_scale"),
    "sum",
    "relu",
)


def start(channels=2, size=8):
    net = NetSpec()
    net.data = L.Input(shape={"dim": [1, channels, size, size]})
    return net, Feature(net.data, channels, size)


def run(net, blob, array):
    """What OpenCV's own Caffe importer computes."""
    text = np.frombuffer(net.to_prototxt().encode(), np.uint8)
    importer = cv2.dnn.readNetFromCaffe(text)
    importer.setInput(array)
    return importer.forward(blob)


def types(net):
    return [layer.type for layer in net.to_message().layer[1:]]


def pictures(channels, size):
    return np.random.default_rng(0).normal(size=(1, channels, size, size)).astype("f")


@pytest.mark.parametrize("copies", [1, 2, 4])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 8])
def test_shortcut_a_samples_and_pads_with_zeros(size, stride, copies):
    net, data = start(size=size)
    feature = blocks.shortcut(net, data, UNIT, 2 * copies, stride, Recipe(), "A")
    array = pictures(2, size)
    sampled = array[:, :, ::stride, ::stride]
    expected = np.concatenate([sampled] + [0 * sampled] * (copies - 1), axis=1)
    if stride == copies == 1:
        assert feature == data
        return
    name = "conv" if copies > 1 else "conv_sampled"
    np.testing.assert_array_equal(run(net, name, array), expected)
    assert (feature.channels, feature.size) == expected.shape[1:3]
    assert net[name] is feature.top


@pytest.mark.parametrize("num_output", [3, 4, 5, 7, 8])
def test_any_number_of_channels_is_padded(num_output):
    net, data = start(3)
    feature = blocks.pad_channels(net, data, "padded", num_output)
    array = pictures(3, 8)
    if num_output == 3:
        assert feature == data
        return
    expected = np.zeros((1, num_output, 8, 8), "f")
    expected[:, :3] = array
    np.testing.assert_array_equal(run(net, "padded", array), expected)
    assert feature == (net.padded, num_output, 8)
    # nothing but the padded blob is left unread
    layers = net.to_message().layer
    read = {blob for layer in layers for blob in layer.bottom}
    assert [b for layer in layers for b in layer.top if b not in read] == ["padded"]


def test_shortcut_a_has_no_parameters():
    net, data = start()
    blocks.shortcut(net, data, UNIT, 8, 2, Recipe(), "A")
    assert types(net) == ["Slice", "Slice", "Silence", "Pooling", "Power", "Concat"]
    # every blob is read or an output that is wanted
    net_message = net.to_message()
    read = {blob for layer in net_message.layer for blob in layer.bottom}
    assert [b for layer in net_message.layer for b in layer.top if b not in read] == ["conv"]


@pytest.mark.parametrize(
    ("option", "num_output", "stride", "expected"),
    [
        ("", 4, 2, None),
        ("A", 2, 1, []),
        ("B", 2, 1, []),
        ("B", 4, 1, ["Convolution", "BatchNorm", "Scale"]),
        ("B", 2, 2, ["Convolution", "BatchNorm", "Scale"]),
        ("C", 2, 1, ["Convolution", "BatchNorm", "Scale"]),
    ],
    ids=lambda value: str(value) if value else None,
)
def test_where_shortcuts_project(option, num_output, stride, expected):
    net, data = start()
    feature = blocks.shortcut(net, data, UNIT, num_output, stride, Recipe(), option)
    assert (feature is None) == (expected is None)
    assert types(net) == (expected or [])
    if expected:
        assert (feature.channels, feature.size) == (num_output, 8 // stride)


@pytest.mark.parametrize(
    ("option", "num_output", "sentence"),
    [
        ("D", 4, "`D` is no shortcut option; there are A, B and C"),
        ("A", 1, "`conv`: zeros make 2 channels more, not fewer, so not 1"),
    ],
    ids=["option", "fewer"],
)
def test_shortcuts_that_can_not_be(option, num_output, sentence):
    net, data = start()
    with pytest.raises(DslError) as caught:
        blocks.shortcut(net, data, UNIT, num_output, 1, Recipe(), option)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("floor", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("pad", [0, 1])
@pytest.mark.parametrize("size", [3, 4, 5, 8, 9])
def test_max_pool_rounds_up_or_down(size, pad, floor):
    net, data = start(size=size)
    feature = blocks.max_pool(net, data, "pool", kernel_size=3, stride=2, pad=pad, floor=floor)
    array = pictures(2, size)
    padded = np.pad(
        array, ((0, 0), (0, 0), (pad, pad + 2), (pad, pad + 2)), constant_values=-np.inf
    )
    room = size + 2 * pad - 3
    count = room // 2 + 1 if floor else -(-room // 2) + 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    expected = windows[:, :, ::2, ::2].max(axis=(4, 5))[:, :, :count, :count]
    np.testing.assert_array_equal(run(net, "pool", array), expected)
    assert feature.size == count
    assert not any(layer.pooling_param.has("round_mode") for layer in net.to_message().layer)


def test_max_pool_without_a_window():
    net, data = start(size=1)
    with pytest.raises(DslError, match="`pool`: a window of 3 does not fit a blob of 1"):
        blocks.max_pool(net, data, "pool", kernel_size=3, stride=2, pad=0, floor=False)


@pytest.mark.parametrize(
    ("size", "kernel_size", "stride", "pad", "pooled"),
    [(112, 3, 2, 0, 56), (112, 3, 2, 1, 57), (7, 7, 1, 0, 1), (4, 2, 2, 1, 3), (3, 2, 2, 1, 2), (1, 3, 2, 0, 0)],
)  # fmt: skip
def test_pooled_size(size, kernel_size, stride, pad, pooled):
    assert blocks.pooled_size(size, kernel_size, stride, pad) == pooled


def test_a_unit_works_in_place():
    net, data = start()
    recipe = Recipe({"weight_filler": {"type": "msra"}}, {"use_global_stats": True})
    feature = blocks.conv_bn_scale_relu(net, data, UNIT, Conv(4, 3, 2), recipe, bias=True)
    layers = net.to_message().layer[1:]
    assert [layer.name for layer in layers] == ["conv", "bn", "scale", "relu"]
    assert all(layer.top == ["conv"] for layer in layers)
    assert layers[0].convolution_param.bias_term
    assert layers[0].convolution_param.weight_filler.type == "msra"
    assert layers[1].batch_norm_param.use_global_stats
    assert layers[2].scale_param.bias_term
    assert (feature.channels, feature.size) == (4, 4)


@pytest.mark.parametrize("option", ["A", "B", "C", ""], ids=["A", "B", "C", "plain"])
def test_a_block_adds_its_shortcut(option):
    net, data = start()
    feature = blocks.residual_block(net, data, BLOCK, (Conv(4, 3, 2), Conv(4, 3)), Recipe(), option)
    assert (feature.channels, feature.size) == (4, 4)
    *_, last = layers = net.to_message().layer
    assert (last.name, last.type) == ("relu", "ReLU")
    sums = [layer for layer in layers if layer.type == "Eltwise"]
    assert [list(layer.bottom) for layer in sums] == ([["p", "b"]] if option else [])
    assert last.top == (["sum"] if option else ["b"])


# Figure 4 of He et al. 2016: the layers of a block in each order, the convolutions as `weight`
@pytest.mark.parametrize(
    ("order", "layers"),
    [
        ("original", "weight BN ReLU weight BN + ReLU"),
        ("bn-after", "weight BN ReLU weight + BN ReLU"),
        ("relu-before", "weight BN ReLU weight BN ReLU +"),
        ("relu-only", "ReLU weight BN ReLU weight BN +"),
        ("full", "BN ReLU weight BN ReLU weight +"),
    ],
)
def test_orders_of_activation(order, layers):
    net, data = start(4)
    feature = blocks.residual_block(
        net, data, BLOCK, (Conv(4, 3), Conv(4, 3)), Recipe(), "B", order=blocks.ORDERS[order]
    )
    words = {"Convolution": "weight", "BatchNorm": "BN", "ReLU": "ReLU", "Eltwise": "+"}
    assert " ".join(words[kind] for kind in types(net) if kind != "Scale") == layers
    assert feature == (feature.top, 4, 8)
    # the identity reads what the block was given: nothing works in place on that
    readers = [layer for layer in net.to_message().layer if "data" in layer.bottom]
    assert len(readers) == 2
    assert all("data" not in layer.top for layer in readers)


@pytest.mark.parametrize(
    ("order", "activated", "projection"),
    [
        ("original", False, ["data", "p", "p"]),
        ("bn-after", False, ["data"]),
        ("relu-before", False, ["data", "p", "p"]),
        ("relu-only", False, ["a_relu", "p", "p"]),
        ("full", False, ["a_bn"]),
        ("full", True, ["data"]),
    ],
)
def test_what_a_projection_reads(order, activated, projection):
    net, data = start()
    blocks.residual_block(
        net, data, BLOCK, (Conv(4, 3, 2), Conv(4, 3)), Recipe(), "B",
        order=blocks.ORDERS[order], activated=activated,
    )  # fmt: skip
    layers = net.to_message().layer
    assert [x.bottom[0] for x in layers if x.name in ("p", "p_bn", "p_scale")] == projection
    first = next(x for x in layers if x.name == "a")
    assert first.bottom == [projection[0]]


def test_dropout_stands_before_the_last_convolution():
    net, data = start(4)
    blocks.residual_block(
        net, data, BLOCK, (Conv(4, 3), Conv(4, 3)), Recipe(), "B",
        order=blocks.ORDERS["full"], dropout=0.3,
    )  # fmt: skip
    names = [layer.name for layer in net.to_message().layer]
    assert names[-4:] == ["b_relu", "b_dropout", "b", "sum"]


def test_groups():
    net, data = start(4)
    feature = blocks.convolve(net, data, "conv", Conv(8, 3, 2, 4), Recipe())
    layer = net.to_message().layer[-1]
    assert (layer.convolution_param.group, layer.convolution_param.bias_term) == (4, False)
    assert (feature.channels, feature.size) == (8, 4)
