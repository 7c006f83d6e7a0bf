"""Weight blobs that layers share by the name in their `param` blocks (net.cpp, AppendParam)."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from caffegen.diagnostics import Report
from caffegen.net import Graph, Node

__all__ = ["ParamOwner", "param_owners", "share_params"]


class ParamOwner(NamedTuple):
    """The layer (by index in the graph) and the blob that hold a parameter."""

    layer: int
    blob: int


def param_owners(graph: Graph) -> dict[ParamOwner, ParamOwner]:
    """For every blob that is shared, not owned: who owns it."""
    first: dict[str, ParamOwner] = {}
    owners: dict[ParamOwner, ParamOwner] = {}
    for node in graph.nodes:
        if node.definition is None or "param" not in node.message._values:
            continue
        for index, spec in enumerate(node.message.param[: len(node.definition.blobs)]):
            if not spec.name:
                continue
            here = ParamOwner(node.index, index)
            owner = first.setdefault(spec.name, here)
            if owner != here:
                owners[here] = owner
    return owners


def share_params(graph: Graph, report: Report) -> None:
    """Report shared parameters whose shapes or multipliers disagree."""
    declared: dict[tuple[ParamOwner, str], tuple[Node, int]] = {}
    owners = param_owners(graph)
    shared = set(owners.values())
    for node in graph.nodes:
        if node.definition is None or "param" not in node.message._values:
            continue
        for index, spec in enumerate(node.message.param[: len(node.definition.blobs)]):
            here = ParamOwner(node.index, index)
            owner = owners.get(here, here)
            if owner != here:
                _check_shapes(graph, node, index, owner, report)
            elif here not in shared:
                continue
            for field in ("lr_mult", "decay_mult"):
                if not spec.has(field):
                    continue
                other_node, other_index = declared.setdefault((owner, field), (node, index))
                other = other_node.message.param[other_index]
                if other.get(field) != spec.get(field):
                    report.error(
                        "shared-param-multipliers-differ",
                        f"the shared parameter `{spec.name}` has `{field}` {spec.get(field):g} "
                        f"here and {other.get(field):g} in `{other_node.name}`",
                        spec.span(field), help="give it in one place, or the same in both",
                        other=(other.span(field), "the other is here"), layer=node.name,
                    )  # fmt: skip


def _check_shapes(graph: Graph, node: Node, index: int, owner: ParamOwner, report: Report) -> None:
    assert node.definition is not None
    other = graph.nodes[owner.layer]
    assert other.definition is not None
    mine, theirs = node.definition.blobs[index].shape, other.definition.blobs[owner.blob].shape
    spec = node.message.param[index]
    permissive = spec.share_mode == "PERMISSIVE"
    if mine == theirs or (permissive and prod(mine) == prod(theirs)):
        return
    report.error(
        "shared-param-shapes-differ",
        f"`{node.name}` shares `{spec.name}` as {list(mine)}, but `{other.name}` owns it as "
        f"{list(theirs)}",
        spec.span("name") or node.message.span("param", index),
        help="" if permissive or prod(mine) != prod(theirs) else "or add `share_mode: PERMISSIVE`",
        other=(other.message.span("param", owner.blob), "the owner is here"), layer=node.name,
    )  # fmt: skip
