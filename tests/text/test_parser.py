"""Reading goes on past every fault, and every field knows its place."""

import pytest

from caffegen.diagnostics import NetError
from caffegen.loader import loads
from caffegen.schema import message_type
from caffegen.schema.suggest import nearest
from caffegen.text import Source, parse, print_message

NET = message_type("NetParameter")


def read(text):
    return parse(Source(text, "net.prototxt"), NET, nearest)


def test_places():
    text = 'name: "n"\nlayer {\n  name: "a"\n  bottom: "x"  bottom: "y"\n  relu_param { negative_slope: 0.5 }\n}\n'
    net = read(text).message
    layer = net.layer[0]
    span = layer.span("bottom", 1)
    assert (span.file, span.line, span.column, span.text) == ("net.prototxt", 4, 16, 'bottom: "y"')
    assert layer.span("bottom", 1, value=True).text == '"y"'
    assert layer.span().text == text[10:-1]
    assert layer.relu_param.span("negative_slope").line == 5
    assert (layer.span().end_line, layer.span().end_column) == (6, 2)


FAULTS = [
    ("layer { type: 1 }", "wrong-type", "`type` takes a quoted string, found `1`"),
    ("layer { pooling_param { pool: max } }", "unknown-enum-word",
     "`pool` knows no word `max`; did you mean `MAX`?"),
    ("layer { pooling_param { pool: 7 } }", "unknown-enum-word", "`pool` knows no word `7`"),
    ("layer { pooling_param { pad: -1 } }", "wrong-type", "`pad` takes an integer, found `-1`"),
    ("layer { pooling_param { pad: 4294967296 } }", "out-of-range",
     "`pad` takes 0 to 4294967295, found `4294967296`"),
    ("layer { relu_param { negative_slope: 0x1 } }", "wrong-type",
     "`negative_slope` takes a number, found `0x1`"),
    ("force_backward: TRUE", "wrong-type", "`force_backward` takes true or false, found `TRUE`"),
    ("nam: 'x'", "unknown-field", "NetParameter has no field `nam`; did you mean `name`?"),
    ("name: 'a' name: 'b'", "field-set-twice", "`name` is set twice in NetParameter; it takes one value"),
    ('layer { bottom "a" top: "b" }', "missing-colon", '`bottom` is followed by `"a"`, not by a colon'),
    ('layer { top = "b" }', "missing-colon", "`top` is followed by `=`, not by a colon"),
    ("layer = { }", "missing-colon", "`layer` is followed by `=`, not by a colon"),
    ("layer { lrn_param { local size: 3 } }", "unknown-field",
     "LRNParameter has no field `local`; did you mean `local_size`?"),
    ("layer < , name: 'a' >", "unexpected-token", "a field name was expected, found `,`"),
    ("layer { pooling_param { pad: -0 } }", "wrong-type", "`pad` takes an integer, found `-0`"),
    ("name: 'a\0b'", "stray-character", "the control character 0x00 stands in a string or a comment"),
    ("# \0\nname: 'a'", "stray-character", "the control character 0x00 stands in a string or a comment"),
    ("\0 name: 'a'", "stray-character", "the control character 0x00 stands outside a string"),
    ("layer { loss_weight: [tru:e, 1] }", "wrong-type", "`loss_weight` takes a number, found `tru`"),
    ("name: +2", "unexpected-token", "`name` needs a quoted string, found `+`"),
    ("name: 'a' ;;", "unexpected-token", "a field name was expected, found `;`"),
    ("name: 'a'\n;;", "unexpected-token", "a field name was expected, found `;`"),
    ('name: "a" \n ;\n,', "unexpected-token", "a field name was expected, found `,`"),
    ('name: "a",\n,', "unexpected-token", "a field name was expected, found `,`"),
    ("layer {\n, }", "unexpected-token", "a field name was expected, found `,`"),
    ("\n;", "unexpected-token", "a field name was expected, found `;`"),
    ("name: 'a\n'", "unterminated-string", "this string is never closed"),
    (r"name: '\q'", "bad-escape", r"`\q` is no escape sequence"),
    ("name 'x'", "missing-colon", "`name` is followed by `'x'`, not by a colon"),
    ("layer: 3", "not-a-message", "`layer` is a message and takes `{ ... }`, found `3`"),
    ("layer { name: 'a'", "unclosed-message", "the text ends before `layer` is closed"),
    ("layer { name: 'a' >", "unmatched-brace", "`layer` is closed by `>`, expected `}`"),
    ("}", "unmatched-brace", "`}` closes nothing"),
    ("input_dim: 09", "bad-number", "a number that starts with 0 is octal, and 8 and 9 are no octal digits"),
    ("input_dim: 2name: 'a'", "bad-number", "a number and the word behind it need a space between them"),
    ("layer { relu_param { negative_slope: .5e1x: 1 } }", "bad-number",
     "a number and the word behind it need a space between them"),
    ("\ufeffname: 'a'", "byte-order-mark", "a byte order mark stands in the text; Caffe refuses the file"),
    ("name: “a”", "stray-character", "the character `“` stands outside a string"),
    ("name:", "unexpected-token", "`name` needs a quoted string, found the end of the file"),
    ("name: 'a'\n>>>>>>> theirs\n", "merge-conflict", "a merge conflict was left in the text"),
    ("input_dim: {{ size }}", "template-placeholder", "`input_dim` holds the placeholder `{{ size }}`"),
    ("layer { type: ReLU }", "wrong-type", "`type` takes a quoted string, found `ReLU`"),
    ("name: a/b.c-1 input: 'x'", "wrong-type", "`name` takes a quoted string, found `a/b.c-1`"),
    ("diag: $scale", "unknown-field", "NetParameter has no field `diag`"),
    ("[a.b]: 1", "unexpected-token", "`[` opens an extension name, which Caffe's messages do not have"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name", "message"), FAULTS, ids=[f"{f[1]}: {f[0][:30]}" for f in FAULTS]
)
def test_fault(text, name, message):
    faults = read(text).faults
    assert (faults[0].name, faults[0].message) == (name, message)


@pytest.mark.parametrize("between", [",", " ;", "\n,", "  # so\n\n; ", "\r\n\t,\n"])
def test_separators_may_stand_on_lines_of_their_own(between):
    text = f'layer {{ top: "a"{between}top: "b" pooling_param {{ pad: 1{between}}}{between}}}{between}name: "n"'
    parsed = read(text)
    assert parsed.faults == []
    assert parsed.message.name == "n"
    assert parsed.message.layer[0].top == ["a", "b"]


def test_a_value_without_its_colon_is_read_and_nothing_follows_from_it():
    text = """layer { name: "d" type: "Input" top: "a" input_param { shape { dim: 1 } } }
layer { name: "r" type: "ReLU" bottom "a" top: "b" }
layer { name: "s" type: "ReLU" bottom: "b" top = "c" }
layer { name: "t" type: "Power" bottom: "c" top: "d" power_param = { power 2 scale: 3 } }
"""
    with pytest.raises(NetError) as caught:
        loads(text)
    found = caught.value.diagnostics
    assert [(d.name, d.span.line, d.fix) for d in found] == [
        ("missing-colon", 2, "bottom:"),
        ("missing-colon", 3, "top:"),
        ("missing-colon", 4, "power_param:"),
        ("missing-colon", 4, "power:"),
    ]


def test_what_could_not_be_read_makes_no_blob_missing():
    text = """layer { name: "d" type: "Input" top: "a" input_param { shape { dim: 1 } } }
layer { name: "r" type: "ReLU" bottom: ["a" top: "b" }
layer { name: "s" type: "ReLU" bottom: "b" top: "c" }
layer { name: "t" type: "ReLU" bottom: "x" top: "d" }
"""
    with pytest.raises(NetError) as caught:
        loads(text)
    assert [(d.name, d.span.line) for d in caught.value.diagnostics] == [
        ("unexpected-token", 2), ("unknown-bottom", 4),
    ]  # fmt: skip


def test_a_misspelt_field_with_a_bad_value_is_both():
    faults = read("layer { pooling_param { strid: 08 } }").faults
    assert [fault.name for fault in faults] == ["unknown-field", "bad-number"]


def test_a_field_name_with_a_blank_takes_its_block_along():
    faults = read("layer {\n  convolution param {\n    num_output: 2\n  }\n}").faults
    assert [fault.name for fault in faults] == ["unknown-field"]


def test_surrogates_make_one_character():
    assert read(r'name: "\ud83d\ude00"').message.name == "\U0001f600"


def test_what_stands_behind_a_glued_number_is_read():
    parsed = read("input_dim: 2layer { name: 'a' relu_param { negative_slope: 1f } }")
    (fault,) = parsed.faults
    assert (fault.start, fault.end, fault.fix) == (11, 12, "2 ")
    assert parsed.message.input_dim == [2]
    assert parsed.message.layer[0].name == "a"


def test_all_faults_in_one_run_and_later_layers_are_read():
    text = """name: "n"
layer { name: "a" type: ReLU bottom: "x" }
layer {
  name: "b"
  pooling_param { pool: AVERAGE kernel_size: three }
layer {
  name: "c"
  foo { bar { baz: 1 } }
  top: "${top}"
  phase: ${phase}
}
layer { name: "d" }
"""
    parsed = read(text)
    lines = [(Source(text).position(f.start)[0], f.name) for f in parsed.faults]
    assert lines == [
        (2, "wrong-type"),
        (3, "unclosed-message"),
        (5, "unknown-enum-word"),
        (5, "wrong-type"),
        (8, "unknown-field"),
        (10, "template-placeholder"),
    ]
    assert [layer.name for layer in parsed.message.layer] == ["a", "b", "c", "d"]
    assert parsed.message.layer[2].unknown[0].text == "foo { bar { baz: 1 } }"


@pytest.mark.parametrize(
    "text", ["x { " * 100_000, "[" * 50_000, "layer { " * 50_000, '"' * 9999, "#" * 9999]
)
def test_hostile_texts_end(text):
    assert read(text).faults or text[0] == "#"


def test_values_round_to_single_precision():
    net = read("layer { batch_norm_param { eps: 1e-5 moving_average_fraction: 1e39 } }").message
    assert net.layer[0].batch_norm_param.eps == 9.999999747378752e-06
    assert net.layer[0].batch_norm_param.moving_average_fraction == float("inf")


def test_a_fix_is_offered_where_only_the_spelling_differs():
    assert read("layer { pooling_param { pool: ave } }").faults[0].fix == "AVE"
    assert read("layer { pooling_param { kernelsize: 2 } }").faults[0].fix == "kernel_size"
    assert read("layer { pooling_param { pool: AVG } }").faults[0].fix is None


def test_a_fault_that_closes_messages_leaves_no_field_of_the_wrong_one():
    text = "layers {\n  layer {\n    alpha: 0.00-1\n}\n layer {\n  kernelsize: -\n } } layers { layer { } }\n"
    parsed = read("layers { layer { name: 'a' alpha: 1-} }\nlayer { name: 'b' }\n" + text)
    assert parsed.faults
    assert [layer.name for layer in parsed.message.layer] == ["b"]


def test_what_was_kept_as_text_is_printed_at_its_depth():
    text = 'layers {\n      foo {\n\tbar: "a\tb"\n\n\t  baz { } # c\n      }\n}\n'
    printed = print_message(read(text).message)
    assert printed == 'layers {\n  foo {\n    bar: "a\tb"\n\n      baz { } # c\n  }\n}\n'
    assert print_message(read(printed).message) == printed


def test_an_unknown_field_deep_in_a_message_of_one_line_is_printed():
    text = "layer {\n  input_param { shape { dim: 1 foo: 2 } }\n}\n"
    assert "foo: 2" in print_message(read(text).message)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("layer { type: ReLU}", '"ReLU"'),
        ("name: models/lenet_1", '"models/lenet_1"'),
        ("name: 1", '"1"'),
        ("name: a\\b", None),
        ("force_backward: yes", None),
    ],
)
def test_a_string_without_quotes_can_be_quoted(text, fix):
    (fault,) = read(text).faults
    assert (fault.name, fault.fix) == ("wrong-type", fix)


def test_nothing_is_odd_once_it_is_set_anew():
    net = read(
        "layer { pooling_param { kernel_size: inf } pooling_param { kernel_size: 2 } }"
    ).message
    assert not net.layer[0].odd
    assert not net.odd


def test_strange_words_without_end_are_not_all_looked_up():
    asked = []
    text = "".join(f"strange{n}: 1 strange{n}: 2\n" for n in range(150))
    parsed = parse(Source(text), NET, lambda word, known: asked.append(word))
    assert asked == [f"strange{n}" for n in range(100)]
    assert len(parsed.faults) == 300
