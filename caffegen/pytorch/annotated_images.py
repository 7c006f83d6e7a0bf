"""DetectNetTransformation in PyTorch; the tops of the data layers are the caller's."""

from __future__ import annotations

from caffegen.layer_types import annotated_images as definitions

from .registry import Lowered, lowers, refuse


@lowers("DetectNetTransformation")
def detectnet_transformation(definition: definitions.DetectNetTransformation) -> Lowered:
    """Refused: it draws crops, turns and colours at random, and maps to go with them."""
    raise refuse(
        definition,
        "it changes pictures at random and draws maps of their boxes, which belongs to a data "
        "loader; build the net from its tops on",
    )
