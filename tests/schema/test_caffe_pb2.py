"""The protobuf classes: Caffe's schema, its text and its wire format, in a pool of their own."""

import copy
import os
import pickle
import subprocess
import sys

import pytest
from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import EncodeError

from caffegen.schema import caffe_pb2
from caffegen.schema.tables import ENUMS, MESSAGES

VALUES = {
    "bool": "true",
    "bytes": r'"\000\377x"',
    "double": "0.1",
    "float": "-2.5e-3",
    "int32": "-2147483648",
    "int64": "9223372036854775807",
    "string": r'"a \"b\" \303\251"',
    "uint32": "4294967295",
}
KINDS = {
    getattr(FieldDescriptor, f"TYPE_{kind.upper()}"): kind for kind in (*VALUES, "enum", "message")
}


def sample(name):
    """A text that sets every field of the message type, the repeated ones twice."""
    lines = []
    for field, _, label, kind, _ in MESSAGES[name]:
        if kind in MESSAGES:
            line = f"{field} {{ {sample(kind)} }}"
        elif kind in ENUMS:
            line = f"{field}: {list(ENUMS[kind])[-1]}"
        else:
            line = f"{field}: {VALUES[kind]}"
        lines += [line] * (2 if label in ("repeated", "packed") else 1)
    return "\n".join(lines)


def fields_set(message):
    """(message type, field) of all that is set in the message and below."""
    for field, value in message.ListFields():
        yield message.DESCRIPTOR.name, field.name
        if field.message_type:
            for child in [value] if hasattr(value, "ListFields") else value:
                yield from fields_set(child)


def type_name(field):
    kind = field.message_type or field.enum_type
    return kind.full_name.removeprefix("caffe.") if kind else KINDS[field.type]


def label(field):
    repeated = getattr(field, "is_repeated", None)
    if repeated is None:  # protobuf 5 has `label` alone
        repeated = field.label == FieldDescriptor.LABEL_REPEATED
    required = getattr(field, "is_required", None)
    if required is None:
        required = field.label == FieldDescriptor.LABEL_REQUIRED
    return "repeated" if repeated else "required" if required else "optional"


@pytest.mark.parametrize("name", MESSAGES)
def test_every_field_is_caffes(name, caffe_schema, read_default):
    descriptor = getattr(caffe_pb2, name).DESCRIPTOR
    assert descriptor.full_name == f"caffe.{name}"
    assert [field.name for field in descriptor.fields] == [
        f["name"] for f in caffe_schema["messages"][name]
    ]
    for field, facts in zip(descriptor.fields, caffe_schema["messages"][name], strict=True):
        found = (field.number, label(field), type_name(field), field.has_default_value)
        assert found == (facts["number"], facts["label"], facts["type"], "default" in facts), (
            field.name
        )
        assert field.GetOptions().packed == facts.get("packed", False), field.name
        default = read_default(facts)
        if facts["type"] in ENUMS and default is not None:
            default = ENUMS[facts["type"]][default]
        if default is not None:
            assert getattr(getattr(caffe_pb2, name)(), field.name) == default, field.name


def test_there_are_63_messages_26_enums_and_423_fields():
    types = caffe_pb2.DESCRIPTOR.message_types_by_name.values()
    assert len(types) == 63
    assert (
        sum(len(t.enum_types) for t in types) + len(caffe_pb2.DESCRIPTOR.enum_types_by_name) == 26
    )
    assert sum(len(t.fields) for t in types) == 423
    assert not any(t.nested_types or t.oneofs or t.extension_ranges for t in types)


@pytest.mark.parametrize("name", ENUMS)
def test_words_are_found_on_the_class_and_on_the_enum(name):
    outer, _, inner = name.rpartition(".")
    holder = getattr(caffe_pb2, outer) if outer else caffe_pb2
    enum = getattr(holder, inner)
    assert list(enum.items()) == list(ENUMS[name].items())
    for word, number in ENUMS[name].items():
        assert getattr(holder, word) == getattr(enum, word) == enum.Value(word) == number
        assert enum.Name(number) == word


def test_what_a_user_of_pycaffe_writes():
    net = caffe_pb2.NetParameter(name="net")
    layer = net.layer.add(name="pool1", type="Pooling", bottom=["data"], top=["pool1"])
    layer.pooling_param.pool = caffe_pb2.PoolingParameter.AVE
    layer.include.add(phase=caffe_pb2.TEST)
    assert caffe_pb2.Phase.Name(layer.include[0].phase) == "TEST"
    assert str(layer.pooling_param) == "pool: AVE\n"
    assert caffe_pb2.LayerParameter.POOLING_PARAM_FIELD_NUMBER == 121
    assert isinstance(layer, caffe_pb2.LayerParameter)
    assert net.layer[0].HasField("pooling_param")
    assert not net.layer[0].HasField("relu_param")


