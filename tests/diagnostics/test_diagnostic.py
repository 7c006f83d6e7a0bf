"""A finding about one unknown name is told once, with the number of its places."""

from __future__ import annotations

from caffegen.check import Options, apply_fixes, check_source
from caffegen.diagnostics import Diagnostic, told_once
from caffegen.text import Source, Span

SOURCE = Source("one two three four")


def finding(name, start, message="said", fix=None):
    return Diagnostic(name, "error", Span(SOURCE, start, start + 3), message, fix=fix)


def test_an_unknown_name_is_told_once():
    told = told_once(
        [finding("unknown-field", 0), finding("wrong-type", 4), finding("unknown-field", 8)]
    )
    assert [(d.name, d.message) for d in told] == [
        ("unknown-field", "said (2 times)"), ("wrong-type", "said"),
    ]  # fmt: skip
    assert [span.start for span in told[0].again] == [8]


def test_other_findings_and_other_names_are_told_each_time():
    found = [
        finding("wrong-type", 0), finding("wrong-type", 4),
        finding("unknown-field", 0, "a"), finding("unknown-field", 4, "b"),
    ]  # fmt: skip
    assert told_once(found) == found


def test_a_type_that_was_told_of_as_a_word_is_no_news():
    word, kind = finding("unknown-enum-word", 4), finding("unknown-layer-type", 4)
    assert told_once([word, kind]) == [word]
    assert told_once([kind]) == [kind]


def test_a_fix_mends_every_place():
    layer = 'layer { name: "%s" type: "Input" top: "%s" inputParam { shape { dim: 1 } } }\n'
    source = Source("".join(layer % (name, name) for name in "abc"))
    found = check_source(source, Options()).diagnostics
    (unknown,) = [d for d in found if d.name == "unknown-field"]
    assert unknown.message.endswith("did you mean `input_param`? (3 times)")
    text, done = apply_fixes(source, [unknown])
    assert (done, text.count("input_param {")) == (3, 3)
