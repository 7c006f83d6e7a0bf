"""The types that the text layer is driven by, made from the tables."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from caffegen.schema import enum_type, message_type
from caffegen.schema.tables import ENUMS, MESSAGES


@pytest.mark.parametrize("name", MESSAGES)
def test_a_type_has_the_fields_of_its_table(name):
    made = message_type(name)
    assert made.name == name
    assert list(made.fields) == [row[0] for row in MESSAGES[name]]
    for field_name, number, label, type_name, default in MESSAGES[name]:
        field = made.fields[field_name]
        assert (field.name, field.number, field.default) == (field_name, number, default)
        assert field.repeated == (label in ("repeated", "packed"))
        if type_name in MESSAGES:
            assert (field.kind, field.type) == ("message", message_type(type_name))
        elif type_name in ENUMS:
            assert (field.kind, field.type) == ("enum", enum_type(type_name))
        else:
            assert (field.kind, field.type) == (type_name, None)


@pytest.mark.parametrize("name", ENUMS)
def test_an_enum_reads_both_ways(name):
    made = enum_type(name)
    assert made.name == name
    assert made.numbers == ENUMS[name]
    assert made.words == {number: word for word, number in ENUMS[name].items()}


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
        "message_type('NetParameter').fields['layer'].type\n"
        "nearest('Relu', ['ReLU'])\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"google.protobuf", "numpy", "difflib"} & set(done.stdout.split())
