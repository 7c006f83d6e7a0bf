"""Parameter in ONNX, and the refusal of Python."""

from __future__ import annotations

from caffegen.layer_types.python import Parameter, Python

from .registry import refuse, writes
from .writer import LayerWriter


@writes("Parameter")
def parameter(w: LayerWriter, d: Parameter) -> None:  # noqa: ARG001 - the weight is all there is
    """The weight itself, under the top's name."""
    w.top("Identity", [w.blob(0)])


@writes("Python")
def python(w: LayerWriter, d: Python) -> None:  # noqa: ARG001 - as every writer
    """Refused: what the layer computes stands in code that is never run here."""
    raise refuse(
        d,
        f"what it computes stands in the class `{d.class_name}` of the Python module "
        f"`{d.module}`, which is never run here",
    )
