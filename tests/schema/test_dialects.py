"""The facts about the forks: names, what they lack, and the defaults in which they differ."""

from __future__ import annotations

import pytest

from caffegen.schema import message_type
from caffegen.schema.dialects import DEFAULTS, DIALECTS, LACKS, fork_default, listed


def test_every_fork_that_is_named_is_a_dialect():
    named = {fork for forks in LACKS.values() for fork in forks.split()}
    named |= {fork for values in DEFAULTS.values() for fork in values}
    assert named <= set(DIALECTS) - {"bvlc"}


@pytest.mark.parametrize("key", LACKS)
def test_what_a_fork_lacks_is_bvlc_s(key):
    owner, _, field = key.partition(".")
    assert message_type(owner).fields[field].forks is None


@pytest.mark.parametrize("key", DEFAULTS)
def test_a_default_that_differs_is_of_a_field(key):
    owner, _, name = key.partition(".")
    field = message_type(owner).fields[name]
    for fork, value in DEFAULTS[key].items():
        assert field.forks is None or fork in field.forks
        assert isinstance(value, (bool, int, float))


def test_the_default_of_each_fork():
    told = ("BatchNormParameter", "moving_average_fraction", 0.999)
    assert fork_default(*told, ()) == {0.999}
    assert fork_default(*told, ("ssd", "intel")) == {0.999}
    assert fork_default(*told, ("happynear",)) == {0.99}
    assert fork_default(*told, ("happynear", "intel")) == {0.99, 0.999}


@pytest.mark.parametrize(
    ("names", "sentence"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c"), ([], "")],
    ids=["one", "two", "three", "none"],
)
def test_names_in_a_sentence(names, sentence):
    assert listed(names) == sentence
