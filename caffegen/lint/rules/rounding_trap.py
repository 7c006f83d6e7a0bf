"""A pooling whose size depends on the rounding, which other frameworks do the other way."""

from __future__ import annotations

from caffegen.diagnostics import Report
from caffegen.net import Graph, NetState

OPTIONAL = True


def check(graph: Graph, state: NetState, report: Report) -> None:  # noqa: ARG001
    """Report poolings where rounding down would give another size than Caffe's rounding up."""
    for node in graph.nodes:
        definition = node.definition
        if node.type != "Pooling" or definition is None or not definition.top_shapes:
            continue
        window, bottom = definition.window, definition.bottom_shapes[0]
        top = definition.top_shapes[0]
        if window is None or top is None or definition.layer.pooling_param.global_pooling:
            continue
        floor = tuple(
            (size + 2 * pad - kernel) // stride + 1
            for size, pad, kernel, stride in zip(
                bottom[2:], window.pad, window.kernel, window.stride, strict=True
            )
        )
        if floor != top[2:]:
            report.warning(
                "rounding-trap",
                f"`{node.name}` pools {_by(bottom[2:])} to {_by(top[2:])} as Caffe rounds up; "
                f"rounding down gives {_by(floor)}",
                node.message.span("pooling_param"),
                help="a converter must pool in ceil mode here", layer=node.name,
            )  # fmt: skip


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
