"""The forks' data layers, in ONNX: inputs of the graph."""

from __future__ import annotations

from caffegen.layer_types import Definition
from caffegen.layer_types.annotated_images import DetectNetTransformation

from .registry import writes
from .writer import LayerWriter


@writes(
    "BoxData", "CPMData", "DenseImageData", "ImageSegData", "MultiLabelImageData", "RandVec",
    "RemoteData", "SegData", "VideoData",
)  # fmt: skip
def fed(w: LayerWriter, d: Definition) -> None:
    """Nothing: the tops are inputs of the graph, which the caller feeds."""


@writes("DetectNetTransformation")
def detectnet_transformation(w: LayerWriter, d: DetectNetTransformation) -> None:  # noqa: ARG001
    """Refused: it draws at random."""
    raise w.refusal(
        "it changes pictures at random and draws maps of their boxes; give the net its tops"
    )
