from __future__ import annotations

import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from caffegen.errors import CaffegenError
from caffegen.schema import caffe_pb2, message_type
from caffegen.schema.own_proto import compile_proto
from caffegen.schema.protobuf import from_protobuf, to_protobuf
from caffegen.text import Message, Source, parse

NET = r"""
name: "n"
input_shape { dim: 1 dim: -1 }
layer {
  name: "caf\303\251"
  type: "Convolution"
  bottom: "a" bottom: "b"
  loss_weight: 0.1 loss_weight: inf loss_weight: -0
  param { lr_mult: 2 } param { }
  include { phase: TEST min_level: -2 }
  convolution_param { num_output: 4294967295 bias_term: false kernel_size: 3 engine: CUDNN }
  blobs { data: [1, 2.5] double_data: 1e300 shape { dim: 2 } diff: [] }
}
layers { type: CONVOLUTION blobs_lr: 1 }
state { }
"""


def message(text, name="NetParameter"):
    parsed = parse(Source(text), message_type(name))
    assert parsed.faults == []
    return parsed.message


def test_every_kind_of_field_goes_there_and_back():
    from google.protobuf import text_format

    ours = message(NET)
    theirs = to_protobuf(ours)
    assert theirs == text_format.Parse(NET, caffe_pb2.NetParameter())
    assert from_protobuf(theirs) == ours


def test_an_empty_message_stays_set():
    assert to_protobuf(message("state { }")).HasField("state")
    assert from_protobuf(to_protobuf(message("state { }"))).has("state")


def test_bytes():
    datum = Message(message_type("Datum"), data=b"\x00\xff", label=3)
    assert to_protobuf(datum).data == b"\x00\xff"
    assert from_protobuf(to_protobuf(datum)) == datum


@pytest.mark.parametrize("name", ["\udcff", "a\udc80b", "é\udce9"], ids=ascii)
def test_strings_that_are_no_utf8(name):
    net = Message(message_type("NetParameter"), name=name, input=["x", name, "é"])
    wire = to_protobuf(net).SerializeToString(deterministic=True)
    assert name.encode("utf-8", "surrogateescape") in wire
    assert from_protobuf(to_protobuf(net)) == net
    assert from_protobuf(caffe_pb2.NetParameter.FromString(wire)) == net


def test_long_strings_that_are_no_utf8():
    net = Message(message_type("NetParameter"), name="\udcff" * 70000)
    assert from_protobuf(to_protobuf(net)) == net


FORK = """
syntax = "proto2";
package fork;
message NetParameter { optional string name = 1; repeated LayerParameter layer = 100; }
message LayerParameter {
  optional string name = 1;
  optional PermuteParameter permute_param = 143;
  optional PoolingParameter pooling_param = 121;
  optional Unheard unheard_param = 1000;
}
message PermuteParameter { repeated uint32 order = 1; }
message PoolingParameter {
  enum PoolMethod { MIN = 0; MAX = 1; }
  optional PoolMethod pool = 1;
  repeated uint32 kernel_size = 2;
}
message Unheard { }
"""


@pytest.fixture(scope="module")
def fork_classes(tmp_path_factory):
    """The classes of a schema in which the numbers mean other things than in BVLC's."""
    import importlib.util

    from grpc_tools import protoc

    folder = tmp_path_factory.mktemp("fork")
    (folder / "fork_of_caffe.proto").write_text(FORK)
    assert protoc.main(["", f"-I{folder}", f"--python_out={folder}", "fork_of_caffe.proto"]) == 0
    spec = importlib.util.spec_from_file_location("fork_pb2", folder / "fork_of_caffe_pb2.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


OF_THE_FORKS = {
    "field": (
        "layer { permute_param { order: 1 } }",
        (
            "LayerParameter has no field `permute_param` in these protobuf classes (it is of ssd, intel, "
            "nvidia, mobilenet-yolo, happynear); write text, or give the `caffe_pb2` of that Caffe"
        ),
    ),
    "word": (
        "layer { convolution_param { engine: MKLDNN } }",
        (
            "`engine` has no word `MKLDNN` in these protobuf classes (it is of intel); write text, or "
            "give the `caffe_pb2` of that Caffe"
        ),
    ),
}


@pytest.mark.parametrize(("text", "sentence"), OF_THE_FORKS.values(), ids=list(OF_THE_FORKS))
def test_bvlc_s_classes_take_nothing_of_a_fork(text, sentence):
    with pytest.raises(CaffegenError) as caught:
        to_protobuf(message(text))
    assert str(caught.value) == sentence


def test_a_fork_s_classes_take_its_fields_and_words_by_name(fork_classes):
    net = message(
        "layer { permute_param { order: 0 order: 2 } pooling_param { pool: MAX kernel_size: 3 } }"
    )
    theirs = to_protobuf(net, fork_classes)
    assert list(theirs.layer[0].permute_param.order) == [0, 2]
    assert theirs.layer[0].pooling_param.pool == 1
    assert list(theirs.layer[0].pooling_param.kernel_size) == [3]
    assert from_protobuf(theirs) == net


def test_what_the_fork_s_classes_have_not_is_refused(fork_classes):
    with pytest.raises(CaffegenError, match="LayerParameter has no field `type` in these"):
        to_protobuf(message('layer { type: "ReLU" }'), fork_classes)
    with pytest.raises(CaffegenError, match="`fork_pb2` has no message SolverParameter"):
        to_protobuf(message("base_lr: 1", "SolverParameter"), fork_classes)


def test_what_caffegen_has_not_is_refused(fork_classes):
    theirs = fork_classes.NetParameter()
    theirs.layer.add().pooling_param.kernel_size.extend([2, 3])
    with pytest.raises(CaffegenError, match="`kernel_size` is set 2 times; caffegen takes it once"):
        from_protobuf(theirs)
    theirs.layer[0].pooling_param.ClearField("kernel_size")
    theirs.layer[0].unheard_param.SetInParent()
    with pytest.raises(
        CaffegenError, match="has the field `unheard_param`, which caffegen does not"
    ):
        from_protobuf(theirs)


def test_a_message_and_a_word_that_caffegen_has_not(tmp_path):
    proto = tmp_path / "own.proto"
    proto.write_text(
        'syntax = "proto2"; package caffe; message Strange { message Inner { } optional Inner i = 1; }'
        "message PoolingParameter { enum PoolMethod { NEW = 9; } optional PoolMethod pool = 1; }"
    )
    pool = DescriptorPool()
    for file in compile_proto(str(proto)).file:
        pool.Add(file)

    def made(name):
        return GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}"))()

    with pytest.raises(
        CaffegenError, match=r"there is a message Strange\.Inner, which caffegen does"
    ):
        from_protobuf(made("Strange.Inner"))
    word = made("PoolingParameter")
    word.pool = 9
    with pytest.raises(CaffegenError, match="`pool` of PoolingParameter is 'NEW', which caffegen"):
        from_protobuf(word)
