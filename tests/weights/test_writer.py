"""Writing .caffemodel files: the bytes of protobuf itself, streamed, and whole or not at all."""

import os
import tracemalloc

import numpy as np
import pytest

from caffegen.errors import CaffegenError, FileError
from caffegen.weights import open_weights, value_chunks, write_caffemodel, write_weights
from tests.weights.caffe_messages import PACKED, UNPACKED, blob_of, net_of


def layers_equal(one, other):
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        assert left[:4] == right[:4]
        for a, b in zip(left.blobs, right.blobs, strict=True):
            np.testing.assert_array_equal(a.array(), b.array(), strict=True)


SMALL = [
    ("data", "Input", (), ("data",), ()),
    (
        "conv1", "Convolution", ("data",), ("conv1",),
        (np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2), np.array([1, 2], np.float64)),
    ),
    ("né/1", "Scale", ("conv1", "b"), ("a", "b"), (np.float32(3).reshape(()), np.zeros((0, 4), np.float32))),
]  # fmt: skip


def test_the_bytes_are_those_of_protobuf(tmp_path):
    net = PACKED.NetParameter(name="small")
    for name, kind, bottoms, tops, blobs in SMALL:
        layer = net.layer.add(name=name.encode(), type=kind, bottom=bottoms, top=tops)
        for values in blobs:
            blob = layer.blobs.add()
            double = values.dtype == np.float64
            (blob.double_data if double else blob.data).extend(values.ravel().tolist())
            blob.shape.SetInParent()
            blob.shape.dim.extend(values.shape)
    path = tmp_path / "small.caffemodel"
    write_caffemodel(path, "small", iter(SMALL))
    assert path.read_bytes() == net.SerializeToString()


@pytest.mark.parametrize("name", ["legacy_v0", "legacy_v1", "resnet18", "se_net"])
def test_golden_nets_survive(golden, tmp_path, name):
    model = open_weights(golden / "nets" / f"{name}.caffemodel")
    path = tmp_path / "again.caffemodel"
    write_caffemodel(path, model.name, model.layers)
    again = open_weights(path)
    assert again.name == model.name
    assert {layer.version for layer in again.layers} == {"V2"}
    layers_equal(again.layers, model.layers)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        pytest.param(np.arange(12, dtype=np.float16).reshape(3, 4), "float32", id="half"),
        pytest.param(np.arange(12, dtype=">f4").reshape(3, 4), "float32", id="big-endian"),
        pytest.param(np.arange(12, dtype=">f8").reshape(3, 4), "float64", id="big-endian double"),
        pytest.param(np.arange(12, dtype=np.float32).reshape(3, 4).T, "float32", id="transposed"),
        pytest.param(np.arange(24, dtype=np.float32)[::-2], "float32", id="strided"),
        pytest.param(np.broadcast_to(np.float32(2), (3, 4)), "float32", id="broadcast"),
    ],
)
def test_arrays_of_any_layout(tmp_path, values, dtype):
    path = tmp_path / "net.caffemodel"
    write_caffemodel(path, "net", [("a", "Scale", (), (), [values])])
    stored = open_weights(path).layers[0].blobs[0].array()
    np.testing.assert_array_equal(stored, values.astype(dtype), strict=True)


def test_large_arrays_in_chunks(tmp_path):
    values = np.random.default_rng(0).standard_normal((1100, 2100), np.float32)
    path = tmp_path / "net.caffemodel"
    written = []
    blobs = [values, values.T, values.astype(np.float16)]
    write_caffemodel(path, "net", [("a", "Scale", (), (), blobs)], progress=written.append)
    for stored, blob in zip(open_weights(path).layers[0].blobs, blobs, strict=True):
        np.testing.assert_array_equal(stored.array(), blob.astype(np.float32), strict=True)
    assert written == sorted(written)
    assert len(written) > 6
    assert written[-1] == path.stat().st_size


