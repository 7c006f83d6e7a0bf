"""Shapes of a whole net in one walk, and everything that is wrong with it on the way."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from caffegen.diagnostics import Report
from caffegen.layer_types import Definition, Shape, definition_of, known_types
from caffegen.layer_types.fork_fields import JOINS, REBLOBS, REPLACES, RESHAPES, foreign_effects
from caffegen.layer_types.unknown import Unknown
from caffegen.net import Graph, Node
from caffegen.plugins import failures
from caffegen.schema.dialects import listed
from caffegen.schema.forks import TYPES as FORK_TYPES
from caffegen.schema.suggest import nearest
from caffegen.text import Message

from .sharing import share_params

__all__ = ["infer"]


def infer(
    graph: Graph,
    phase: str,
    report: Report,
    given: Mapping[str, Shape] | None = None,
    forks: tuple[str, ...] = (),
) -> None:
    """Bind every layer to its definition and fill in the shape of every value.

    `given` holds shapes by blob name for tops whose shape the file does not say; for the tops of
    data and input layers they also replace what it says, and a batch of another size is that of all
    tops of its data layer. `forks` are those that the net may be for
    (none: BVLC's). A layer that can't be understood leaves its tops unknown (None), and the walk
    goes on; one of a type that nothing defines is an `Unknown`.
    """
    given = given or {}
    for node in graph.nodes:
        # what a source says of its shapes does not matter where the caller gives them
        said = report
        if not node.inputs and node.outputs and all(v.name in given for v in node.outputs):
            report = Report()
        definition = _bind(node, phase, report, forks)
        node.definition = definition
        tops: tuple[Shape | None, ...] = ()
        if definition is not None:
            shapes = [value.shape if value is not None else None for value in node.inputs]
            sums_up = _sums_up(node, definition)
            if sums_up or _counts_fit(node, definition, report, graph, forks):
                tops = definition.infer(shapes[:1] if sums_up else shapes)
                _check_loss_weights(node, definition, report)
                _check_params(node, definition)
            else:
                definition.check_alone(shapes)
        for index, value in enumerate(node.outputs):
            value.shape = tops[index] if index < len(tops) else None
            if value.name in given and (value.shape is None or not node.inputs):
                value.shape = tuple(given[value.name])
        if given:
            _follow_batch(node, given)
        if report is not said:
            said.diagnostics += [d for d in report if d.name != "input-without-shape"]
            report = said
    share_params(graph, report)


def _follow_batch(node: Node, given: Mapping[str, Shape]) -> None:
    """Give the other tops of a data layer the batch size that one of them is given."""
    size = getattr(node.definition, "batch_size", None)
    batches = {tuple(given[value.name][:1]) for value in node.outputs if value.name in given}
    if node.inputs or size is None or len(batches) != 1:
        return
    (batch,) = batches
    for value in node.outputs:
        if batch and value.name not in given and value.shape and value.shape[0] == size:
            value.shape = (*batch, *value.shape[1:])


def _bind(node: Node, phase: str, report: Report, forks: tuple[str, ...]) -> Definition | None:
    layer = node.message
    _check_propagate_down(node, report)
    if not layer.has("type"):
        if layer.misread("type"):
            return None  # said by the text layer
        report.error(
            "layer-without-type", f"layer `{node.name}` has no `type`", layer.span(),
            help='add `type: "..."`', layer=node.name,
        )  # fmt: skip
        return None
    phase = layer.phase if layer.has("phase") else phase
    found = definition_of(layer)
    if found is None:
        return _unknown(node, phase, report, forks)
    param = layer.get(found.param) if found.param else None
    foreign = _foreign(found, layer, report)
    unread = layer.misread() or (param is not None and (param.unknown or param.misread()))
    if unread or any(key in REPLACES for key, _ in foreign):
        # what could not be read was reported; what follows from its absence is no news
        report = Report()
    definition = found(layer, phase, report, forks)
    if unread or any(key in RESHAPES for key, _ in foreign):
        definition.refused = True
    if any(key in REBLOBS for key, _ in foreign):
        definition.blobs_known = False
    if foreign:
        definition.obstacle = foreign[-1][1]
    if layer.odd:
        kind, field = next(layer.odd_fields())
        definition.obstacle = f"caffegen does not know what `{field.name}` of {kind} says here"
    return definition


def _unknown(node: Node, phase: str, report: Report, forks: tuple[str, ...]) -> Unknown:
    """The definition of a type that has none; a warning for one of a fork, else an error."""
    layer = node.message
    at = layer.span("type", value=True)
    known_by = FORK_TYPES.get(node.type)
    if known_by is not None:
        of = f", a type of {listed(known_by.split())}" if known_by else ""
        report.warning(
            "undefined-layer-type", f"caffegen has no definition of `{node.type}`{of}", at,
            help="a plug-in can define it; until then the shapes of its tops are not known",
            layer=node.name,
        )  # fmt: skip
        return Unknown(layer, phase, report, forks)
    # a type with parameters of its own is no slip
    own = f"{node.type.replace('_', '').lower()}param"
    slip = all(field.name.replace("_", "").lower() != own for field in layer.unknown)
    near = _near_type(node.type) if slip else None
    failed = "; ".join(failures())
    hint = f"; did you mean `{near}`?" if near else ""
    report.error(
        "unknown-layer-type", f"no layer type `{node.type}`{hint}", at,
        help=f'write `type: "{near}"`' if near else failed, layer=node.name,
    )  # fmt: skip
    definition = Unknown(layer, phase, report, forks)
    definition.obstacle += hint
    return definition


@lru_cache
def _near_type(name: str) -> str | None:
    """The type that is probably meant; many layers of a net may be of one that is not known."""
    return nearest(name, known_types())


def _foreign(found: type[Definition], layer: Message, report: Report) -> list[tuple[str, str]]:
    """The fields of forks that change what a layer computes, and are not computed; each told of."""
    params = (found.param, *(("loss_param", "softmax_param") if found.loss else ()))
    told = []
    for key, path, change in foreign_effects(layer, params):
        if key not in found.honours:
            param, _, field = path.partition(".")
            said = f"`{field}` is set, and caffegen does not compute it: {change}"
            at = layer.get(param).span(field)
            report.warning("fork-field-not-computed", said, at, layer=layer.name)
            told.append((key, said))
    return told


def _sums_up(node: Node, definition: Definition) -> bool:
    """Whether a fork's field makes a sum with its further bottoms a part of the layer."""
    return len(node.bottom) > 1 and any(
        key in JOINS for key, _, _ in foreign_effects(node.message, (definition.param,))
    )


def _is_foreign(graph: Graph, forks: tuple[str, ...]) -> bool:
    """Whether a net shows itself to be of a fork, if only of one that caffegen does not know."""
    return bool(forks) or any(n.message.odd or n.type in FORK_TYPES for n in graph.nodes)


def _counts_fit(
    node: Node, definition: Definition, report: Report, graph: Graph, forks: tuple[str, ...]
) -> bool:
    """Whether the numbers of bottoms and tops are what the type takes (layer.hpp, CheckBlobCounts).

    In a net of a fork more may fit; that is said, for nothing computes such a layer. Nothing is said
    of a layer with a field that caffegen does not know: it may be another type of the same name.
    """
    unread = node.message.unknown or node.message.misread()
    fits, report = True, Report() if unread else report
    tops = len(node.top)
    if definition.auto_top:
        tops = max(tops, definition.tops.least)
    for word, number, takes, besides in (
        ("bottom", len(node.bottom), definition.bottoms, definition.fork_bottoms),
        ("top", tops, definition.tops, definition.fork_tops),
    ):
        if not takes.takes(number):
            plural = "" if str(takes) == "1" else "s"
            limit = "no" if takes.most == 0 else takes
            if besides and besides[0].takes(number) and _is_foreign(graph, forks):
                said = f"{node.type} with {_counted(number, word)} is for {besides[1]} Caffe"
                report.warning(
                    "fork-blob-count",
                    f"{said}; BVLC's takes {limit}, and caffegen does not compute it",
                    node.message.span(word), layer=node.name,
                )  # fmt: skip
                definition.obstacle = definition.obstacle or f"{said} alone"
                continue
            report.error(
                f"wrong-number-of-{word}s",
                f"{node.type} takes {limit} {word}{plural}, `{node.name}` has {number or 'none'}",
                node.message.span(word) or node.message.span("type", value=True),
                layer=node.name,
            )
            fits = False
    if fits and definition.equal_counts and len(node.top) != len(node.bottom):
        report.error(
            "wrong-number-of-tops",
            f"{node.type} makes one top for each bottom; `{node.name}` has "
            f"{_counted(len(node.bottom), 'bottom')} and {_counted(len(node.top), 'top')}",
            node.message.span("top"), layer=node.name,
        )  # fmt: skip
        fits = False
    return fits


def _check_propagate_down(node: Node, report: Report) -> None:
    layer = node.message
    if (
        "propagate_down" in layer._values
        and len(layer.propagate_down) != len(node.bottom)
        and not (layer.misread("bottom") or layer.misread("propagate_down"))
    ):
        report.error(
            "propagate-down-count",
            f"`{node.name}` has {_counted(len(layer.propagate_down), '`propagate_down` field')} "
            f"for {_counted(len(node.bottom), 'bottom')}",
            layer.span("propagate_down"), help="give it once per bottom, or not at all",
            layer=node.name,
        )  # fmt: skip


def _check_loss_weights(node: Node, definition: Definition, report: Report) -> None:
    layer = node.message
    if "loss_weight" not in layer._values or layer.misread("loss_weight") or layer.misread("top"):
        return
    tops = max(len(node.top), definition.tops.least if definition.auto_top else 0)
    if len(layer.loss_weight) != tops:
        report.error(
            "loss-weight-count",
            f"`{node.name}` has {_counted(len(layer.loss_weight), 'loss weight')} for "
            f"{_counted(tops, 'top')}",
            layer.span("loss_weight"), help="give it once per top, or not at all",
            layer=node.name,
        )  # fmt: skip


def _check_params(node: Node, definition: Definition) -> None:
    layer = node.message
    if "param" not in layer._values:
        return
    blobs = _blob_count(definition)
    if blobs is not None and len(layer.param) > blobs:
        definition.tell(
            "error",
            "too-many-params",
            f"`{node.name}` has {_counted(len(layer.param), '`param` block')} for "
            f"{_counted(blobs, 'weight blob')}",
            layer.span("param", blobs), help="remove those that are too many",
        )  # fmt: skip


def _blob_count(definition: Definition) -> int | None:
    """How many weight blobs a layer has; None where neither its shapes nor its parameters tell."""
    if not definition.blobs_known:
        return None
    if not definition.refused and definition.shaped:
        return len(definition.blobs)
    # a plug-in's may have more than it says
    own = type(definition).__module__.startswith(Definition.__module__.rpartition(".")[0])
    return len(definition.weight_fillers()) if own else None


def _counted(number: int, noun: str) -> str:
    """`no tops`, `1 top`, `2 tops`."""
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
