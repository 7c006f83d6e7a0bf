"""Fillers: exact where Caffe's are, elsewhere by the bounds and moments of Caffe's own values."""

import json
import math
import re

import numpy as np
import pytest

from caffegen.errors import CaffegenError
from caffegen.weights import Filler, fill


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def recorded(golden):
    return np.load(golden / "layers" / "Filler.npz")


RECORDED = [
    pytest.param("xavier_conv_fan_out", Filler("xavier", variance_norm="FAN_OUT"), id="xavier out"),
    pytest.param(
        "xavier_conv_average", Filler("xavier", variance_norm="AVERAGE"), id="xavier mean"
    ),
    pytest.param("msra_conv_fan_out", Filler("msra", variance_norm="FAN_OUT"), id="msra out"),
    pytest.param("msra_deconv", Filler("msra"), id="msra in"),
    pytest.param("uniform_default", Filler("uniform"), id="uniform"),
]


@pytest.mark.parametrize(("case", "filler"), RECORDED)
def test_random_fillers_have_the_moments_of_caffes_values(recorded, rng, case, filler):
    caffes = recorded[f"{case}/param/layer/0"]
    ours = fill(filler, caffes.shape, rng)
    assert (ours.dtype, ours.shape) == (np.float32, caffes.shape)
    spread = float(caffes.std())
    assert abs(ours.std() - spread) < 0.04 * spread
    assert abs(ours.mean() - caffes.mean()) < 5 * spread / math.sqrt(caffes.size)
    if filler.type != "msra":
        # Of thousands of uniform values the extremes lie within a thousandth of the bounds.
        span = float(caffes.max() - caffes.min())
        assert abs(ours.max() - caffes.max()) < 0.002 * span
        assert abs(ours.min() - caffes.min()) < 0.002 * span


def test_the_cases_are_those_of_the_prototxt(golden):
    """The table above says in Python what the recorded nets say in words."""
    cases = json.loads((golden / "layers" / "index.json").read_text())
    text = {case["name"]: case["prototxt"] for case in cases if case["type"] == "Filler"}
    for param in RECORDED:
        name, filler = param.values
        assert re.search(rf'weight_filler {{ type: "{filler.type}"', text[name])
        assert (f"variance_norm: {filler.variance_norm}" in text[name]) == (
            filler.variance_norm != "FAN_IN"
        )


def test_constant(recorded, rng):
    for index, shape in enumerate([(3, 4), (3,)]):
        values = recorded[f"constant_default/param/layer/{index}"]
        np.testing.assert_array_equal(fill(Filler(), shape, rng), values, strict=True)
    assert fill(Filler("constant", value=0.25), (), rng) == np.float32(0.25)


def test_bilinear_is_caffes_to_the_last_bit(golden, rng):
    values = np.load(golden / "layers" / "DummyData.npz")["bilinear_odd/out/a"]
    np.testing.assert_array_equal(fill(Filler("bilinear"), values.shape, rng), values, strict=True)


def test_bilinear_of_even_size(rng):
    values = fill(Filler("bilinear"), (3, 1, 4, 4), rng)
    line = np.array([0.25, 0.75, 0.75, 0.25], np.float32)
    np.testing.assert_array_equal(values, np.broadcast_to(np.outer(line, line), (3, 1, 4, 4)))
    assert values.flags.writeable


@pytest.mark.parametrize(
    ("shape", "norm", "fan"),
    [
        ((20, 12, 5, 5), "FAN_IN", 300),
        ((20, 12, 5, 5), "FAN_OUT", 500),
        ((20, 12, 5, 5), "AVERAGE", 400),
        ((8, 20, 4, 4), "FAN_IN", 320),
        ((300, 50), "FAN_OUT", 300),
        ((4000,), "FAN_IN", 1),
        ((4000,), "FAN_OUT", 4000),
    ],
    ids=str,
)
def test_fan(rng, shape, norm, fan):
    uniform = fill(Filler("xavier", variance_norm=norm), shape, rng)
    bound = math.sqrt(3 / fan)
    assert 0.99 * bound < np.abs(uniform).max() <= np.float32(bound)
    normal = fill(Filler("msra", variance_norm=norm), shape, rng)
    assert abs(normal.std() / math.sqrt(2 / fan) - 1) < 0.05


def test_gaussian(rng):
    values = fill(Filler("gaussian", mean=2, std=0.5), (100, 300), rng)
    assert abs(values.mean() - 2) < 0.02
    assert abs(values.std() - 0.5) < 0.01


def test_sparse_gaussian(rng):
    values = fill(Filler("gaussian", sparse=25), (100, 300), rng)
    assert abs(np.count_nonzero(values) / values.size - 0.25) < 0.02
    assert abs(values[values != 0].std() - 1) < 0.05
    assert not fill(Filler("gaussian", sparse=0), (10, 10), rng).any()


def test_positive_unitball(rng):
    values = fill(Filler("positive_unitball"), (5, 3, 4), rng)
    assert values.min() >= 0
    np.testing.assert_allclose(values.sum(axis=(1, 2)), 1, rtol=1e-6)


def test_uniform_with_bounds(rng):
    values = fill(Filler("uniform", min=-3, max=-1), (10_000,), rng)
    assert -3 <= values.min() < -2.99
    assert -1.01 < values.max() <= -1
    assert (fill(Filler("uniform", min=2, max=2), (3,), rng) == 2).all()


def test_one_seed_gives_one_blob():
    values = [fill(Filler("msra"), (4, 4), np.random.default_rng(7)) for _ in range(2)]
    np.testing.assert_array_equal(*values)


@pytest.mark.parametrize(
    ("filler", "shape", "sentence"),
    [
        (
            Filler("xaver"), (3,),
            (
                "no filler type `xaver`; Caffe has `constant`, `gaussian`, `positive_unitball`, "
                "`uniform`, `xavier`, `msra`, `bilinear`"
            ),
        ),
        (Filler(), (3, 0), "a blob of shape [3, 0] has no values to fill"),
        (Filler(sparse=3), (3,), "`sparse` (3) goes with the filler `gaussian`, not `constant`"),
        (Filler("gaussian", std=0), (3,), "`std` (0) is not above 0"),
        (Filler("gaussian", std=math.nan), (3,), "`std` (nan) is not above 0"),
        (Filler("gaussian", sparse=-2), (3,), "`sparse` (-2) is below -1"),
        (Filler("gaussian", sparse=4), (3, 9), "`sparse` (4) is above the 3 outputs"),
        (Filler("gaussian", sparse=4), (), "the filler `gaussian` needs an axis, the blob has none"),
        (Filler("uniform", min=2, max=1), (3,), "`min` (2) is above `max` (1)"),
        (Filler("xavier"), (), "the filler `xavier` needs an axis, the blob has none"),
        (
            Filler("msra", variance_norm="FAN"), (3,),
            "no variance_norm `FAN`; Caffe has `FAN_IN`, `FAN_OUT` and `AVERAGE`",
        ),
        (
            Filler("bilinear"), (3, 4, 4),
            "the filler `bilinear` takes 4 axes, the blob has [3, 4, 4]",
        ),
        (
            Filler("bilinear"), (3, 1, 4, 5),
            "the filler `bilinear` takes a square kernel, the blob has [3, 1, 4, 5]",
        ),
    ],
    ids=lambda value: value.type if isinstance(value, Filler) else None,
)  # fmt: skip
def test_refusals(rng, filler, shape, sentence):
    with pytest.raises(CaffegenError) as caught:
        fill(filler, shape, rng)
    assert str(caught.value) == sentence
