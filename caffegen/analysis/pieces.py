"""What the parts of a net are: layers gathered round those with weights, and known kinds of forks.

Given    conv bn scale relu | (a b sum) | relu | (c d sum) | pool
Result   stem, residual block with its relu, residual block, pooling
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from caffegen.net import Node, Value

from .flow import Part, has_weights, nodes_behind

__all__ = ["Piece", "common_name", "gather"]

_NORMALISES = frozenset({"BN", "BatchNorm", "LRN", "MVN", "Normalize", "SyncBN"})
_MEASURES = frozenset({"Accuracy", "ArgMax", "DetectionEvaluate", "DetectionOutput", "Silence"})
_PLAIN = frozenset({"convolution", "input", "normalisation", "pooling", "stage"})
_BLOCKS = frozenset({
    "dense layer", "fire module", "highway block", "inception module", "inverted bottleneck",
    "residual block", "separable convolution",
})  # fmt: skip
_BREAKS = re.compile(r"([/_.\-])")


class Piece(NamedTuple):
    """A block in the making; `fork` is the part of it whose ways part and meet, if there is one."""

    nodes: tuple[Node, ...]
    kind: str = ""
    fork: Part | None = None
    shortcut: Value | None = None

    def with_nodes(self, more: Iterable[Node]) -> Piece:
        return self._replace(nodes=tuple(sorted((*self.nodes, *more), key=lambda n: n.index)))

    def weighted(self) -> list[Node]:
        return [node for node in self.nodes if has_weights(node)]


def gather(parts: Sequence[Part]) -> list[Piece]:
    """The parts of one chain as pieces whose kinds are known, in their order."""
    row = _gather(parts)
    for step in (_with_squeeze, _named, _separable, _stages, _stem):
        row = step(row)
    return row


def _gather(parts: Sequence[Part]) -> list[Piece]:
    """The parts of a chain as pieces: what neither forks nor has weights goes to those that do.

    A normalisation behind a fork or a pool, with all that follows, goes to what comes next: there
    the layers stand before their convolution (He et al. 2016, "Identity Mappings").
    """
    found: list[Piece] = []
    ahead: list[Node] = []

    def close() -> None:
        if ahead:
            found.append(Piece(tuple(ahead), _kind_of(ahead[0])))
            ahead.clear()

    for part in parts:
        node = part.nodes[-1]
        forked = len(part.nodes) > 1 and any(has_weights(n) for n in part.nodes)
        if forked:
            found.append(Piece((*ahead, *part.nodes), fork=part))
            ahead.clear()
        elif has_weights(node):
            found.append(Piece((*ahead, *part.nodes), _kind_of(node)))
            ahead.clear()
        elif not node.inputs or _ends(node) or _pools(node):
            close()
            found.append(Piece(part.nodes, _kind_of(node)))
        elif ahead or not found or _stands_apart(found[-1], node):
            ahead += part.nodes
        else:
            found[-1] = found[-1].with_nodes(part.nodes)
    close()
    return found


def _stands_apart(piece: Piece, node: Node) -> bool:
    """Whether a layer without weights begins something new behind a piece."""
    if not piece.nodes[-1].bottom or _ends(piece.nodes[-1]):
        return True
    return node.type in _NORMALISES - {"LRN"} and (piece.fork is not None or _pools(piece.nodes[0]))


def _pools(node: Node) -> bool:
    return node.type.endswith("Pooling") or node.type == "SPP"


def _ends(node: Node) -> bool:
    loss = node.definition is not None and node.definition.loss
    return loss or node.type.endswith("Loss") or node.type in _MEASURES | {"Softmax"}


def _kind_of(node: Node) -> str:
    """What a piece is that has this layer at its core."""
    if not node.bottom:
        return "input"
    if has_weights(node):
        if node.type in ("Deconvolution", "InnerProduct"):
            return "deconvolution" if node.type == "Deconvolution" else "fully connected"
        return "convolution" if "Convolution" in node.type else node.type
    if _pools(node):
        after = _top_shape(node)
        whole = after is not None and len(after) > 2 and set(after[2:]) == {1}
        return "global pooling" if whole and node.type == "Pooling" else "pooling"
    if node.type.endswith("Loss"):
        return "loss"
    if node.type in _NORMALISES:
        return "normalisation"
    return {"Softmax": "softmax", "Accuracy": "accuracy"}.get(node.type, node.type)


def _with_squeeze(row: list[Piece]) -> list[Piece]:
    """Forks of one make, each behind a convolution, with it: the fire modules of SqueezeNet."""
    alike: dict[object, list[int]] = {}
    for index, piece in enumerate(row):
        if piece.fork is not None and piece.fork.nodes[-1].type == "Concat":
            make = tuple(sorted(node.type for node in piece.fork.nodes))
            alike.setdefault(make, []).append(index)
    whole: set[int] = set()
    for places in alike.values():
        if len(places) > 1 and all(i and row[i - 1].kind == "convolution" for i in places):
            whole.update(places)
    found: list[Piece] = []
    for index, piece in enumerate(row):
        if index in whole:
            before = found.pop()
            found.append(piece.with_nodes(before.nodes)._replace(kind="fire module"))
        else:
            found.append(piece)
    return found


def _separable(row: list[Piece]) -> list[Piece]:
    """A convolution of each channel by itself with the 1x1 convolution behind it (MobileNet 1), and
    with one before it that is not yet another's (MobileNet 2).
    """
    found: list[Piece] = []
    index = 0
    while index < len(row):
        piece, behind = row[index], row[index + 1 : index + 3]
        if _is_depthwise(piece) and behind and _is_pointwise(behind[0]):
            found.append(piece.with_nodes(behind[0].nodes)._replace(kind="separable convolution"))
            index += 2
        elif (
            _is_pointwise(piece)
            and len(behind) == 2
            and _is_depthwise(behind[0])
            and _is_pointwise(behind[1])
        ):
            nodes = (*behind[0].nodes, *behind[1].nodes)
            found.append(piece.with_nodes(nodes)._replace(kind="inverted bottleneck"))
            index += 3
        else:
            found.append(piece)
            index += 1
    return found


def _is_depthwise(piece: Piece) -> bool:
    if piece.kind != "convolution":
        return False
    (node,) = piece.weighted()
    definition = node.definition
    if definition is None or not hasattr(definition, "group"):
        return "Depthwise" in node.type
    return bool(definition.group > 1 and definition.group == getattr(definition, "channels", 0))


def _is_pointwise(piece: Piece) -> bool:
    if piece.kind != "convolution":
        return False
    kernel = getattr(piece.weighted()[0].definition, "kernel", ())
    return bool(kernel) and set(kernel) == {1}


def _stages(row: list[Piece]) -> list[Piece]:
    """Layers in a row with tops of one shape as a stage: three, or two whose names begin alike."""
    found: list[Piece] = []
    for piece in row:
        before = found[-1] if found else None
        if before is not None and _one_stage(before, piece):
            found[-1] = before.with_nodes(piece.nodes)._replace(kind="stage")
        else:
            found.append(piece)
    return [part for piece in found for part in _if_stage(piece, row)]


def _one_stage(before: Piece, piece: Piece) -> bool:
    if before.kind not in ("stage", piece.kind):
        return False
    if piece.kind not in ("convolution", "fully connected"):
        return False
    last, node = before.weighted()[-1], piece.weighted()[-1]
    shape = _top_shape(node)
    return last.type == node.type and shape is not None and shape == _top_shape(last)


def _top_shape(node: Node) -> tuple[int, ...] | None:
    return node.outputs[0].shape if node.outputs else None


def _if_stage(piece: Piece, row: Sequence[Piece]) -> list[Piece]:
    """The piece, or the two it was made of where they are no stage."""
    weighted = piece.weighted()
    if piece.kind != "stage" or len(weighted) > 2 or common_name(node.name for node in weighted):
        return [piece]
    inside = set(piece.nodes)
    return [part for part in row if part.nodes[0] in inside]


def _stem(row: list[Piece]) -> list[Piece]:
    """Convolutions before the first block of a known kind are the stem; other nets have none."""
    first = next((i for i, piece in enumerate(row) if piece.kind not in _PLAIN), len(row))
    if first == len(row) or row[first].kind not in _BLOCKS:
        return row
    return [
        piece._replace(kind="stem")
        if index < first and piece.kind in ("convolution", "stage")
        else piece
        for index, piece in enumerate(row)
    ]


def _named(row: list[Piece]) -> list[Piece]:
    """Every fork with what it is by the layer where its ways meet."""
    return [piece if piece.fork is None else _named_fork(piece, piece.fork) for piece in row]


def _named_fork(piece: Piece, fork: Part) -> Piece:
    join = fork.nodes[-1]
    links = list({id(link): link for link in fork.links}.values())
    costs = [sum(map(has_weights, nodes_behind(link, piece.nodes))) for link in links]
    if _operation(join) == "SUM":
        carried = _carried(links, piece.nodes)
        if carried:
            shortcut = min(carried, key=lambda way: way[0])[1] if _one_least(carried) else None
            return piece._replace(kind="highway block", shortcut=shortcut)
        shortcut = _shorter(join, links, costs)
        if shortcut is not None:
            return piece._replace(kind="residual block", shortcut=shortcut)
    elif join.type == "Concat" and not piece.kind:
        entered = any(not nodes_behind(link, piece.nodes) for link in links)
        if len(links) == 2 and entered:
            return piece._replace(kind="dense layer")
        if len(links) > 2 and not entered and sum(map(bool, costs)) > 1:
            return piece._replace(kind="inception module")
    return piece._replace(kind=piece.kind or "branches")


def _carried(links: Sequence[Value], nodes: Sequence[Node]) -> list[tuple[int, Value]]:
    """What comes to a sum through a gate, a product with a sigmoid, and the weights on its way."""
    found = []
    for link in links:
        product = link.producer
        if product is None or _operation(product) != "PROD":
            continue
        values = [value for value in product.inputs if value is not None]
        ways = [nodes_behind(value, nodes) for value in values]
        if any(way and _is_gate(way) for way in ways):
            found += [
                (sum(map(has_weights, way)), value)
                for value, way in zip(values, ways)
                if not _is_gate(way)
            ]
    return found


def _is_gate(way: Sequence[Node]) -> bool:
    """Whether the way to a value goes through a sigmoid."""
    return any(node.type == "Sigmoid" for node in way)


def _one_least(ways: Sequence[tuple[int, Value]]) -> bool:
    costs = sorted(cost for cost, _ in ways)
    return len(costs) == 1 or costs[0] < costs[1]


def _operation(node: Node) -> str:
    """What a layer that joins blobs does with them: SUM, PROD or MAX; nothing for other layers."""
    if node.type == "Eltwise":
        return str(node.message.eltwise_param.operation)
    return "SUM" if node.type == "Axpy" else ""


def _shorter(join: Node, links: Sequence[Value], costs: Sequence[int]) -> Value | None:
    """The way with fewer layers with weights, one at most; None where no way is the shorter.

    Axpy adds its last bottom to the product of the others.
    """
    if join.type == "Axpy":
        return join.inputs[-1]
    if len(links) != 2 or costs[0] == costs[1] or min(costs) > 1:
        return None
    return links[costs.index(min(costs))]


def common_name(names: Iterable[str]) -> str:
    """The words that all names begin with: `res2a` of `res2a_branch1` and `res2a_branch2a`."""
    words = [_BREAKS.split(name) for name in names]
    length = 0
    for column in zip(*words):
        if len(set(column)) > 1:
            break
        length += 1
    return "".join(words[0][:length]).rstrip("/_.-")
