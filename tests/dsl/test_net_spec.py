# ruff: noqa: C408, ISC004 - dict(...) is how pycaffe scripts write messages
from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest

from caffegen import dsl
from caffegen.dsl import DslError, NetSpec, NotATop, UnknownName
from caffegen.dsl import layers as L
from caffegen.text import print_message


def layer_of(type_name, *args, **kwargs):
    """The message of one layer that is assigned to `x`."""
    net = NetSpec()
    net.data = L.Input()
    net.x = getattr(L, type_name)(net.data, *args, **kwargs)
    return net.to_message().layer[-1]


def refusal(type_name, **kwargs):
    """The sentence about one layer, without the place that it begins with."""
    with pytest.raises(DslError) as caught:
        layer_of(type_name, **kwargs)
    place, _, sentence = str(caught.value).partition(": ")
    assert place == f"{__file__}:{place.rpartition(':')[2]}"
    return sentence


def test_message_prototxt_and_protobuf_are_one_net():
    from google.protobuf import text_format

    from caffegen.schema import caffe_pb2

    net = NetSpec("two")
    net.data = L.Input(shape=dict(dim=[1, 3, 4, 4]))
    net.conv = L.Convolution(net.data, num_output=2, kernel_size=1)
    assert net.to_prototxt() == print_message(net.to_message())
    assert text_format.Parse(net.to_prototxt(), caffe_pb2.NetParameter()) == net.to_proto()
    assert net.to_proto().name == "two"


def test_item_and_attribute_are_the_same():
    net = NetSpec()
    net["a/b"] = L.Input()
    net.c = L.ReLU(net["a/b"])
    assert net["c"] is net.c
    assert "a/b" in net
    assert "d" not in net
    assert net.keys() == list(net.tops) == ["a/b", "c"]


@pytest.mark.parametrize("name", ["to_proto", "to_prototxt", "keys", "tops", "update", "_net_name"])
def test_names_of_its_own_are_blob_names_by_item_alone(name):
    net = NetSpec()
    told = f"`{name}` is a name of NetSpec's own; a blob of that name is net['{name}']"
    with pytest.raises(DslError, match=re.escape(told)) as refused:
        setattr(net, name, L.Input())
    assert refused.value.layer == name
    assert net.keys() == []
    net[name] = L.Input()
    assert [layer.name for layer in NetSpec.to_message(net).layer] == [name]


def branched():
    net = NetSpec("branched")
    net.data = L.Input(shape={"dim": [1, 4, 8, 8]})
    net.conv = L.Convolution(net.data, num_output=4, kernel_size=3)
    # one top has no name, one layer no top, and one top is beyond those of its layer
    net.left, _ = L.Slice(net.conv, ntop=2)
    net.quiet = L.Silence(net.left, ntop=0)
    net.relu = L.ReLU(net.left, in_place=True)
    return net


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_copies(copied):
    net = branched()
    text = net.to_prototxt()
    twin = copied(net)
    assert twin.to_prototxt() == text
    twin.more = L.ReLU(twin.relu)
    assert net.to_prototxt() == text
    assert 'name: "more"' in twin.to_prototxt()
    assert copied(NetSpec("empty")).to_prototxt() == 'name: "empty"\n'


def test_a_deep_copy_has_layers_of_its_own():
    net = branched()
    text = net.to_prototxt()
    twin = copy.deepcopy(net)
    twin.update("conv", {"num_output": 7})
    assert "num_output: 7" in twin.to_prototxt()
    assert net.to_prototxt() == text
    # nets that share layers still do in copies made together
    other = NetSpec()
    other.conv = net.conv
    first, second = copy.deepcopy([net, other])
    assert first.conv is second.conv is not net.conv


def test_a_copy_may_be_deeper_than_python_recurses():
    net = NetSpec()
    top = net.data = L.Input()
    for index in range(3000):
        top = net[f"relu{index}"] = L.ReLU(top)
    assert copy.deepcopy(net).to_prototxt() == net.to_prototxt()


def test_update_assigns_tops_and_changes_parameters():
    net = NetSpec()
    net.update({"data": L.Input(), "other": L.Input()})
    net.conv = L.Convolution(net.data, num_output=1)
    net.update("conv", dict(num_output=7))
    assert [layer.name for layer in net.to_message().layer] == ["data", "other", "conv"]
    assert net.to_message().layer[2].convolution_param.num_output == 7


