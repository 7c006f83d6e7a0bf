"""Where blobs come from: inputs of the graph, DummyData by every filler, and what is no output."""

import numpy as np
import pytest

import caffegen
from caffegen import onnx_bridge
from tests.onnx_bridge.golden_case import run, session

OPSETS = (13, 18, 26)


def written(text, **options):
    return onnx_bridge.to_model(caffegen.loads(text), **options)


def dummy(filler, shape=(40, 30, 5, 5), **options):
    """What a DummyData makes, and the model."""
    dims = " ".join(f"dim: {size}" for size in shape)
    model = written(
        'layer { name: "l" type: "DummyData" top: "y" dummy_data_param { '
        f"shape {{ {dims} }} data_filler {{ {filler} }} }} }}",
        **options,
    )
    return run(model, {})["y"], model


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4)], ids=str)
def test_constant(shape, opset):
    found, model = dummy('type: "constant" value: 2.5', shape, opset=opset)
    np.testing.assert_array_equal(found, np.full(shape, 2.5, np.float32))
    assert [node.op_type for node in model.graph.node] == ["ConstantOfShape"]


FAN_IN, FAN_OUT = 30 * 25, 40 * 25

# filler: (least, most, mean, standard deviation)
RANDOM = {
    'type: "uniform" min: -1 max: 3': (-1, 3, 1, 4 / 12**0.5),
    'type: "gaussian" mean: 2 std: 0.5': (-2, 6, 2, 0.5),
    'type: "xavier"': (-((3 / FAN_IN) ** 0.5), (3 / FAN_IN) ** 0.5, 0, (1 / FAN_IN) ** 0.5),
    'type: "msra" variance_norm: FAN_OUT': (-1, 1, 0, (2 / FAN_OUT) ** 0.5),
    'type: "positive_unitball"': (0, 1, 1 / FAN_IN, 1 / FAN_IN / 3**0.5),
}


@pytest.mark.parametrize("opset", [13, 18, 21, 22, 26])
@pytest.mark.parametrize("filler", RANDOM)
def test_random(filler, opset):
    least, most, mean, deviation = RANDOM[filler]
    found, model = dummy(filler, opset=opset)
    assert not any(tensor.dims == [40, 30, 5, 5] for tensor in model.graph.initializer)
    assert found.shape == (40, 30, 5, 5)
    assert least <= found.min() < found.max() <= most
    assert abs(found.mean() - mean) < 0.05 * deviation
    assert abs(found.std() / deviation - 1) < 0.05


@pytest.mark.parametrize("opset", [21, 22])
def test_every_top_and_every_run_draws_anew(opset):
    model = written(
        'layer { name: "l" type: "DummyData" top: "a" top: "b" dummy_data_param { '
        'shape { dim: 50 } data_filler { type: "uniform" } } }',
        opset=opset,
    )
    running = session(model)
    found = np.stack([*running.run(["a", "b"], {}), *running.run(["a"], {})])
    # three times fifty numbers; two may be alike by chance, two rows may not
    assert len(np.unique(found)) > 140


def test_positive_unitball_adds_up_to_one():
    found, _ = dummy('type: "positive_unitball"')
    np.testing.assert_allclose(found.sum((1, 2, 3)), np.ones(40), 1e-5)


def test_sparse_gaussian():
    found, _ = dummy('type: "gaussian" std: 1 sparse: 10')
    assert abs((found != 0).mean() - 10 / 40) < 0.01
    assert abs(found[found != 0].std() - 1) < 0.05


def test_bilinear_is_the_same_in_every_channel():
    found, _ = dummy('type: "bilinear"', (1, 2, 4, 4))
    line = np.array([0.25, 0.75, 0.75, 0.25])
    np.testing.assert_allclose(found[0], np.stack([np.outer(line, line)] * 2), 1e-6)


def test_data_layers_are_inputs():
    model = written(
        """
        layer { name: "d" type: "MemoryData" top: "data" top: "label"
          memory_data_param { batch_size: 2 channels: 1 height: 3 width: 3 } }
        layer { name: "f" type: "Flatten" bottom: "data" top: "y" }
        layer { name: "out" type: "HDF5Output" bottom: "y" bottom: "label"
          hdf5_output_param { file_name: "out.h5" } }
        layer { name: "s" type: "Softmax" bottom: "y" top: "z" }
        """
    )
    assert [node.op_type for node in model.graph.node] == ["Flatten", "Softmax"]
    assert {value.name for value in model.graph.input} >= {"data"}
