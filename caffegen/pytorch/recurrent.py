"""LSTM, RNN and LSTMUnit in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.errors import CaffegenError
from caffegen.layer_types import recurrent as definitions

from .registry import Lowered, lowers

__all__ = ["LSTM", "RNN", "LSTMUnit", "Recurrent", "lstm_step"]


# torch 2.6 and older don't say
_is_exporting: Callable[[], bool] = getattr(torch.compiler, "is_exporting", lambda: False)


class Recurrent(nn.Module):
    """What LSTM and RNN share: weights under Caffe's names, and the state between two passes.

    Where the state is not exposed a pass begins with that at the end of the last one, cut off from
    its gradient; `reset` sets it to zeros (recurrent_layer.cpp, Reset).
    """

    def __init__(self, definition: definitions.LSTM | definitions.RNN) -> None:
        super().__init__()
        self.num_output = definition.num_output
        self.static_input = definition.static_input
        self.expose_hidden = definition.expose_hidden
        self.states = definition.states
        for blob in definition.blobs:
            self.register_parameter(blob.name, nn.Parameter(torch.empty(blob.shape)))
        if not self.expose_hidden:
            for name in self.states:
                zeros = torch.zeros(1, definition.streams, self.num_output, device="cpu")
                self.register_buffer(name, zeros, persistent=False)

    def reset(self) -> None:
        """Forget the state that the last pass has left."""
        if not self.expose_hidden:
            for name in self.states:
                setattr(self, name, torch.zeros_like(self.get_buffer(name)))

    def begin(self, streams: int, given: Sequence[Tensor]) -> list[Tensor]:
        """The state (N, D) of each kind at the first step.

        Fewer streams than before take the first ones' state, more begin with zeros, as Caffe's
        memory has it (blob.cpp, Reshape).
        """
        if self.expose_hidden:
            return [state[0] for state in given]
        begun = []
        for name in self.states:
            carried = self.get_buffer(name)
            if streams > carried.shape[1]:
                carried = carried.new_zeros(1, streams, self.num_output)
            # a copy, which may take part in a backward pass even if inference has left the buffer
            begun.append(carried[0, :streams].clone())
        return begun

    def end(self, top: Tensor, *last: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Give the state at the last step out, or keep it; the tops."""
        if self.expose_hidden:
            return (top, *(state.unsqueeze(0) for state in last))
        for name, state in zip(self.states, last, strict=True):
            self.keep(name, state.detach())
        return top

    def keep(self, name: str, state: Tensor) -> None:
        """Put the state of these streams into the buffer, and leave that of any others."""
        carried, streams = self.get_buffer(name), state.shape[0]
        if _is_exporting():
            # an exported program keeps only what is written into its buffers
            if streams > carried.shape[1]:
                raise CaffegenError(
                    f"the state is for {carried.shape[1]} streams, the inputs to export with have "
                    f"{streams}; run the module on them once before"
                )
            carried[0, :streams].copy_(state)
            return
        # a new tensor: the backward pass of a compiled program reads the old one
        state = state.to(carried.dtype)
        if streams < carried.shape[1]:
            state = torch.cat((state, carried[0, streams:]))
        setattr(self, name, state.unsqueeze(0))

    def split_bottoms(self, others: Sequence[Tensor]) -> tuple[Tensor | None, Sequence[Tensor]]:
        """The static input, and the state that is given."""
        return (others[0], others[1:]) if self.static_input else (None, others)

    def extra_repr(self) -> str:
        return f"{self.num_output}, expose_hidden={self.expose_hidden}"


@lowers("LSTM")
def lstm(definition: definitions.LSTM) -> Lowered:
    """An LSTM with indicators, in Caffe's order of the gates."""
    return Lowered(LSTM(definition), tuple(blob.name for blob in definition.blobs))


