"""Files of forks, in which one field number means many things: weights come out right, or not at all.

The bytes are put together by hand: no schema has all of these fields at once.
"""

from __future__ import annotations

import struct

import numpy as np
import pytest

from caffegen import load, loads
from caffegen.errors import FileError
from caffegen.weights import open_binaryproto, open_weights

VALUES = np.arange(4 * 3 * 2 * 2, dtype=np.float32).reshape(4, 3, 2, 2) / 8 - 1
BIAS = np.array([0.5, -0.25, 3, 7], np.float32)
NET = """
name: "n"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 4 dim: 4 } } }
layer {
  name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 2 }
}
layer {
  name: "pool" type: "Pooling" bottom: "conv" top: "pool"
  pooling_param { kernel_size: 2 stride: 1 }
}
"""


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: bytes | float) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def shape_of(array) -> bytes:
    return field(7, field(1, b"".join(varint(size) for size in array.shape)))


def blob(array) -> bytes:
    return shape_of(array) + field(5, array.astype("<f4").tobytes())


def half_blob(array) -> bytes:
    """As NVIDIA's Caffe stores FLOAT16: raw_data_type 10, raw_diff_type 11, raw_data 12."""
    return shape_of(array) + field(10, 2) + field(11, 2) + field(12, array.astype("<f2").tobytes())


def layer(name: str, kind: str, *parts: bytes, blobs=()) -> bytes:
    head = field(1, name.encode()) + field(2, kind.encode()) + field(3, b"data") + field(4, b"top")
    return field(100, head + b"".join(field(7, each) for each in blobs) + b"".join(parts))


# what LayerParameter's numbers hold in one fork or another, and some that no fork has
FOREIGN = {
    "a message at 143": field(143, field(1, 7) + field(2, b"\x01\x02\x03")),
    "ROIPooling or Transform at 137": field(137, field(1, 6) + field(3, 0.0625)),
    "a string at 147": field(147, b"no message at all \xff\xfe"),
    "an integer at 148": field(148, 2**63 - 1),
    "a float at 149": field(149, 1.5),
    "a blob at 150": field(150, blob(VALUES[::-1])),
    "blobs of another kind at 200": field(200, field(7, blob(BIAS))),
    "several at once": b"".join(field(n, field(7, blob(BIAS * 9))) for n in (131, 143, 149, 206)),
}


@pytest.mark.parametrize("foreign", FOREIGN.values(), ids=list(FOREIGN))
@pytest.mark.parametrize("first", [True, False], ids=["before the blobs", "behind them"])
def test_colliding_numbers_never_give_wrong_values(tmp_path, foreign, first):
    path = tmp_path / "fork.caffemodel"
    stored = field(7, blob(VALUES)) + field(7, blob(BIAS))
    head = field(1, b"conv") + field(2, b"Convolution")
    body = head + foreign + stored if first else head + stored + foreign
    # a PoolingParameter (121) with another fork's number 13 in it
    pool = layer("pool", "Pooling", field(121, field(2, 9) + field(13, 1)), foreign)
    path.write_bytes(field(1, b"n") + field(100, body) + pool + field(30001, foreign))
    conv, pooled = open_weights(path).layers
    assert (conv.name, conv.type, pooled.name) == ("conv", "Convolution", "pool")
    assert not pooled.blobs
    prototxt = tmp_path / "net.prototxt"
    prototxt.write_text(NET)
    net = load(prototxt, path)
    weight, bias = net.params["conv"]
    np.testing.assert_array_equal(weight, VALUES)
    np.testing.assert_array_equal(bias, BIAS)
    # parameters are the text's, whatever the file has in their place
    assert net.shapes["pool"] == (1, 4, 2, 2)


def test_a_v1_layer_of_a_fork_s_type_keeps_its_weights(tmp_path):
    path = tmp_path / "fork.caffemodel"
    old = field(4, b"conv") + field(5, 41) + field(6, blob(VALUES)) + field(6, blob(BIAS))
    path.write_bytes(field(2, old + field(41, field(1, 3)) + field(1001, 1)))
    (found,) = open_weights(path).layers
    assert (found.name, found.type, found.version) == ("conv", "", "V1")
    np.testing.assert_array_equal(found.blobs[0].array(), VALUES)


def c3d_blob(array) -> bytes:
    """C3D's fork of 2014: num, channels, length, height, width; data 6 and diff 7."""
    sizes = b"".join(field(number, size) for number, size in enumerate(array.shape, 1))
    values = array.astype("<f4").tobytes()
    return sizes + field(6, values) + field(7, values[::-1])


def test_c3d_s_blobs_have_five_axes(tmp_path):
    volume = VALUES.reshape(1, 4, 3, 2, 2)
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(c3d_blob(volume))
    mean = open_binaryproto(path)
    assert (mean.shape, mean.legacy_shape) == ((1, 4, 3, 2, 2), True)
    np.testing.assert_array_equal(mean.array(), volume)
    path.write_bytes(c3d_blob(volume)[:-4])
    with pytest.raises(FileError, match="it is cut off"):
        open_binaryproto(path)
    model = tmp_path / "old.caffemodel"
    model.write_bytes(field(2, field(4, b"c") + field(5, 30) + field(6, c3d_blob(volume))))
    np.testing.assert_array_equal(open_weights(model).layers[0].blobs[0].array(), volume)


def test_nvidia_s_half_precision_becomes_single(tmp_path):
    import torch

    from caffegen.pytorch import build

    path = tmp_path / "half.caffemodel"
    path.write_bytes(layer("conv", "Convolution", blobs=[half_blob(VALUES), half_blob(BIAS)]))
    net = loads(NET, path)
    weight, _bias = net.params["conv"]
    assert weight.dtype == np.float16
    np.testing.assert_array_equal(weight.astype(np.float32), VALUES)
    module = build(net)
    assert module.conv.weight.dtype == torch.float32
    np.testing.assert_array_equal(module.conv.weight.detach().numpy(), VALUES)
    np.testing.assert_array_equal(module.conv.bias.detach().numpy(), BIAS)
    net.save(caffemodel=tmp_path / "single.caffemodel")
    again = loads(NET, tmp_path / "single.caffemodel").params["conv"]
    assert again[0].dtype == np.float32
    np.testing.assert_array_equal(again[0], VALUES)
