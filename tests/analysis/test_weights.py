"""Weights of layers that share them: as Caffe copies them, whatever the file leaves out."""

import numpy as np
import pytest

from caffegen import NetError, load, loads
from caffegen.weights import write_weights

WEIGHT, OTHER = (
    np.arange(48, dtype=np.float32).reshape(4, 3, 2, 2),
    np.ones((4, 3, 2, 2), np.float32),
)
BIAS = np.array([1, 2, 3, 4], np.float32)
FOREIGN_BIAS = BIAS + 7


def twins(first='param { name: "w" } param { name: "b" }', second=None, outputs=4):
    """Two convolutions that share what their `param` blocks name."""
    second = first if second is None else second
    text = 'name: "twins"\n'
    for name, param in (("one", first), ("two", second)):
        text += f"""
            layer {{ name: "{name}_in" type: "Input" top: "{name}_in"
                    input_param {{ shape {{ dim: 1 dim: 3 dim: 4 dim: 4 }} }} }}
            layer {{ name: "{name}" type: "Convolution" bottom: "{name}_in" top: "{name}" {param}
                    convolution_param {{ num_output: {outputs} kernel_size: 2
                                        weight_filler {{ type: "xavier" }} }} }}"""
    return text


def stored(path, *layers):
    rows = [(name, "Convolution", (), (), arrays) for name, arrays in layers]
    write_weights(path, "twins", rows)
    return path


@pytest.mark.parametrize("name", ["one", "two"])
def test_one_of_them_is_enough(tmp_path, name):
    net = loads(twins(), stored(tmp_path / "n.caffemodel", (name, [WEIGHT, BIAS])))
    assert net.diagnostics == []
    assert net.fill() == []
    for layer in ("one", "two"):
        weight, bias = net.params[layer]
        np.testing.assert_array_equal(weight, WEIGHT)
        np.testing.assert_array_equal(bias, BIAS)


@pytest.mark.parametrize("last", ["one", "two"])
def test_what_the_file_has_last_counts(tmp_path, last):
    """Caffe copies layer by layer, in the file's order, into the one memory."""
    rows = [("one", [WEIGHT, BIAS]), ("two", [OTHER, FOREIGN_BIAS])]
    if last == "one":
        rows.reverse()
    net = loads(twins(), stored(tmp_path / "n.caffemodel", *rows))
    expected = dict(rows)[last]
    for layer in ("one", "two"):
        for found, array in zip(net.params[layer], expected, strict=True):
            np.testing.assert_array_equal(found, array)


def test_a_layer_that_comes_again_comes_later(tmp_path):
    first = stored(tmp_path / "1.caffemodel", ("one", [WEIGHT, BIAS]), ("two", [OTHER, BIAS]))
    again = stored(tmp_path / "2.caffemodel", ("one", [2 * WEIGHT, BIAS]))
    net = loads(twins(), [first, again])
    np.testing.assert_array_equal(net.params["two"][0], 2 * WEIGHT)


# the borrower's blobs as an HDF5 file of Caffe's has them: none, the second, the first
LEFT_OUT = {
    "both": ('param { name: "w" } param { name: "b" }', {}, [WEIGHT, BIAS]),
    "weight": ('param { name: "w" }', {1: FOREIGN_BIAS}, [WEIGHT, FOREIGN_BIAS]),
    "bias": ('param { } param { name: "b" }', {0: OTHER}, [OTHER, BIAS]),
}


@pytest.mark.parametrize(("param", "held", "expected"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_hdf5_leaves_out_what_is_borrowed(tmp_path, param, held, expected):
    import h5py

    path = tmp_path / "n.caffemodel.h5"
    with h5py.File(path, "w") as file:
        for name, blobs in (("one", {0: WEIGHT, 1: BIAS}), ("two", held)):
            group = file.create_group(f"data/{name}")
            for index, array in blobs.items():
                group[str(index)] = array
    net = loads(twins(param), path)
    assert net.diagnostics == []
    for found, array in zip(net.params["two"], expected, strict=True):
        np.testing.assert_array_equal(found, array)
    net.save(tmp_path / "n.prototxt", tmp_path / "whole.caffemodel")
    again = load(tmp_path / "n.prototxt", tmp_path / "whole.caffemodel")
    for found, array in zip(again.params["two"], expected, strict=True):
        np.testing.assert_array_equal(found, array)


def test_a_blob_of_its_own_is_not_left_out(tmp_path):
    path = stored(tmp_path / "n.caffemodel", ("one", [WEIGHT, BIAS]), ("two", [WEIGHT]))
    with pytest.raises(NetError, match=r"layer `two` has 2 weight blobs .*, the file holds 1"):
        loads(twins('param { name: "w" }'), path)


def test_a_layer_whose_own_blob_nothing_holds_has_no_weights(tmp_path):
    path = stored(tmp_path / "n.caffemodel", ("one", [WEIGHT, BIAS]))
    net = loads(twins('param { name: "w" }'), path)
    (found,) = net.diagnostics
    assert (found.name, found.layer) == ("layer-without-weights", "two")
    assert [node.name for node in net.fill()] == ["two"]
    np.testing.assert_array_equal(net.params["two"][0], WEIGHT)


def test_shared_weights_are_filled_once():
    """The owner's filler runs, as in Caffe, where the others only see its memory."""
    net = loads(twins())
    assert [node.name for node in net.fill(seed=3)] == ["one", "two"]
    alone = loads(twins("", ""))
    alone.fill(seed=3)
    for layer in ("one", "two"):
        np.testing.assert_array_equal(net.params[layer][0], alone.params["one"][0])
    assert not np.array_equal(alone.params["one"][0], alone.params["two"][0])


def test_shared_weights_in_another_shape(tmp_path):
    """`share_mode: PERMISSIVE` shares what has as many values."""
    first = 'param { name: "w" share_mode: PERMISSIVE }'
    text = twins(first).replace("dim: 3 dim: 4 dim: 4", "dim: 12 dim: 2 dim: 2", 1)
    text = text.replace("kernel_size: 2", "kernel_size: 1", 1)
    path = stored(
        tmp_path / "n.caffemodel",
        ("two", [WEIGHT, BIAS]),
        ("one", [WEIGHT.reshape(4, 12, 1, 1) + 1, BIAS]),
    )
    net = loads(text, path)
    assert net.params["one"][0].shape == (4, 12, 1, 1)
    np.testing.assert_array_equal(net.params["two"][0], WEIGHT + 1)
