"""LSTM, RNN and LSTMUnit: unrolled and as a Scan, with states in and out, and free sizes."""

import numpy as np
import pytest

import caffegen
from caffegen import onnx_bridge
from caffegen.onnx_bridge.write import recurrent
from tests.onnx_bridge.golden_case import run

OPSETS = (13, 18, 26)
SIZE = 3


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Cell:
    """An LSTM or RNN with weights: its text, and what Caffe's unrolled net computes."""

    def __init__(self, kind, *, values=(4,), static=(), expose=False):
        rng = np.random.default_rng(6)
        self.kind = kind
        self.values = values
        self.static = static
        self.expose = expose
        self.states = ("h", "c") if kind == "LSTM" else ("h",)
        rows = SIZE * (4 if kind == "LSTM" else 1)
        shapes = [(rows, np.prod(values)), (rows,)]
        shapes += [(rows, np.prod(static))] if static else []
        shapes.append((rows, SIZE))
        if kind == "RNN":
            shapes += [(SIZE, SIZE), (SIZE,)]
        self.blobs = [rng.standard_normal(shape, np.float32) / 2 for shape in shapes]

    def inputs(self, steps, streams):
        """Shapes by name, in the order of the bottoms."""
        found = {"x": (steps, streams, *self.values), "cont": (steps, streams)}
        if self.static:
            found["xs"] = (streams, *self.static)
        if self.expose:
            found |= {f"{state}0": (1, streams, SIZE) for state in self.states}
        return found

    def layer(self, bottoms):
        tops = ["y", *(f"{state}T" for state in self.states)] if self.expose else ["y"]
        names = "".join(f' bottom: "{name}"' for name in bottoms)
        names += "".join(f' top: "{name}"' for name in tops)
        expose = " expose_hidden: true" if self.expose else ""
        param = f"recurrent_param {{ num_output: {SIZE}{expose} }}"
        return f'layer {{ name: "l" type: "{self.kind}"{names} {param} }}'

    def written(self, steps, streams, **options):
        inputs = self.inputs(steps, streams)
        lines = []
        for name, shape in inputs.items():
            dims = " ".join(f"dim: {size}" for size in shape)
            lines.append(
                f'layer {{ name: "{name}" type: "Input" top: "{name}" '
                f"input_param {{ shape {{ {dims} }} }} }}"
            )
        lines.append(self.layer(inputs))
        net = caffegen.loads("\n".join(lines), {"l": self.blobs})
        return onnx_bridge.to_model(net, **options)

    def feeds(self, steps, streams):
        rng = np.random.default_rng(7)
        found = {
            name: rng.standard_normal(shape, np.float32)
            for name, shape in self.inputs(steps, streams).items()
        }
        # 0, 1, and the fractions that Caffe takes too
        found["cont"] = rng.choice(np.float32([0, 1, 1, 0.5]), (steps, streams))
        return found

    def expected(self, feeds):
        """lstm_layer.cpp, rnn_layer.cpp and lstm_unit_layer.cpp, one step after the other."""
        x, cont = feeds["x"], feeds["cont"]
        steps, streams = cont.shape
        hidden, cell = (
            feeds.get(f"{state}0", np.zeros((1, streams, SIZE)))[0] for state in ("h", "c")
        )
        rest = list(self.blobs[2:])
        static = feeds["xs"].reshape(streams, -1) @ rest.pop(0).T if self.static else 0
        outputs = []
        for step in range(steps):
            going_on = cont[step][:, None]
            gates = x[step].reshape(streams, -1) @ self.blobs[0].T + self.blobs[1] + static
            gates = gates + (going_on * hidden) @ rest[0].T
            if self.kind == "LSTM":
                i, f, o, g = np.split(gates, 4, 1)
                cell = going_on * sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
                hidden = sigmoid(o) * np.tanh(cell)
                outputs.append(hidden)
            else:
                hidden = np.tanh(gates)
                outputs.append(np.tanh(hidden @ rest[1].T + rest[2]))
        found = {"y": np.stack(outputs)}
        if self.expose:
            last = {"h": hidden[None], "c": cell[None]}
            found |= {f"{state}T": last[state] for state in self.states}
        return found


VARIANTS = {
    "plain": {},
    "values": {"values": (2, 2)},
    "static": {"static": (5,)},
    "static-axes": {"static": (5, 2)},
    "expose": {"expose": True},
    "expose-static": {"expose": True, "static": (2,), "values": (2, 3)},
}


@pytest.fixture(params=["unrolled", "scanned"])
def form(request, monkeypatch):
    """Both forms of the recurrence, whatever the number of steps."""
    limit = 1000 if request.param == "unrolled" else 0
    monkeypatch.setattr(recurrent, "_LONGEST_UNROLLED", limit)
    return request.param


