"""Caffe's fillers: the values that a layer's weights begin with (filler.hpp)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from caffegen.errors import CaffegenError

__all__ = ["FILLER_TYPES", "Filler", "fan", "fill"]

Values = np.ndarray[Any, np.dtype[np.float32]]


class Filler(NamedTuple):
    """A FillerParameter, with Caffe's defaults."""

    type: str = "constant"
    value: float = 0.0
    min: float = 0.0
    max: float = 1.0
    mean: float = 0.0
    std: float = 1.0
    sparse: int = -1
    variance_norm: str = "FAN_IN"


def fill(filler: Filler, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
    """A new blob of the shape, filled; CaffegenError for whatever Caffe refuses.

    Random values have Caffe's distributions, not its numbers: those depend on its generator.
    """
    make = _FILLERS.get(filler.type)
    if make is None:
        known = ", ".join(f"`{name}`" for name in FILLER_TYPES)
        raise CaffegenError(f"no filler type `{filler.type}`; Caffe has {known}")
    if not math.prod(shape):
        raise CaffegenError(f"a blob of shape {list(shape)} has no values to fill")
    if filler.sparse != -1 and filler.type != "gaussian":
        raise CaffegenError(
            f"`sparse` ({filler.sparse}) goes with the filler `gaussian`, not `{filler.type}`"
        )
    return make(filler, shape, rng)


def _constant(filler: Filler, shape: tuple[int, ...], _rng: np.random.Generator) -> Values:
    return np.full(shape, filler.value, np.float32)


def _uniform(filler: Filler, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
    if not filler.min <= filler.max:
        raise CaffegenError(f"`min` ({filler.min:g}) is above `max` ({filler.max:g})")
    return _draw_uniform(filler.min, filler.max, shape, rng)


def _gaussian(filler: Filler, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
    """Normal values; with `sparse`, each stays with the probability sparse / shape[0], else 0."""
    if not filler.std > 0:
        raise CaffegenError(f"`std` ({filler.std:g}) is not above 0")
    values = _draw_gaussian(filler.mean, filler.std, shape, rng)
    if filler.sparse < -1:
        raise CaffegenError(f"`sparse` ({filler.sparse}) is below -1")
    if filler.sparse >= 0:
        outputs = _first_axis(filler, shape)
        if filler.sparse > outputs:
            raise CaffegenError(f"`sparse` ({filler.sparse}) is above the {outputs} outputs")
        values *= rng.random(shape, np.float32) < filler.sparse / outputs
    return values


def _positive_unitball(filler: Filler, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
    """Values from 0 to 1 that add up to 1 for each index of the first axis."""
    rows = _draw_uniform(0.0, 1.0, (_first_axis(filler, shape), -1), rng, math.prod(shape))
    rows /= rows.sum(axis=1, keepdims=True)
    return rows.reshape(shape)


def _xavier(filler: Filler, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
    scale = math.sqrt(3.0 / fan(filler, shape))
    return _draw_uniform(-scale, scale, shape, rng)


def _msra(filler: Filler, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
    return _draw_gaussian(0.0, math.sqrt(2.0 / fan(filler, shape)), shape, rng)


def _bilinear(filler: Filler, shape: tuple[int, ...], _rng: np.random.Generator) -> Values:
    """The kernel of bilinear interpolation, the same in every channel: for a Deconvolution."""
    if len(shape) != 4:
        raise CaffegenError(f"the filler `{filler.type}` takes 4 axes, the blob has {list(shape)}")
    if shape[2] != shape[3]:
        raise CaffegenError(
            f"the filler `{filler.type}` takes a square kernel, the blob has {list(shape)}"
        )
    factor = math.ceil(shape[3] / 2)
    centre = np.float32((shape[3] - 1) / (2 * factor))
    slope = np.abs(np.arange(shape[3], dtype=np.float32) / np.float32(factor) - centre)
    line = np.float32(1) - slope
    values = np.empty(shape, np.float32)
    values[...] = line[:, None] * line
    return values


def fan(filler: Filler, shape: tuple[int, ...]) -> float:
    """The number of values that feed one output, that one input feeds, or the mean of both.

    Caffe divides the count by the first and by the second axis, which for InnerProduct with
    `transpose` and for Deconvolution is the wrong way round; so it is in every net trained with it.
    """
    count = math.prod(shape)
    fan_in = count // _first_axis(filler, shape)
    fan_out = count // shape[1] if len(shape) > 1 else count
    if filler.variance_norm == "FAN_IN":
        return fan_in
    if filler.variance_norm == "FAN_OUT":
        return fan_out
    if filler.variance_norm == "AVERAGE":
        return (fan_in + fan_out) / 2
    raise CaffegenError(
        f"no variance_norm `{filler.variance_norm}`; Caffe has `FAN_IN`, `FAN_OUT` and `AVERAGE`"
    )


def _first_axis(filler: Filler, shape: tuple[int, ...]) -> int:
    if not shape:
        raise CaffegenError(f"the filler `{filler.type}` needs an axis, the blob has none")
    return shape[0]


def _draw_uniform(
    low: float, high: float, shape: tuple[int, ...], rng: np.random.Generator, count: int = 0
) -> Values:
    values = rng.random(count or shape, np.float32)
    values *= np.float32(high - low)
    values += np.float32(low)
    return values.reshape(shape)


def _draw_gaussian(
    mean: float, std: float, shape: tuple[int, ...], rng: np.random.Generator
) -> Values:
    values = rng.standard_normal(shape, np.float32)
    values *= np.float32(std)
    values += np.float32(mean)
    return values


_FILLERS: dict[str, Callable[[Filler, tuple[int, ...], np.random.Generator], Values]] = {
    "constant": _constant,
    "gaussian": _gaussian,
    "positive_unitball": _positive_unitball,
    "uniform": _uniform,
    "xavier": _xavier,
    "msra": _msra,
    "bilinear": _bilinear,
}

#: The names of Caffe's fillers (filler.hpp, GetFiller).
FILLER_TYPES = tuple(_FILLERS)
