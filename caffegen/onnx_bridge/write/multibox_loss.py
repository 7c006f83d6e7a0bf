"""The refusal of MultiBoxLoss in ONNX."""

from __future__ import annotations

from caffegen.layer_types.multibox_loss import MultiBoxLoss

from .registry import writes
from .writer import LayerWriter


@writes("MultiBoxLoss")
def multibox_loss(w: LayerWriter, d: MultiBoxLoss) -> None:  # noqa: ARG001 - as every writer
    """Refused: it serves training alone."""
    raise w.refusal(
        "it matches priors with boxes and picks examples to train on, and a model to be run has "
        "neither; convert the deploy net"
    )
