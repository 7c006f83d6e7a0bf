"""A BatchNorm whose output no Scale layer takes up."""

from __future__ import annotations

from caffegen.diagnostics import Report
from caffegen.net import Graph, NetState, Node


def check(graph: Graph, state: NetState, report: Report) -> None:  # noqa: ARG001
    """Report BatchNorm layers without gamma and beta: each in a net that has Scales, else once."""
    norms = [node for node in graph.nodes if node.type == "BatchNorm"]
    # forks keep gamma and beta in the BatchNorm itself, by fields of their own
    bare = [n for n in norms if not _is_scaled(n) and not n.message.batch_norm_param.unknown]
    if len(bare) > 1 and len(bare) == len(norms):
        _warn(
            bare[0],
            f"none of the {len(bare)} BatchNorms is followed by a Scale: they learn",
            report,
        )
        return
    for node in bare:
        _warn(node, f"the BatchNorm `{node.name}` is followed by no Scale: it learns", report)


def _is_scaled(node: Node) -> bool:
    readers = [reader for value in node.outputs for reader in value.readers]
    known = all(reader.definition is not None for reader in readers)
    return not known or any(reader.type in ("Scale", "Bias") for reader in readers)


def _warn(node: Node, said: str, report: Report) -> None:
    report.warning(
        "batch-norm-without-scale",
        f"{said} no gamma and no beta",
        node.message.span("type", value=True),
        help="add a Scale layer with `bias_term: true` behind it, unless that is meant",
        layer=node.name,
    )
