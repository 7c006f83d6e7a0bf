from __future__ import annotations

import copy

import pytest

from caffegen.dsl import NetSpec, UnknownName, layers, params
from caffegen.errors import CaffegenError


@pytest.mark.parametrize(
    ("name", "word", "number"),
    [
        ("Pooling", "MAX", 0),
        ("Pooling", "STOCHASTIC", 2),
        ("Pooling", "FLOOR", 1),
        ("Data", "LMDB", 1),
        ("Eltwise", "PROD", 0),
        ("Filler", "AVERAGE", 2),
        ("HingeLoss", "L2", 2),
        ("LRN", "WITHIN_CHANNEL", 1),
        ("Convolution", "CUDNN", 2),
        ("Solver", "GPU", 1),
        ("V1Layer", "CONVOLUTION", 4),
    ],
    ids=str,
)
def test_words_are_numbers(name, word, number):
    assert getattr(getattr(params, name), word) == number


def test_words_of_other_messages_are_not_there():
    # the enum Phase stands outside the messages, in caffe.proto and so in pycaffe
    with pytest.raises(UnknownName, match="`NetState` has no parameters"):
        params.NetState.TRAIN  # noqa: B018


@pytest.mark.parametrize(
    ("read", "sentence"),
    [
        (lambda: params.Pooling.MAXX, "PoolingParameter has no word `MAXX`; did you mean `MAX`?"),
        (lambda: params.Eltwise.ZZZ, "EltwiseParameter has no word `ZZZ`; it has PROD, SUM, MAX"),
        (lambda: params.Tile.MAX, "TileParameter has no word `MAX`; it has no enum"),
        (lambda: params.Poling.MAX, "`Poling` has no parameters; did you mean `Pooling`?"),
    ],
    ids=["typo", "no word", "no enum", "no type"],
)
def test_unknown_words(read, sentence):
    with pytest.raises(UnknownName) as caught:
        read()
    assert str(caught.value) == sentence


def test_namespaces_answer_pythons_own_questions():
    assert copy.copy(layers) is not None
    assert not hasattr(layers, "__wrapped__")
    assert not hasattr(params, "__wrapped__")
    assert "MAX" in dir(params.Pooling)
    assert layers.Convolution.__name__ == "Convolution"


def test_a_keyword_goes_to_the_message_of_the_forks_that_have_it():
    n = NetSpec()
    n.x = layers.Input(shape={"dim": [1, 3, 4, 4]})
    n.y = layers.Normalize(n.x, across_spatial=False)
    assert "norm_param {" in n.to_prototxt()


def test_a_keyword_that_ends_in_param_is_said_where_it_belongs():
    n = NetSpec()
    n.x = layers.Input(shape={"dim": [1, 3, 4, 4]})
    n.y = layers.DetectionOutput(n.x, nms_param={"top_k": 1})
    with pytest.raises(
        CaffegenError, match=r"write `detection_output_param=dict\(nms_param=...\)`"
    ):
        n.to_prototxt()
