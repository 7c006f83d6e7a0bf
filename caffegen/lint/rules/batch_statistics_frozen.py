"""BatchNorm statistics that training never updates."""

from __future__ import annotations

from caffegen.diagnostics import Report
from caffegen.net import Graph, NetState

# who fine-tunes with frozen statistics means it
OPTIONAL = True


def check(graph: Graph, state: NetState, report: Report) -> None:
    """Report BatchNorm layers told to use stored statistics in the TRAIN phase."""
    if state.phase != "TRAIN" or not any(n.definition and n.definition.loss for n in graph.nodes):
        return
    for node in graph.nodes:
        if node.type != "BatchNorm":
            continue
        param = node.message.batch_norm_param
        if param.has("use_global_stats") and param.use_global_stats:
            report.warning(
                "batch-statistics-frozen",
                f"`{node.name}` uses stored statistics in TRAIN too, so they are never learned",
                param.span("use_global_stats"),
                help="leave `use_global_stats` to the phase, unless you fine-tune with them frozen",
                layer=node.name,
            )
