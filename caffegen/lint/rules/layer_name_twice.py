"""Two layers of one name: weights go by name, so one of them gets those of the other, or none."""

from __future__ import annotations

from caffegen.diagnostics import Report
from caffegen.net import Graph, NetState, Node


def check(graph: Graph, state: NetState, report: Report) -> None:  # noqa: ARG001
    """Report the later layers of a name where one of them has weights."""
    named: dict[str, list[Node]] = {}
    for node in graph.nodes:
        named.setdefault(node.name, []).append(node)
    for name, nodes in named.items():
        if len(nodes) == 1 or not any(n.definition and n.definition.blobs for n in nodes):
            continue
        first = nodes[0].message
        for node in nodes[1:]:
            report.warning(
                "layer-name-twice",
                f"two layers are called `{name}`; weights are matched by name"
                if name
                else "two layers have no name; weights are matched by name",
                node.message.span("name", value=True) or node.message.span(),
                help="rename one of them" if name else "give every layer a name",
                other=(first.span("name", value=True) or first.span(), "the first is here"),
                layer=name,
            )
