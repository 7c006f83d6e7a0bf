"""Every field that a fork adds to a layer of BVLC's is honoured, a hint, or told of."""

from __future__ import annotations

from caffegen.layer_types.fork_fields import CHANGES, HINTS, HONOURED, RESHAPES
from caffegen.schema import enum_type, forks, message_type
from caffegen.schema.tables import MESSAGES

# read by the layers that get their data elsewhere, by the solver or by nothing that computes
OTHERS = {
    "DataParameter", "FillerParameter", "ImageDataParameter", "LayerParameter",
    "MemoryDataParameter", "NetParameter", "NetState", "ParamSpec", "SolverParameter",
    "TransformationParameter", "V0LayerParameter", "V1LayerParameter",
}  # fmt: skip


def test_every_fork_s_field_has_one_place():
    fields = {
        f"{owner}.{row[0]}" for owner in forks.FIELDS.keys() - OTHERS for row in forks.FIELDS[owner]
    }
    changing = {key for key in CHANGES if ": " not in key}
    assert fields == HONOURED | HINTS | changing
    assert len(fields) == len(HONOURED) + len(HINTS) + len(changing)
    assert changing >= RESHAPES


def test_every_word_is_one_of_a_fork():
    for key in CHANGES:
        owner, _, word = key.partition(": ")
        if word:
            message, _, field = owner.partition(".")
            assert word in message_type(message).fields[field].type.forks


def test_what_else_forks_extend_is_known():
    assert set(MESSAGES) >= OTHERS
    assert set(enum_type("ConvolutionParameter.Engine").forks) >= {"MKL2017", "LIBDNN"}
