"""The three homes of weights: equal models, no second copy, little memory, and no half-written files."""

import os
import shutil
import stat
import subprocess
import sys

import numpy as np
import onnx
import pytest

from caffegen import onnx_bridge
from caffegen.errors import CaffegenError, FileError
from caffegen.loader import load, loads
from caffegen.weights.encode import bytes_field, field_head, text_field
from tests.onnx_bridge.golden_case import GOLDEN, arrays, run

STORAGES = ("embed", "external", "link")


@pytest.fixture
def folder(tmp_path):
    """A folder with spaces and more in its name, and a net and its weights in it."""
    home = tmp_path / "mod\u00e8les \u795e\u7ecf"
    home.mkdir()
    for name in ("mobilenet.prototxt", "mobilenet.caffemodel"):
        shutil.copy(GOLDEN / "nets" / name, home / name)
    return home


def mobilenet(folder):
    return load(folder / "mobilenet.prototxt", folder / "mobilenet.caffemodel")


FEEDS = {"data": arrays("nets/mobilenet.npz")["in/data"]}


@pytest.mark.parametrize("storage", STORAGES)
def test_equal_outputs(folder, storage):
    path = folder / "\u03bc net.onnx"
    onnx_bridge.save(mobilenet(folder), path, weights=storage)
    found = run(path, FEEDS)
    expected = run(onnx_bridge.to_model(mobilenet(folder)), FEEDS)
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def test_embedded_is_what_protobuf_writes(folder):
    path = folder / "net.onnx"
    onnx_bridge.save(mobilenet(folder), path)
    assert onnx.load(path) == onnx_bridge.to_model(mobilenet(folder))


def places(path):
    """{weight: (file, offset, length)} of those that lie outside the model."""
    model = onnx.load(path, load_external_data=False)
    found = {}
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            entry = {item.key: item.value for item in tensor.external_data}
            found[tensor.name] = (entry["location"], int(entry["offset"]), int(entry["length"]))
    return found


def test_external_is_aligned_and_leaves_small_weights_inside(folder):
    path = folder / "net.onnx"
    files = onnx_bridge.save(mobilenet(folder), path, weights="external")
    assert files == [str(path), str(folder / "net.onnx.data")]
    outside = places(path)
    assert outside
    assert {location for location, _, _ in outside.values()} == {"net.onnx.data"}
    assert all(offset % 64 == 0 for _, offset, _ in outside.values())
    assert all(length >= 1024 for _, _, length in outside.values())
    last = max(offset + length for _, offset, length in outside.values())
    assert os.path.getsize(folder / "net.onnx.data") == last


def test_large_weights_begin_on_a_page(tmp_path):
    net = inner_product(tmp_path, rows=600, columns=500)
    onnx_bridge.save(net, tmp_path / "net.onnx", weights="external")
    (place,) = (place for place in places(tmp_path / "net.onnx").values() if place[2] > 1 << 20)
    assert place[1] % 4096 == 0


def test_link_points_into_the_caffemodel(folder):
    path = folder / "net.onnx"
    onnx_bridge.save(mobilenet(folder), path, weights="link")
    assert sorted(os.listdir(folder)) == ["mobilenet.caffemodel", "mobilenet.prototxt", "net.onnx"]
    linked = places(path)
    assert linked["conv1.weight"][0] == "mobilenet.caffemodel"
    data = (folder / "mobilenet.caffemodel").read_bytes()
    _, offset, length = linked["conv1.weight"]
    expected = mobilenet(folder).params["conv1"][0]
    assert data[offset : offset + length] == expected.tobytes()
    # the statistics are divided by their factor, so they can't lie in the file
    assert "conv1_bn.mean" not in linked


def test_link_into_a_folder_below(folder):
    (folder / "weights").mkdir()
    shutil.move(folder / "mobilenet.caffemodel", folder / "weights")
    net = load(folder / "mobilenet.prototxt", folder / "weights" / "mobilenet.caffemodel")
    onnx_bridge.save(net, folder / "net.onnx", weights="link")
    assert places(folder / "net.onnx")["conv1.weight"][0] == "weights/mobilenet.caffemodel"
    assert run(folder / "net.onnx", FEEDS)


