"""Data layers of rarer forks, in ONNX: inputs of the graph."""

from __future__ import annotations

from caffegen.layer_types import Definition

from .registry import writes
from .writer import LayerWriter


@writes("BboxData", "DocData", "LaneData", "MultiLabelData", "SparseData")
def fed(w: LayerWriter, d: Definition) -> None:
    """Nothing: the tops are inputs of the graph, which the caller feeds."""
