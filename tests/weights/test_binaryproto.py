"""mean.binaryproto: one blob, in the form that every version of Caffe reads."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caffegen.errors import CaffegenError
from caffegen.weights import open_binaryproto, write_binaryproto
from tests.weights.caffe_messages import PACKED, blob_of


def test_four_axes_are_num_to_width(tmp_path):
    path = tmp_path / "mean.binaryproto"
    mean = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    write_binaryproto(path, mean)
    assert path.read_bytes() == blob_of(
        num=1, channels=2, height=3, width=4, data=mean.ravel().tolist()
    )
    blob = open_binaryproto(path)
    assert blob.legacy_shape
    assert not blob.array().flags.owndata
    np.testing.assert_array_equal(blob.array(), mean, strict=True)


@pytest.mark.parametrize("shape", [(), (5,), (3, 4, 5)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_other_axes_are_a_shape(tmp_path, shape, dtype):
    path = tmp_path / "mean.binaryproto"
    values = np.random.default_rng(0).standard_normal(shape).astype(dtype).reshape(shape)
    write_binaryproto(path, values)
    message = PACKED.BlobProto.FromString(path.read_bytes())
    assert tuple(message.shape.dim) == shape
    blob = open_binaryproto(path)
    assert not blob.legacy_shape
    np.testing.assert_array_equal(blob.array(), values, strict=True)


@given(st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_is_a_sentence(tmp_path, data):
    path = tmp_path / "mean.binaryproto"
    changed = bytearray(blob_of(num=1, channels=1, height=2, width=2, data=[1.0, 2.0, 3.0, 4.0]))
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(changed[: data.draw(st.integers(1, len(changed)))])
    try:
        open_binaryproto(path).array()
    except CaffegenError as error:
        assert "\n" not in str(error)  # noqa: PT017
