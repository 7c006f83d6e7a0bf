"""How layers without bottoms are written: learned values, and those that fillers make."""

from __future__ import annotations

from typing import Any

import torch

from caffegen.pytorch.given import fill_anew
from caffegen.weights.fillers import Filler

from .forms import Result, Written, literal, writes

__all__: list[str] = []

# fillers that draw evenly, and from a normal distribution; others always make the same
_DRAWN = frozenset({"uniform", "xavier", "gaussian", "msra", "positive_unitball"})


@writes("Parameter")
def parameter(module: Any, _training: bool) -> Written:
    """A blob that is learned."""
    return Written("Learned", {"shape": tuple(module.value.shape)}, {"value": module.value})


@writes("DummyData")
def dummy_data(module: Any, _training: bool) -> Result:
    """One module for each top."""
    found: list[Written] = []
    for filler, shape in zip(module.fillers, module.shapes, strict=True):
        written = _made(filler, tuple(shape))
        if isinstance(written, str):
            return written
        found.append(written)
    return found


def _made(filler: Filler, shape: tuple[int, ...]) -> Written | str:
    like = torch.zeros(())
    if filler.type not in _DRAWN:
        return Written("Stored", {"shape": shape}, {"value": fill_anew(like, filler, shape)})
    if filler.type == "uniform":
        args = {"shape": shape, "low": literal(filler.min), "high": literal(filler.max)}
        return Written("Uniform", args, {"like": like})
    if filler.type == "gaussian":
        args = {
            "shape": shape,
            "mean": literal(filler.mean),
            "std": literal(filler.std),
            "kept": 1.0 if filler.sparse < 0 else filler.sparse / shape[0],
        }
        return Written("Normal", args, {"like": like})
    return f"its values are drawn anew by the filler `{filler.type}`"
