"""The types that the text layer is driven by, made from the tables."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from caffegen.schema import caffe_pb2, enum_type, forks, message_type
from caffegen.schema.fork_messages import MESSAGES as FORK_MESSAGES
from caffegen.schema.tables import ENUMS, MESSAGES
from caffegen.text import Message
from caffegen.text.types import FieldType, MessageType

FORKS = {
    "fast-rcnn", "happynear", "intel", "mobilenet-yolo", "nvidia", "opencl", "pspnet", "segnet",
    "ssd", "yjxiong",
}  # fmt: skip
SCALARS = {"bool", "bytes", "double", "float", "int32", "int64", "string", "uint32", "uint64"}


def check_field(field, row):
    field_name, number, label, type_name, default = row
    assert (field.name, field.number, field.default) == (field_name, number, default)
    assert field.repeated == (label in ("repeated", "packed"))
    if type_name in MESSAGES or type_name in FORK_MESSAGES:
        assert (field.kind, field.type) == ("message", message_type(type_name))
    elif type_name in ENUMS or type_name in forks.ENUMS:
        assert (field.kind, field.type) == ("enum", enum_type(type_name))
    else:
        assert (field.kind, field.type) == (type_name, None)
        assert type_name in SCALARS


@pytest.mark.parametrize("name", MESSAGES)
def test_a_type_has_the_fields_of_its_table_first_and_those_of_the_forks_behind_them(name):
    made = message_type(name)
    added = forks.FIELDS.get(name, ())
    assert made.name == name
    assert list(made.fields) == [row[0] for row in (*MESSAGES[name], *added)]
    for row in MESSAGES[name]:
        check_field(made.fields[row[0]], row)
        assert made.fields[row[0]].forks is None
    for *row, by in added:
        check_field(made.fields[row[0]], row)
        assert made.fields[row[0]].forks == tuple(by.split())


@pytest.mark.parametrize("name", MESSAGES)
def test_without_the_forks_a_type_is_that_of_bvlc(name):
    """Held against the module that protoc's output was made into, not against our own table."""
    descriptor = getattr(caffe_pb2, name).DESCRIPTOR
    own = {field.name: field for field in message_type(name).fields.values() if field.forks is None}
    assert list(own) == [field.name for field in descriptor.fields]
    assert [field.number for field in own.values()] == [f.number for f in descriptor.fields]


@pytest.mark.parametrize("name", FORK_MESSAGES)
def test_a_message_of_the_forks_has_the_fields_of_its_table(name):
    assert name not in MESSAGES
    made = message_type(name)
    assert list(made.fields) == [row[0] for row in FORK_MESSAGES[name]]
    for *row, by in FORK_MESSAGES[name]:
        check_field(made.fields[row[0]], row)
        assert made.fields[row[0]].forks == tuple(by.split())


@pytest.mark.parametrize("name", [*MESSAGES, *FORK_MESSAGES])
def test_no_number_means_two_fields(name):
    numbers = [field.number for field in message_type(name).fields.values()]
    assert len(set(numbers)) == len(numbers)


def test_every_fork_has_a_name_that_the_user_can_give():
    rows = [
        row for table in (forks.FIELDS, FORK_MESSAGES) for rows in table.values() for row in rows
    ]
    words = [by for words in forks.WORDS.values() for by in words.values()]
    told = {
        fork
        for by in [*(row[5] for row in rows), *forks.TYPES.values(), *words]
        for fork in by.split()
    }
    assert told == FORKS


@pytest.mark.parametrize("name", ENUMS)
def test_an_enum_reads_both_ways(name):
    made = enum_type(name)
    assert made.name == name
    added = forks.WORDS.get(name, {})
    assert list(made.numbers) == [*ENUMS[name], *added]
    assert {word: made.numbers[word] for word in ENUMS[name]} == ENUMS[name]
    assert made.forks == {word: tuple(by.split()) for word, by in added.items()}
    assert made.words == {number: word for word, number in made.numbers.items()}
    assert len(made.words) == len(made.numbers)


def test_the_fields_that_tell_a_fork():
    telling = message_type("PoolingParameter").telling
    assert {"ceil_mode", "pool", "engine"} <= telling
    assert not {"pad", "kernel_size", "round_mode"} & telling
    assert "pooling_param" in message_type("LayerParameter").telling


def test_a_field_put_into_a_type_tells_too():
    made = MessageType("M", {})
    assert made.telling == frozenset()
    made.put(FieldType("f", 1, "int32", forks=("ssd",)))
    assert made.telling == {"f"}
    made.put(FieldType("f", 1, "int32"))
    assert made.telling == frozenset()


def test_a_field_put_into_a_type_is_read_from_its_messages():
    made = MessageType("M", {})
    with pytest.raises(AttributeError):
        _ = Message(made).f
    made.put(FieldType("f", 1, "int32", default=3))
    message = Message(made)
    assert (message.f, message.get("f")) == (3, 3)
    message.set("f", 4)
    assert (message.f, message.copy().f) == (4, 4)
    made.put(FieldType("f", 1, "int32", repeated=True))
    assert Message(made).f == ()


def test_an_unset_message_can_be_read_and_not_changed():
    layer = Message(message_type("LayerParameter"))
    unset = layer.convolution_param
    assert (unset.num_output, unset.pad, unset.weight_filler.type) == (0, (), "constant")
    assert unset is Message(message_type("LayerParameter")).convolution_param
    for change in (
        lambda: unset.set("num_output", 3),
        lambda: unset.set("pad", [1]),
        lambda: unset.add("pad", 1),
    ):
        with pytest.raises(TypeError, match="not set, and can't be changed; `add` it"):
            change()
    unset.clear("pad")
    copy = unset.copy()
    copy.set("num_output", 3)
    assert (copy.num_output, unset.num_output) == (3, 0)
    layer.add("convolution_param").set("num_output", 4)
    assert layer.convolution_param.num_output == 4
    layer.set("convolution_param", unset)
    layer.convolution_param.set("num_output", 5)
    assert (layer.convolution_param.num_output, unset.num_output) == (5, 0)


def test_there_is_one_object_of_each_type():
    assert message_type("NetParameter") is message_type("NetParameter")
    assert message_type("V1LayerParameter").fields["include"].type is message_type("NetStateRule")
    assert enum_type("Phase") is message_type("NetState").fields["phase"].type


def test_threads_get_the_same_object(monkeypatch):
    monkeypatch.setattr("caffegen.schema._messages", {})
    with ThreadPoolExecutor(16) as threads:
        found = set(map(id, threads.map(message_type, ["LayerParameter"] * 200)))
    assert len(found) == 1


@pytest.mark.parametrize(
    ("find", "name"),
    [(message_type, "NetParam"), (message_type, "Phase"), (enum_type, "PoolMethod")],
    ids=["no message", "an enum is no message", "an enum goes by its dotted name"],
)
def test_an_unknown_name_is_a_key_error(find, name):
    with pytest.raises(KeyError, match=name):
        find(name)


def test_a_type_is_made_without_protobuf_numpy_and_difflib():
    code = (
        "import sys\n"
        "from caffegen.schema import message_type\n"
        "from caffegen.schema.suggest import nearest\n"
        "message_type('NetParameter').fields['layer'].type.fields['permute_param']\n"
        "nearest('Relu', ['ReLU'])\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not {"google.protobuf", "numpy", "difflib", "caffegen.schema.fork_messages"} & loaded