def test_values_of_a_file_are_not_copied(tmp_path):
    values = np.zeros(16 << 20, np.float32)
    source = tmp_path / "source.caffemodel"
    write_caffemodel(source, "net", [("a", "Scale", (), (), [values])])
    del values
    model = open_weights(source)
    tracemalloc.start()
    try:
        write_caffemodel(tmp_path / "copy.caffemodel", model.name, model.layers)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert (tmp_path / "copy.caffemodel").read_bytes() == source.read_bytes()
    assert not model.layers[0].blobs[0].array()[::1000].any()


def test_unpacked_values_are_written_packed(tmp_path):
    source = tmp_path / "source.caffemodel"
    source.write_bytes(net_of(blob_of(UNPACKED, data=[1.0, 2.0, 3.0], shape=[3])))
    model = open_weights(source)
    write_caffemodel(source, model.name, model.layers)  # onto the file that is being read
    stored = open_weights(source).layers[0].blobs[0]
    assert stored.offset is not None
    assert stored.array().tolist() == [1, 2, 3]
    assert model.layers[0].blobs[0].array().tolist() == [1, 2, 3]


def test_chunks_are_the_bytes_in_order():
    values = np.arange(3_000_000, dtype=np.float32).reshape(3000, 1000)
    for view in (values, values.T):
        chunks = [bytes(chunk) for chunk in value_chunks(view, np.dtype("<f4"))]
        assert len(chunks) > 2
        assert b"".join(chunks) == view.tobytes()


def test_names_with_bytes_that_are_no_utf8(tmp_path):
    path = tmp_path / "net.caffemodel"
    write_caffemodel(path, "n", [("a\udcff", "Scale", (), (), ())])
    assert open_weights(path).layers[0].name == "a\udcff"
    assert b"a\xff" in path.read_bytes()


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        pytest.param(
            ("a", "Scale", (), (), [np.zeros(3, np.int64)]),
            "blob 0 of layer `a` has int64 values; Caffe's weights are float32 or float64",
            id="integers",
        ),
        pytest.param(
            ("a", "Scale", (), (), [np.broadcast_to(np.float32(0), (1 << 15, 1 << 15))]),
            "`{path}`: with layer `a` it would have 4294967336 bytes; protobuf, and so Caffe, reads "
            "up to 2147483647 (a .caffemodel.h5 may be larger)",
            id="too large",
        ),
        pytest.param(
            ("\ud800", "Scale", (), (), ()),
            "the name '\\ud800' can't be written as UTF-8",
            id="name",
        ),
    ],
)
def test_refusals_leave_nothing_behind(tmp_path, layer, sentence):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(b"old")
    with pytest.raises(CaffegenError) as caught:
        write_caffemodel(path, "net", [SMALL[1], layer])
    assert str(caught.value).startswith(sentence.format(path=path)[:60])
    assert os.listdir(tmp_path) == ["net.caffemodel"]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("fault", [KeyboardInterrupt, RuntimeError, MemoryError])
def test_whatever_happens_the_old_file_stays(tmp_path, fault):
    def layers():
        yield SMALL[1]
        raise fault

    path = tmp_path / "net.caffemodel"
    path.write_bytes(b"old")
    with pytest.raises(fault):
        write_caffemodel(path, "net", layers())
    assert os.listdir(tmp_path) == ["net.caffemodel"]
    assert path.read_bytes() == b"old"


def test_a_full_disk():
    with pytest.raises(FileError, match=r"`/dev/full`: it can't be written: the disk is full"):
        write_caffemodel("/dev/full", "net", SMALL)
    assert os.path.exists("/dev/full")


def test_the_suffix_chooses_the_format(tmp_path):
    for name in ("a.caffemodel", "b.caffemodel.h5", "c.HDF5"):
        write_weights(tmp_path / name, "net", SMALL[:2])
        hdf5 = (tmp_path / name).read_bytes().startswith(b"\x89HDF")
        assert hdf5 == (name != "a.caffemodel")
        assert sum(len(layer.blobs) for layer in open_weights(tmp_path / name).layers) == 2
