"""Loading: the public door, with weights and without."""

import re

import numpy as np
import pytest

import caffegen
from caffegen import CaffegenError, FileError, NetError, load, loads
from caffegen.schema import caffe_pb2
from tests.conftest import GOLDEN, golden_json

NET = """name: "tiny"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" inner_product_param { num_output: 5 } }
"""


def arrays(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


WEIGHTS = {"conv": arrays((4, 3, 3, 3), (4,)), "ip": arrays((5, 144), (5,))}


def test_what_a_net_tells():
    net = loads(NET, WEIGHTS)
    assert (net.name, net.phase, net.inputs, net.outputs) == ("tiny", "TEST", ("data",), ("ip",))
    assert [(layer.name, layer.type, layer.bottom, layer.top) for layer in net.layers] == [
        ("data", "Input", (), ("data",)),
        ("conv", "Convolution", ("data",), ("conv",)),
        ("relu", "ReLU", ("conv",), ("conv",)),
        ("ip", "InnerProduct", ("conv",), ("ip",)),
    ]
    assert net.layers[1].definition.num_output == 4
    assert net.shapes == {"data": (2, 3, 8, 8), "conv": (2, 4, 6, 6), "ip": (2, 5)}
    assert list(net.shapes) == ["data", "conv", "ip"]
    assert list(net.params) == ["conv", "ip"]
    np.testing.assert_array_equal(net.params["ip"][0], WEIGHTS["ip"][0])
    assert not net.params["ip"][0].flags.writeable
    assert net.diagnostics == []


def test_text_goes_round():
    net = loads(NET)
    again = loads(net.to_prototxt())
    assert again.message == net.message
    assert again.shapes == net.shapes


def test_files_go_round(tmp_path):
    net = loads(NET, WEIGHTS)
    net.save(tmp_path / "a b.prototxt", tmp_path / "ä.caffemodel")
    again = load(tmp_path / "a b.prototxt", tmp_path / "ä.caffemodel")
    for name, blobs in WEIGHTS.items():
        for mine, theirs in zip(blobs, again.params[name], strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a b.prototxt", "ä.caffemodel"]


def test_saving_weights_that_are_not_there_is_refused(tmp_path):
    with pytest.raises(caffegen.CaffegenError, match="has no weights to save"):
        loads(NET).save(caffemodel=tmp_path / "x.caffemodel")
    assert not list(tmp_path.iterdir())


def test_later_weights_overwrite(tmp_path):
    other = {"ip": arrays((5, 144), (5,))[::1]}
    other["ip"] = [array + 1 for array in other["ip"]]
    loads(NET, WEIGHTS).save(caffemodel=tmp_path / "a.caffemodel")
    loads(NET, other).save(caffemodel=tmp_path / "b.caffemodel")
    (tmp_path / "net.prototxt").write_text(NET)
    net = load(tmp_path / "net.prototxt", [tmp_path / "a.caffemodel", tmp_path / "b.caffemodel"])
    np.testing.assert_array_equal(net.params["ip"][0], other["ip"][0])
    np.testing.assert_array_equal(net.params["conv"][0], WEIGHTS["conv"][0])


DISAGREEMENTS = {
    "missing": (
        {"ip": WEIGHTS["ip"]},
        [("layer-without-weights", "warning", "the weights hold nothing for layer `conv`")],
    ),
    "extra": (
        {**WEIGHTS, "old": arrays((2, 2))},
        [("weights-without-layer", "warning",
          "the weights of `old` ([2, 2]): the layer is not in the net")],
    ),
    "mis-shaped": (
        {**WEIGHTS, "conv": arrays((4, 3, 5, 5), (4,))},
        [("weights-shape-differs", "error",
          "the weight of layer `conv` is [4, 3, 3, 3] in the net and [4, 3, 5, 5] in the file")],
    ),
    "wrong number": (
        {**WEIGHTS, "conv": arrays((4, 3, 3, 3))},
        [("weights-wrong-number", "error",
          "layer `conv` has 2 weight blobs (weight [4, 3, 3, 3], bias [4]), the file holds 1")],
    ),
    "renamed": (
        {"conv_new": WEIGHTS["conv"], "ip": WEIGHTS["ip"]},
        [("layer-without-weights", "warning", "the weights hold nothing for layer `conv`"),
         ("weights-without-layer", "warning",
          "the weights of `conv_new` ([4, 3, 3, 3], [4]): the layer is not in the net")],
    ),
    "all at once": (
        {"conv": arrays((4, 3, 5, 5), (5,)), "ip": arrays((5, 144)), "old": arrays((1,))},
        [("weights-shape-differs", "error",
          "the weight of layer `conv` is [4, 3, 3, 3] in the net and [4, 3, 5, 5] in the file"),
         ("weights-shape-differs", "error",
          "the bias of layer `conv` is [4] in the net and [5] in the file"),
         ("weights-wrong-number", "error",
          "layer `ip` has 2 weight blobs (weight [5, 144], bias [5]), the file holds 1"),
         ("weights-without-layer", "warning",
          "the weights of `old` ([1]): the layer is not in the net")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("weights", "expected"), DISAGREEMENTS.values(), ids=DISAGREEMENTS.keys())
def test_disagreement_of_net_and_weights(weights, expected):
    try:
        found = loads(NET, weights).diagnostics
    except NetError as error:
        found = error.diagnostics
    assert sorted((d.name, d.severity, d.message) for d in found) == sorted(expected)


def test_a_renamed_layer_is_guessed_by_its_shapes():
    net = loads(NET, {"conv_new": WEIGHTS["conv"], "ip": WEIGHTS["ip"]})
    assert (
        net.diagnostics[0].help
        == "the weights of `conv_new` have its shapes; was the layer renamed?"
    )


def test_errors_carry_all_faults_with_places(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET.replace("num_output: 4", "num_output: x"))
    with pytest.raises(NetError) as caught:
        load(path)
    places = [(d.name, d.span.file, d.span.line) for d in caught.value.diagnostics]
    assert places == [("wrong-type", str(path), 4)]
    path.write_text(
        NET.replace('bottom: "conv" top: "ip"', 'bottom: "cnv" top: "ip"').replace("ReLU", "Relu")
    )
    with pytest.raises(NetError) as caught:
        load(path)
    found = [(d.name, d.span.line, d.span.column) for d in caught.value.diagnostics]
    assert found == [("unknown-layer-type", 5, 28), ("unknown-bottom", 6, 41)]


NOT_A_PROTOTXT = {
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "it is a Git LFS pointer",
    ),
    "hdf5": (b"\x89HDF\r\n\x1a\n", "it is an HDF5 file"),
    "zip": (b"PK\x03\x04abc", "it is a zip archive"),
    "web page": (b"<!DOCTYPE html><html>", "it is a web page"),
    "utf-16": ("name".encode("utf-16"), "it is UTF-16 text"),
    "binary": (bytes(range(256)) * 4, "it is a binary file"),
}


@pytest.mark.parametrize(("data", "message"), NOT_A_PROTOTXT.values(), ids=NOT_A_PROTOTXT.keys())
def test_a_file_that_is_not_what_its_name_says(tmp_path, data, message):
    path = tmp_path / "net.prototxt"
    path.write_bytes(data)
    with pytest.raises(FileError, match=re.escape(message)) as caught:
        load(path)
    assert caught.value.path == str(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileError, match="it can't be read: no such file or directory"):
        load(tmp_path / "none.prototxt")
    with pytest.raises(FileError, match="can't be read"):
        load(tmp_path)


def test_bytes_that_are_no_utf8_are_kept(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_bytes(NET.encode().replace(b'"tiny"', b'"t\xff\xe9"') + b"# caf\xe9\n")
    net = load(path)
    net.save(tmp_path / "out.prototxt")
    assert load(tmp_path / "out.prototxt").name == net.name


@pytest.mark.parametrize("case", golden_json("nets/nets.json"), ids=lambda case: case["name"])
def test_golden_nets_load_with_their_weights(case):
    net = load(
        GOLDEN / "nets" / f"{case['name']}.prototxt", GOLDEN / "nets" / f"{case['name']}.caffemodel"
    )
    assert not net.diagnostics
    assert {node.name for node in net.layers if node.definition.blobs} == set(net.params)
    for node in net.layers:
        shapes = [blob.shape for blob in node.definition.blobs]
        assert [array.shape for array in net.params.get(node.name, [])] == shapes


def test_given_inputs_replace_what_the_file_says():
    assert loads(NET, inputs={"data": (7, 3, 9, 9)}).shapes["conv"] == (7, 4, 7, 7)
    data = 'layer { name: "d" type: "Data" top: "data" top: "label" data_param { source: "x" batch_size: 4 } }\n'
    text = data + NET.split("\n", 2)[2]
    assert loads(text).shapes["conv"] is None
    net = loads(text, inputs={"data": (4, 3, 8, 8), "label": (4,)})
    assert net.shapes["ip"] == (4, 5)


def test_stages_levels_and_phases_choose_layers():
    text = NET + (
        'layer { name: "train" type: "Silence" bottom: "ip" include { phase: TRAIN } }\n'
        'layer { name: "deploy" type: "Softmax" bottom: "ip" top: "prob" include { stage: "deploy" } }\n'
        'layer { name: "high" type: "TanH" bottom: "ip" top: "high" include { min_level: 2 } }\n'
    )
    assert loads(text).outputs == ("ip",)
    assert loads(text, phase="TRAIN").outputs == ()
    assert loads(text, stages=["deploy"]).outputs == ("prob",)
    assert loads(text, level=2, stages=["deploy"]).outputs == ("high", "prob")
    assert "deploy" not in loads(text).to_prototxt()


def test_a_loss_that_is_read_on_is_an_output_too():
    text = NET + 'layer { name: "s" type: "Power" bottom: "ip" top: "s" loss_weight: 2 }\n'
    text += 'layer { name: "t" type: "TanH" bottom: "s" top: "t" }\n'
    net = loads(text)
    assert net.outputs == ("s_s_0_split_0", "t")
    assert net.loss_weights == {"s": 2.0}


OTHER_KINDS = {
    "solver": ('net: "train.prototxt" base_lr: 0.1', "it is a solver, not a net; its net is `train.prototxt`"),
    "solver of two nets": (
        'train_net: "a.prototxt" test_net: "b.prototxt" lr_policy: "fixed"',
        "it is a solver, not a net; its net is `a.prototxt`",
    ),
    "solver of none": ("base_lr: 0.1 max_iter: 5", "it is a solver, not a net"),
    "labels": (
        'item { name: "none" label: 0 display_name: "background" }',
        "it is a label map, the names of classes, and no net",
    ),
    "graph": ('node { name: "x" op: "Const" } library { }', "it is no net of Caffe, which has no field `node`"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), OTHER_KINDS.values(), ids=OTHER_KINDS)
def test_texts_that_are_no_nets(tmp_path, text, sentence):
    path = tmp_path / "other.prototxt"
    path.write_text(text)
    with pytest.raises(FileError) as caught:
        load(path)
    assert caught.value.sentence == sentence
    with pytest.raises(FileError):
        loads(text)


TRAINED = """
    layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "db" batch_size: 100 } }
    layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 5 } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""


@pytest.mark.parametrize("batch", [1, 100, 7])
def test_labels_come_in_the_batch_that_is_given_for_their_images(batch):
    net = loads(TRAINED, inputs={"data": (batch, 3, 4, 4)})
    assert (net.shapes["data"], net.shapes["label"]) == ((batch, 3, 4, 4), (batch,))
    assert net.diagnostics == []


def test_a_shape_that_is_given_for_the_labels_stays():
    with pytest.raises(NetError, match="bottom 0 has 1, bottom 1 has 2"):
        loads(TRAINED, inputs={"data": (1, 3, 4, 4), "label": (2,)})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (5, "`loads` takes a text, a NetSpec or a NetParameter, found int"),
        (b"", "`loads` takes a text, a NetSpec or a NetParameter, found bytes"),
        (caffe_pb2.SolverParameter(), "`loads` takes a NetParameter, found SolverParameter"),
    ],
    ids=["number", "bytes", "solver"],
)
def test_what_is_no_net_is_refused(given, said):
    with pytest.raises(CaffegenError) as caught:
        loads(given)
    assert str(caught.value) == said


def test_a_path_that_can_not_be():
    with pytest.raises(FileError, match="it can't be read: embedded null byte"):
        load("a\0b")


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((-1, 3), r"the shape [-1, 3] for `data` has a size below 0"),
        (5, "`5` is no shape for `data`; write (1, 3, 8, 8)"),
        (("a",), "`('a',)` is no shape for `data`; write (1, 3, 8, 8)"),
    ],
)
def test_shapes_that_are_none(shape, said):
    with pytest.raises(CaffegenError) as caught:
        loads(NET, inputs={"data": shape})
    assert str(caught.value) == said
