"""LSTM, RNN and LSTMUnit in ONNX.

ONNX's own LSTM and RNN know no indicators, so the recurrence is written out in plain ops: step by
step for a sequence of moderate length, which every runtime takes; as a Scan for a long one, and
where the number of steps is free.

An ONNX model keeps nothing between two runs. Without `expose_hidden` the state is zero before the
first step of every run, as it is in Caffe's first pass; with it the caller carries the state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from onnx import TensorProto, ValueInfoProto, helper

from caffegen.layer_types.recurrent import LSTM, RNN, LSTMUnit

from .free import Dim
from .registry import writes
from .writer import LayerWriter, Target

# more steps than this are a Scan: each is a dozen nodes
_LONGEST_UNROLLED = 128

# the state, h or h and c, each (N, D); None where it is zero
State = tuple[str, ...]
# gates (N, gates D), indicators (N, 1) and the state before, to the state behind
Step = Callable[[str, str, State | None], State]


@writes("LSTM")
def lstm(w: LayerWriter, d: LSTM) -> None:
    """Gemm for the inputs of all steps; per step a Gemm, the gates, and the indicator twice."""
    recurrent = _transposed(w, len(d.blobs) - 1)

    def step(gates: str, indicators: str, state: State | None) -> State:
        cell = None
        if state is not None:
            hidden, cell = (w.emit("Mul", [value, indicators]) for value in state)
            gates = w.emit("Gemm", [hidden, recurrent, gates])
        return _unit(w, gates, cell, axis=1)

    _sequence(w, d, step, w.tops[0])


@writes("RNN")
def rnn(w: LayerWriter, d: RNN) -> None:
    """Gemm for the inputs of all steps, per step a Gemm and Tanh; Gemm and Tanh for the outputs."""
    recurrent = _transposed(w, len(d.blobs) - 3)

    def step(gates: str, indicators: str, state: State | None) -> State:
        if state is not None:
            hidden = w.emit("Mul", [state[0], indicators])
            gates = w.emit("Gemm", [hidden, recurrent, gates])
        return (w.emit("Tanh", [gates]),)

    hidden = w.emit("Flatten", [_sequence(w, d, step)], axis=2)
    output = [w.blob(len(d.blobs) - 2), w.blob(len(d.blobs) - 1)]
    curved = w.emit("Tanh", [w.emit("Gemm", [hidden, *output], transB=1)])
    _to_steps(w, curved, d.num_output, w.tops[0])


@writes("LSTMUnit")
def lstm_unit(w: LayerWriter, d: LSTMUnit) -> None:  # noqa: ARG001 - no facts
    """Sigmoid, Tanh, Mul and Add."""
    cell, gates, indicators = w.bottoms
    column = w.emit("Unsqueeze", [indicators, w.ints(2)])
    _unit(w, gates, w.emit("Mul", [cell, column]), axis=2, into=w.tops)


def _unit(
    w: LayerWriter,
    gates: str,
    cell: str | None,
    *,
    axis: int,
    into: Sequence[str | None] = (None, None),
) -> State:
    """Hidden state and cell from the gates i, f, o, g and what is left of the cell before.

    `into` names the new cell and the new hidden state, in LSTMUnit's order.
    """
    i, f, o, g = _equal_parts(w, gates, 4, axis)
    written = w.emit("Mul", [w.emit("Sigmoid", [i]), w.emit("Tanh", [g])])
    new = written
    if cell is not None:
        remembered = w.emit("Mul", [w.emit("Sigmoid", [f]), cell])
        new = w.emit("Add", [remembered, written], into=into[0])
    shown = w.emit("Tanh", [new])
    return w.emit("Mul", [w.emit("Sigmoid", [o]), shown], into=into[1]), new


def _equal_parts(w: LayerWriter, x: str, number: int, axis: int) -> list[str]:
    """Split into equal parts; since opset 18 their number must be said."""
    told = number if w.opset >= 18 else None
    return w.emit_many("Split", [x], number, axis=axis, num_outputs=told)


def _transposed(w: LayerWriter, index: int) -> str:
    """A weight (outputs, inputs) as the second operand of a product, made once for all steps."""
    return w.emit("Transpose", [w.blob(index)], perm=[1, 0])


# The sequence.


def _sequence(w: LayerWriter, d: LSTM | RNN, step: Step, into: str | None = None) -> str:
    """The hidden states (T, N, D) of all steps; writes the tops with the last state."""
    count = len(d.states) if d.expose_hidden else 0
    state: State | None = None
    if count:
        state = tuple(w.emit("Squeeze", [x, w.ints(0)]) for x in w.bottoms[-count:])
    gates = _gates(w, d)
    steps = w.bottom_dims[0][0]
    if isinstance(steps, int) and steps <= _LONGEST_UNROLLED:
        hidden, last = _unrolled(w, d, step, gates, state, steps, into)
    else:
        hidden, last = _scanned(w, d, step, gates, state, into)
    for value, top in zip(last, w.tops[1:], strict=False):
        w.emit("Unsqueeze", [value, w.ints(0)], into=top)
    return hidden


def _gates(w: LayerWriter, d: LSTM | RNN) -> str:
    """What the inputs of each step and the static input add to its gates: (T N, gates D)."""
    rows = w.emit("Flatten", [w.bottoms[0]], axis=2)
    gates = w.emit("Gemm", [rows, w.blob(0), w.blob(1)], transB=1)
    if not d.static_input:
        return gates
    static = w.bottoms[2]
    if len(w.bottom_dims[2]) > 2:
        static = w.emit("Flatten", [static], axis=1)
    everywhere = w.emit("Gemm", [static, w.blob(2)], transB=1)
    steps = _to_steps(w, gates, d.gates * d.num_output)
    return w.emit("Flatten", [w.emit("Add", [steps, everywhere])], axis=2)


def _to_steps(w: LayerWriter, rows: str, size: int, into: str | None = None) -> str:
    """(T N, size) as (T, N, size)."""
    target: Target = [(0,), (1,), size]
    return w.reshape(rows, w.bottom_dims[0], target, source=w.bottoms[0], into=into)


def _unrolled(
    w: LayerWriter,
    d: LSTM | RNN,
    step: Step,
    gates: str,
    state: State | None,
    steps: int,
    into: str | None,
) -> tuple[str, State]:
    """The steps one after the other, each in nodes of its own."""
    indicators = w.reshape(w.bottoms[1], w.bottom_dims[1], [(0, 1), 1])
    found = []
    if steps == 1:
        state = step(gates, indicators, state)
        found.append(state[0])
    else:
        all_gates, all_indicators = (_equal_parts(w, x, steps, 0) for x in (gates, indicators))
        for now, going_on in zip(all_gates, all_indicators, strict=True):
            state = step(now, going_on, state)
            found.append(state[0])
    assert state is not None
    rows = found[0] if steps == 1 else w.emit("Concat", found, axis=0)
    return _to_steps(w, rows, d.num_output, into), state


def _scanned(
    w: LayerWriter, d: LSTM | RNN, step: Step, gates: str, state: State | None, into: str | None
) -> tuple[str, State]:
    """A Scan over the steps, whose body is one of them; it reads the weights from outside."""
    streams, size = w.bottom_dims[0][1], d.num_output
    before = state or (_zero_state(w, streams, size),) * len(d.states)
    inputs = [
        *before,
        _to_steps(w, gates, d.gates * size),
        w.emit("Unsqueeze", [w.bottoms[1], w.ints(2)]),
    ]
    start = len(w.graph.nodes)
    old = tuple(w.own_name(f"old_{name}") for name in d.states)
    gates_now, indicators_now = w.own_name("gates"), w.own_name("indicators")
    new = step(gates_now, indicators_now, old)
    shown = w.emit("Identity", [new[0]])
    nodes = w.graph.nodes[start:]
    del w.graph.nodes[start:]
    body = helper.make_graph(
        nodes,
        w.own_name("step"),
        [
            *(_row(name, streams, size) for name in old),
            _row(gates_now, streams, d.gates * size),
            _row(indicators_now, streams, 1),
        ],
        [_row(name, streams, size) for name in (*new, shown)],
    )
    outputs = [w.own_name("last") for _ in new]
    outputs.append(into or w.own_name("Scan"))
    *last, hidden = w.emit_many("Scan", inputs, outputs, body=body, num_scan_inputs=2)
    return hidden, tuple(last)


def _zero_state(w: LayerWriter, streams: Dim, size: int) -> str:
    if isinstance(streams, int):
        return w.emit("ConstantOfShape", [w.ints(streams, size)])
    number = w.emit("Gather", [w.emit("Shape", [w.bottoms[0]]), w.ints(1)])
    return w.emit("ConstantOfShape", [w.emit("Concat", [number, w.ints(size)], axis=0)])


def _row(name: str, streams: Dim, size: int) -> ValueInfoProto:
    rows = streams if isinstance(streams, int) else None
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, size])
