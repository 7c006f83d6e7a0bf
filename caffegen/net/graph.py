"""The layers of a net as a graph in which every top is a new value.

Caffe reuses names: a layer that works in place writes a new version of the blob it read. Here each
version is a `Value` of its own, so that nothing downstream has to think about order or aliasing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from caffegen.diagnostics import Report
from caffegen.text import Message

if TYPE_CHECKING:
    from caffegen.layer_types import Definition

__all__ = ["Graph", "Node", "Value", "build_graph"]

Shape = tuple[int, ...]

# so many missing blobs are looked for under names like theirs, each among all names before it
_LOOKED_FOR = 50


class Value:
    """One version of a blob: who made it, who reads it, and (after inference) its shape.

    `shape` is None where it can't be known before the net runs.
    """

    __slots__ = ("name", "output_index", "producer", "readers", "shape", "version")

    def __init__(self, name: str, version: int, producer: Node | None, output_index: int) -> None:
        self.name = name
        self.version = version
        self.producer = producer
        self.output_index = output_index
        self.readers: list[Node] = []
        self.shape: Shape | None = None

    @property
    def key(self) -> str:
        """A name of its own for this version: the blob's name, and `#n` for all but the first."""
        return self.name if self.version == 0 else f"{self.name}#{self.version}"

    def __repr__(self) -> str:
        return f"<Value {self.key} {self.shape}>"


class Node:
    """One layer in the graph. `inputs` holds None where a bottom names nothing known.

    `definition` is set by inference; None for a layer type that nothing defines.
    """

    __slots__ = (
        "bottom", "definition", "index", "inputs", "message", "name", "outputs", "top", "type",
    )  # fmt: skip

    def __init__(self, index: int, message: Message) -> None:
        self.index = index
        self.message = message
        self.name: str = message.name
        self.type: str = message.type
        self.bottom: tuple[str, ...] = tuple(message.bottom)
        self.top: tuple[str, ...] = tuple(message.top)
        self.inputs: tuple[Value | None, ...] = ()
        self.outputs: tuple[Value, ...] = ()
        self.definition: Definition | None = None

    def in_place(self, top_index: int) -> bool:
        """Whether this top is written over the bottom of the same index."""
        return (
            top_index < len(self.top)
            and top_index < len(self.bottom)
            and self.top[top_index] == self.bottom[top_index]
        )

    def __repr__(self) -> str:
        return f"<Node {self.type} {self.name}>"


class Graph:
    """Nodes in the order of the file, which is Caffe's order of running, and their values."""

    __slots__ = ("final", "inputs", "name", "nodes", "outputs", "split_losses", "values")

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes: list[Node] = []
        self.values: list[Value] = []
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        # the last version of each blob, in order of first appearance
        self.final: dict[str, Value] = {}
        # a top with a loss weight that is read on: Caffe makes its copy another output, by this name
        self.split_losses: dict[str, Value] = {}

    @property
    def named_outputs(self) -> dict[str, Value]:
        """Every output by the name that Caffe gives it, sorted by name."""
        found = {value.name: value for value in self.outputs} | self.split_losses
        return dict(sorted(found.items()))