class LSTM(Recurrent):
    """Bottoms (T, N, values...), indicators (T, N), static input, state; tops (T, N, D), state.

    The state that comes in and goes out takes part in the gradient; Caffe passes none through it.
    """

    W_xc: nn.Parameter
    b_c: nn.Parameter
    W_xc_static: nn.Parameter
    W_hc: nn.Parameter

    def forward(
        self, sequence: Tensor, indicators: Tensor, *others: Tensor
    ) -> Tensor | tuple[Tensor, ...]:
        static, given = self.split_bottoms(others)
        gates = functional.linear(sequence.flatten(2), self.W_xc, self.b_c)
        if static is not None:
            gates = gates + functional.linear(static.flatten(1), self.W_xc_static)
        hidden, cell = self.begin(sequence.shape[1], given)
        goes_on = _column(indicators, gates)
        steps = []
        for value, cont in zip(gates.unbind(0), goes_on.unbind(0), strict=True):
            gate = value + functional.linear(hidden * cont, self.W_hc)
            cell, hidden = lstm_step(cell, gate, cont)
            steps.append(hidden)
        return self.end(torch.stack(steps), hidden, cell)


def lstm_step(cell: Tensor, gates: Tensor, cont: Tensor) -> tuple[Tensor, Tensor]:
    """The new cell and hidden state from the gates i, f, o, g before their curves."""
    keep, forget, out, written = gates.chunk(4, -1)
    cell = _forget_gate(forget, cont) * cell + keep.sigmoid() * written.tanh()
    return cell, out.sigmoid() * cell.tanh()


def _forget_gate(values: Tensor, cont: Tensor) -> Tensor:
    """The gate times the indicator, with the gradient of a gate that has this value.

    For an indicator other than 0 and 1 that is Caffe's gradient, and no derivative
    (lstm_unit_layer.cpp, Backward_cpu).
    """
    gate = cont * values.sigmoid()
    if not (torch.is_grad_enabled() and gate.requires_grad) or _is_exporting():
        return gate
    gate = gate.detach()
    # adds nothing but the gradient; held, since infinity less itself would be no number
    held = values.clamp(-100, 100)
    return gate + gate * (1 - gate) * (held - held.detach())


def _column(indicators: Tensor, like: Tensor) -> Tensor:
    """Indicators with an axis behind them, without a gradient (recurrent_layer.hpp, lstm_layer.hpp)."""
    return indicators.detach().to(like.dtype).unsqueeze(-1)


@lowers("RNN")
def rnn(definition: definitions.RNN) -> Lowered:
    """A plain recurrence with indicators, and a second product and tanh on its state."""
    return Lowered(RNN(definition), tuple(blob.name for blob in definition.blobs))


class RNN(Recurrent):
    """Bottoms (T, N, values...), indicators (T, N), static input, state; tops (T, N, D), state.

    The state that comes in and goes out takes part in the gradient; Caffe passes none through it.
    """

    W_xh: nn.Parameter
    b_h: nn.Parameter
    W_xh_static: nn.Parameter
    W_hh: nn.Parameter
    W_ho: nn.Parameter
    b_o: nn.Parameter

    def forward(
        self, sequence: Tensor, indicators: Tensor, *others: Tensor
    ) -> Tensor | tuple[Tensor, ...]:
        static, given = self.split_bottoms(others)
        inputs = functional.linear(sequence.flatten(2), self.W_xh, self.b_h)
        if static is not None:
            inputs = inputs + functional.linear(static.flatten(1), self.W_xh_static)
        (hidden,) = self.begin(sequence.shape[1], given)
        goes_on = _column(indicators, inputs)
        steps = []
        for value, cont in zip(inputs.unbind(0), goes_on.unbind(0), strict=True):
            hidden = (value + functional.linear(hidden * cont, self.W_hh)).tanh()
            steps.append(hidden)
        return self.end(functional.linear(torch.stack(steps), self.W_ho, self.b_o).tanh(), hidden)


@lowers("LSTMUnit")
def lstm_unit(_definition: definitions.LSTMUnit) -> Lowered:
    """The gates of an LSTM at one step."""
    return Lowered(LSTMUnit())


class LSTMUnit(nn.Module):
    """The new cell and hidden state from the old cell (1, N, D) and the gates (1, N, 4D).

    An indicator scales the old cell; it need not be 0 or 1.
    """

    def forward(self, cell: Tensor, gates: Tensor, indicators: Tensor) -> tuple[Tensor, Tensor]:
        return lstm_step(cell, gates, _column(indicators, gates))
