"""Weights as people really have them: old shapes, other forks, renamed, cut off, packed.

The bytes are put together by hand, as in test_forks.py, and each file goes the whole way: loaded
with a net, matched, and run.
"""

from __future__ import annotations

import io
import tarfile
import zipfile

import h5py
import numpy as np
import pytest
import torch

from caffegen import load, loads
from caffegen.diagnostics import NetError
from caffegen.errors import FileError
from caffegen.pytorch import build
from tests.weights.test_forks import blob, field, half_blob, varint

RNG = np.random.default_rng(0)
INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 4 dim: 4 } } }\n'
CONV = (
    'layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" '
    "convolution_param { num_output: 4 kernel_size: 2 } }\n"
)
IP = (
    'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" '
    "inner_product_param { num_output: 5 } }\n"
)
WEIGHT, BIAS = RNG.random((4, 3, 2, 2), np.float32), RNG.random(4, np.float32)
IP_WEIGHT, IP_BIAS = RNG.random((5, 48), np.float32), RNG.random(5, np.float32)


def old_blob(array, shape=None) -> bytes:
    """Num, channels, height and width, as every blob had them until 2014."""
    sizes = shape or (1,) * (4 - array.ndim) + array.shape
    head = b"".join(field(number, size) for number, size in enumerate(sizes, 1))
    return head + field(5, array.astype("<f4").tobytes())


def layer(name, kind, blobs=(), extra=b"") -> bytes:
    """A layer of today's format."""
    head = field(1, name.encode()) + field(2, kind.encode())
    return field(100, head + b"".join(field(7, each) for each in blobs) + extra)


def v1_layer(name, number, blobs=()) -> bytes:
    return field(
        2, field(4, name.encode()) + field(5, number) + b"".join(field(6, b) for b in blobs)
    )


def v0_layer(name, kind, blobs=()) -> bytes:
    inner = (
        field(1, name.encode()) + field(2, kind.encode()) + b"".join(field(50, b) for b in blobs)
    )
    return field(2, field(1, inner))


@pytest.fixture
def file(tmp_path):
    def write(*parts, name="net.caffemodel"):
        path = tmp_path / name
        path.write_bytes(b"".join(parts))
        return path

    return write


def run(net, data=None):
    data = torch.from_numpy(RNG.random((1, 3, 4, 4), np.float32)) if data is None else data
    with torch.no_grad():
        blobs = build(net).eval()(data)
    return data.numpy(), next(iter(blobs.values())).numpy()


# Caffe read all of these (blob.cpp, FromProto and ShapeEquals)
@pytest.mark.parametrize(
    "written",
    [
        [layer("ip", "InnerProduct", [blob(IP_WEIGHT), blob(IP_BIAS)])],
        [layer("ip", "InnerProduct", [old_blob(IP_WEIGHT), old_blob(IP_BIAS)])],
        [v1_layer("ip", 14, [old_blob(IP_WEIGHT), old_blob(IP_BIAS)])],
        [v0_layer("ip", "innerproduct", [old_blob(IP_WEIGHT), old_blob(IP_BIAS)])],
        [layer("ip", "InnerProduct", [half_blob(IP_WEIGHT), half_blob(IP_BIAS)])],
    ],
    ids=["shape", "four sizes", "V1", "V0", "half precision"],
)
@pytest.mark.parametrize("name", ["net.caffemodel", "lenet_iter_10000", "weights.bin", "net.pb"])
def test_every_form_of_an_inner_product(file, written, name):
    net = loads(INPUT + IP, file(*written, name=name))
    assert [array.shape for array in net.params["ip"]] == [(5, 48), (5,)]
    data, found = run(net)
    np.testing.assert_allclose(found, data.reshape(1, -1) @ IP_WEIGHT.T + IP_BIAS, rtol=2e-3)


def test_an_inner_product_of_another_form_is_refused_as_caffe_refuses_it(file):
    path = file(layer("ip", "InnerProduct", [old_blob(IP_WEIGHT, (5, 3, 4, 4)), old_blob(IP_BIAS)]))
    with pytest.raises(NetError, match=r"weight.* is \[5, 48\] in the net and \[5, 3, 4, 4\]"):
        loads(INPUT + IP, path)


