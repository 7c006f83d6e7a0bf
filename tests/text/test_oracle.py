"""protobuf's own text parser as the oracle: the same texts are taken, and mean the same."""

import re

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from caffegen.schema import caffe_pb2, message_type
from caffegen.schema.protobuf import from_protobuf, to_protobuf
from caffegen.text import Source, parse, print_message
from tests.conftest import golden_json

NET = message_type("NetParameter")
SOLVER = message_type("SolverParameter")

gap = st.sampled_from([" ", "\n", "\t", "  \n ", " # note\n", "\n#: {\n", "\r\n"])
loose = st.one_of(st.just(""), gap)


def spell_string(draw, value: str) -> str:
    quote = draw(st.sampled_from("\"'"))
    out = []
    for char in value:
        if char in "\\\n\r" or char == quote:
            out.append({"\\": "\\\\", "\n": "\\n", "\r": "\\r"}.get(char, "\\" + char))
        elif char.isascii() and draw(st.integers(0, 9)) == 0:
            out.append(draw(st.sampled_from([f"\\{ord(char):03o}", f"\\x{ord(char):02x}"])))
        else:
            out.append(char)
    if len(out) > 1 and draw(st.integers(0, 5)) == 0:
        middle = len(out) // 2
        return (
            f"{quote}{''.join(out[:middle])}{quote}{draw(gap)}{quote}{''.join(out[middle:])}{quote}"
        )
    return quote + "".join(out) + quote


def spell_integer(draw, low: int, high: int) -> str:
    value = draw(st.one_of(st.integers(low, high), st.integers(max(low, -3), 12)))
    sign = "-" if value < 0 else ""
    return sign + draw(st.sampled_from([str(abs(value)), hex(abs(value)), f"0{abs(value):o}"]))


def spell_float(draw) -> str:
    return draw(
        st.one_of(
            st.sampled_from(
                ["inf", "-inf", "nan", "1e39", "-0", "0.", ".5", "1.5f", "3f", "1e-45"]
            ),
            st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
            st.integers(-1000, 1000).map(str),
        )
    )


RANGES = {
    "int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1), "uint32": (0, 2**32 - 1),
}  # fmt: skip
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
)


def spell_scalar(draw, field) -> str:
    kind = field.kind
    if kind in RANGES:
        return spell_integer(draw, *RANGES[kind])
    if kind in ("float", "double"):
        return spell_float(draw)
    if kind == "bool":
        return draw(st.sampled_from(["true", "false", "t", "f", "True", "False", "0", "1"]))
    if kind == "enum":
        # protobuf's side has BVLC's schema alone
        words = [word for word in field.type.numbers if word not in field.type.forks]
        word = draw(st.sampled_from(words))
        return draw(st.sampled_from([word, str(field.type.numbers[word])]))
    if kind == "bytes":
        return '"' + "".join(f"\\{b:03o}" for b in draw(st.binary(max_size=6))) + '"'
    return spell_string(draw, draw(TEXT))


def spell_message(draw, kind, depth: int) -> str:
    fields = [field for field in kind.fields.values() if field.forks is None]
    out = []
    for field in draw(st.lists(st.sampled_from(fields), max_size=6, unique_by=lambda f: f.name)):
        if field.kind == "message" and depth == 0:
            continue
        times = draw(st.integers(1, 3)) if field.repeated else 1
        listed = field.repeated and draw(st.integers(0, 3)) == 0
        values = []
        for _ in range(times):
            if field.kind == "message":
                inner = spell_message(draw, field.type, depth - 1)
                brackets = draw(st.sampled_from(["{}", "<>"]))
                values.append(f"{brackets[0]}{draw(loose)}{inner}{draw(loose)}{brackets[1]}")
            else:
                values.append(spell_scalar(draw, field))
        if listed:
            joined = f"{draw(loose)},{draw(loose)}".join(values)
            out.append(
                f"{field.name}{draw(loose)}:{draw(loose)}[{draw(loose)}{joined}{draw(loose)}]"
            )
            continue
        for value in values:
            colon = ":" if field.kind != "message" else draw(st.sampled_from(["", ":"]))
            end = draw(st.sampled_from(["", ",", ";"]))
            out.append(f"{field.name}{draw(loose)}{colon}{draw(loose)}{value}{draw(loose)}{end}")
    return draw(gap).join(out)


