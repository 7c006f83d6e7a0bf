"""Texts rewritten: what stays byte for byte, what is printed anew, and where the comments go."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caffegen.legacy.rewrite import upgraded_text
from caffegen.schema import message_type
from caffegen.text import Source, parse
from caffegen.text.tokens import SyntaxFault, next_token
from tests.conftest import golden_json
from tests.legacy.conftest import upgraded
from tests.legacy.nets import old_nets

CASES = [case for case in golden_json("upgrade.json") if case["ok"]]
OLD = [case for case in CASES if not case.get("already_current")]


def rewritten(text, kind="net"):
    found = upgraded(text, kind)
    return upgraded_text(found.source, found.upgrade)


def check_laws(text, kind="net"):
    """The new text says what was upgraded, holds every comment, and is final."""
    new = rewritten(text, kind)
    name = {"net": "NetParameter", "solver": "SolverParameter"}[kind]
    parsed = parse(Source(new), message_type(name))
    assert parsed.faults == []
    assert parsed.message == upgraded(text, kind).net
    for comment in re.findall("#c[0-9]+!", text):
        assert new.count(comment) == 1
    assert rewritten(new, kind) == new
    return new


def tokens(text):
    at, found = 0, []
    while (token := next_token(text, at)).kind != "end":
        found.append(token.text)
        at = token.end
    return found


@st.composite
def commented(draw, words):
    """The words as a text with a comment or a line's end in some of the gaps."""
    gap = st.sampled_from([" ", " ", " ", "\n", "\n\n", " #c!\n", "\n #c!\n", " #c!\n#c!\n\n"])
    text = "".join(draw(gap) + word for word in words) + draw(gap)
    numbers = iter(range(len(text)))
    return re.sub("#c!", lambda _: f"#c{next(numbers)}!", text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_golden_texts(case):
    new = check_laws(case["before"], case["kind"])
    assert (new == case["before"]) == case.get("already_current", False)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_golden_texts_with_comments_anywhere(data):
    case = data.draw(st.sampled_from(OLD))
    check_laws(data.draw(commented(tokens(case["before"]))), case["kind"])


@settings(max_examples=300, deadline=None)
@given(old_nets().flatmap(commented))
def test_generated_nets_with_comments_anywhere(text):
    check_laws(text)


def test_comments_go_where_their_fields_go():
    old = """\
# LeNet of old
# by its author

name: "net"  # what it is
# the picture
input: "data"   # RGB
input_dim: 1  # batch
input_dim: 3
input_dim: 8
input_dim: 8

# ---- stage 1 ----

layers {   # first
  # its name
  name: "c" type: CONVOLUTION  # was conv
  bottom: "data" top: "c"
  blobs_lr: 1   # weights
  blobs_lr: 2   # bias
  weight_decay: 1
  # none
  weight_decay: 0
  convolution_param { # window
    num_output: 2
    weight_filler { type: "xavier" } # as in the paper
    # kernel_size: 5
  }
  # all of it
}  # done

layers { name: "r" type: RELU bottom: "c" top: "c" }  # in place
# layers { name: "left out" }
"""
    new = """\
# LeNet of old
# by its author

name: "net"  # what it is
# the picture
layer {
  name: "input"
  type: "Input"
  top: "data"  # RGB
  input_param {
    shape {
      dim: 1  # batch
      dim: 3
      dim: 8
      dim: 8
    }
  }
}

# ---- stage 1 ----

layer {  # first
  # its name
  name: "c"
  type: "Convolution"  # was conv
  bottom: "data"
  top: "c"
  param { lr_mult: 1 decay_mult: 1 }  # weights
  param {
    lr_mult: 2  # bias
    # none
    decay_mult: 0
  }
  convolution_param {  # window
    num_output: 2
    weight_filler { type: "xavier" }  # as in the paper
    # kernel_size: 5
  }
  # all of it
}  # done

layer {
  name: "r"
  type: "ReLU"
  bottom: "c"
  top: "c"
}  # in place
# layers { name: "left out" }
"""
    assert rewritten(old) == new


def test_what_is_gone_leaves_its_comments():
    old = """\
layers {
  # two on each side
  layer { name: "p" type: "padding" pad: 2 } # padding
  bottom: "x" top: "px"
}
# window
layers {
  layer { # nested
    name: "c" type: "conv"
    new_num: 3 # for nothing
    # all
  }
  bottom: "px" top: "c"
} # done
"""
    assert (
        rewritten(old)
        == """\
# window
layer {
  # nested
  name: "c"
  type: "Convolution"
  # padding
  bottom: "x"
  # for nothing
  # all
  top: "c"
  # two on each side
  convolution_param {
    pad: 2
  }
} # done
"""
    )


def test_layers_of_today_stay_as_they_were_written():
    kept = """\

# odd, but mine
layer {
    name:   'x'  # as I like it
    type: "ReLU" bottom: "a"
  top:"b"   }

state: < phase: TEST >   # and this
"""
    old = 'input: "a" input_dim: [1, 2, 3, 4]  # sizes\n' + kept
    new = rewritten(old)
    assert new.endswith(kept)
    assert new.startswith('layer {\n  name: "input"\n')
    assert "# sizes" in new


def test_a_solver_changes_one_line():
    old = '# s\nnet: "x"   # net\n\nsolver_type: ADAM  # kind\nstepvalue: [1, 2] # steps\nbase_lr: 1e-2'
    assert rewritten(old, "solver") == old.replace("solver_type: ADAM", 'type: "Adam"')


def test_inputs_written_last_come_first():
    old = '# head\nlayer { name: "x" }  # x\n# in\ninput: "a"\ninput_shape { dim: 5 }\n# tail\n'
    assert rewritten(old) == (
        "# head\n# in\n"
        'layer {\n  name: "input"\n  type: "Input"\n  top: "a"\n'
        "  input_param { shape { dim: 5 } }\n}\n"
        'layer { name: "x" }  # x\n# tail\n'
    )


def test_layers_on_one_line_get_lines():
    new = rewritten("layers { type: RELU } layers { type: TANH }")
    assert new == 'layer {\n  type: "ReLU"\n}\nlayer {\n  type: "TanH"\n}'


def test_an_indented_file_keeps_its_margin():
    assert rewritten("  layers {\n    type: RELU\n  }\n") == '  layer {\n    type: "ReLU"\n  }\n'


def test_line_ends_of_dos_stay():
    new = rewritten("layers {\r\n  type: RELU # a\r\n}\r\n# b\r\n")
    assert new == 'layer {\r\n  type: "ReLU"  # a\r\n}\r\n# b\r\n'


def test_fields_of_a_fork_stay_with_their_comments():
    new = rewritten("layers {\n  type: RELU\n  odd { a: 1 # one\n }  # two\n}\nodd: 2 # three\n")
    assert new == 'layer {\n  type: "ReLU"\n  odd { a: 1 # one\n }  # two\n}\nodd: 2 # three\n'


def test_inputs_that_are_dropped_leave_their_comments():
    assert rewritten('# a\ninput: "x" # b\n\n# c\n') == "# a\n# b\n\n# c\n"


def test_text_that_cannot_be_cut_into_tokens():
    found = upgraded('layers { type: RELU }\nname: "never closed')
    with pytest.raises(SyntaxFault):
        upgraded_text(found.source, found.upgrade)
