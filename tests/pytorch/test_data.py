"""DummyData and HDF5Output in PyTorch beyond the golden cases."""

import math

import numpy as np
import pytest
import torch

import caffegen
from caffegen import pytorch
from caffegen.pytorch.given import fill_anew
from caffegen.weights import Filler, fill


def build(param, tops=1):
    names = " ".join(f'top: "t{index}"' for index in range(tops))
    text = f'layer {{ name: "layer" type: "DummyData" {names} dummy_data_param {{ {param} }} }}'
    return pytorch.build(caffegen.loads(text))


def test_constants_stay_and_the_others_are_drawn_anew():
    param = """shape { dim: 40 dim: 50 }
        data_filler { type: "constant" value: 3 } data_filler { type: "gaussian" mean: 2 std: 0.5 }"""
    module = build(param, tops=2)
    first, second = module(), module()
    assert (first["t0"] == 3).all()
    assert torch.equal(first["t0"], second["t0"])
    assert not torch.equal(first["t1"], second["t1"])
    assert not module.state_dict()


def test_torch_seeds_what_is_drawn():
    module = build('shape { dim: 9 } data_filler { type: "uniform" }')
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first = module()["t0"]
        torch.manual_seed(1)
        assert torch.equal(module()["t0"], first)


def test_values_follow_the_module():
    module = build("shape { dim: 2 }").to(torch.float64)
    assert module()["t0"].dtype == torch.float64
    assert build("shape { dim: 2 }").to("meta")()["t0"].device.type == "meta"


def test_the_caller_may_give_the_top():
    module = build("shape { dim: 2 }")
    given = torch.ones(2)
    assert module(t0=given)["t0"] is given


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7])
def test_bilinear_is_that_of_the_weights(size):
    filler, shape = Filler("bilinear"), (2, 3, size, size)
    found = fill_anew(torch.empty(0), filler, shape)
    expected = fill(filler, shape, np.random.default_rng(0))
    torch.testing.assert_close(found, torch.from_numpy(expected))


SHAPE = (60, 40, 5, 5)
UNIT = 1 / math.sqrt(3)


@pytest.mark.parametrize(
    ("filler", "mean", "deviation"),
    [
        pytest.param(Filler("uniform", min=-1, max=3), 1, 2 * UNIT, id="uniform"),
        pytest.param(Filler("gaussian", mean=-2, std=0.5), -2, 0.5, id="gaussian"),
        pytest.param(Filler("xavier"), 0, 1 / math.sqrt(1000), id="xavier"),
        pytest.param(
            Filler("xavier", variance_norm="FAN_OUT"), 0, 1 / math.sqrt(1500), id="xavier, out"
        ),
        pytest.param(
            Filler("xavier", variance_norm="AVERAGE"), 0, 1 / math.sqrt(1250), id="xavier, mean"
        ),
        pytest.param(Filler("msra"), 0, math.sqrt(2 / 1000), id="msra"),
        pytest.param(Filler("positive_unitball"), 1 / 1000, UNIT / 1000, id="unit ball"),
    ],
)
def test_random_fillers_have_caffes_distributions(filler, mean, deviation):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = fill_anew(torch.empty(0), filler, SHAPE)
    assert tuple(found.shape) == SHAPE
    # 60,000 values: six standard errors
    assert found.mean().item() == pytest.approx(mean, abs=6 * deviation / math.sqrt(60_000))
    assert found.std().item() == pytest.approx(deviation, rel=0.03)
    if filler.type in ("uniform", "xavier"):
        bound = math.sqrt(3) * deviation
        assert (found - mean).abs().max() <= bound * 1.0001
        assert (found - mean).abs().max() > bound * 0.99


def test_positive_unitball_sums_to_one():
    found = fill_anew(torch.empty(0), Filler("positive_unitball"), (4, 3, 2))
    assert (found >= 0).all()
    torch.testing.assert_close(found.sum((1, 2)), torch.ones(4))


def test_sparse_gaussian_keeps_that_many_per_output():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = fill_anew(torch.empty(0), Filler("gaussian", sparse=5), (20, 5000))
    assert (found != 0).float().mean().item() == pytest.approx(5 / 20, abs=0.01)


def test_compiles_and_exports_in_one_piece():
    module = build('shape { dim: 3 dim: 4 } data_filler { type: "gaussian" }')
    torch.compiler.reset()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    assert not torch.equal(compiled()["t0"], compiled()["t0"])
    exported = torch.export.export(module, ()).module()
    assert not torch.equal(exported()["t0"], exported()["t0"])


def test_hdf5_output_writes_no_file(tmp_path):
    path = tmp_path / "out.h5"
    text = f"""
        layer {{ name: "in" type: "Input" top: "data" top: "label" input_param {{ shape {{ dim: 2 }} }} }}
        layer {{
          name: "out" type: "HDF5Output" bottom: "data" bottom: "label"
          hdf5_output_param {{ file_name: "{path}" }}
        }}"""
    module = pytorch.build(caffegen.loads(text))
    inputs = {"data": torch.ones(2), "label": torch.zeros(2)}
    assert module(**inputs) == {}
    assert module.run(inputs, blobs=["data"])["data"].tolist() == [1, 1]
    assert not path.exists()