@pytest.mark.parametrize("how", ["elsewhere", "by a symbolic link"])
def test_link_to_what_lies_outside_is_refused(folder, how):
    out = folder / "out"
    out.mkdir()
    weights = folder / "mobilenet.caffemodel"
    if how != "elsewhere":
        (out / "w.caffemodel").symlink_to(weights)
        weights = out / "w.caffemodel"
    net = load(folder / "mobilenet.prototxt", weights)
    with pytest.raises(CaffegenError) as caught:
        onnx_bridge.save(net, out / "net.onnx", weights="link")
    assert str(caught.value) == (
        f"`{weights}` lies outside the folder of the model, `{out}`, and ONNX links to nothing "
        "there; write the model beside the weights, or use --weights external"
    )
    assert not (out / "net.onnx").exists()


def test_weights_of_other_types_are_written(tmp_path):
    text = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2000 } } }
layer { name: "fc" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 3 } }
"""
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(3, 2000)), rng.normal(size=3).astype(np.float16)
    x = rng.normal(size=(1, 2000)).astype(np.float32)
    expected = x @ weight.astype(np.float32).T + bias.astype(np.float32)
    net = loads(text, {"fc": [weight, bias]})
    for storage in STORAGES:
        onnx_bridge.save(net, tmp_path / "net.onnx", weights=storage)
        np.testing.assert_allclose(run(tmp_path / "net.onnx", {"x": x})["y"], expected, 1e-4, 1e-4)


def test_hdf5_weights(folder):
    shutil.copy(GOLDEN / "nets" / "mobilenet.caffemodel.h5", folder)
    net = load(folder / "mobilenet.prototxt", folder / "mobilenet.caffemodel.h5")
    expected = run(onnx_bridge.to_model(mobilenet(folder)), FEEDS)
    for storage in STORAGES:
        onnx_bridge.save(net, folder / "net.onnx", weights=storage)
        for name, array in run(folder / "net.onnx", FEEDS).items():
            np.testing.assert_array_equal(array, expected[name])


def test_unknown_storage_says_so(folder):
    with pytest.raises(CaffegenError) as caught:
        onnx_bridge.save(mobilenet(folder), folder / "net.onnx", weights="inside")
    assert str(caught.value) == "`weights` is `inside`; it takes embed, external, link"


class Stop(Exception):
    """Raised in the middle of writing."""


@pytest.mark.parametrize("storage", ["embed", "external"])
def test_stopped_in_the_middle_leaves_nothing(folder, storage):
    def stop(written):
        if written > 3000:
            raise Stop

    (folder / "net.onnx").write_bytes(b"as it was")
    before = sorted(os.listdir(folder))
    with pytest.raises(Stop):
        onnx_bridge.save(mobilenet(folder), folder / "net.onnx", weights=storage, progress=stop)
    assert sorted(os.listdir(folder)) == before
    assert (folder / "net.onnx").read_bytes() == b"as it was"


def test_full_disk_says_so(folder):
    with pytest.raises(FileError, match="the disk is full"):
        onnx_bridge.save(mobilenet(folder), "/dev/full")


def test_folder_that_is_not_there_says_so(folder):
    with pytest.raises(FileError, match="it can't be written: there is no folder"):
        onnx_bridge.save(mobilenet(folder), folder / "none" / "net.onnx")


def test_weights_cut_off_while_they_are_copied_says_so(folder):
    net = inner_product(folder, rows=100, columns=100)
    with open(folder / "fc.caffemodel", "r+b") as file:
        file.truncate(20_000)
    with pytest.raises(FileError, match=r"fc.caffemodel`: it was cut off at byte 20000"):
        onnx_bridge.save(net, folder / "net.onnx")
    assert not (folder / "net.onnx").exists()


def test_weights_that_went_away_say_so(folder):
    net = mobilenet(folder)
    os.unlink(folder / "mobilenet.caffemodel")
    with pytest.raises(FileError, match="it can't be read: no such file"):
        onnx_bridge.save(net, folder / "net.onnx")


@pytest.mark.parametrize(
    ("storage", "name"), [("link", "\udcff.caffemodel"), ("external", "\udcff.onnx.data")]
)
def test_files_that_onnx_can_not_name(folder, storage, name):
    net = mobilenet(folder)
    odd = folder / "\udcff.caffemodel"
    os.rename(folder / "mobilenet.caffemodel", odd)
    net = load(folder / "mobilenet.prototxt", odd)
    with pytest.raises(CaffegenError, match=f"ONNX names files in UTF-8, and `{name}` is none"):
        onnx_bridge.save(net, folder / "\udcff.onnx", weights=storage)
    assert not (folder / "\udcff.onnx").exists()
    onnx_bridge.save(net, folder / "\udcff.onnx", weights="embed")


def test_permissions_of_the_target_stay(folder):
    path = folder / "net.onnx"
    path.write_bytes(b"")
    path.chmod(0o640)
    onnx_bridge.save(mobilenet(folder), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def inner_product(folder, rows, columns, *, sparse=False):
    """A net of one product, and its caffemodel; a sparse one takes no room on disk."""
    text = folder / "fc.prototxt"
    text.write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: '
        f'{columns} }} }} }}\nlayer {{ name: "fc" type: "InnerProduct" bottom: "x" top: "y" '
        f"inner_product_param {{ num_output: {rows} bias_term: false }} }}\n"
    )
    size = 4 * rows * columns
    dims = b"".join(bytes([8]) + varint(size) for size in (rows, columns))
    blob = bytes_field(7, dims) + field_head(5, size)
    body = text_field(1, "fc") + text_field(2, "InnerProduct") + field_head(7, len(blob) + size)
    weights = folder / "fc.caffemodel"
    with open(weights, "wb") as file:
        file.write(field_head(100, len(body) + len(blob) + size) + body + blob)
        if sparse:
            file.truncate(file.tell() + size)
        else:
            file.write(bytes(size))
    return load(text, weights)


def varint(value):
    return field_head(0, value)[1:]


def test_three_gigabytes_are_linked_and_not_embedded(tmp_path):
    net = inner_product(tmp_path, rows=16384, columns=49152, sparse=True)
    with pytest.raises(FileError) as caught:
        onnx_bridge.save(net, tmp_path / "net.onnx")
    assert "bytes, and protobuf reads 2147483647 at most; keep them beside it" in str(caught.value)
    onnx_bridge.save(net, tmp_path / "net.onnx", weights="link")
    assert places(tmp_path / "net.onnx")["fc.weight"][2] == 4 * 16384 * 49152
    assert os.path.getsize(tmp_path / "net.onnx") < 2000
    with pytest.raises(CaffegenError, match="protobuf reads 2147483647 at most"):
        onnx_bridge.to_model(net)


@pytest.mark.parametrize("storage", STORAGES)
def test_memory_does_not_grow_with_the_weights(tmp_path, storage):
    inner_product(tmp_path, rows=4096, columns=8192, sparse=True)
    code = """
