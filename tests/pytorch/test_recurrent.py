"""LSTM, RNN and LSTMUnit in PyTorch beyond the golden cases: state, gradients, exporting."""

import copy

import pytest
import torch
from torch import nn

import caffegen
from caffegen import CaffegenError, pytorch
from caffegen.pytorch.recurrent import LSTMUnit

KINDS = ["LSTM", "RNN"]


def build(kind, time=4, streams=2, size=5, outputs=3, *, static=0, expose=False):
    """A recurrent layer on Input layers `x`, `cont`, and `static`, `h0`, `c0` where asked for."""
    states = {"LSTM": ["h0", "c0"], "RNN": ["h0"]}[kind] if expose else []
    shapes = {"x": (time, streams, size), "cont": (time, streams)}
    if static:
        shapes["static"] = (streams, static)
    shapes |= dict.fromkeys(states, (1, streams, outputs))
    inputs = "".join(
        f'layer {{ name: "in_{name}" type: "Input" top: "{name}" input_param {{ shape {{ '
        f"{' '.join(f'dim: {size}' for size in shape)} }} }} }}"
        for name, shape in shapes.items()
    )
    bottoms = " ".join(f'bottom: "{name}"' for name in shapes)
    tops = " ".join(f'top: "{name}"' for name in ["top", *(f"{state[0]}T" for state in states)])
    layer = f"""
        layer {{ name: "layer" type: "{kind}" {bottoms} {tops}
          recurrent_param {{
            num_output: {outputs} expose_hidden: {str(expose).lower()}
            weight_filler {{ type: "uniform" min: -1 }} bias_filler {{ type: "uniform" min: -1 }}
          }}
        }}"""
    return pytorch.build(caffegen.loads(inputs + layer))


