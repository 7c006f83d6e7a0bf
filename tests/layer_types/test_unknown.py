"""What caffegen does not know: carried along as it was written, told once, never computed."""

from __future__ import annotations

import numpy as np
import pytest

from caffegen import NetError, loads
from caffegen.analysis.summary import summarize
from caffegen.check import Options, check_source
from caffegen.layer_types.unknown import Unknown
from caffegen.text import Source

HEAD = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 4 dim: 8 dim: 8 } } }\n'
FOLD = 'layer { name: "f" type: "Fold" bottom: "x" top: "f" fold_param { times: 2 way: UP } }\n'
AFTER = 'layer { name: "ip" type: "InnerProduct" bottom: "f" top: "ip" inner_product_param { num_output: 3 } }\n'
NOISE = 'layer { name: "g" type: "Gram" bottom: "x" top: "g" }\n'


def checked(text):
    return [
        (d.severity, d.name, d.message) for d in check_source(Source(text), Options()).diagnostics
    ]


def conv(inside):
    return (
        HEAD
        + f'layer {{ name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param {{ num_output: 4 kernel_size: 3 {inside} }} }}\n'
    )


def test_a_layer_of_unknown_type_is_loaded_and_written_unchanged():
    net = loads(HEAD + FOLD + AFTER)
    assert [d.severity for d in net.diagnostics] == ["warning", "warning"]
    definition = net.layers[1].definition
    assert isinstance(definition, Unknown)
    assert definition.obstacle == "caffegen does not know the layer type `Fold`"
    assert net.shapes == {"x": (1, 4, 8, 8), "f": None, "ip": None}
    assert "fold_param { times: 2 way: UP }" in net.to_prototxt()
    assert loads(net.to_prototxt()).to_prototxt() == net.to_prototxt()
    assert [row.macs for row in summarize(net.graph).rows][1:] == [None, None]


def test_shapes_that_are_given_go_on_behind_it():
    net = loads(HEAD + FOLD + AFTER, inputs={"f": (1, 6)})
    assert net.shapes["ip"] == (1, 3)
    assert [blob.shape for blob in net.layers[2].definition.blobs] == [(3, 6), (3,)]


def test_its_weights_are_kept():
    stored = {"f": [np.float32([1, 2])], "ip": [np.zeros((3, 5), np.float32)]}
    net = loads(HEAD + FOLD + AFTER, stored)
    assert {name: [blob.shape for blob in blobs] for name, blobs in net.params.items()} == {
        "f": [(2,)], "ip": [(3, 5)],
    }  # fmt: skip
    assert not [d for d in net.diagnostics if "weights" in d.name]


def test_each_name_is_told_once_with_the_number_of_its_places():
    text = HEAD + FOLD + FOLD.replace('"f"', '"g"')
    assert checked(text) == [
        ("error", "unknown-layer-type", "no layer type `Fold` (2 times)"),
        ("error", "unknown-field", "LayerParameter has no field `fold_param` (2 times)"),
    ]
    assert [d.message for d in loads(text).diagnostics] == [m for _, _, m in checked(text)]


def test_a_type_with_parameters_of_its_own_is_no_slip():
    slip = 'layer { name: "r" type: "RReLU" bottom: "x" top: "r" '
    assert "no layer type `RReLU`; did you mean `ReLU`?" in [
        m for _, _, m in checked(f"{HEAD}{slip}}}")
    ]
    found = [m for _, _, m in checked(f"{HEAD}{slip}rrelu_param {{ lower: 3 }} }}")]
    assert "no layer type `RReLU`" in found


def test_a_type_of_a_fork_without_a_definition_is_a_warning():
    found = checked(HEAD + NOISE + NOISE.replace('"g"', '"h"'))
    assert ("warning", "undefined-layer-type",
            "caffegen has no definition of `Gram`, a type of happynear (2 times)") in found  # fmt: skip
    assert not [each for each in found if each[0] == "error"]


def test_a_v1_type_of_no_schema_is_told_once():
    text = 'input: "x" input_dim: [1, 2, 3, 4] layers { name: "a" type: NEW_KIND bottom: "x" top: "y" }'
    assert [name for _, name, _ in checked(text)] == ["unknown-enum-word"]
    net = loads(text)
    assert (net.layers[-1].type, net.layers[-1].definition.known) == ("NEW_KIND", False)


UNREAD = {
    "a field of its parameters": conv("pading: 1"),
    "a word": conv("engine: FPGA"),
    "deep inside": conv("weight_filler { typ: 'xavier' }"),
    "beside its parameters": conv("").replace('top: "c"', 'top: "c" speed: 3'),
}