def compare(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].shape == array.shape, name
        np.testing.assert_allclose(found[name], array, 1e-4, 1e-6, err_msg=name)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("steps", [1, 5])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_sequence(kind, variant, steps, opset, form):
    cell = Cell(kind, **VARIANTS[variant])
    model = cell.written(steps, 2, opset=opset)
    assert ("Scan" in {node.op_type for node in model.graph.node}) == (form == "scanned")
    feeds = cell.feeds(steps, 2)
    compare(run(model, feeds), cell.expected(feeds))


@pytest.mark.parametrize("fold", [False, True], ids=["plain", "folded"])
@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_long_sequence_is_a_scan(kind, fold):
    cell = Cell(kind)
    model = cell.written(150, 2, fold=fold)
    assert "Scan" in {node.op_type for node in model.graph.node}
    assert len(model.graph.node) < 20
    feeds = cell.feeds(150, 2)
    compare(run(model, feeds), cell.expected(feeds))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_free_number_of_steps(kind, variant):
    cell = Cell(kind, **VARIANTS[variant])
    model = cell.written(3, 2, dynamic_batch=True)
    feeds = cell.feeds(7, 2)
    compare(run(model, feeds), cell.expected(feeds))


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_free_number_of_streams(kind, opset, form):
    cell = Cell(kind)
    net = caffegen.loads(
        f"""
        layer {{ name: "x" type: "Input" top: "rows" input_param {{ shape {{ dim: 6 dim: 4 }} }} }}
        layer {{ name: "c" type: "Input" top: "marks" input_param {{ shape {{ dim: 6 }} }} }}
        layer {{ name: "r" type: "Reshape" bottom: "rows" top: "x"
          reshape_param {{ shape {{ dim: 3 dim: -1 dim: 4 }} }} }}
        layer {{ name: "s" type: "Reshape" bottom: "marks" top: "cont"
          reshape_param {{ shape {{ dim: 3 dim: -1 }} }} }}
        {cell.layer(("x", "cont"))}
        """,
        {"l": cell.blobs},
    )
    model = onnx_bridge.to_model(net, opset=opset, dynamic_batch=True)
    feeds = cell.feeds(3, 5)
    given = {"rows": feeds["x"].reshape(15, 4), "marks": feeds["cont"].reshape(15)}
    compare(run(model, given), cell.expected(feeds))


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_every_run_begins_anew(kind):
    cell = Cell(kind)
    feeds = cell.feeds(4, 2) | {"cont": np.ones((4, 2), np.float32)}
    model = cell.written(4, 2)
    compare(run(model, feeds), run(model, feeds))


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_state_that_the_caller_carries(kind):
    cell = Cell(kind, expose=True)
    whole = cell.feeds(6, 2)
    model = cell.written(3, 2)
    state = {name: array for name, array in whole.items() if name.endswith("0")}
    outputs = []
    for half in (slice(0, 3), slice(3, 6)):
        found = run(model, {"x": whole["x"][half], "cont": whole["cont"][half]} | state)
        outputs.append(found["y"])
        state = {f"{name}0": found[f"{name}T"] for name in cell.states}
    np.testing.assert_allclose(np.concatenate(outputs), cell.expected(whole)["y"], 1e-4, 1e-6)


@pytest.mark.parametrize("opset", OPSETS)
def test_lstm_unit(opset):
    net = caffegen.loads(
        """
        layer { name: "in" type: "Input" top: "c0" top: "gates" top: "cont" input_param {
          shape { dim: 1 dim: 3 dim: 2 } shape { dim: 1 dim: 3 dim: 8 } shape { dim: 1 dim: 3 } } }
        layer { name: "l" type: "LSTMUnit" bottom: "c0" bottom: "gates" bottom: "cont"
          top: "c" top: "h" }
        """
    )
    rng = np.random.default_rng(1)
    old, gates = rng.standard_normal((1, 3, 2)), rng.standard_normal((1, 3, 8))
    cont = np.array([[0, 1, 0.25]])
    i, f, o, g = np.split(gates, 4, 2)
    cell = cont[..., None] * sigmoid(f) * old + sigmoid(i) * np.tanh(g)
    given = {"c0": old, "gates": gates, "cont": cont}
    found = run(
        onnx_bridge.to_model(net, opset=opset), {k: np.float32(v) for k, v in given.items()}
    )
    np.testing.assert_allclose(found["c"], cell, 1e-5, 1e-6)
    np.testing.assert_allclose(found["h"], sigmoid(o) * np.tanh(cell), 1e-5, 1e-6)
