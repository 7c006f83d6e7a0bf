"""A bias that the BatchNorm behind it takes away again."""

from __future__ import annotations

from caffegen.diagnostics import Report
from caffegen.net import Graph, NetState

# a few published nets have one; it costs memory and nothing else
OPTIONAL = True
_PARAMS = {
    "Convolution": "convolution_param",
    "Deconvolution": "convolution_param",
    "InnerProduct": "inner_product_param",
}


def check(graph: Graph, state: NetState, report: Report) -> None:  # noqa: ARG001
    """Report layers with a bias whose only reader is a BatchNorm."""
    for node in graph.nodes:
        field = _PARAMS.get(node.type)
        if field is None or not node.message.get(field).bias_term:
            continue
        readers = [reader for value in node.outputs for reader in value.readers]
        if not readers or any(reader.type != "BatchNorm" for reader in readers):
            continue
        report.warning(
            "bias-before-batch-norm",
            f"`{readers[0].name}` subtracts the bias of `{node.name}` with the mean",
            node.message.get(field).span("bias_term") or node.message.span(field),
            help="write `bias_term: false`",
            layer=node.name,
        )
