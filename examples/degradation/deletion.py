"""Blocks taken out of a trained net: the net that is left, with the weights that it had.

Given    x -> main -> sum, x -> sum, sum -> relu
Result   x -> relu

Of a residual block the shortcut stays, and what follows the sum reads it instead; of a plain net two
convolutions in a row go, as many as a basic block has, where the shape stays the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import caffegen
from caffegen.analysis.blocks import Block, find_blocks
from caffegen.analysis.flow import has_weights, nodes_behind
from caffegen.net import Node, Value

__all__ = ["Removable", "removable_blocks", "without"]


class Removable(NamedTuple):
    """Layers that can go, if those that read the blob `top` read `instead`."""

    name: str
    layers: tuple[str, ...]
    top: str
    instead: str


def removable_blocks(net: caffegen.Net) -> list[Removable]:
    """What can be taken out of a net, block by block, from its input to its output."""
    found: list[Removable] = []
    for block in find_blocks(net.graph):
        if block.join is not None and block.shortcut is not None:
            found.append(_main_path(block, block.join, block.shortcut))
        elif block.kind in ("convolution", "stage", "stem"):
            found += _pairs(block)
    return found


def _main_path(block: Block, join: Node, shortcut: Value) -> Removable:
    """All of a block but its shortcut and what stands behind the sum."""
    stays = {node.index for node in nodes_behind(shortcut, block.nodes)}
    gone = [n for n in block.nodes if n.index <= join.index and n.index not in stays]
    return Removable(block.name, tuple(n.name for n in gone), join.top[0], shortcut.name)


def _pairs(stage: Block) -> list[Removable]:
    """Two convolutions at a time, counted from the end of the stage: the first may change the shape."""
    units: list[list[Node]] = []
    for node in stage.nodes:
        if has_weights(node) or not units:
            units.append([])
        units[-1].append(node)
    found = []
    for last in range(len(units) - 1, 0, -2):
        pair = [*units[last - 1], *units[last]]
        before, after = pair[0].inputs[0], pair[-1].outputs[0]
        if before is not None and before.shape == after.shape:
            names = tuple(node.name for node in pair)
            found.append(Removable(pair[0].name, names, after.name, before.name))
    return found[::-1]


def without(net: caffegen.Net, blocks: Iterable[Removable]) -> caffegen.Net:
    """The net without some of its removable blocks, and with the weights of all others."""
    blocks = list(blocks)
    gone = {layer for block in blocks for layer in block.layers}
    renamed = {block.top: block.instead for block in blocks}
    layers = []
    for layer in net.message.layer:
        if layer.name not in gone:
            new = layer.copy()
            for field in ("bottom", "top"):
                new.set(field, _through(renamed, layer.get(field)))
            layers.append(new)
    message = net.message.shallow_copy()
    message.set("layer", layers)
    kept = {name: arrays for name, arrays in net.params.items() if name not in gone}
    return caffegen.loads(message, kept, phase=net.phase)


def _through(renamed: dict[str, str], names: Sequence[str]) -> list[str]:
    """Blob names after renaming, also of what was renamed itself."""
    found = []
    for name in names:
        now = name
        while now in renamed:
            now = renamed[now]
        found.append(now)
    return found
