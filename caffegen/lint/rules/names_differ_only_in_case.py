"""Two layers or two blobs whose names differ only in case."""

from __future__ import annotations

from caffegen.diagnostics import Report
from caffegen.net import Graph, NetState
from caffegen.text import Span


def check(graph: Graph, state: NetState, report: Report) -> None:  # noqa: ARG001
    """Report names that file systems without case, and tired eyes, take for one."""
    layers: dict[str, str] = {}
    blobs: dict[str, str] = {}
    for node in graph.nodes:
        first = layers.setdefault(node.name.lower(), node.name)
        if first != node.name:
            span = node.message.span("name", value=True)
            _warn("layers", first, node.name, span, node.name, report)
        for index, top in enumerate(node.top):
            first = blobs.setdefault(top.lower(), top)
            if first != top:
                _warn("blobs", first, top, node.message.span("top", index), node.name, report)


def _warn(
    what: str, first: str, second: str, span: Span | None, layer: str, report: Report
) -> None:
    report.warning(
        "names-differ-only-in-case",
        f"the {what} `{first}` and `{second}` differ only in case",
        span,
        help="rename one, or write both the same",
        layer=layer,
    )
