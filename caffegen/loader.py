"""Loading: from a prototxt, and weights if there are any, to a net whose shapes are known."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from caffegen.analysis import infer
from caffegen.analysis.dialect import find_dialect, report_dialect
from caffegen.collection import collection_paused
from caffegen.diagnostics import UNKNOWN, Diagnostic, NetError, Report, told_once
from caffegen.errors import CaffegenError, FileError, unreadable
from caffegen.legacy import upgrade_net, with_input_sizes
from caffegen.net import Graph, NetState, Node, build_graph, filter_layers, state_of
from caffegen.plugins import discover
from caffegen.schema import message_type
from caffegen.schema.suggest import nearest
from caffegen.text import Message, Source, parse, print_message

if TYPE_CHECKING:
    import numpy as np

    from caffegen.analysis.weights import Blob, Weights

__all__ = ["Examined", "Net", "examine", "load", "loads", "read_source", "refuse_other_kinds"]

Shape = tuple[int, ...]


_LARGEST_TEXT = 1 << 28


def read_source(path: str | os.PathLike[str]) -> Source:
    """The text of a file; bytes that are no UTF-8 are kept as surrogate escapes, as Caffe keeps them."""
    path = os.fspath(path)
    try:
        size = os.stat(path).st_size
        if size > _LARGEST_TEXT:
            raise FileError(path, f"it has {size} bytes; no prototxt is that large")
        with open(path, "rb", buffering=0) as file:
            data = file.readall()
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None
    kind = _not_a_prototxt(data)
    if kind:
        raise FileError(path, kind)
    return Source(data.decode("utf-8", "surrogateescape"), path)


def _not_a_prototxt(data: bytes) -> str:
    """What the file really is, where its first bytes say that it is no text of ours."""
    if data.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"
    if data.startswith(b"\x89HDF"):
        return "it is an HDF5 file, not a prototxt; give it as weights"
    if data.startswith(b"PK\x03\x04"):
        return "it is a zip archive, not a prototxt"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "it is UTF-16 text; save it as UTF-8"
    if data.lstrip()[:9].lower() in (b"<!doctype", b"<html>") or data.lstrip()[:5] == b"<?xml":
        return "it is a web page, not a prototxt"
    head = data[:4096]
    if b"\0" in head and sum(byte < 9 for byte in head) > len(head) // 50:
        return "it is a binary file, not a prototxt; weights go in second place"
    return ""


class Net:
    """A loaded net: its layers in order, the shapes of its blobs and, if given, its weights.

    `diagnostics` holds the warnings; a net with errors is never made (`NetError` instead). What
    caffegen does not know is no such error: such a net can be looked at, compared and written, and
    its layers have an `obstacle`. `obstacle` here is what stands outside of any one layer.
    """

    def __init__(
        self,
        message: Message,
        graph: Graph,
        state: NetState,
        diagnostics: Sequence[Diagnostic],
        weights: Weights | None,
        source: Source | None,
        obstacle: str = "",
    ) -> None:
        self.message = message
        self.graph = graph
        self.state = state
        self.diagnostics: list[Diagnostic] = list(diagnostics)
        self.weights = weights
        self.source = source
        self.obstacle = obstacle

    @property
    def name(self) -> str:
        """The net's name as the file gives it."""
        return self.graph.name

    @property
    def phase(self) -> str:
        """`TRAIN` or `TEST`."""
        return self.state.phase

    @property
    def layers(self) -> tuple[Node, ...]:
        """The layers that run, in order; each with name, type, bottom, top and definition."""
        return tuple(self.graph.nodes)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The blobs that the caller gives: the tops of Input layers."""
        return tuple(value.name for value in self.graph.inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The blobs that no layer reads, sorted by name as Caffe does.

        A top with a loss weight that is read on counts too, as `<blob>_<layer>_<index>_split_0`.
        """
        return tuple(self.graph.named_outputs)

    @property
    def shapes(self) -> dict[str, Shape | None]:
        """The shape of each blob's final version, in order of first appearance.

        None for what is known only when the net runs.
        """
        return {name: value.shape for name, value in self.graph.final.items()}

    @property
    def params(self) -> Params:
        """`{layer name: [arrays]}` in Caffe's blob order and shape; read-only views of the file."""
        return Params(self.weights)

    @property
    def loss_weights(self) -> dict[str, float]:
        """The weight of each blob that counts in the loss."""
        found = {}
        for node in self.graph.nodes:
            given = node.message.loss_weight
            default = 1.0 if node.definition is not None and node.definition.loss else 0.0
            for index, top in enumerate(node.top):
                weight = (
                    given[index] if index < len(given) else (0.0 if index or given else default)
                )
                if weight:
                    found[top] = weight
        return found

    def to_prototxt(self) -> str:
        """The net as text of today's format: upgraded, and without the layers of other states."""
        return print_message(self.message)

    def fill(self, seed: int = 0, *, strict: bool = False) -> list[Node]:
        """Give seeded weights to the layers that have none, by `analysis.fill`; those layers."""
        from caffegen.analysis.fill import fill_params
        from caffegen.analysis.weights import Weights, match_weights

        given = self.weights or Weights({})
        missing = [
            node
            for node in self.graph.nodes
            if node.definition is not None
            and node.definition.blobs
            and node.name not in given.blobs
        ]
        values = fill_params(self.graph, seed, only=missing, strict=strict)
        # of layers that share a blob the last counts: the first of those filled, then what is given
        filled = match_weights(self.graph, dict(reversed(values.items())), Report())
        both = match_weights(self.graph, Weights({**filled.blobs, **given.blobs}), Report())
        self.weights = Weights(both.blobs, given.sources)
        return missing

    def save(
        self,
        prototxt: str | os.PathLike[str] | None = None,
        caffemodel: str | os.PathLike[str] | None = None,
    ) -> None:
        """Write the text, the weights, or both; each file appears whole or not at all."""
        from caffegen.atomic import atomic_write

        if prototxt is not None:
            with atomic_write(prototxt, "w") as file:
                file.write(self.to_prototxt())
        if caffemodel is not None:
            from caffegen.analysis.weights import save_weights

            save_weights(caffemodel, self.graph, self.weights)

    def __repr__(self) -> str:
        return f"<Net {self.name!r}: {len(self.graph.nodes)} layers, phase {self.phase}>"


