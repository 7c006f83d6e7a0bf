"""Every name that the survey of the forks' files and schemas brought up is known to the text layer.

`fork_names.json` has them as literals: the fields by message with the fields that were written in
them, the words by field, and the messages by name with the fields that any fork gives them. What a
reader took for a field and is none is left out: words of a web page saved with a net (`Contact`,
`API`, `Shop`), and pieces of paths that stand without quotes (`BINARYPROTO`, `SGD`, `True` ...).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from caffegen.schema import message_type
from caffegen.schema.strays import STRAYS
from caffegen.text import Source, parse

NAMES = json.loads((Path(__file__).parent / "fork_names.json").read_text(encoding="utf-8"))


def test_the_survey_is_whole():
    counts = {part: sum(map(len, names.values())) for part, names in NAMES.items()}
    assert counts == {"fields": 306, "words": 38, "messages": 714}
    assert len(NAMES["messages"]) == 98


@pytest.mark.parametrize("message", NAMES["fields"])
def test_fields_are_known(message):
    fields = message_type(message).fields
    assert set(NAMES["fields"][message]) <= fields.keys()


@pytest.mark.parametrize(
    ("message", "field"), [(m, f) for m, fields in NAMES["fields"].items() for f in fields]
)
def test_fields_inside_of_them_are_known(message, field):
    for path in NAMES["fields"][message][field]:
        here = message_type(message).fields[field].type
        *parents, last = path.split(".")
        for name in parents:
            here = here.fields[name].type
        assert last in here.fields, path


@pytest.mark.parametrize("key", NAMES["words"])
def test_words_are_known(key):
    message, _, field = key.partition(".")
    assert set(NAMES["words"][key]) <= message_type(message).fields[field].type.numbers.keys()


@pytest.mark.parametrize("message", NAMES["messages"])
def test_messages_are_known(message):
    assert set(NAMES["messages"][message]) <= message_type(message).fields.keys()


@pytest.mark.parametrize("key", sorted(STRAYS))
def test_a_stray_is_a_row_without_a_fork(key):
    message, _, field = key.partition(".")
    assert message_type(message).fields[field].forks == ()


def test_a_field_of_each_message_is_read_from_text():
    text = "layer { device { type: GPU device_id: 1 } squeezedet_param { anchor_shapes: 377 } }"
    parsed = parse(Source(text), message_type("NetParameter"))
    assert not parsed.faults
    layer = parsed.message.layer[0]
    assert (layer.device.type, layer.device.device_id) == ("GPU", 1)
    assert layer.squeezedet_param.anchor_shapes == [377]
