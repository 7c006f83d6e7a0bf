"""A top that no layer reads although the net goes on behind it."""

from __future__ import annotations

from caffegen.diagnostics import Report
from caffegen.net import Graph, NetState

_ENDS = frozenset({"Accuracy", "ArgMax", "HDF5Output", "Silence"})


def check(graph: Graph, state: NetState, report: Report) -> None:  # noqa: ARG001
    """Report unread tops of data layers and of layers that have another top that is read."""
    for node in graph.nodes:
        unread = [value for value in node.outputs if not value.readers]
        read = len(unread) < len(node.outputs)
        data = not node.bottom and len(graph.nodes) > 1
        if not unread or node.type in _ENDS or not (data or read):
            continue
        if node.definition is not None and node.definition.loss:
            continue
        for value in unread:
            if graph.final.get(value.name) is not value:
                continue
            report.warning(
                "blob-never-read", f"no layer reads the blob `{value.name}` of `{node.name}`",
                node.message.span("top", value.output_index),
                help="end it in a Silence layer if that is meant", layer=node.name,
            )  # fmt: skip