@st.composite
def texts(draw, kind=NET):
    return spell_message(draw, kind, 4)


def by_oracle(text: str, kind=caffe_pb2.NetParameter):
    message = kind()
    try:
        text_format.Parse(text, message)
    except text_format.ParseError:
        return None
    return message


def same(text: str, kind, oracle) -> None:
    expected = by_oracle(text, oracle)
    parsed = parse(Source(text), kind)
    if expected is None:
        assert parsed.faults or not _complete(parsed.message)
        return
    assert not parsed.faults
    assert _bits(to_protobuf(parsed.message)) == _bits(expected)
    assert from_protobuf(expected) == parsed.message or "nan" in text


def _bits(message) -> bytes:
    return message.SerializePartialToString(deterministic=True)


def _complete(message) -> bool:
    return to_protobuf(message).IsInitialized()


@settings(max_examples=300, deadline=None)
@given(texts())
def test_every_spelling_means_what_protobuf_says(text):
    same(text, NET, caffe_pb2.NetParameter)


@settings(max_examples=60, deadline=None)
@given(texts(SOLVER))
def test_solvers_too(text):
    same(text, SOLVER, caffe_pb2.SolverParameter)


@settings(max_examples=200, deadline=None)
@given(texts(), st.data())
def test_broken_texts_are_faults_and_never_exceptions(text, data):
    at = data.draw(st.integers(0, max(0, len(text) - 1)))
    how = data.draw(st.sampled_from(["cut", "drop", "insert"]))
    mark = data.draw(st.sampled_from(list("{}<>[]:;,\"'#\\-+.0aé\ufeff\x01")))
    broken = {
        "cut": text[:at],
        "drop": text[:at] + text[at + 1 :],
        "insert": text[:at] + mark + text[at:],
    }[how]
    parsed = parse(Source(broken), NET)
    if not parsed.faults and _complete(parsed.message) and _pythons_own(broken):
        expected = by_oracle(broken)
        assert expected is not None
        assert _bits(to_protobuf(parsed.message)) == _bits(expected)


def _pythons_own(text: str) -> bool:
    """Whether Python's parser and the C++ one, which Caffe uses, agree on this text's grammar.

    Python refuses what C++ takes: a number stuck to the next name, white space behind a minus.
    """
    bare = re.sub(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|#[^\n]*", '""', text)
    return not re.search(r"\d\w*[A-Za-z_.]|-\s|[.\d]f|\"\"\w|\w\"\"", bare)


@settings(max_examples=200, deadline=None)
@given(texts())
def test_printing_and_reading_gives_the_same_message(text):
    parsed = parse(Source(text), NET)
    if parsed.faults or "nan" in text:
        return
    printed = print_message(parsed.message)
    again = parse(Source(printed), NET)
    assert not again.faults
    assert again.message == parsed.message


UNPARSED = [case for case in golden_json("invalid.json") if case["stage"] == "parse"]


@pytest.mark.parametrize("case", UNPARSED, ids=lambda case: case["name"])
def test_what_caffe_can_not_parse_is_a_fault_near_its_line(case):
    source = Source(case["prototxt"])
    parsed = parse(source, NET)
    if "line" not in case:
        assert not _complete(parsed.message)
        return
    lines = [source.position(fault.start)[0] for fault in parsed.faults]
    assert lines
    assert abs(lines[0] - case["line"]) <= 1


@pytest.mark.parametrize("case", golden_json("tricky.json"), ids=lambda case: case["name"])
def test_what_caffe_parses_is_no_fault(case):
    assert parse(Source(case["prototxt"]), NET).faults == []
