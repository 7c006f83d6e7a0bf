"""A BatchNorm whose output no Scale layer takes up."""

from __future__ import annotations

from caffegen.diagnostics import Report
from caffegen.net import Graph, NetState, Node

_FORK_FIELDS = ("filler", "scale_filler", "bias_filler")


def check(graph: Graph, state: NetState, report: Report) -> None:  # noqa: ARG001
    """Report BatchNorm layers without gamma and beta: each in a net that has Scales, else once."""
    norms = [node for node in graph.nodes if node.type == "BatchNorm"]
    bare = [n for n in norms if not _is_scaled(n) and not _of_fork(n)]
    if len(bare) > 1 and len(bare) == len(norms):
        _warn(
            bare[0],
            f"none of the {len(bare)} BatchNorms is followed by a Scale: they learn",
            report,
        )
        return
    for node in bare:
        _warn(node, f"the BatchNorm `{node.name}` is followed by no Scale: it learns", report)


def _of_fork(node: Node) -> bool:
    """Whether a field says that gamma and beta are in the BatchNorm itself, as in some forks."""
    param = node.message.batch_norm_param
    return bool(param.unknown) or param.scale_bias or any(map(param.has, _FORK_FIELDS))


def _is_scaled(node: Node) -> bool:
    readers = [reader for value in node.outputs for reader in value.readers]
    known = all(r.definition is not None and r.definition.known for r in readers)
    return not known or any(reader.type in ("Scale", "Bias") for reader in readers)


def _warn(node: Node, said: str, report: Report) -> None:
    report.warning(
        "batch-norm-without-scale",
        f"{said} no gamma and no beta",
        node.message.span("type", value=True),
        help="add a Scale layer with `bias_term: true` behind it, unless that is meant",
        layer=node.name,
    )
