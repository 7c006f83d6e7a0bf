"""Checking one text: all that is wrong with it in any state that it is meant for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from caffegen.analysis import infer
from caffegen.analysis.dialect import find_dialect, report_dialect
from caffegen.diagnostics import Diagnostic, Report, told_once
from caffegen.legacy import upgrade_net, with_input_sizes
from caffegen.lint import lint
from caffegen.net import Graph, NetState, build_graph
from caffegen.schema import message_type
from caffegen.schema.suggest import nearest
from caffegen.text import Message, Source, Span

from .kind import read_kind
from .options import Checked, Options, Shape
from .states import Part, parts, state_label
from .suppression import kept_findings

__all__ = ["check_net", "check_source"]

# where the graph is not what the author meant, lint would only repeat it
_GRAPH_FAULTS = frozenset({"unknown-bottom", "bottom-before-top", "top-made-twice"})
# what is a flaw only if no state of the net mends it
_FLAWS_OF_ALL_STATES = frozenset({"blob-never-read"})


class Examined(NamedTuple):
    """The net of one state: its graph as far as it goes, and what was found."""

    state: NetState
    graph: Graph
    report: Report


def check_source(source: Source, options: Options) -> Checked:
    """Every finding about one text, each once, less those that its comments suppress."""
    kind = read_kind(source)
    report = Report()
    shapes: dict[str, dict[str, Shape | None]] = {}
    if kind.word == "other":
        _report_other(kind.message, report)
    else:
        report.faults(source, kind.faults)
    if kind.word in ("net", "solver"):
        report_dialect(find_dialect(kind.message, options.dialect), report)
    if kind.word == "net":
        shapes = check_net(kind.message, options, report)
    elif kind.word == "solver":
        from .solver import check_solver

        shapes = check_solver(source, kind.message, options, report)
    return Checked(told_once(kept_findings(source, report, options.ignore)), shapes)


def _report_other(message: Message, report: Report) -> None:
    solver = message_type("SolverParameter")
    first = next(field for field in message.unknown if field.name not in solver.fields)
    source = message._source
    report.error(
        "not-a-net",
        f"the file holds no net and no solver: neither has a field `{first.name}`",
        Span(source, first.place[0], first.place[0] + len(first.name)) if source else None,
        help="exclude it from the check if it is meant for another program",
    )


def check_net(
    message: Message, options: Options, report: Report
) -> dict[str, dict[str, Shape | None]]:
    """Check a net in every state that it is meant for; returns the shapes of its blobs by state."""
    source = message._source
    forks = find_dialect(message, options.dialect).forks
    upgraded = upgrade_net(with_input_sizes(message, options.given))
    report.faults(source, upgraded.faults)
    report.faults(source, upgraded.warnings, "warning")
    examined: list[Examined] = []
    for part in parts(upgraded.message, options):
        examined.append(_examine(upgraded.message.name, part, examined, options, forks))
    report.diagnostics += _merge(examined, {fault.start for fault in upgraded.faults})
    if options.weights is not None and examined:
        from caffegen.analysis.weights import match_weights

        match_weights(examined[-1].graph, options.weights, report)
    report.diagnostics += _unexpected(examined, options)
    report.diagnostics += _compare_phases(examined)
    return {
        state_label(state): {name: value.shape for name, value in graph.final.items()}
        for state, graph, _ in examined
    }


def _examine(
    name: str, part: Part, before: Sequence[Examined], options: Options, forks: tuple[str, ...]
) -> Examined:
    """Connect, infer and lint; the graph of an earlier state with the same layers serves again.

    What a layer definition reports in TEST, it reports in TRAIN too, where the check begins.
    """
    report = part.report
    same = next((earlier for earlier in before if _is_of(earlier.graph, part)), None)
    if same is not None and same.state.phase in ("TRAIN", part.state.phase):
        graph = same.graph
        broken = same.report.errors
    else:
        graph = build_graph(name, part.layers, report, nearest)
        infer(graph, part.state.phase, report, options.given, forks)
        broken = report.errors
        if part.left_out:
            _explain_left_out(graph, part, report)
    if not any(d.name in _GRAPH_FAULTS for d in broken):
        lint(graph, part.state, report, pedantic=options.pedantic)
    return Examined(part.state, graph, report)


def _is_of(graph: Graph, part: Part) -> bool:
    """Whether a graph is of these very layers."""
    nodes, layers = graph.nodes, part.layers
    return len(nodes) == len(layers) and all(n.message is la for n, la in zip(nodes, layers))


def _explain_left_out(graph: Graph, part: Part, report: Report) -> None:
    """Say of a bottom that nobody makes which layer of another state would make it."""
    makers = {top: layer for layer in part.left_out for top in layer.top}
    by_start = {
        span.start: bottom
        for node in graph.nodes
        for index, (bottom, value) in enumerate(zip(node.bottom, node.inputs))
        if value is None and bottom in makers and (span := node.message.span("bottom", index))
    }
    for index, found in enumerate(report.diagnostics):
        if found.name != "unknown-bottom" or found.span is None:
            continue
        bottom = by_start.get(found.span.start)
        if bottom is None:
            continue
        maker = makers[bottom]
        there = maker.span("top", list(maker.top).index(bottom))
        label = state_label(part.state)
        report.diagnostics[index] = found._replace(
            message=f"no layer before `{found.layer}` makes the blob `{bottom}` in {label}",
            help=f"`{maker.name}` makes it, but its rules leave it out of {label}",
            other=(there, "it is made here, in another state") if there else None,
        )


def _merge(examined: Sequence[Examined], faults: Collection[int]) -> Iterator[Diagnostic]:
    """The findings of all states; one place is told of once per name, by the first state.

    `faults` is where the upgrade found fault; a layer that it left without a type is no news.
    """
    told: set[tuple[str, int]] = set()
    mended = _mended(examined)
    for state in examined:
        new = set()
        learns = _has_loss(state.graph)
        for found in state.report:
            if found.name == "in-place-gradient-wrong" and not learns:
                continue
            if found.span is not None and (found.name, found.span.start) in mended:
                continue
            if found.name == "layer-without-type" and _covers_any(found, faults):
                continue
            if found.span is not None:
                key = (found.name, found.span.start)
                if key in told:
                    continue
                new.add(key)
            yield found
        told |= new


def _has_loss(graph: Graph) -> bool:
    """Whether there is anything to compute a gradient of."""
    return any(
        any(node.message.loss_weight) or (node.definition is not None and node.definition.loss)
        for node in graph.nodes
    )


def _covers_any(found: Diagnostic, starts: Collection[int]) -> bool:
    span = found.span
    return span is not None and any(span.start <= start < span.end for start in starts)


def _mended(examined: Sequence[Examined]) -> set[tuple[str, int]]:
    """Flaws of all states, by name and place, that a state which has the top in question has not."""
    told = [
        {(d.name, d.span.start) for d in state.report if d.name in _FLAWS_OF_ALL_STATES and d.span}
        for state in examined
    ]
    found = set()
    for state, here in zip(examined, told, strict=True):
        others = set().union(*told) - here
        if others:
            spans = (
                node.message.span("top", index)
                for node in state.graph.nodes
                for index in range(len(node.top))
            )
            tops = {span.start for span in spans if span is not None}
            found |= {flaw for flaw in others if flaw[1] in tops}
    return found


def _unexpected(examined: Sequence[Examined], options: Options) -> Iterator[Diagnostic]:
    """Blobs that are not of the expected shape in some state, or in none."""
    for name, shape in options.expect.items():
        values = [(e.state, e.graph.final[name]) for e in examined if name in e.graph.final]
        if not values:
            near = nearest(name, dict.fromkeys(n for e in examined for n in e.graph.final))
            hint = f"; did you mean `{near}`?" if near else ""
            yield Diagnostic(
                "expected-blob-missing", "error", None, f"the net has no blob `{name}`{hint}"
            )
        for state, value in values:
            if value.shape == shape or value.producer is None:
                continue
            found = "not known" if value.shape is None else str(list(value.shape))
            where = f" in {state_label(state)}" if len(examined) > 1 else ""
            yield Diagnostic(
                "expected-shape-differs", "error",
                value.producer.message.span("top", value.output_index),
                f"`{name}` was expected to be {list(shape)}, it is {found}{where}",
                layer=value.producer.name,
            )  # fmt: skip


def _compare_phases(examined: Sequence[Examined]) -> Iterable[Diagnostic]:
    """What TRAIN and TEST disagree in: shapes of blobs past the batch, and of weights."""
    train = next((e for e in examined if e.state.phase == "TRAIN"), None)
    if train is None:
        return
    for test in examined:
        if test.state.phase == "TEST" and test.graph is not train.graph:
            from .phases import compare_phases

            yield from compare_phases(train.graph, test.graph)
