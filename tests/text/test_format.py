"""The formatter: one layout, nothing lost."""

import re

import pytest
from hypothesis import given, settings

from caffegen.schema import message_type
from caffegen.text import Source, parse
from caffegen.text.format import format_text
from caffegen.text.tokens import SyntaxFault
from tests.conftest import golden_json
from tests.text.test_oracle import texts

NET = message_type("NetParameter")


def fmt(text):
    return format_text(Source(text))


CASES = {
    "spaces and separators": ('name:"x" ,input : "a";', 'name: "x"\ninput: "a"\n'),
    "angle brackets": ("state < level: 1 >", "state { level: 1 }\n"),
    "a message on one line stays there": ("layer{name:'a'}", 'layer { name: "a" }\n'),
    "a message over lines stays so": ("layer {\nname: 'a' }", 'layer {\n  name: "a"\n}\n'),
    "too long for one line": (
        f'layer {{ name: "{"x" * 90}" type: "ReLU" }}',
        f'layer {{\n  name: "{"x" * 90}"\n  type: "ReLU"\n}}\n',
    ),
    "lists": ("input_dim: [1,3 ,\n4]", "input_dim: [1, 3, 4]\n"),
    "comments before, behind and at the end": (
        "# head\nname: 'x' # behind\n\n\n# before\ninput: 'a'\n# end",
        '# head\nname: "x"  # behind\n\n# before\ninput: "a"\n# end\n',
    ),
    "a comment behind a brace goes before it": (
        "layer { # first\nname: 'a'\n# last\n}",
        '# first\nlayer {\n  name: "a"\n  # last\n}\n',
    ),
    "quotes are kept where they are needed": ("name: 'a\"b'", "name: 'a\"b'\n"),
    "adjacent strings": ("name: 'a'  \"b\"", 'name: "a" "b"\n'),
    "a space behind a minus": ("input_dim: - 2", "input_dim: -2\n"),
    "blank lines at the rims go": ("\n\nname: 'x'\n\n\n", 'name: "x"\n'),
    "nothing": ("", ""),
    "placeholders of templates": (
        "input_dim:${n}\nx { y:$Y z: {{ z }} } input_dim: [ @a@,%(b)d]\n",
        "input_dim: ${n}\nx { y: $Y z: {{ z }} }\ninput_dim: [@a@, %(b)d]\n",
    ),
    "lists of messages need no colon": (
        "layer [ { name:'a' } ,{name:'b'}]",
        'layer: [{ name: "a" }, { name: "b" }]\n',
    ),
    "fields of no schema": ("foo_param { bar: BAZ }", "foo_param { bar: BAZ }\n"),
}


@pytest.mark.parametrize(("before", "after"), CASES.values(), ids=CASES.keys())
def test_layout(before, after):
    assert fmt(before) == after
    assert fmt(after) == after


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("layer {", "unmatched-brace"),
        ("}", "unmatched-brace"),
        ("layer { name: }", "unexpected-token"),
        ("name 'x'", "missing-colon"),
        ("x { " * 500, "nested-too-deep"),
        ("x: " + "-" * 5000 + "1", "unexpected-token"),
        ("x: [1 2]", "unexpected-token"),
        ("x: [1, ]", "unexpected-token"),
    ],
)
def test_broken_text_is_refused(text, name):
    with pytest.raises(SyntaxFault) as caught:
        fmt(text)
    assert caught.value.name == name


@settings(max_examples=300, deadline=None)
@given(texts())
def test_meaning_and_comments_are_kept(text):
    source = Source(text)
    formatted = format_text(source)
    assert fmt(formatted) == formatted
    before, after = parse(source, NET), parse(Source(formatted), NET)
    if not before.faults and "nan" not in text:
        assert after.message == before.message
    assert _comments(text) == _comments(formatted)


def _comments(text):
    bare = re.sub(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'", '""', text)
    return sorted(line.rstrip() for line in re.findall(r"#.*", bare))


def test_golden_texts_keep_their_meaning():
    for case in golden_json("layers/index.json"):
        before = parse(Source(case["prototxt"]), NET).message
        assert parse(Source(fmt(case["prototxt"])), NET).message == before
