"""Reading and writing .caffemodel.h5, against h5py and a file of Caffe's own."""

import os
import resource
import sys

import h5py
import numpy as np
import pytest

from caffegen.errors import CaffegenError, FileError
from caffegen.weights import open_hdf5, open_weights, write_hdf5

ONES = np.ones((2, 3), np.float32)


@pytest.fixture
def hdf5(tmp_path):
    """Make an HDF5 file with the given function of its root, and its path."""

    def make(build, **options):
        path = tmp_path / "net.caffemodel.h5"
        with h5py.File(path, "w", **options) as root:
            build(root)
        return path

    return make


def test_the_file_of_caffe_holds_what_its_caffemodel_holds(golden):
    stored = open_weights(golden / "nets" / "mobilenet.caffemodel.h5")
    model = open_weights(golden / "nets" / "mobilenet.caffemodel")
    by_name = {layer.name: layer.blobs for layer in stored.layers}
    assert stored.name == ""
    assert [layer.name for layer in stored.layers] == sorted(by_name)
    assert by_name.keys() == {layer.name for layer in model.layers}
    for layer in model.layers:
        for one, other in zip(by_name[layer.name], layer.blobs, strict=True):
            np.testing.assert_array_equal(one.array(), other.array(), strict=True)


def test_values_in_one_piece_are_mapped(golden):
    path = golden / "nets" / "mobilenet.caffemodel.h5"
    data = path.read_bytes()
    for layer in open_hdf5(path).layers:
        for blob in layer.blobs:
            values = blob.array()
            assert data[blob.offset : blob.offset + blob.nbytes] == values.tobytes()
            assert not values.flags.owndata
            assert not values.flags.writeable


def test_golden_nets_survive(golden, tmp_path):
    model = open_weights(golden / "nets" / "resnet18.caffemodel")
    path = tmp_path / "net.caffemodel.h5"
    written = []
    write_hdf5(path, model.layers, progress=written.append)
    again = {layer.name: layer.blobs for layer in open_hdf5(path).layers}
    for layer in model.layers:
        for one, other in zip(again[layer.name], layer.blobs, strict=True):
            np.testing.assert_array_equal(one.array(), other.array(), strict=True)
    assert written[-1] == sum(blob.nbytes for layer in model.layers for blob in layer.blobs)


def test_what_is_written_is_what_caffe_reads(tmp_path):
    """net.cpp, CopyTrainedLayersFromHDF5: data/<layer>/<index>, in the shape of the blob."""
    path = tmp_path / "net.h5"
    blobs = [ONES, np.arange(3, dtype=np.float64), np.float16([1, 2]), np.zeros((0, 2), np.float32)]
    write_hdf5(path, [("ip", "InnerProduct", (), (), blobs), ("relu", "ReLU", (), (), ())])
    with h5py.File(path) as root:
        assert list(root["data"]) == ["ip", "relu"]
        found = [root["data/ip"][str(index)] for index in range(4)]
        assert [item.dtype.str for item in found] == ["<f4", "<f8", "<f4", "<f4"]
        for item, blob in zip(found, blobs, strict=True):
            np.testing.assert_array_equal(item[...], blob)
            assert item.chunks is None


def test_names_with_slashes_are_groups_in_groups(tmp_path):
    names = ["inception/a", "inception/b/c", "inception", "z"]
    path = tmp_path / "net.h5"
    write_hdf5(
        path, [(name, "Scale", (), (), [np.float32([index])]) for index, name in enumerate(names)]
    )
    found = {layer.name: float(layer.blobs[0].array()[0]) for layer in open_hdf5(path).layers}
    assert found == {name: index for index, name in enumerate(names)}


def test_arrays_larger_than_a_chunk(tmp_path):
    values = np.random.default_rng(0).standard_normal((1500, 2000), np.float32)
    path = tmp_path / "net.h5"
    blobs = [values, values.T, values.reshape(1, 1, 1500, 2000), np.float32(3).reshape(())]
    write_hdf5(path, [("ip", "", (), (), blobs)])
    for stored, blob in zip(open_hdf5(path).layers[0].blobs, blobs, strict=True):
        np.testing.assert_array_equal(stored.array(), blob, strict=True)


@pytest.mark.parametrize(
    ("options", "dtype"),
    [
        pytest.param({"compression": "gzip", "chunks": (1, 3)}, "float32", id="compressed"),
        pytest.param({"dtype": ">f4"}, "float32", id="big-endian"),
        pytest.param({"dtype": ">f8"}, "float64", id="big-endian double"),
        pytest.param({"dtype": "i4"}, "float32", id="integers"),
        pytest.param({"dtype": ">f2"}, "float16", id="half"),
    ],
)
def test_values_that_must_be_unpacked(hdf5, options, dtype):
    data = np.arange(6).reshape(2, 3)
    options = {"dtype": "<f4", **options}
    path = hdf5(lambda root: root.create_group("data/ip").create_dataset("0", data=data, **options))
    blob = open_hdf5(path).layers[0].blobs[0]
    assert (blob.shape, blob.dtype, blob.offset) == ((2, 3), np.dtype(dtype), None)
    np.testing.assert_array_equal(blob.array(), data.astype(dtype), strict=True)
    assert not blob.array().flags.writeable