def test_building_changes_nothing():
    net = NetSpec()
    net.data = L.Input()
    net.conv = L.Convolution(net.data, num_output=3, kernel_size=[1, 2])
    assert net.to_message() == net.to_message()


def test_in_place_layer_takes_all_its_bottoms_as_tops():
    net = NetSpec()
    net.a, net.b = L.DummyData(ntop=2)
    net.c = L.Eltwise(net.a, net.b, in_place=True)
    net.d = L.ReLU(net.c)
    layers = net.to_message().layer
    assert (layers[1].name, layers[1].top) == ("c", ["a", "b"])
    assert layers[2].bottom == ["a"]


def test_no_recursion_limit():
    net = NetSpec()
    top = L.Input()
    for _ in range(20000):
        top = L.ReLU(top)
    net.last = top
    names = [layer.name for layer in net.to_message().layer]
    assert (names[0], names[1], names[-2], names[-1]) == ("Input1", "ReLU1", "ReLU19999", "last")


def test_a_loop_is_refused():
    first = L.ReLU(L.Input())
    second = L.ReLU(first)
    first.fn.inputs = (second,)
    with pytest.raises(DslError, match="`ReLU` reads a top that is made from its own"):
        dsl.to_message(second)


@pytest.mark.parametrize(
    ("value", "kernel_size"),
    [
        (3, [3]),
        ([3, 5], [3, 5]),
        ((3, 5), [3, 5]),
        (np.int64(3), [3]),
        (np.array([3, 5]), [3, 5]),
        ([np.uint8(3)], [3]),
        (range(2, 4), [2, 3]),
        ([], ()),
    ],
    ids=["number", "list", "tuple", "scalar", "array", "list of scalars", "range", "empty"],
)
def test_repeated_field(value, kernel_size):
    assert layer_of("Convolution", kernel_size=value).convolution_param.kernel_size == kernel_size


@pytest.mark.parametrize(
    "value",
    ["MAX", 0, np.int32(0), dsl.params.Pooling.MAX],
    ids=["word", "number", "scalar", "params"],
)
def test_enum_field(value):
    assert layer_of("Pooling", pool=value).pooling_param.pool == "MAX"


def test_messages_are_taken_as_they_are():
    from caffegen.schema import caffe_pb2, message_type
    from caffegen.text import Message

    ours = Message(message_type("ParamSpec"), lr_mult=2)
    theirs = caffe_pb2.ParamSpec(lr_mult=2)
    for spec in (ours, theirs, dict(lr_mult=2)):
        assert layer_of("Convolution", param=[spec]).param == [ours]
    filler = caffe_pb2.FillerParameter(type="msra")
    assert (
        layer_of("Convolution", weight_filler=filler).convolution_param.weight_filler.type == "msra"
    )


def test_floats_are_caffes():
    assert layer_of("Power", scale=0.1).power_param.scale == float(np.float32(0.1))


def test_empty_dicts():
    layer = layer_of("Convolution", weight_filler={}, convolution_param={}, include={})
    assert not layer.has("convolution_param")  # nothing was set in it
    assert len(layer.include) == 1  # an element of a list is there even when empty


