"""Blobs that no file holds, in ONNX: inputs of the graph, and what DummyData makes up."""

from __future__ import annotations

from math import prod, sqrt

import numpy as np
from onnx import numpy_helper

from caffegen.analysis.fill import filler_of
from caffegen.layer_types import Definition, Shape
from caffegen.layer_types.given import DummyData
from caffegen.weights.fillers import Filler, fan, fill

from .chance import normal, uniform
from .initialiser import Array
from .registry import writes
from .writer import LayerWriter


@writes("Input", "MemoryData")
def fed(w: LayerWriter, d: Definition) -> None:
    """Nothing: the tops are inputs of the graph, which the caller feeds."""


@writes("DummyData")
def dummy_data(w: LayerWriter, d: DummyData) -> None:
    """A constant; what random fillers make is drawn anew in each run, as in Caffe."""
    for top, message, shape in zip(w.tops, d.fillers, d.top_shapes, strict=True):
        assert shape is not None
        _fill(w, filler_of(message), shape, top)


def _fill(w: LayerWriter, filler: Filler, shape: Shape, top: str) -> None:
    if filler.type == "constant":
        value = numpy_helper.from_array(np.array([filler.value], np.float32))
        w.emit("ConstantOfShape", [w.ints(*shape)], into=top, value=value)
    elif filler.type == "bilinear":

        def kernel() -> Array:
            return fill(filler, shape, np.random.default_rng(0))

        w.emit("Identity", [w.derived("bilinear", shape, kernel)], into=top)
    elif filler.type == "gaussian":
        _gaussian(w, filler, shape, top)
    elif filler.type == "msra":
        normal(w, 0.0, sqrt(2 / fan(filler, shape)), shape, top)
    elif filler.type == "positive_unitball":
        rows = uniform(w, 0.0, 1.0, (shape[0], prod(shape[1:])))
        shares = w.emit("Div", [rows, w.reduce("ReduceSum", rows, [1])])
        w.emit("Reshape", [shares, w.ints(*shape)], into=top)
    else:
        scale = sqrt(3 / fan(filler, shape)) if filler.type == "xavier" else 0.0
        low, high = (-scale, scale) if scale else (filler.min, filler.max)
        uniform(w, low, high, shape, top)


def _gaussian(w: LayerWriter, filler: Filler, shape: Shape, top: str) -> None:
    """Normal values; with `sparse`, each stays with the probability sparse / shape[0], else 0."""
    if filler.sparse < 0:
        normal(w, filler.mean, filler.std, shape, top)
        return
    values = normal(w, filler.mean, filler.std, shape)
    draws = uniform(w, 0.0, 1.0, shape)
    stays = w.emit("Less", [draws, w.number(filler.sparse / shape[0])])
    w.emit("Where", [stays, values, w.number(0)], into=top)
