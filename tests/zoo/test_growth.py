"""A net ten times as deep takes ten times the work, counted in calls, which no other load changes."""

from __future__ import annotations

import sys

import pytest

from caffegen.check import Options, check_source
from caffegen.text import Source
from caffegen.zoo import resnet


def calls(function, *arguments):
    """How many functions are called, Python's and C's."""
    count = 0

    def seen(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        result = function(*arguments)
    finally:
        sys.setprofile(None)
    return count, result


def emit(depth):
    return resnet(depth, dataset="cifar10").to_prototxt()


def check(text):
    assert check_source(Source(text), Options()).diagnostics == []


@pytest.mark.parametrize("small", [98, 398], ids=str)
def test_emitting_and_checking_grow_with_the_depth(small):
    emit(20)  # what is made once
    check(emit(20))
    emitted, text = calls(emit, small)
    checked, _ = calls(check, text)
    more_emitted, text = calls(emit, 2 * small - 2)
    more_checked, _ = calls(check, text)
    assert more_emitted / emitted == pytest.approx(2, rel=0.05)
    assert more_checked / checked == pytest.approx(2, rel=0.05)


def test_ten_thousand_layers_are_emitted_and_clean():
    text = emit(9998)
    # 6n + 2 for n = 1666: a first convolution, three stages of n blocks of two, and the classifier
    counts = [text.count(f'type: "{name}"') for name in ("Convolution", "Eltwise", "InnerProduct")]
    assert counts == [1 + 6 * 1666, 3 * 1666, 1]
    check(text)
