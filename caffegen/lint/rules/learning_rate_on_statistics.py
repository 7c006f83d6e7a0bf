"""BatchNorm statistics with learning rates, which today's Caffe sets to 0 by itself."""

from __future__ import annotations

from caffegen.diagnostics import Report
from caffegen.net import Graph, NetState
from caffegen.text import Message


def check(graph: Graph, state: NetState, report: Report) -> None:  # noqa: ARG001
    """Report three `param` blocks of a BatchNorm that say something else than `lr_mult: 0`.

    The upgrade has set them to 0 already (upgrade_proto.cpp, UpgradeNetBatchNorm); what was written
    still stands in the text. Another number of blocks is an error of the layer's own.
    """
    for node in graph.nodes:
        specs = node.message.param
        if node.type != "BatchNorm" or len(specs) != 3:
            continue
        for spec in specs:
            written = _written_rate(spec)
            if not written:
                continue
            report.warning(
                "learning-rate-on-statistics",
                f"the statistics of `{node.name}` have `lr_mult` {written:g}; Caffe makes it 0, "
                "others would train them",
                spec.span("lr_mult") or spec.span(),
                help="write `param { lr_mult: 0 decay_mult: 0 }` three times, or nothing",
                layer=node.name,
            )
            break


def _written_rate(spec: Message) -> float:
    """The learning rate as the text has it; 1, the default, where it has none."""
    span = spec.span("lr_mult", value=True)
    if span is None:
        return spec.lr_mult if spec._source is None else 0.0
    try:
        return float(span.text.rstrip("fF"))
    except ValueError:
        return 1.0
