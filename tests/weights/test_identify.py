"""Files that are something else: one sentence each that says what."""

import gzip
import io
import os
import tarfile
import zipfile

import numpy as np
import pytest

from caffegen.errors import FileError
from caffegen.weights import open_binaryproto, open_caffemodel, open_hdf5, open_weights
from tests.weights.caffe_messages import PACKED, blob_of, field


def zip_of(name):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, b"x" * 100)
    return file.getvalue()


def tar_of(name):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    return file.getvalue()


def npy():
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


def onnx_model():
    """ir_version, producer_name, graph and opset_import of a ModelProto."""
    return b"\x08\x08" + field(2, b"pytorch") + field(7, field(2, b"graph")) + field(8, b"\x10\x11")


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n"
MEAN = blob_of(num=1, channels=1, height=1, width=2, data=[1.0, 2.0])
SOLVERSTATE = PACKED.SolverState(iter=100, learned_net="x.caffemodel")
SOLVERSTATE.history.add(data=[1.0]).shape.dim.append(1)

KINDS = [
    pytest.param(b"", "it is empty", id="empty"),
    pytest.param(
        LFS, "it is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`", id="lfs"
    ),
    pytest.param(
        b'name: "LeNet"\nlayer { name: "data" }\n',
        "it is a prototxt, the net in words, not a .caffemodel", id="prototxt",
    ),
    pytest.param(
        b"# LeNet\n\n  layers {\n" + b"  # \xc3\xa9\n" * 400,
        "it is a prototxt, the net in words, not a .caffemodel", id="prototxt after a comment",
    ),
    pytest.param(b"404: Not Found", "it is text, not a .caffemodel", id="text"),
    pytest.param("näme".encode("utf-16"), "it is text in UTF-16, not a .caffemodel", id="UTF-16"),
    pytest.param(
        b"\xef\xbb\xbf\n<!DOCTYPE html><html>",
        "it is a web page (some sites send one in place of a download), not a .caffemodel",
        id="html",
    ),
    pytest.param(b"\x89HDF\r\n\x1a\n" + b"\0" * 99, "it is an HDF5 file, not a .caffemodel", id="hdf5"),
    pytest.param(zip_of("net.caffemodel"), "it is a zip archive, not a .caffemodel", id="zip"),
    pytest.param(zip_of("net/data.pkl"), "it is a PyTorch checkpoint, not a .caffemodel", id="pth"),
    pytest.param(zip_of("w.npy"), "it is a numpy archive (.npz), not a .caffemodel", id="npz"),
    pytest.param(npy(), "it is a numpy array (.npy), not a .caffemodel", id="npy"),
    pytest.param(gzip.compress(b"x"), "it is a gzip archive, not a .caffemodel", id="gzip"),
    pytest.param(tar_of("net"), "it is a tar archive, not a .caffemodel", id="tar"),
    pytest.param(
        b"\x40\0\0\0\0\0\0\0{}" + b" " * 62, "it is a safetensors file, not a .caffemodel",
        id="safetensors",
    ),
    pytest.param(b"\x1c\0\0\0TFL3", "it is a TensorFlow Lite model, not a .caffemodel", id="tflite"),
    pytest.param(
        b"\0" * 4096,
        "it is a file that begins with zeros (an unfinished download), not a .caffemodel", id="zeros",
    ),
    pytest.param(onnx_model(), "it is an ONNX model, not a .caffemodel", id="onnx"),
    pytest.param(
        MEAN, "it is a .binaryproto (one blob, such as a mean image), not a .caffemodel",
        id="binaryproto",
    ),
    pytest.param(
        blob_of(data=[1.0, 2.0], shape=[2]),
        "it is a .binaryproto (one blob, such as a mean image), not a .caffemodel",
        id="binaryproto with shape",
    ),
    pytest.param(
        SOLVERSTATE.SerializeToString(),
        "it is a .solverstate (the solver's memory, kept beside a .caffemodel), not a .caffemodel",
        id="solverstate",
    ),
    pytest.param(
        field(1, field(1, b"x") + field(2, b"Const")) * 3 + field(4, b"\x08\x15"),
        "it is a TensorFlow graph, not a .caffemodel", id="tensorflow",
    ),
    pytest.param(
        field(77, b"?"), "it holds no layers, so it is not a .caffemodel", id="another message"
    ),
    pytest.param(
        b"\x07\x01\x02", "it is not a .caffemodel: at byte 0, no field has the number 0", id="noise"
    ),
]  # fmt: skip


@pytest.fixture
def file_of(tmp_path):
    def write(data):
        path = tmp_path / "net.caffemodel"
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize(("data", "sentence"), KINDS)
def test_what_it_really_is(file_of, data, sentence):
    path = file_of(data)
    with pytest.raises(FileError) as caught:
        open_caffemodel(path)
    assert str(caught.value) == f"`{path}`: {sentence}"
    assert caught.value.path == str(path)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        pytest.param(PACKED.NetParameter(name="n"), "its blob has the shape [], 1 values; the file holds 0", id="name"),
        pytest.param(LFS, "it is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`", id="lfs"),
        pytest.param(onnx_model(), "it is an ONNX model, not a .binaryproto", id="onnx"),
        pytest.param(SOLVERSTATE, "it is a .solverstate (the solver's memory, kept beside a .caffemodel), not a .binaryproto", id="solverstate"),
        pytest.param(MEAN[:-1], "it is cut off: at byte 8, a field of 8 bytes runs 1 past the end", id="cut off"),
        pytest.param(blob_of(num=0, channels=1, height=1, width=1), "it holds no values", id="no values"),
    ],
)  # fmt: skip
def test_what_a_mean_file_really_is(file_of, data, sentence):
    with pytest.raises(FileError) as caught:
        open_binaryproto(file_of(data if isinstance(data, bytes) else data.SerializeToString()))
    assert caught.value.sentence == sentence


def test_a_caffemodel_is_no_mean_file_and_no_hdf5(golden):
    path = golden / "nets" / "legacy_v1.caffemodel"
    with pytest.raises(FileError, match=r"it is a \.caffemodel, not a \.binaryproto"):
        open_binaryproto(path)
    with pytest.raises(FileError, match=r"it is a \.caffemodel, not a \.caffemodel\.h5"):
        open_hdf5(path)


def test_content_decides_and_not_the_name(golden, tmp_path):
    hdf5 = tmp_path / "net.caffemodel"
    hdf5.write_bytes((golden / "nets" / "mobilenet.caffemodel.h5").read_bytes())
    binary = tmp_path / "net.h5"
    binary.write_bytes((golden / "nets" / "mobilenet.caffemodel").read_bytes())
    assert open_weights(hdf5).name == ""
    assert open_weights(binary).name == "mobilenet"


def test_paths_that_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, sentence in {
        ".": "it is a folder, not a file",
        "pipe": "it is a pipe or a device; only a file can be mapped",
        "none": "it can't be read: no such file or directory",
        "a\0b": "it can't be read: ",
    }.items():
        with pytest.raises(FileError) as caught:
            open_weights(os.path.join(tmp_path, name))
        assert caught.value.sentence.startswith(sentence)
