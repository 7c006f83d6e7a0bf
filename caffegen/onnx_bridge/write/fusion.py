"""Layers that are one node in ONNX."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from caffegen.layer_types.activation import Power
from caffegen.layer_types.branching import Concat
from caffegen.layer_types.elementwise import Scale
from caffegen.layer_types.normalization import BatchNorm
from caffegen.net import Node, Value

from .free import Dims

__all__ = ["fused_scales", "zero_pads"]


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
        norm = node.definition
        if not isinstance(norm, BatchNorm) or not norm.use_global_stats or norm.scale_bias:
            continue
        between = node.outputs[0]
        readers = [reader for reader in between.readers if reader.index in running]
        if len(readers) == 1 and id(between) not in asked and _fits(norm, readers[0]):
            found[node.index] = readers[0]
    return found


def _fits(batch_norm: BatchNorm, node: Node) -> bool:
    scale = node.definition
    if not isinstance(scale, Scale) or not scale.bottom_shapes:
        return False
    if scale.from_bottom or scale.axis_index != 1:
        return False
    return all(spec.shape == (batch_norm.channels,) for spec in scale.blobs)


def zero_pads(
    layers: Sequence[Node], wanted: Iterable[Value], dims: Mapping[int, Dims | None]
) -> dict[int, list[Node]]:
    """The Power layers of zeros that become the padding of a Concat, by the Concat's index.

    Given: Concat of a blob and, behind it, tops of Power with a scale of 0 that nobody else reads,
    or asks for: how Caffe says a shortcut padded with zero channels.
    Result: one Pad. OpenCV 4's ONNX importer can't lay out a Concat with a constant in it.
    """
    asked = {id(value) for value in wanted}
    found = {}
    for node in layers:
        definition = node.definition
        if not isinstance(definition, Concat) or len(node.inputs) < 2:
            continue
        zeros = [value for value in node.inputs[1:] if value is not None]
        if node.inputs[0] not in zeros and all(
            _is_zero(value)
            and id(value) not in asked
            and all(reader is node for reader in value.readers)
            and isinstance((dims[id(value)] or ("",))[definition.axis_index], int)
            for value in zeros
        ):
            found[node.index] = [value.producer for value in zeros if value.producer is not None]
    return found


def _is_zero(value: Value) -> bool:
    """Whether a layer of one top fills it with zeros, whatever it reads."""
    definition = None if value.producer is None else value.producer.definition
    return isinstance(definition, Power) and definition.constant == 0 and value.version == 0
