"""A loss with a softmax or sigmoid of its own, behind a layer that has done the same already."""

from __future__ import annotations

from caffegen.diagnostics import Report
from caffegen.lint.source import maker_of
from caffegen.net import Graph, NetState

_DONE_BY = {
    "SoftmaxWithLoss": "Softmax",
    "InfogainLoss": "Softmax",
    "SigmoidCrossEntropyLoss": "Sigmoid",
}


def check(graph: Graph, state: NetState, report: Report) -> None:  # noqa: ARG001
    """Report losses that squash their scores a second time, which flattens the gradient."""
    for node in graph.nodes:
        done_by = _DONE_BY.get(node.type)
        if done_by is None or not node.inputs:
            continue
        maker = maker_of(node.inputs[0])
        if maker is None or maker.type != done_by:
            continue
        report.warning(
            "loss-on-probabilities",
            f"{node.type} computes the {done_by} itself, but `{maker.name}` has done so already",
            node.message.span("bottom", 0),
            help=f"let it read the bottom of `{maker.name}`",
            other=(maker.message.span("type", value=True), "the first one is here"),
            layer=node.name,
        )
