"""Every field that a fork adds to a layer of BVLC's is honoured, a hint, a stray, or told of."""

from __future__ import annotations

import pytest

from caffegen.layer_types.fork_fields import (
    CHANGES,
    HINTS,
    HONOURED,
    JOINS,
    REBLOBS,
    REPLACES,
    RESHAPES,
)
from caffegen.loader import loads
from caffegen.pytorch import Refusal, build
from caffegen.schema import enum_type, forks, message_type
from caffegen.schema.strays import STRAYS
from caffegen.schema.tables import MESSAGES

# read by the layers that get their data elsewhere, by the solver or by nothing that computes
OTHERS = {
    "DataParameter", "FillerParameter", "ImageDataParameter", "LayerParameter",
    "MemoryDataParameter", "NetParameter", "NetState", "ParamSpec", "SolverParameter",
    "TransformationParameter", "V0LayerParameter", "V1LayerParameter",
}  # fmt: skip

# fields of the forks' own messages that say something of the result
OF_FORKS = {
    key for key in {*CHANGES, *HONOURED} if key.partition(".")[0] not in MESSAGES
}  # fmt: skip
# a BVLC field of which forks have a further word
BVLC_WORDS = {"LossParameter.normalization"}


def test_every_fork_s_field_has_one_place():
    fields = {
        f"{owner}.{row[0]}" for owner in forks.FIELDS.keys() - OTHERS for row in forks.FIELDS[owner]
    }
    changing = {key.partition(": ")[0] for key in CHANGES if key not in OF_FORKS}
    strays = {key for key in STRAYS if key.partition(".")[0] not in OTHERS}
    honoured = HONOURED - OF_FORKS
    assert fields == honoured | HINTS | changing - BVLC_WORDS | strays
    assert len(fields) == len(honoured) + len(HINTS) + len(changing - BVLC_WORDS) + len(strays)
    assert set(CHANGES) >= RESHAPES | JOINS | REBLOBS
    assert RESHAPES > REPLACES


@pytest.mark.parametrize("key", sorted(OF_FORKS))
def test_a_field_of_a_fork_s_message_is_there(key):
    message, _, field = key.partition(".")
    assert message not in MESSAGES
    assert message_type(message).fields[field].forks is not None


def test_every_word_is_one_of_a_fork():
    for key in CHANGES:
        owner, _, word = key.partition(": ")
        if word:
            message, _, field = owner.partition(".")
            found = message_type(message).fields[field]
            assert word in (found.type.forks if found.forks is None else found.type.numbers)


def test_what_else_forks_extend_is_known():
    assert set(MESSAGES) >= OTHERS
    assert set(enum_type("ConvolutionParameter.Engine").forks) >= {"MKL2017", "LIBDNN"}


INPUTS = (
    'input: "a" input_shape { dim: 1 dim: 4 dim: 8 dim: 8 } '
    'input: "b" input_shape { dim: 1 dim: 4 dim: 6 dim: 6 } '
)
FUSED = "convolution_param { num_output: 4 kernel_size: 3 "


def one_layer(kind, body, bottoms=("a",)):
    names = " ".join(f'bottom: "{name}"' for name in bottoms)
    return f'{INPUTS} layer {{ name: "l" type: "{kind}" {names} top: "t" {body} }}'


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("Convolution", f"{FUSED} is_relu: true }}", "a ReLU is part of the layer"),
        ("Convolution", f"{FUSED} is_int8_output: true }}", "the top is rounded to 8 bits"),
        ("Pooling", "pooling_param { kernel_size: 3 is_int8: true }", "values are rounded to 8"),
        ("Softmax", "softmax_param { algorithm: LOG }", "the top is the logarithm"),
    ],
)
def test_what_is_part_of_a_layer_is_told_and_not_left_out(kind, body, reason):
    net = loads(one_layer(kind, body))
    (told,) = (found for found in net.diagnostics if found.name == "fork-field-not-computed")
    assert reason in told.message
    assert net.shapes["t"] is not None
    with pytest.raises(Refusal, match=reason):
        build(net)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("Convolution", f"{FUSED} is_relu: false reorg_output: true out_pad: 1 }}"),
        ("Softmax", "softmax_param { algorithm: ACCURATE }"),
    ],
)
def test_hints_change_nothing(kind, body):
    net = loads(one_layer(kind, body))
    assert [found.name for found in net.diagnostics] == ["fork-schema"]
    assert build(net) is not None


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("Convolution", f"{FUSED} is_eltwise_sum: true }}"),
        ("Convolution", f"{FUSED} fusion_type: SUM_FUSION }}"),
        ("Pooling", "pooling_param { kernel_size: 3 fused_eltwise: true }"),
    ],
)
def test_a_sum_within_a_layer_takes_its_other_bottom(kind, body):
    net = loads(one_layer(kind, body, ("a", "b")))
    names = [found.name for found in net.diagnostics]
    assert sorted(names) == ["fork-field-not-computed", "fork-schema"]
    assert net.shapes["t"] == (1, 4, 6, 6)
    with pytest.raises(Refusal, match="a sum with another blob is part of the layer"):
        build(net)
