"""Sizes as Caffe's 32-bit integers hold them."""

from __future__ import annotations

import pytest

from caffegen.layer_types.blob_shape import to_int


@pytest.mark.parametrize(
    ("value", "held"),
    [
        (0, 0),
        (7, 7),
        (-1, -1),
        (2**31 - 1, 2**31 - 1),
        (2**31, -(2**31)),
        (2**32 - 1, -1),
        (2**32 + 2, 2),
    ],
)
def test_to_int(value, held):
    assert to_int(value) == held