def build_graph(
    name: str,
    layers: Iterable[Message],
    report: Report,
    suggest: Callable[[str, Iterable[str]], str | None] | None = None,
) -> Graph:
    """Connect layers by blob name as Caffe does, and report what it refuses (net.cpp, insert_splits.cpp).

    Caffe copies a blob that has several readers, so a layer among them can't work on it in place.
    """
    graph = Graph(name)
    final = graph.final
    overwrites: list[tuple[Node, int, Value]] = []
    missing: list[tuple[Node, int]] = []
    loss_uses: dict[int, Value] = {}
    for index, message in enumerate(layers):
        node = Node(index, message)
        graph.nodes.append(node)
        inputs: list[Value | None] = []
        for bottom_index, bottom in enumerate(node.bottom):
            value = final.get(bottom)
            if value is None:
                missing.append((node, bottom_index))
            else:
                value.readers.append(node)
            inputs.append(value)
        node.inputs = tuple(inputs)
        outputs = []
        for top_index, top in enumerate(node.top):
            earlier = final.get(top)
            if earlier is not None:
                overwrites.append((node, top_index, earlier))
            value = Value(top, 0 if earlier is None else earlier.version + 1, node, top_index)
            final[top] = value
            graph.values.append(value)
            outputs.append(value)
        node.outputs = tuple(outputs)
        if node.type == "Input":
            graph.inputs.extend(outputs)
        for weight, value in zip(message.loss_weight, outputs, strict=False):
            if weight:
                loss_uses[id(value)] = value
    _report_missing(graph, missing, report, suggest)
    for node, top_index, earlier in overwrites:
        _report_overwrite(node, top_index, earlier, id(earlier) in loss_uses, report)
    for value in loss_uses.values():
        if value.readers and value.producer is not None:
            split = f"{value.name}_{value.producer.name}_{value.output_index}_split_0"
            graph.split_losses[split] = value
    graph.outputs = sorted(
        (value for value in final.values() if not value.readers), key=lambda value: value.name
    )
    return graph


def _report_missing(
    graph: Graph,
    missing: Sequence[tuple[Node, int]],
    report: Report,
    suggest: Callable[[str, Iterable[str]], str | None] | None,
) -> None:
    if not missing:
        return
    makers: dict[str, Node] = {}
    for node in graph.nodes:
        for top in node.top:
            makers.setdefault(top, node)
    misread = [node for node in graph.nodes if node.message.misread()]
    for number, (node, index) in enumerate(missing):
        name = node.bottom[index]
        first = makers.get(name)
        if first is None and any(_names(other, name) for other in misread if other is not node):
            continue  # it may be the top that could not be read, which was reported
        if first is not None:
            own = first is node
            message = (
                f"layer `{node.name}` reads `{name}`, which only it makes"
                if own
                else f"`{name}` is read before layer `{first.name}` makes it"
            )
            report.error(
                "bottom-before-top", message, node.message.span("bottom", index),
                help="" if own else f"move the layer behind `{first.name}`",
                other=(first.message.span("top", first.top.index(name)), "it is made here"),
                layer=node.name,
            )  # fmt: skip
            continue
        near = None
        if suggest is not None and number < _LOOKED_FOR:
            known = (top for earlier in graph.nodes[: node.index] for top in earlier.top)
            near = suggest(name, dict.fromkeys(known))
        hint = f"; did you mean `{near}`?" if near else ""
        report.error(
            "unknown-bottom",
            f"no layer before `{node.name}` makes the blob `{name}`{hint}",
            node.message.span("bottom", index),
            help=f"write `{near}`" if near else "name the top of an earlier layer",
            layer=node.name,
        )


def _names(node: Node, blob: str) -> bool:
    """Whether the text of a layer has a blob's name in it, wherever that is."""
    span = node.message.span()
    return span is not None and blob in span.text


def _report_overwrite(
    node: Node, top_index: int, earlier: Value, has_loss: bool, report: Report
) -> None:
    top = node.top[top_index]
    maker = earlier.producer
    assert maker is not None
    made = (maker.message.span("top", earlier.output_index), "it is made here")
    at = node.message.span("top", top_index)
    if not node.in_place(top_index):
        report.error(
            "top-made-twice",
            f"`{top}` is the top of `{maker.name}` and of `{node.name}`; one blob has one maker",
            at, help="give one of the tops another name", other=made, layer=node.name,
        )  # fmt: skip
        return
    others = [reader for reader in earlier.readers if reader is not node]
    twice = len(earlier.readers) - len(others) > 1
    if not others and not twice and not has_loss:
        return
    if others:
        reader = others[0]
        reason = f"`{reader.name}` reads it too"
        other = (reader.message.span("bottom", reader.bottom.index(top)), "it is read here")
    else:
        reason = "the layer reads it twice" if twice else "it has a loss weight"
        other = made
    report.error(
        "in-place-over-shared-blob",
        f"`{node.name}` works in place on `{top}`, but {reason}",
        at,
        help="give the top a name of its own, and read that name behind it",
        other=other,
        layer=node.name,
    )
