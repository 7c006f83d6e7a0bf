"""A loss that takes probabilities, on scores that nothing has turned into any."""

from __future__ import annotations

from caffegen.diagnostics import Report
from caffegen.lint.source import maker_of
from caffegen.net import Graph, NetState

# what gives scores of any size and sign
_SCORES = frozenset({"Convolution", "Deconvolution", "Eltwise", "InnerProduct", "Scale"})


def check(graph: Graph, state: NetState, report: Report) -> None:  # noqa: ARG001
    """Report a MultinomialLogisticLoss behind a layer whose output is no probability."""
    for node in graph.nodes:
        if node.type != "MultinomialLogisticLoss" or not node.inputs:
            continue
        maker = maker_of(node.inputs[0])
        if maker is None or maker.type not in _SCORES:
            continue
        report.warning(
            "loss-on-scores",
            f"`{node.name}` takes the logarithm of probabilities, but `{maker.name}` "
            f"({maker.type}) gives scores",
            node.message.span("bottom", 0),
            help="put a Softmax before it, or write SoftmaxWithLoss",
            layer=node.name,
        )