import resource, sys
from caffegen import onnx_bridge
from caffegen.loader import load
from caffegen.onnx_bridge import export
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
onnx_bridge.save(load("fc.prototxt", "fc.caffemodel"), "net.onnx", weights=sys.argv[1])
print((peak() - before) // 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, storage],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) < 30, "MB above the start, for 128 MB of weights"


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("way", ["the same name", "a link"])
def test_a_model_is_not_written_over_its_own_weights(folder, storage, way):
    weights = folder / "mobilenet.caffemodel"
    before = weights.read_bytes()
    target = folder / "net.onnx"
    if way == "a link":
        target.symlink_to(weights)
    else:
        weights = weights.rename(target)
    net = load(folder / "mobilenet.prototxt", weights)
    with pytest.raises(FileError, match="the model is made from it; give the model another name"):
        onnx_bridge.save(net, target, weights=storage)
    assert target.read_bytes() == before


def test_weights_beside_a_model_do_not_replace_those_it_is_made_from(folder):
    weights = (folder / "mobilenet.caffemodel").rename(folder / "net.onnx.data")
    before = weights.read_bytes()
    net = load(folder / "mobilenet.prototxt", weights)
    with pytest.raises(FileError, match="the model is made from it"):
        onnx_bridge.save(net, folder / "net.onnx", weights="external")
    assert weights.read_bytes() == before
    assert not (folder / "net.onnx").exists()
    onnx_bridge.save(net, folder / "net.onnx", weights="link")
    assert run(folder / "net.onnx", FEEDS)
