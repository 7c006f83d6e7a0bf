"""How much of the input each value sees, in pixels per spatial axis."""

from __future__ import annotations

from typing import NamedTuple

from caffegen.net import Graph, Node, Value

__all__ = ["receptive_fields"]

Shape = tuple[int, ...]


class _Field(NamedTuple):
    size: Shape
    jump: Shape  # how far apart neighbouring values are in the input


# these keep every position where it was
_POINTWISE = frozenset(
    {
        "AbsVal", "Axpy", "BN", "BNLL", "BatchNorm", "Bias", "CReLU", "Clip", "Concat", "Dropout",
        "ELU", "Eltwise", "Exp", "HardSigmoid", "HardSwish", "L2Norm", "Log", "Mish", "Normalize",
        "NormalizeBBox", "PReLU", "Power", "ReLU", "ReLU6", "Scale", "SeLu", "ShuffleChannel",
        "Sigmoid", "Slice", "Softmax", "SpatialDropout", "Split", "Swish", "SyncBN", "TanH",
        "Threshold",
    }
)  # fmt: skip


def receptive_fields(graph: Graph) -> dict[int, Shape | None]:
    """The receptive field by `id` of each value; None where it is the whole input or not spatial.

    Fields grow by (extent - 1) * jump through a window; where branches meet the larger one counts.
    """
    fields: dict[int, _Field | None] = {}
    for node in graph.nodes:
        field = _through(node, fields)
        for value in node.outputs:
            fields[id(value)] = field
    return {key: field.size if field else None for key, field in fields.items()}


def _through(node: Node, fields: dict[int, _Field | None]) -> _Field | None:
    if not node.inputs:
        return _start(node.outputs[0]) if node.outputs else None
    known = [fields.get(id(value)) for value in node.inputs if value is not None]
    definition = node.definition
    window = definition.window if definition is not None and definition.top_shapes else None
    # an LRN across channels has no window
    if node.type in _POINTWISE or (node.type == "LRN" and window is None):
        spatial = [field for field in known if field is not None]
        if len(spatial) < len(known) and node.type not in ("Scale", "Bias"):
            return None
        return _union(spatial)
    before = known[0] if known else None
    if before is None or window is None or len(window.kernel) != len(before.size):
        return None
    assert definition is not None
    if _covers(window.kernel, definition.bottom_shapes[0]):
        return None
    extents = [d * (k - 1) + 1 for k, d in zip(window.kernel, window.dilation)]
    if node.type == "Deconvolution":
        return None
    size = tuple(s + (e - 1) * j for s, e, j in zip(before.size, extents, before.jump))
    return _Field(size, tuple(j * s for j, s in zip(before.jump, window.stride)))


def _start(value: Value) -> _Field | None:
    if value.shape is None or len(value.shape) < 3:
        return None
    ones = (1,) * (len(value.shape) - 2)
    return _Field(ones, ones)


def _union(fields: list[_Field]) -> _Field | None:
    if not fields or len({len(field.size) for field in fields}) != 1:
        return None
    size = tuple(max(sizes) for sizes in zip(*(field.size for field in fields)))
    return _Field(size, tuple(max(jumps) for jumps in zip(*(field.jump for field in fields))))


def _covers(kernel: Shape, bottom: Shape) -> bool:
    return bool(kernel) and kernel == bottom[2:] and kernel != (1,) * len(kernel)
