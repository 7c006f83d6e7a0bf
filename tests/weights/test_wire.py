"""The wire format, field by field, and every way in which bytes are no message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caffegen.weights.wire import Fields, WireError, int32, int64, text, varint

FIELDS = [
    pytest.param(b"\x08\x96\x01", [(1, 0, 150, 3)], id="varint"),
    pytest.param(b"\x12\x03abc", [(2, 2, 2, 5)], id="bytes"),
    pytest.param(b"\xa2\x06\x02hi\x08\x01", [(100, 2, 3, 5), (1, 0, 1, 7)], id="tag of two bytes"),
    pytest.param(b"\x2d\0\0\x80\x3f", [(5, 5, 1, 5)], id="fixed32"),
    pytest.param(b"\x41\0\0\0\0\0\0\0\0", [(8, 1, 1, 9)], id="fixed64"),
    pytest.param(b"\x0b\x08\x01\x0c\x10\x02", [(1, 3, 1, 4), (2, 0, 2, 6)], id="group"),
    pytest.param(b"\x0b\x13\x14\x0c", [(1, 3, 1, 4)], id="group in a group"),
    pytest.param(b"\x12\x00\x12\x00", [(2, 2, 2, 2), (2, 2, 4, 4)], id="empty"),
    pytest.param(b"\x12" + b"\x80\x01" + b"x" * 128, [(2, 2, 3, 131)], id="length of two bytes"),
    pytest.param(b"\x92\x80\x00\x01a", [(2, 2, 4, 5)], id="tag with needless bytes"),
    pytest.param(b"\x08" + b"\xff" * 9 + b"\x01", [(1, 0, 2**64 - 1, 11)], id="largest varint"),
]


@pytest.mark.parametrize(("data", "fields"), FIELDS)
def test_fields(data, fields):
    assert list(Fields(data)) == fields
    shifted = b"\xff\xff" + data + b"\xff"
    moved = [(n, w, s if w == 0 else s + 2, e + 2) for n, w, s, e in fields]
    assert list(Fields(shifted, 2, 2 + len(data))) == moved


FAULTS = [
    pytest.param(b"\x12\x05abc", "byte 0: a field of 5 bytes runs 2 past the end", id="short"),
    pytest.param(b"\x12", "byte 1: the data end inside a number", id="no length"),
    pytest.param(b"\x08\xff", "byte 1: the data end inside a number", id="cut varint"),
    pytest.param(b"\xa2", "byte 0: the data end inside a number", id="cut tag"),
    pytest.param(b"\x2d\0\0", "byte 0: a field of 4 bytes runs 2 past the end", id="cut fixed32"),
    pytest.param(
        b"\x08" + b"\xff" * 11, "byte 1: a number takes more than ten bytes", id="overlong"
    ),
    pytest.param(
        b"\x12" + b"\xff" * 9 + b"\x01",
        "byte 0: a field of 18446744073709551615 bytes runs 18446744073709551615 past the end",
        id="negative size",
    ),
    pytest.param(b"\x00\x01", "byte 0: no field has the number 0", id="number 0"),
    pytest.param(
        b"\x80\x80\x80\x80\x10\x01", "byte 0: no field has the number 536870912", id="number 2^29"
    ),
    pytest.param(b"\x0e\x01", "byte 0: no field has the wire type 6", id="wire type 6"),
    pytest.param(b"\x0f\x01", "byte 0: no field has the wire type 7", id="wire type 7"),
    pytest.param(b"\x08\x01\x0c", "byte 2: group 1 ends here and began nowhere", id="stray end"),
    pytest.param(b"\x0b\x14", "byte 1: group 2 ends here, another is open", id="crossed groups"),
    pytest.param(b"\x0b\x08\x01", "byte 1: group 1 has no end", id="open group"),
    pytest.param(b"\x0b" * 200, "byte 100: groups lie more than 100 deep", id="deep groups"),
]


@pytest.mark.parametrize(("data", "sentence"), FAULTS)
def test_faults(data, sentence):
    with pytest.raises(WireError) as caught:
        list(Fields(data))
    assert str(caught.value) == sentence


def test_a_field_may_not_run_out_of_its_message():
    with pytest.raises(WireError, match="byte 0: a field of 5 bytes runs 3 past the end"):
        list(Fields(b"\x12\x05abcdef", 0, 4))


@given(st.binary(max_size=60))
def test_any_bytes_end_in_fields_or_a_fault(data):
    at = 0
    try:
        for _number, _wire, _start, stop in Fields(data):
            assert at < stop <= len(data)
            at = stop
    except WireError as fault:
        assert 0 <= fault.offset <= len(data)  # noqa: PT017
    else:
        assert at == len(data)


@pytest.mark.parametrize(
    ("value", "as_int32", "as_int64"),
    [(5, 5, 5), (2**64 - 1, -1, -1), (2**32 + 2, 2, 2**32 + 2), (2**31, -(2**31), 2**31)],
)
def test_signed_numbers(value, as_int32, as_int64):
    assert int32(value) == as_int32
    assert int64(value) == as_int64


def test_a_varint_is_cut_to_64_bits():
    assert varint(b"\xff" * 9 + b"\x7f", 0, 10) == (2**64 - 1, 10)


def test_text_keeps_bytes_that_are_no_utf8():
    assert text(b"conv\xff\xc3\xa9", 0, 7) == "conv\udcff\xe9"


def test_a_name_of_megabytes_is_refused_before_it_is_read():
    with pytest.raises(WireError, match="a name of 70000 bytes is longer than any layer has"):
        text(b"x" * 70000, 0, 70000)