NORMALIZE = (
    'layer { name: "norm" type: "Normalize" bottom: "data" top: "norm" norm_param '
    "{ across_spatial: false channel_shared: %s } }"
)
PRELU = (
    'layer { name: "prelu" type: "PReLU" bottom: "data" top: "prelu" prelu_param '
    "{ channel_shared: %s } }"
)
CHANNELS, ONE = RNG.random(3, np.float32), RNG.random(1, np.float32)


@pytest.mark.parametrize("form", [blob, old_blob], ids=["shape", "four sizes"])
@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [(NORMALIZE, "norm", "Normalize"), (PRELU, "prelu", "PReLU")],
    ids=["Normalize", "PReLU"],
)
@pytest.mark.parametrize("shared", [False, True], ids=["a channel each", "one for all"])
def test_values_by_channel_or_for_all(file, form, text, name, kind, shared):
    values = ONE.reshape(()) if shared and form is blob else ONE if shared else CHANNELS
    path = file(layer(name, kind, [form(values)]))
    net = loads(INPUT + text % str(shared).lower(), path)
    data, found = run(net, torch.randn(1, 3, 4, 4))
    factors = np.broadcast_to(values, (3,)).reshape(1, 3, 1, 1)
    if kind == "PReLU":
        expected = np.where(data > 0, data, factors * data)
    else:
        expected = factors * data / np.sqrt((data**2).sum(1, keepdims=True))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


NORM = 'layer { name: "bn" type: "%s" bottom: "data" top: "bn" %s }'
MEAN, VARIANCE = RNG.random(3, np.float32), RNG.random(3, np.float32) + 0.5
SLOPE, SHIFT = RNG.random(3, np.float32), RNG.random(3, np.float32)
# Caffe's three blobs are sums and the factor that divides them
SUMS = [MEAN * 4, VARIANCE * 4, np.float32([4])]
PLANES = [a.reshape(1, 3, 1, 1) for a in (SLOPE, SHIFT, MEAN, VARIANCE)]


@pytest.mark.parametrize(
    ("text", "kind", "blobs", "learned"),
    [
        (NORM % ("BatchNorm", ""), "BatchNorm", [blob(a) for a in SUMS], False),
        (NORM % ("BatchNorm", ""), "BatchNorm", [old_blob(a) for a in SUMS], False),
        (NORM % ("BN", "bn_param { frozen: true }"), "BN", [blob(a) for a in PLANES], True),
        (NORM % ("BN", "bn_param { frozen: true }"), "BN", [old_blob(a) for a in PLANES], True),
    ],
    ids=["three blobs", "three of four sizes", "PSPNet's four", "four of four sizes"],
)
def test_batch_statistics(file, text, kind, blobs, learned):
    net = loads(INPUT + text, file(layer("bn", kind, blobs)), dialect="pspnet" if learned else "")
    data, found = run(net, torch.randn(1, 3, 4, 4))
    column = (1, 3, 1, 1)
    expected = (data - MEAN.reshape(column)) / np.sqrt(VARIANCE.reshape(column) + 1e-5)
    if learned:
        expected = SLOPE.reshape(column) * expected + SHIFT.reshape(column)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("text", "kind", "blobs", "said"),
    [
        (NORM % ("BatchNorm", ""), "BatchNorm", PLANES, "has 3 weight blobs"),
        (NORM % ("BN", "bn_param { frozen: true }"), "BN", SUMS, "has 4 weight blobs"),
        (NORM % ("BN", "bn_param { bn_mode: INFERENCE }"), "BN", PLANES, "has 2 weight blobs"),
    ],
    ids=["four for BatchNorm", "three for PSPNet's BN", "four for SegNet's BN"],
)
def test_statistics_of_another_fork_are_no_weights(file, text, kind, blobs, said):
    path = file(layer("bn", kind, [blob(array) for array in blobs]))
    dialect = {"frozen": "pspnet", "INFERENCE": "segnet"}.get(
        next((word for word in ("frozen", "INFERENCE") if word in text), ""), ""
    )
    with pytest.raises(NetError, match=rf"layer `bn` {said}.*the file holds {len(blobs)}"):
        loads(INPUT + text, path, dialect=dialect)


