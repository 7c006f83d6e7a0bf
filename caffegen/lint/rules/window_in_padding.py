"""A convolution whose outer windows see padding alone."""

from __future__ import annotations

from caffegen.diagnostics import Report
from caffegen.layer_types import Window
from caffegen.net import Graph, NetState, Node

_SLIDING = frozenset({"Convolution", "Im2col"})


def check(graph: Graph, state: NetState, report: Report) -> None:  # noqa: ARG001
    """Report first or last windows that lie in the padding; of a Pooling Caffe refuses or drops them."""
    for node in graph.nodes:
        definition = node.definition
        if node.type not in _SLIDING or definition is None or not definition.top_shapes:
            continue
        window = definition.window
        if window is None or not any(window.pad):
            continue
        axis = _axis_in_padding(node, window)
        if axis is None:
            continue
        param = node.message.convolution_param
        field = "pad" if param.has("pad") else f"pad_{'hw'[axis]}"
        extent = window.dilation[axis] * (window.kernel[axis] - 1) + 1
        report.warning(
            "window-in-padding",
            f"`{field}` is {window.pad[axis]} for a kernel of {extent}: the outer windows of "
            f"`{node.name}` see padding only",
            param.span(field) or node.message.span("convolution_param"),
            help="make the padding smaller than the kernel" if window.pad[axis] >= extent else "",
            layer=node.name,
        )


def _axis_in_padding(node: Node, window: Window) -> int | None:
    """The spatial axis on which the first or the last window holds no value of the bottom."""
    definition = node.definition
    assert definition is not None
    top = definition.top_shapes[0]
    if top is None:
        return None
    bottom = definition.bottom_shapes[0]
    axes = len(window.kernel)
    sizes, counts = bottom[len(bottom) - axes :], top[len(top) - axes :]
    for axis in range(axes):
        extent = window.dilation[axis] * (window.kernel[axis] - 1) + 1
        last = (counts[axis] - 1) * window.stride[axis] - window.pad[axis]
        if window.pad[axis] >= extent or 0 < sizes[axis] <= last:
            return axis
    return None
