"""Interp to the size of another blob, in PyTorch and in ONNX."""

import numpy as np
import pytest

from caffegen.loader import loads
from caffegen.pytorch.registry import Refusal
from caffegen.pytorch.source import write_source
from tests.pytorch.beside_onnx import both, noise
from tests.pytorch.one_layer import net_text


@pytest.mark.parametrize("more", ["", "pad_beg: -1", "mode: NEAREST"])
def test_the_size_of_bottom_1(more):
    bottom = noise(2, 3, 5, 4)
    like, given = (f"interp_param {{ {more} {size} }}" for size in
                   ("use_blob_size: true", "height: 9 width: 6"))  # fmt: skip
    (top,) = both("Interp", [bottom, noise(1, 7, 9, 6)], like)
    (expected,) = both("Interp", [bottom], given)
    np.testing.assert_array_equal(top, expected)


def test_it_is_no_plain_layer():
    net = loads(net_text("Interp", [(1, 2, 3, 4)] * 2, "interp_param { use_blob_size: true }"))
    with pytest.raises(Refusal, match="its size is that of another blob"):
        write_source(net)
