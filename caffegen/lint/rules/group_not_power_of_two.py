"""A group count that hardware and converters do not expect."""

from __future__ import annotations

from caffegen.diagnostics import Report
from caffegen.net import Graph, NetState

# Caffe computes any number of groups right
OPTIONAL = True


def check(graph: Graph, state: NetState, report: Report) -> None:  # noqa: ARG001
    """Report convolutions in groups that are neither a power of two nor one per channel."""
    for node in graph.nodes:
        if node.type not in ("Convolution", "Deconvolution") or node.definition is None:
            continue
        if not node.definition.top_shapes:
            continue
        param = node.message.convolution_param
        group: int = param.group
        channels = node.definition.bottom_shapes[0][1:2]
        if group & (group - 1) == 0 or (group,) == channels:
            continue
        report.warning(
            "group-not-power-of-two",
            f"`{node.name}` has {group} groups; accelerators expect a power of two, or one group "
            "per channel",
            param.span("group"),
            layer=node.name,
        )