def test_layers_that_the_net_has_not(file):
    """Splits that Caffe put in when it trained, and heads that were cut off since."""
    path = file(
        layer("data", "Data"),
        layer("data_data_0_split", "Split"),
        layer("conv", "Convolution", [blob(WEIGHT), blob(BIAS)]),
        layer("conv_relu_0_split", "Split"),
        layer("fc8", "InnerProduct", [blob(IP_WEIGHT)]),
        layer("loss", "SoftmaxWithLoss"),
    )
    net = loads(INPUT + CONV, path)
    assert [d.message for d in net.diagnostics] == [
        "the weights of `fc8` ([5, 48]): the layer is not in the net"
    ]
    np.testing.assert_array_equal(net.params["conv"][0], WEIGHT)


def test_a_layer_that_was_renamed_is_found_out(file):
    path = file(layer("conv1", "Convolution", [blob(WEIGHT), blob(BIAS)]))
    net = loads(INPUT + CONV, path)
    found = {d.name: d for d in net.diagnostics}
    missing = found["layer-without-weights"]
    assert missing.message == "the weights hold nothing for layer `conv`"
    assert missing.help == "the weights of `conv1` have its shapes; was the layer renamed?"


def test_of_two_files_the_later_counts(file):
    first = file(layer("conv", "Convolution", [blob(WEIGHT), blob(BIAS)]), name="first.caffemodel")
    second = file(layer("conv", "Convolution", [blob(WEIGHT * 2), blob(BIAS)]), name="then")
    net = loads(INPUT + CONV, [first, second])
    np.testing.assert_array_equal(net.params["conv"][0], WEIGHT * 2)


def test_hdf5_under_any_name(tmp_path):
    path = tmp_path / "net.caffemodel"
    with h5py.File(path, "w") as book:
        for index, array in enumerate((WEIGHT, BIAS)):
            book.create_dataset(f"data/conv/{index}", data=array)
    prototxt = tmp_path / "net.prototxt"
    prototxt.write_text(INPUT + CONV)
    net = load(prototxt, path)
    np.testing.assert_array_equal(net.params["conv"][0], WEIGHT)


WHOLE = layer("conv", "Convolution", [blob(WEIGHT), blob(BIAS)])


@pytest.mark.parametrize("left", [3, 20, 60, len(WHOLE) // 2, len(WHOLE) - 1])
def test_a_download_that_ended_early(file, left):
    with pytest.raises(FileError, match="cut off"):
        loads(INPUT + CONV, file(WHOLE[:left]))


def archived(kind):
    packed = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("net.caffemodel", WHOLE)
    else:
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            entry = tarfile.TarInfo("net.caffemodel")
            entry.size = len(WHOLE)
            archive.addfile(entry, io.BytesIO(WHOLE))
    return packed.getvalue()


@pytest.mark.parametrize(("kind", "said"), [("zip", "a zip archive"), ("tar", "a gzip archive")])
def test_an_archive_is_named_as_one(file, kind, said):
    with pytest.raises(FileError, match=f"it is {said}, not a .caffemodel"):
        loads(INPUT + CONV, file(archived(kind)))


def test_a_v1_layer_of_an_unknown_number_keeps_its_weights(file):
    """Forks counted their own V1 types on from 39; the name is what matches."""
    path = file(v1_layer("conv", 100, [old_blob(WEIGHT), old_blob(BIAS)]))
    net = loads(INPUT + CONV, path)
    np.testing.assert_array_equal(net.params["conv"][0], WEIGHT)


def test_values_written_one_by_one(file):
    """Unpacked floats, a tag before each: files from before 2013 and from other writers."""
    values = b"".join(varint(5 << 3 | 5) + np.float32(v).tobytes() for v in BIAS)
    stored = b"".join(field(n, size) for n, size in enumerate((1, 1, 1, 4), 1)) + values
    path = file(v1_layer("conv", 4, [old_blob(WEIGHT), stored]))
    np.testing.assert_array_equal(loads(INPUT + CONV, path).params["conv"][1], BIAS)