class Params(Mapping[str, "list[np.ndarray[Any, Any]]"]):
    """The weights of a net by layer name; arrays are made when a layer is asked for."""

    def __init__(self, weights: Weights | None) -> None:
        self._blobs: Mapping[str, Sequence[Blob]] = weights.blobs if weights is not None else {}

    def __getitem__(self, name: str) -> list[np.ndarray[Any, Any]]:
        return [blob.array() for blob in self._blobs[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._blobs)

    def __len__(self) -> int:
        return len(self._blobs)

    def __repr__(self) -> str:
        return f"<Params of {len(self)} layers>"


class Examined(NamedTuple):
    """All that was found out about a text: the graph as far as it goes, and every finding.

    `obstacle` says why the net as a whole can't be computed, `""` where it can be.
    """

    message: Message
    graph: Graph
    state: NetState
    report: Report
    obstacle: str = ""


def examine(
    source: Source,
    *,
    phase: str | int = "TEST",
    stages: Sequence[str] = (),
    level: int = 0,
    given: Mapping[str, Shape] | None = None,
    report: Report | None = None,
    dialect: str = "",
) -> Examined:
    """Parse, upgrade, filter, connect and infer; goes on past faults and never raises for them.

    `given` holds shapes by blob name, for inputs and data layers whose file does not say them;
    `dialect` is the fork of Caffe that the net is for, where the caller knows it.
    """
    report = report if report is not None else Report()
    with collection_paused():
        parsed = parse(source, message_type("NetParameter"), nearest)
        if parsed.message.odd and discover():
            parsed = parse(source, message_type("NetParameter"), nearest)
        report.faults(source, parsed.faults)
        return examine_message(
            parsed.message, phase=phase, stages=stages, level=level, given=given, report=report,
            dialect=dialect,
        )  # fmt: skip


def refuse_other_kinds(source: Source, examined: Examined) -> None:
    """Raise FileError for a text without layers that was meant for something else."""
    if examined.message.layer or not examined.message.unknown:
        return
    from caffegen.check.kind import read_kind

    kind = read_kind(source)
    if kind.word == "solver":
        named = kind.message.net or kind.message.train_net
        its_net = f"; its net is `{named}`" if named else ""
        raise FileError(source.path, f"it is a solver, not a net{its_net}")
    if kind.word == "labels":
        raise FileError(source.path, "it is a label map, the names of classes, and no net")
    if kind.word == "other":
        first = kind.message.unknown[0].name
        raise FileError(source.path, f"it is no net of Caffe, which has no field `{first}`")


def examine_message(
    message: Message,
    *,
    phase: str | int,
    stages: Sequence[str],
    level: int,
    given: Mapping[str, Shape] | None,
    report: Report,
    dialect: str = "",
) -> Examined:
    """As `examine`, from a NetParameter message."""
    given = _checked_shapes(given)
    found = find_dialect(message, dialect)
    report_dialect(found, report)
    upgraded = upgrade_net(with_input_sizes(message, given))
    report.faults(message._source, upgraded.faults)
    report.faults(message._source, upgraded.warnings, "warning")
    message = upgraded.message
    state = state_of(message, phase, level, stages)
    obstacle = _obstacle(message)
    kept = filter_layers(message, state, report)
    if len(kept) != len(message.layer):
        message = message.shallow_copy()
        message._values["layer"] = kept
        message._places.pop("layer", None)
    graph = build_graph(message.name, kept, report, nearest)
    infer(graph, state.phase, report, given, found.forks)
    return Examined(message, graph, state, report, obstacle)


def _checked_shapes(given: Mapping[str, Shape] | None) -> dict[str, Shape]:
    """Shapes from a caller; CaffegenError for what is none."""
    checked = {}
    for name, shape in (given or {}).items():
        try:
            checked[name] = tuple(map(operator.index, shape))
        except TypeError:
            raise CaffegenError(f"`{shape}` is no shape for `{name}`; write (1, 3, 8, 8)") from None
        if any(size < 0 for size in checked[name]):
            raise CaffegenError(f"the shape {list(shape)} for `{name}` has a size below 0")
    return checked


def _obstacle(net: Message) -> str:
    """What can't be read outside of the layers, or in the rules that leave them in and out."""
    if not net.odd:
        return ""
    for name, value in net._values.items():
        held = value if name != "layer" else [r for la in value for r in (*la.include, *la.exclude)]
        for message in held if isinstance(held, list) else [held]:
            if isinstance(message, Message) and message.odd:
                kind, field = next(message.odd_fields())
                return f"caffegen does not know what `{field.name}` of {kind} says"
    unknown = net.unknown
    return f"caffegen does not know what `{unknown[0].name}` says" if unknown else ""


def _finish(examined: Examined, weights: Any, source: Source | None) -> Net:
    report = examined.report
    if source is not None:
        refuse_other_kinds(source, examined)
    if _refused(report):
        raise NetError(told_once(report.in_file_order()))
    matched = None
    if weights is not None:
        from caffegen.analysis.weights import match_weights

        matched = match_weights(examined.graph, weights, report)
        if _refused(report):
            raise NetError(told_once(report.in_file_order()))
    found = [
        each._replace(severity="warning") if each.name in UNKNOWN else each
        for each in told_once(report.in_file_order())
    ]
    return Net(
        examined.message, examined.graph, examined.state, found, matched, source, examined.obstacle
    )


def _refused(report: Report) -> bool:
    return any(found.name not in UNKNOWN for found in report.errors)


def load(
    prototxt: str | os.PathLike[str],
    weights: Any = None,
    *,
    phase: str | int = "TEST",
    stages: Sequence[str] = (),
    level: int = 0,
    inputs: Mapping[str, Shape] | None = None,
    dialect: str = "",
) -> Net:
    """Load a net from a prototxt of any version, and its weights.

    `phase` is `"TRAIN"` or `"TEST"`, or as in pycaffe `caffegen.TRAIN` or `caffegen.TEST`.
    `weights` is a path, several paths (later ones overwrite, as Caffe's do), or
    `{layer name: [arrays]}`. `inputs` gives or replaces shapes of input and data blobs by name.
    `dialect` names the Caffe that the net is for (`ssd`, `intel`, ... or `bvlc`), where its own
    fields don't tell. Raises NetError with every finding, or FileError for a file that can't be
    read. Layers and fields that caffegen does not know are carried along, and a warning each.
    """
    with collection_paused():
        source = read_source(prototxt)
        examined = examine(
            source, phase=phase, stages=stages, level=level, given=inputs, dialect=dialect
        )
        return _finish(examined, weights, source)


def loads(
    text: str | Message | Any,
    weights: Any = None,
    *,
    phase: str | int = "TEST",
    stages: Sequence[str] = (),
    level: int = 0,
    inputs: Mapping[str, Shape] | None = None,
    dialect: str = "",
) -> Net:
    """As `load`, from the text itself, a NetSpec, or a NetParameter message (ours or protobuf's)."""
    if isinstance(text, str):
        source = Source(text)
        examined = examine(
            source, phase=phase, stages=stages, level=level, given=inputs, dialect=dialect
        )
        return _finish(examined, weights, source)
    message = text
    if hasattr(text, "to_message"):
        message = text.to_message()
    elif not isinstance(text, Message):
        if not hasattr(text, "DESCRIPTOR"):
            raise CaffegenError(
                f"`loads` takes a text, a NetSpec or a NetParameter, found {type(text).__name__}"
            )
        from caffegen.schema.protobuf import from_protobuf

        message = from_protobuf(text)
    kind = message.message_type.name
    if kind != "NetParameter":
        raise CaffegenError(f"`loads` takes a NetParameter, found {kind}")
    with collection_paused():
        examined = examine_message(
            message, phase=phase, stages=stages, level=level, given=inputs, report=Report(),
            dialect=dialect,
        )  # fmt: skip
    return _finish(examined, weights, None)
