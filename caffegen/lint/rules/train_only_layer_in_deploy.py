"""A layer that only training needs, in a net that is fed by Input layers."""

from __future__ import annotations

from caffegen.diagnostics import Report
from caffegen.net import Graph, NetState

_TRAINING = frozenset({
    "Accuracy", "AnnotatedData", "Data", "DetectionEvaluate", "HDF5Data", "ImageData", "WindowData",
})  # fmt: skip


def check(graph: Graph, state: NetState, report: Report) -> None:
    """Report losses, metrics and data sources beside an Input layer without a label of its own."""
    if state.phase != "TEST" or len(graph.inputs) != 1:
        return
    for node in graph.nodes:
        is_loss = node.definition is not None and node.definition.loss
        if not is_loss and node.type not in _TRAINING:
            continue
        report.warning(
            "train-only-layer-in-deploy",
            f"`{node.name}` ({node.type}) is of use in training only, but the net is fed by an Input",
            node.message.span("type", value=True),
            help="remove it from the deploy net, or add `include { phase: TRAIN }`",
            layer=node.name,
        )