@pytest.mark.parametrize(
    ("type_name", "kwargs", "sentence"),
    [
        ("Convolution", dict(kernal_size=3), "no field `kernal_size`; did you mean `kernel_size`?"),
        ("Convolution", dict(parm={}), "no field `parm`; did you mean `param`?"),
        ("Convolution", dict(weight_filler=dict(typ="x")),
         "FillerParameter has no field `typ`; did you mean `type`?"),
        ("Convolution", dict(lr_mult=2), "no field `lr_mult` of its own; write `param=dict(lr_mult=...)`"),
        ("Deconvolution", dict(num_output=2),
         "no field `num_output` of its own; write `convolution_param=dict(num_output=...)`"),
        ("SoftmaxWithLoss", dict(ignore_label=255),
         "no field `ignore_label` of its own; write `loss_param=dict(ignore_label=...)`"),
        ("Pooling", dict(bias_term=True),
         "no field `bias_term` of its own; it is a field of `convolution_param`, "
         "`embed_param`, `inner_product_param`, `scale_param`"),
        ("Pooling", dict(zebra=1), "no field `zebra`"),
        ("Convolution", dict(num_output="3"), "`num_output` takes an integer, found `'3'`"),
        ("Convolution", dict(num_output=3.5), "`num_output` takes an integer, found `3.5`"),
        ("Convolution", dict(num_output=None), "`num_output` takes an integer, found `None`"),
        ("Convolution", dict(num_output=[3]), "`num_output` takes an integer, found `[3]`"),
        ("Convolution", dict(num_output=-1), "`num_output` takes 0 to 4294967295, found `-1`"),
        ("Convolution", dict(axis=1 << 31), "`axis` takes -2147483648 to 2147483647, found `2147483648`"),
        ("Convolution", dict(kernel_size=[3, "a"]),
         "`kernel_size` takes an integer or a list of them, found `'a'`"),
        ("Convolution", dict(weight_filler="msra"), "`weight_filler` takes a dict, found `'msra'`"),
        ("Convolution", dict(param=3), "`param` takes a dict or a list of dicts, found `3`"),
        ("Convolution", dict(bias_term="yes"), "`bias_term` takes True or False, found `'yes'`"),
        ("Power", dict(scale="1"), "`scale` takes a number, found `'1'`"),
        ("Power", dict(name=5), "`name` takes a string, found `5`"),
        ("Pooling", dict(pool="MAXX"), "`pool` knows no word `MAXX`; did you mean `MAX`?"),
        ("Pooling", dict(pool="SUM"), "`pool` knows no word `SUM`; it takes one of MAX, AVE, STOCHASTIC"),
        ("Pooling", dict(pool=7), "`pool` takes one of MAX, AVE, STOCHASTIC, found `7`"),
    ],
    ids=lambda value: None if isinstance(value, str) and " " in value else str(value)[:40],
)  # fmt: skip
def test_wrong_arguments(type_name, kwargs, sentence):
    assert refusal(type_name, **kwargs) == f"layer `x` ({type_name}): {sentence}"


def test_wrong_layer_type():
    assert refusal("Convolutoin", num_output=1) == (
        "layer `x` (Convolutoin): no field `num_output`, and no such layer type; "
        "did you mean `Convolution`?"
    )


def test_refusals_carry_their_data():
    with pytest.raises(DslError) as caught:
        layer_of("Pooling", pool="MAXX")
    error = caught.value
    assert (error.layer, error.layer_type, error.field) == ("x", "Pooling", "pool")


def test_long_values_are_cut():
    assert refusal("Power", scale="1" * 100).endswith(f"found `'{'1' * 56}...`")


@pytest.mark.parametrize(
    ("bottoms", "sentence"),
    [
        ((3,), "`ReLU`: input 0 is not a Top (its type is int)"),
        ((L.Input(), "a"), "`ReLU`: input 1 is not a Top (its type is str)"),
        ((L.Slice(L.Input(), ntop=2),),
         "`ReLU`: input 0 is not a Top, it is a tuple of 2 Tops; name them one by one"),
        ((L.Silence(L.Input(), ntop=0),),
         "`ReLU`: input 0 is not a Top, it is a Silence layer without tops"),
    ],
    ids=["number", "word", "tuple", "layer"],
)  # fmt: skip
def test_inputs_are_tops(bottoms, sentence):
    with pytest.raises(NotATop) as caught:
        L.ReLU(*bottoms)
    assert str(caught.value).partition(": ")[2] == sentence
    assert isinstance(caught.value, TypeError)  # what pycaffe raises


def test_only_tops_are_assigned():
    net = NetSpec()
    with pytest.raises(
        NotATop, match="`pair` is assigned what is not a Top, it is a tuple of 2 Tops"
    ):
        net.pair = L.Slice(L.Input(), ntop=2)
    with pytest.raises(NotATop, match="argument 0 is not a Top"):
        dsl.to_proto(net)


@pytest.mark.parametrize("ntop", [-1, "2", 1.5], ids=str)
def test_ntop_is_a_number_of_tops(ntop):
    with pytest.raises(DslError, match="`Slice`: `ntop` is a number of tops, found"):
        L.Slice(L.Input(), ntop=ntop)


def test_in_place_layer_has_no_more_tops_than_bottoms():
    _, second = L.Slice(L.Input(), ntop=2, in_place=True)
    with pytest.raises(DslError, match="`Slice` works in place on 1 bottoms and has no top 1"):
        dsl.to_message(L.ReLU(second))


def test_unknown_blob():
    net = NetSpec()
    net.conv1 = L.Input()
    for read in (lambda: net.con1, lambda: net["con1"]):
        with pytest.raises(UnknownName) as caught:
            read()
        assert str(caught.value) == "the net has no blob `con1`; did you mean `conv1`?"
        assert isinstance(caught.value, KeyError)  # what pycaffe raises
    assert not hasattr(net, "con1")
    assert bool(NetSpec())
