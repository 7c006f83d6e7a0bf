"""Fields, messages and words that a user adds to the schema."""

from __future__ import annotations

import pytest

from caffegen.errors import CaffegenError
from caffegen.schema import enum_type, message_type
from caffegen.schema.additions import add_field, add_message, add_words
from caffegen.text import Source, parse, print_message

pytestmark = pytest.mark.usefixtures("additions")


def test_a_message_with_all_kinds_of_fields_is_read_and_written():
    add_words("FoldParameter.Way", "UP", "DOWN")
    add_message(
        "FoldParameter", times=("uint32", 2), axes="repeated int32", way="FoldParameter.Way",
        filler="FillerParameter", name="string", deep="bool", by=("float", 0.1),
    )  # fmt: skip
    add_field("LayerParameter", "fold_param", "FoldParameter")
    text = 'layer { fold_param { axes: 1 axes: -1 way: DOWN filler { value: 3 } name: "n" } }'
    parsed = parse(Source(text), message_type("NetParameter"))
    assert parsed.faults == []
    param = parsed.message.layer[0].fold_param
    assert (param.times, tuple(param.axes), param.way, param.filler.value) == (
        2,
        (1, -1),
        "DOWN",
        3,
    )
    assert (param.name, param.deep, param.by) == ("n", False, 0.1)
    assert "".join(print_message(parsed.message).split()) == "".join(text.split())
    assert message_type("FoldParameter").fields["way"].default == "UP"
    assert message_type("FoldParameter").fields["times"].forks is None


def test_numbers_are_no_one_else_s():
    before = {field.number for field in message_type("LayerParameter").fields.values()}
    add_field("LayerParameter", "first_new", "float")
    add_field("LayerParameter", "second_new", "repeated float")
    fields = message_type("LayerParameter").fields
    new = {fields["first_new"].number, fields["second_new"].number}
    assert len(new) == 2
    assert not new & before


def test_words_of_an_enum_that_is_there():
    words = enum_type("PoolingParameter.PoolMethod")
    add_words("PoolingParameter.PoolMethod", "MEDIAN", "MIN")
    assert words.words[words.numbers["MEDIAN"]] == "MEDIAN"
    assert "MIN" not in words.forks
    assert "DEF" in words.forks
    parsed = parse(Source("layer { pooling_param { pool: MEDIAN } }"), message_type("NetParameter"))
    assert parsed.faults == []


@pytest.mark.parametrize(
    ("add", "sentence"),
    [
        (lambda: add_field("LayerParameter", "name", "string"),
         "LayerParameter has a field `name` already"),
        (lambda: add_field("LayerParam", "x", "string"),
         "there is no message LayerParam; add it with `add_message`"),
        (lambda: add_field("LayerParameter", "x", "flot"),
         "`x` is of the type `flot`, and there is no such type"),
        (lambda: add_field("LayerParameter", "x", "many float"),
         "`many float` is no kind of field; write `repeated float` or `float`"),
        (lambda: add_message("LayerParameter"), "there is a message LayerParameter already"),
    ],
    ids=["there already", "no message", "no type", "no label", "message there already"],
)  # fmt: skip
def test_what_is_refused(add, sentence):
    with pytest.raises(CaffegenError) as caught:
        add()
    assert str(caught.value) == sentence