@pytest.mark.parametrize("name", MESSAGES)
def test_every_field_goes_through_text_and_wire(name):
    make = getattr(caffe_pb2, name)
    message = text_format.Parse(sample(name), make())
    assert {(name, row[0]) for row in MESSAGES[name]} <= set(fields_set(message))
    assert make.FromString(message.SerializeToString()) == message
    assert text_format.Parse(text_format.MessageToString(message), make()) == message
    assert (
        text_format.Parse(text_format.MessageToString(message, as_one_line=True), make()) == message
    )


def test_four_samples_set_all_423_fields():
    roots = ["SolverParameter", "SolverState", "BlobProtoVector", "Datum"]
    found = set()
    for name in roots:
        found |= set(fields_set(text_format.Parse(sample(name), getattr(caffe_pb2, name)())))
    assert len(found) == 423


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (caffe_pb2.BlobShape(dim=[1, 300]), "0a03 01 ac02"),
        (caffe_pb2.BlobProto(data=[1.0]), "2a04 0000803f"),
        (caffe_pb2.LayerParameter(loss_weight=[1.0, 2.0]), "2d 0000803f 2d 00000040"),
        (caffe_pb2.ConvolutionParameter(pad=[1, 2]), "1801 1802"),
        (caffe_pb2.NetParameter(layer=[{"clip_param": {"min": 0, "max": 6}}]),
         "a206 0d a209 0a 0d00000000 150000c040"),
        (caffe_pb2.V1LayerParameter(type="SOFTMAX_LOSS", param=["w"]), "2815 ca3e 01 77"),
    ],
    ids=["packed", "packed floats", "not packed", "not packed integers", "field 100 and 148", "field 1001"],
)  # fmt: skip
def test_wire_format(message, wire):
    assert message.SerializeToString() == bytes.fromhex(wire)


def test_numbers_come_packed_or_not():
    assert caffe_pb2.BlobShape.FromString(bytes.fromhex("0801 08ac02")).dim == [1, 300]
    assert caffe_pb2.ConvolutionParameter.FromString(bytes.fromhex("1a02 0102")).pad == [1, 2]


def test_clip_needs_both_bounds():
    assert caffe_pb2.LayerParameter().IsInitialized()
    with pytest.raises(EncodeError, match=r"clip_param\.max"):
        caffe_pb2.LayerParameter(clip_param={"min": 0}).SerializeToString()


def test_messages_can_be_pickled_and_copied():
    layer = caffe_pb2.NetParameter(layer=[{"name": "a"}]).layer[0]
    assert pickle.loads(pickle.dumps(layer)) == copy.deepcopy(layer) == layer
    assert type(pickle.loads(pickle.dumps(layer))) is caffe_pb2.LayerParameter


# Caffe's own module registers a file of the same name, with the same messages, for all to share.
OTHER = """
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
other = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
net = other.message_type.add(name="NetParameter")
net.field.add(name="of_the_other", number=1, label=1, type=9)
pool = descriptor_pool.Default()
pool.AddSerializedFile(other.SerializeToString())
Other = message_factory.GetMessageClass(pool.FindMessageTypeByName("caffe.NetParameter"))
"""
OURS = "from caffegen.schema import caffe_pb2\n"
BOTH = """
assert Other(of_the_other="x").SerializeToString() == b"\\n\\x01x"
assert caffe_pb2.NetParameter(name="x", layer=[{"type": "ReLU"}]).layer[0].type == "ReLU"
assert not hasattr(caffe_pb2.NetParameter(), "of_the_other")
assert Other.DESCRIPTOR is not caffe_pb2.NetParameter.DESCRIPTOR
"""


@pytest.mark.parametrize(
    "code", [OURS + OTHER, OTHER + OURS], ids=["ours first", "the other first"]
)
def test_lives_beside_caffes_own_module(code):
    subprocess.run([sys.executable, "-c", code + BOTH], check=True)


def test_works_with_protobufs_implementation_in_python():
    code = OURS + (
        "from google.protobuf.internal import api_implementation\n"
        "assert api_implementation.Type() == 'python'\n"
        "net = caffe_pb2.NetParameter(layer=[{'pooling_param': {'pool': 'AVE'}}])\n"
        "assert net.layer[0].pooling_param.pool == caffe_pb2.PoolingParameter.AVE\n"
        "assert caffe_pb2.NetParameter.FromString(net.SerializeToString()) == net\n"
        "assert caffe_pb2.PoolingParameter.PoolMethod.Value('AVE') == caffe_pb2.TEST == 1\n"
    )
    environment = {**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