def test_a_scalar_that_must_be_unpacked(hdf5):
    path = hdf5(lambda root: root.create_dataset("data/bn/0", data=np.array(2.5, ">f4")))
    blob = open_hdf5(path).layers[0].blobs[0]
    np.testing.assert_array_equal(blob.array(), np.array(2.5, np.float32), strict=True)


def test_blobs_that_layers_share_are_absent(hdf5, tmp_path):
    path = hdf5(lambda root: root.create_dataset("data/decode/1", data=ONES[0]))
    (layer,) = open_hdf5(path).layers
    assert [blob.absent for blob in layer.blobs] == [True, False]
    with pytest.raises(CaffegenError) as caught:
        layer.blobs[0].array()
    assert str(caught.value) == (
        f"`{path}`: blob 0 of layer `decode` is not in the file; Caffe leaves out what layers share"
    )
    again = tmp_path / "again.h5"
    write_hdf5(again, [layer])
    assert [blob.absent for blob in open_hdf5(again).layers[0].blobs] == [True, False]


def link_circle(root):
    root.create_dataset("data/a/0", data=ONES)
    root["data/a/again"] = root["data"]


def link_outside(root):
    root.create_group("data/ip")
    root["data/ip/0"] = h5py.ExternalLink("secret.h5", "/secret")
    root["data/soft"] = h5py.SoftLink("/data/ip")


def test_links_are_not_followed(hdf5):
    (layer,) = open_hdf5(hdf5(link_outside)).layers
    assert (layer.name, layer.blobs) == ("ip", [])


REFUSED = [
    pytest.param(
        lambda root: root.create_dataset("model_weights/w", data=ONES),
        "it is an HDF5 file without Caffe's group `data`; it holds `model_weights`", id="keras",
    ),
    pytest.param(
        lambda root: root.create_dataset("data", data=ONES),
        "it is an HDF5 file without Caffe's group `data`; it holds `data`", id="HDF5Data",
    ),
    pytest.param(
        lambda root: root.update({"data": h5py.ExternalLink("x.h5", "/data")}),
        "it is an HDF5 file without Caffe's group `data`; it holds `data`", id="link",
    ),
    pytest.param(
        lambda _: None, "it is an HDF5 file without Caffe's group `data`; it holds nothing",
        id="nothing",
    ),
    pytest.param(
        link_circle, "its group `a/again` is linked twice, or lies too deep", id="circle"
    ),
    pytest.param(
        lambda root: root.create_dataset("data/ip/0", data=["words"]),
        "blob 0 of layer `ip` has values of type object; weights are numbers", id="words",
    ),
    pytest.param(
        lambda root: root.create_dataset("data/ip/0", (1 << 30,), "f4", chunks=(1024,)),
        "blob 0 of layer `ip` has the shape [1073741824], 4294967296 bytes; the file holds 0",
        id="claims without values",
    ),
    pytest.param(
        lambda root: root.create_group("data/ip").create_dataset(
            "0", (4,), "f4", external=[("outside.bin", 0, 16)]
        ),
        "blob 0 of layer `ip` has its values in another file", id="external",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("build", "sentence"), REFUSED)
def test_refused_files(hdf5, build, sentence):
    with pytest.raises(FileError) as caught:
        open_hdf5(hdf5(build))
    assert caught.value.sentence == sentence


def test_a_truncated_file(golden, tmp_path):
    data = (golden / "nets" / "mobilenet.caffemodel.h5").read_bytes()
    path = tmp_path / "net.h5"
    for size in (20, 200, 4000, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(FileError, match="it is a damaged HDF5 file: ") as caught:
            open_weights(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["a", "a"], "`{path}`: it can't be written: two layers have the name `a`"),
        ([""], "`{path}`: it can't be written: HDF5 has no name ``"),
        (["a//b"], "`{path}`: it can't be written: HDF5 has no name `a//b`"),
        (["./a"], "`{path}`: it can't be written: HDF5 has no name `./a`"),
        (["a", "a/0"], "layer `a/0` has no place in an HDF5 file: "),
        (["a/0", "a"], "layer `a` has no place in an HDF5 file: "),
    ],
    ids=["twice", "empty", "empty part", "dot", "blob is taken", "group is taken"],
)
def test_names_that_hdf5_can_not_hold(tmp_path, names, sentence):
    path = tmp_path / "net.h5"
    with pytest.raises(CaffegenError) as caught:
        write_hdf5(path, [(name, "Scale", (), (), [ONES]) for name in names])
    assert str(caught.value).startswith(sentence.format(path=path))
    assert os.listdir(tmp_path) == []


def test_writing_does_not_fill_memory(tmp_path):
    source = tmp_path / "source.h5"
    values = np.broadcast_to(np.float32(1), (64, 1 << 20))
    write_hdf5(source, [("ip", "", (), (), [values])])
    model = open_hdf5(source)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    write_hdf5(tmp_path / "copy.h5", model.layers)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident < 64 << 10
    assert open_hdf5(tmp_path / "copy.h5").layers[0].blobs[0].array()[63, -1] == 1


def test_without_h5py(golden, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    for act in (
        lambda: open_weights(golden / "nets" / "mobilenet.caffemodel.h5"),
        lambda: write_hdf5(tmp_path / "net.h5", []),
    ):
        with pytest.raises(CaffegenError) as caught:
            act()
        assert str(caught.value) == "a .caffemodel.h5 needs h5py: pip install h5py"
