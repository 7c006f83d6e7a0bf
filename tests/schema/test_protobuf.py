from __future__ import annotations

import pytest

from caffegen.schema import caffe_pb2, message_type
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
