"""How recurrent layers are written: their products as Linears."""

from __future__ import annotations

from typing import Any

from .forms import Written, writes

__all__: list[str] = []


def _recurrent(kind: str, module: Any, names: dict[str, str]) -> Written:
    weights = {new: getattr(module, old) for old, new in names.items() if hasattr(module, old)}
    static = weights.get("static.weight")
    args = {
        "inputs": weights["input.weight"].shape[1],
        "size": module.num_output,
        "static": 0 if static is None else static.shape[1],
        "expose": module.expose_hidden,
    }
    return Written(kind, args, weights)


@writes("LSTM")
def lstm(module: Any, _training: bool) -> Written:
    """An LSTM with marks."""
    names = {
        "W_xc": "input.weight", "b_c": "input.bias", "W_xc_static": "static.weight",
        "W_hc": "hidden.weight",
    }  # fmt: skip
    return _recurrent("LSTM", module, names)


@writes("RNN")
def rnn(module: Any, _training: bool) -> Written:
    """A plain recurrence with marks."""
    names = {
        "W_xh": "input.weight", "b_h": "input.bias", "W_xh_static": "static.weight",
        "W_hh": "hidden.weight", "W_ho": "output.weight", "b_o": "output.bias",
    }  # fmt: skip
    return _recurrent("RNN", module, names)


@writes("LSTMUnit")
def lstm_unit(_module: Any, _training: bool) -> Written:
    """One step of an LSTM's gates."""
    return Written("LSTMUnit", {}, {})
