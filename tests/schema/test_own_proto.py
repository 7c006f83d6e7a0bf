"""A user's own caffe.proto, laid over the schema by name."""

from __future__ import annotations

import sys

import pytest

from caffegen.check import Options, check_source
from caffegen.errors import CaffegenError, FileError, MissingExtra
from caffegen.schema import enum_type, message_type
from caffegen.schema.own_proto import add_proto, read_binary
from caffegen.text import Source, parse

pytestmark = pytest.mark.usefixtures("additions")

OWN = """
syntax = "proto2";
package caffe;
import "parts.proto";
message NetParameter {
  optional string name = 1;
  repeated LayerParameter layer = 100;
}
message LayerParameter {
  optional string name = 1;
  optional string type = 2;
  repeated string bottom = 3;
  repeated string top = 4;
  repeated BlobProto blobs = 7;
  optional BatchNormParameter batch_norm_param = 139;
  optional FoldParameter fold_param = 143;
  optional PermuteParameter permute_param = 150;
  optional ConvolutionParameter convolution_param = 106;
}
message PermuteParameter { repeated uint32 order = 1; }
message BatchNormParameter { optional float moving_average_fraction = 2 [default = 0.75]; }
message BlobProto { repeated float data = 5 [packed = true]; }
message ConvolutionParameter {
  optional int32 num_output = 1;
  optional uint32 pad = 3 [default = 0];
  enum Engine { DEFAULT = 0; CAFFE = 1; CUDNN = 2; FPGA = 3; }
  optional Engine engine = 15 [default = FPGA];
}
"""
PARTS = """
syntax = "proto2";
package caffe;
message FoldParameter {
  message Step { optional double by = 1; }
  optional uint32 times = 1 [default = 2];
  repeated Step step = 2;
  optional Way way = 3;
  optional bool deep = 4 [default = true];
  optional string word = 5 [default = "w"];
}
enum Way { UP = 0; DOWN = 7; }
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "parts.proto").write_text(PARTS)
    path = tmp_path / "my_caffe.proto"
    path.write_text(OWN)
    return path


def test_what_caffegen_does_not_know_is_added(own):
    add_proto(own)
    text = "layer { fold_param { step { by: 0.1 } step { } way: DOWN } convolution_param { engine: FPGA } }"
    parsed = parse(Source(text), message_type("NetParameter"))
    assert parsed.faults == []
    fold = parsed.message.layer[0].fold_param
    assert (fold.times, fold.step[0].by, fold.way, fold.deep, fold.word) == (
        2,
        0.1,
        "DOWN",
        True,
        "w",
    )
    assert message_type("FoldParameter").fields["way"].default == "UP"


def test_what_caffegen_knows_keeps_its_form_and_takes_the_file_s_defaults(own):
    add_proto(own)
    conv = message_type("ConvolutionParameter").fields
    assert (conv["pad"].repeated, conv["num_output"].kind) == (True, "uint32")
    assert conv["engine"].default == "FPGA"
    assert message_type("BatchNormParameter").fields["moving_average_fraction"].default == 0.75
    assert message_type("BatchNormParameter").fields["eps"].default == pytest.approx(1e-5)
    assert enum_type("ConvolutionParameter.Engine").numbers["CUDNN"] == 2
    assert message_type("LayerParameter").fields["permute_param"].forks is None


def test_a_file_is_held_against_its_own_schema(own):
    text = 'layer { name: "p" type: "Permute" bottom: "x" top: "y" permute_param { order: 0 } }'
    before = [found.name for found in check_source(Source(text), Options()).diagnostics]
    assert "fork-schema" in before
    add_proto(own)
    after = [found.name for found in check_source(Source(text), Options()).diagnostics]
    assert after == [name for name in before if name != "fork-schema"]


def test_a_binary_is_read_by_the_user_s_numbers(own, tmp_path):
    fold = bytes([8, 5, 24, 7])  # times: 5, way: DOWN
    layer = b"\x0a\x01f\x12\x04Fold" + bytes([0xFA, 0x08, len(fold)]) + fold
    (tmp_path / "f.caffemodel").write_bytes(b"\x0a\x01n" + bytes([0xA2, 0x06, len(layer)]) + layer)
    add_proto(own)
    net = read_binary(str(tmp_path / "f.caffemodel"), str(own))
    (found,) = net.layer
    assert (net.name, found.type, found.fold_param.times, found.fold_param.way) == (
        "n",
        "Fold",
        5,
        "DOWN",
    )


def test_a_binary_that_is_none_is_refused(own, tmp_path):
    (tmp_path / "f.caffemodel").write_bytes(b"\xff\xff\xff")
    with pytest.raises(
        FileError, match=r"f.caffemodel`: it is no NetParameter by `.*my_caffe.proto`"
    ):
        read_binary(str(tmp_path / "f.caffemodel"), str(own))
    with pytest.raises(FileError, match="it can't be read: no such file"):
        read_binary(str(tmp_path / "none"), str(own))
    with pytest.raises(CaffegenError, match="has no message SolverState"):
        read_binary(str(tmp_path / "f.caffemodel"), str(own), "SolverState")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("message A { optional int32 x 1; }\n", "2:30"),
        ("message A { optional Nothing x = 1; }\n", "2:22"),
        ('import "none.proto";\n', "2:1"),
    ],
    ids=["grammar", "type", "import"],
)
def test_a_schema_at_fault_is_one_sentence_with_its_place(tmp_path, text, place):
    path = tmp_path / "bad.proto"
    path.write_text(f'syntax = "proto2";\n{text}')
    with pytest.raises(CaffegenError) as caught:
        add_proto(path)
    said = str(caught.value)
    assert said.startswith(f"{path}:{place}: ")
    assert "\n" not in said
    assert not said.endswith(".")


def test_a_group_is_refused(tmp_path):
    path = tmp_path / "bad.proto"
    path.write_text('syntax = "proto2";\nmessage LayerParameter { optional group Fold = 1 { } }\n')
    with pytest.raises(
        CaffegenError, match=r"`LayerParameter\.fold` is a group; caffegen reads none"
    ):
        add_proto(path)


def test_a_schema_that_can_not_be_read(tmp_path):
    with pytest.raises(FileError, match="it can't be read: no such file"):
        add_proto(tmp_path / "none.proto")


def test_without_grpcio_tools_it_says_what_to_install(own, monkeypatch):
    import subprocess

    def run(arguments, **options):
        return subprocess.CompletedProcess(
            arguments, 1, "", f"{sys.executable}: No module named grpc_tools.protoc\n"
        )

    monkeypatch.setattr("caffegen.schema.own_proto.subprocess.run", run)
    with pytest.raises(MissingExtra) as caught:
        add_proto(own)
    assert (
        str(caught.value) == "reading a .proto file needs an extra: pip install 'caffegen[proto]'"
    )
