"""Blobs that come from data bases and files, in ONNX: inputs of the graph."""

from __future__ import annotations

from caffegen.layer_types import Definition

from .registry import writes
from .writer import LayerWriter


@writes("AnnotatedData", "Data", "HDF5Data", "ImageData", "WindowData")
def fed(w: LayerWriter, d: Definition) -> None:
    """Nothing: the tops are inputs of the graph, which the caller feeds."""


@writes("HDF5Output")
def hdf5_output(w: LayerWriter, d: Definition) -> None:
    """Nothing: the layer has no tops, and what it reads is there to be asked for as an output."""
