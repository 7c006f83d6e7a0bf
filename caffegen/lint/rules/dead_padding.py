"""Padding behind the last window, which nothing reads."""

from __future__ import annotations

from caffegen.diagnostics import Report
from caffegen.net import Graph, NetState, Node

# the 3 x 3 windows of stride 2 on even sizes, in most nets, are of this kind
OPTIONAL = True
_SLIDING = {"Convolution": "convolution_param", "Pooling": "pooling_param"}


def check(graph: Graph, state: NetState, report: Report) -> None:  # noqa: ARG001
    """Report windows that stop before the padding at the far end: it pads one side alone."""
    for node in graph.nodes:
        definition = node.definition
        if node.type not in _SLIDING or definition is None or not definition.top_shapes:
            continue
        axis = _axis_with_dead_padding(node)
        if axis is None:
            continue
        param = node.message.get(_SLIDING[node.type])
        field = "pad" if param.has("pad") else f"pad_{'hw'[axis]}"
        report.warning(
            "dead-padding",
            f"no window of `{node.name}` reaches the padding behind the last value: it pads "
            f"{('the top', 'the left')[axis] if axis < 2 else 'the front'} alone",
            param.span(field),
            help="expect values to be shifted against frameworks that pad both sides alike",
            layer=node.name,
        )


def _axis_with_dead_padding(node: Node) -> int | None:
    definition = node.definition
    assert definition is not None
    window, top = definition.window, definition.top_shapes[0]
    if window is None or top is None or not any(window.pad):
        return None
    axes = len(window.kernel)
    bottom = definition.bottom_shapes[0]
    sizes, counts = bottom[len(bottom) - axes :], top[len(top) - axes :]
    for axis, pad in enumerate(window.pad):
        extent = window.dilation[axis] * (window.kernel[axis] - 1) + 1
        end = (counts[axis] - 1) * window.stride[axis] - pad + extent
        if pad and end <= sizes[axis]:
            return axis
    return None
