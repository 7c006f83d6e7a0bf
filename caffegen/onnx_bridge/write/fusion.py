"""Pairs of layers that are one node in ONNX."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from caffegen.layer_types.elementwise import Scale
from caffegen.layer_types.normalization import BatchNorm
from caffegen.net import Node, Value

__all__ = ["fused_scales"]


def fused_scales(layers: Sequence[Node], wanted: Iterable[Value]) -> dict[int, Node]:
    """The Scale layers that become part of the BatchNorm before them, by the BatchNorm's index.

    Given: BatchNorm by stored statistics -> Scale with a learned factor per channel, and nobody
    else who reads, or asks for, the value between them.
    Result: one BatchNormalization with scale and bias.
    """
    asked = {id(value) for value in wanted}
    running = {node.index for node in layers}
    found = {}
    for node in layers:
        if not isinstance(node.definition, BatchNorm) or not node.definition.use_global_stats:
            continue
        between = node.outputs[0]
        readers = [reader for reader in between.readers if reader.index in running]
        if len(readers) == 1 and id(between) not in asked and _fits(node.definition, readers[0]):
            found[node.index] = readers[0]
    return found


def _fits(batch_norm: BatchNorm, node: Node) -> bool:
    scale = node.definition
    if not isinstance(scale, Scale) or scale.from_bottom or scale.axis_index != 1:
        return False
    return all(spec.shape == (batch_norm.channels,) for spec in scale.blobs)