def values(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_lstm_is_that_of_torch_with_other_gates():
    module = build("LSTM")
    layer = module.get_submodule("layer")
    peer = nn.LSTM(5, 3)
    # i f o g to i f g o
    order = torch.cat([torch.arange(6), torch.arange(9, 12), torch.arange(6, 9)])
    with torch.no_grad():
        peer.weight_ih_l0.copy_(layer.W_xc[order])
        peer.weight_hh_l0.copy_(layer.W_hc[order])
        peer.bias_ih_l0.copy_(layer.b_c[order])
        peer.bias_hh_l0.zero_()
    sequence = values(4, 2, 5)
    torch.testing.assert_close(module(sequence, torch.ones(4, 2))["top"], peer(sequence)[0])


def test_rnn_is_that_of_torch_with_a_product_behind():
    module = build("RNN")
    layer = module.get_submodule("layer")
    peer = nn.RNN(5, 3)
    with torch.no_grad():
        peer.weight_ih_l0.copy_(layer.W_xh)
        peer.weight_hh_l0.copy_(layer.W_hh)
        peer.bias_ih_l0.copy_(layer.b_h)
        peer.bias_hh_l0.zero_()
    sequence = values(4, 2, 5)
    expected = torch.tanh(peer(sequence)[0] @ layer.W_ho.T + layer.b_o)
    torch.testing.assert_close(module(sequence, torch.ones(4, 2))["top"], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_passes_go_on_where_the_last_one_ended(kind):
    sequence, goes_on = values(8, 2, 5), torch.ones(8, 2)
    goes_on[6, 1] = 0
    whole = build(kind, time=8)(sequence, goes_on)["top"]
    module = build(kind)
    parts = [module(sequence[at : at + 4], goes_on[at : at + 4])["top"] for at in (0, 4)]
    torch.testing.assert_close(torch.cat(parts), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_state_is_forgotten_on_request_and_is_no_weight(kind):
    module = build(kind)
    sequence, goes_on = values(4, 2, 5), torch.ones(4, 2)
    first = module(sequence, goes_on)["top"]
    assert not torch.equal(module(sequence, goes_on)["top"], first)
    module.reset()
    assert torch.equal(module(sequence, goes_on)["top"], first)
    assert not {"layer.h_0", "layer.c_0"} & module.state_dict().keys()


@pytest.mark.parametrize("kind", KINDS)
def test_no_gradient_crosses_passes(kind):
    module = build(kind)
    goes_on = torch.ones(4, 2)
    first = values(4, 2, 5).requires_grad_()
    module(first, goes_on)
    second = values(4, 2, 5, seed=1).requires_grad_()
    module(second, goes_on)["top"].sum().backward()
    assert first.grad is None
    assert second.grad.any()


@pytest.mark.parametrize("kind", KINDS)
def test_other_numbers_of_streams(kind):
    """Fewer streams take the first ones' state and leave the others'; more begin with zeros."""
    module = build(kind)
    fresh = copy.deepcopy(module)
    sequence, goes_on = values(4, 3, 5), torch.ones(4, 3)
    module(sequence[:, :2], goes_on[:, :2])
    both = copy.deepcopy(module)(sequence[:, :2], goes_on[:, :2])["top"]
    one = module(sequence[:, :1], goes_on[:, :1])["top"]
    torch.testing.assert_close(one, both[:, :1])
    after = module(sequence[:, :2], goes_on[:, :2])["top"]
    torch.testing.assert_close(after[:, 1], both[:, 1])
    torch.testing.assert_close(module(sequence, goes_on)["top"], fresh(sequence, goes_on)["top"])


@pytest.mark.parametrize("kind", KINDS)
def test_state_from_inference_mode_serves_in_training(kind):
    module = build(kind)
    with torch.inference_mode():
        module(values(4, 3, 5), torch.ones(4, 3))
    module(values(4, 3, 5), torch.ones(4, 3))["top"].sum().backward()
    assert all(parameter.grad.any() for parameter in module.parameters())


@pytest.mark.parametrize("static", [0, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_gradient(kind, static):
    """Through the exposed state; for an RNN with fractions as indicators."""
    module = build(kind, static=static, expose=True).double()
    shapes = [(4, 2, 5)] + [(2, static)] * bool(static) + [(1, 2, 3)] * (1 + (kind == "LSTM"))
    leaves = [values(*shape, seed=i).double().requires_grad_() for i, shape in enumerate(shapes)]
    goes_on = torch.tensor([[0, 1], [1, 0.5], [0.25, 0], [1, 1]], dtype=torch.float64)
    if kind == "LSTM":
        goes_on = goes_on.ceil()

    def run(first, *others):
        return tuple(module(first, goes_on, *others).values())

    assert torch.autograd.gradcheck(run, leaves)


def test_gradient_of_a_scaled_forget_gate_is_that_of_caffe():
    """Which takes cont * gate for the gate: f (1 - f), where the derivative is f (1 - gate)."""
    unit = LSTMUnit()
    gates = torch.zeros(1, 1, 4, requires_grad=True)
    cell, _ = unit(torch.full((1, 1, 1), 3.0), gates, torch.tensor([[0.5]]))
    cell.sum().backward()
    assert cell.item() == 0.75
    assert gates.grad[0, 0, 1].item() == pytest.approx(3 * 0.25 * 0.75)


@pytest.mark.parametrize("kind", KINDS)
def test_indicators_get_no_gradient(kind):
    goes_on = torch.full((4, 2), 0.5, requires_grad=True)
    build(kind)(values(4, 2, 5).requires_grad_(), goes_on)["top"].sum().backward()
    assert goes_on.grad is None


@pytest.mark.parametrize("kind", KINDS)
def test_exposed_state_is_given_and_not_kept(kind):
    module = build(kind, expose=True)
    sequence, goes_on = values(4, 2, 5), torch.ones(4, 2)
    state = [values(1, 2, 3, seed=i) for i in range(1 + (kind == "LSTM"))]
    first = module(sequence, goes_on, *state)
    again = module(sequence, goes_on, *state)
    assert all(torch.equal(first[name], again[name]) for name in first)
    if kind == "LSTM":
        assert torch.equal(first["hT"], first["top"][-1:])
    assert not list(module.buffers())


def test_lstm_unit_is_a_step_of_the_lstm():
    module = build("LSTM", time=1)
    layer = module.get_submodule("layer")
    text = "".join(
        f'layer {{ name: "in_{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}'
        for name, dims in [
            ("c", "dim: 1 dim: 2 dim: 3"), ("g", "dim: 1 dim: 2 dim: 12"), ("cont", "dim: 1 dim: 2")
        ]
    )  # fmt: skip
    text += 'layer { name: "u" type: "LSTMUnit" bottom: "c" bottom: "g" bottom: "cont" top: "cT" top: "hT" }'
    unit = pytorch.build(caffegen.loads(text))
    sequence = values(1, 2, 5)
    gates = sequence @ layer.W_xc.T + layer.b_c
    blobs = unit(c=torch.zeros(1, 2, 3), g=gates, cont=torch.zeros(1, 2))
    torch.testing.assert_close(blobs["hT"], module(sequence, torch.zeros(1, 2))["top"])
    torch.testing.assert_close(blobs["cT"], layer.c_0)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_exports_with_its_state(kind, strict):
    module = build(kind)
    peer = copy.deepcopy(module)
    inputs = (values(4, 2, 5), torch.ones(4, 2))
    exported = torch.export.export(module, inputs, strict=strict).module()
    for _ in range(3):
        torch.testing.assert_close(exported(*inputs)["top"], peer(*inputs)["top"])


def test_exports_no_more_streams_than_it_has_state_for():
    module = build("LSTM")
    inputs = (values(4, 3, 5), torch.ones(4, 3))
    with pytest.raises(CaffegenError, match=r"the state is for 2 streams, the inputs .* have 3"):
        torch.export.export(module, inputs)
    module(*inputs)
    assert torch.export.export(module, inputs).module()(*inputs)["top"].shape == (4, 3, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_compiles_in_one_piece_with_its_state(kind):
    module = build(kind)
    peer = copy.deepcopy(module)
    inputs = (values(4, 2, 5), torch.ones(4, 2))
    torch.compiler.reset()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    for _ in range(3):
        found, expected = compiled(*inputs)["top"], peer(*inputs)["top"]
        torch.testing.assert_close(found, expected)
    found.sum().backward()
    expected.sum().backward()
    for one, other in zip(module.parameters(), peer.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