@pytest.mark.parametrize("text", UNREAD.values(), ids=list(UNREAD))
def test_a_layer_that_is_not_understood_whole_is_not_computed(text):
    from caffegen.pytorch import Refusal, build

    net = loads(text)
    assert "caffegen does not know what" in net.layers[1].definition.obstacle
    with pytest.raises(
        Refusal, match=r"layer `c` \(Convolution\) has no PyTorch form: caffegen does"
    ):
        build(net)


OUTSIDE = {
    "a field of the net": ("layr { }\n" + HEAD, "`layr`"),
    "the state": (HEAD + "state { stge: 's' }", "`stge` of NetState"),
    "a rule that leaves a layer out": (
        HEAD + 'layer { name: "s" type: "ReLU" bottom: "x" top: "s" exclude { phas: TRAIN } }',
        "`phas` of NetStateRule",
    ),
}


@pytest.mark.parametrize(("text", "what"), OUTSIDE.values(), ids=list(OUTSIDE))
def test_what_is_not_known_outside_of_the_layers_refuses_the_net(text, what):
    from caffegen.pytorch import Refusal, build

    net = loads(text)
    assert net.obstacle == f"caffegen does not know what {what} says"
    with pytest.raises(Refusal, match="the net has no PyTorch form: caffegen does not know what"):
        build(net)


def test_onnx_refuses_it_only_where_it_is_needed(tmp_path):
    from caffegen.onnx_bridge import Refusal, save

    text = HEAD + FOLD + 'layer { name: "r" type: "ReLU" bottom: "x" top: "r" }'
    save(loads(text), tmp_path / "r.onnx", outputs=["r"])
    with pytest.raises(
        Refusal, match=r"layer `f` \(Fold\) has no ONNX form: caffegen does not know"
    ):
        save(loads(text), tmp_path / "f.onnx")
    with pytest.raises(
        Refusal, match="the net has no ONNX form: caffegen does not know what `layr`"
    ):
        save(loads(OUTSIDE["a field of the net"][0]), tmp_path / "n.onnx")


def test_a_net_with_other_faults_is_refused_with_all_of_them():
    with pytest.raises(NetError) as caught:
        loads(HEAD + FOLD + AFTER.replace('bottom: "f"', 'bottom: "nothing"'))
    names = {d.name for d in caught.value.diagnostics}
    assert names == {"unknown-layer-type", "unknown-field", "unknown-bottom"}


EFFECTS = {
    "not computed": (
        'type: "Pooling" pooling_param { pool: AVE kernel_size: 3 pad: 1 avg_include_pad: false }',
        "`avg_include_pad` is set, and caffegen does not compute it: averages leave the padding out",
        (1, 4, 8, 8),
    ),
    "another shape": (
        'type: "Pooling" pooling_param { pool: MAX bin_size: 2 }',
        "`bin_size` is set, and caffegen does not compute it: it sets the number of windows",
        None,
    ),
    "another word": (
        'type: "Pooling" pooling_param { pool: MIN kernel_size: 2 stride: 2 }',
        "`pool` is set, and caffegen does not compute it: it is a computation that caffegen does not have",
        (1, 4, 4, 4),
    ),
}


@pytest.mark.parametrize(("inside", "sentence", "shape"), EFFECTS.values(), ids=list(EFFECTS))
def test_a_fork_s_field_that_changes_the_result_is_told_and_not_computed(inside, sentence, shape):
    from caffegen.pytorch import Refusal, build

    text = HEAD + f'layer {{ name: "l" bottom: "x" top: "l" {inside} }}\n'
    told = [each for each in checked(text) if each[1] == "fork-field-not-computed"]
    assert told == [("warning", "fork-field-not-computed", sentence)]
    assert not [each for each in checked(text) if each[0] == "error"]
    net = loads(text)
    assert net.shapes["l"] == shape
    with pytest.raises(Refusal, match="has no PyTorch form: `"):
        build(net)


@pytest.mark.parametrize(
    "inside",
    [
        "pooling_param { kernel_size: 2 avg_include_pad: true }",
        "pooling_param { kernel_size: 2 engine: MKLDNN }",
    ],
    ids=["the default", "a hint"],
)
def test_a_hint_and_a_default_change_nothing(inside):
    net = loads(HEAD + f'layer {{ name: "l" type: "Pooling" bottom: "x" top: "l" {inside} }}\n')
    assert net.layers[1].definition.obstacle == ""
    assert [d.name for d in net.diagnostics] == ["fork-schema"]


def test_ceil_mode_is_honoured():
    pool = 'layer {{ name: "l" type: "Pooling" bottom: "x" top: "l" pooling_param {{ kernel_size: 3 stride: 2 ceil_mode: {} }} }}\n'
    assert loads(HEAD + pool.format("true")).shapes["l"] == (1, 4, 4, 4)
    assert loads(HEAD + pool.format("false")).shapes["l"] == (1, 4, 3, 3)
