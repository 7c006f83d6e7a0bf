"""Where the TRAIN and the TEST net of one file disagree; a solver runs both on the same weights."""

from __future__ import annotations

from collections.abc import Iterator

from caffegen.diagnostics import Diagnostic
from caffegen.net import Graph, Node, Value

__all__ = ["compare_phases"]


def compare_phases(train: Graph, test: Graph) -> Iterator[Diagnostic]:
    """Weights that can't be shared, and blobs of other shapes where the layers before agree."""
    refused = set()
    nodes = {node.name: node for node in reversed(test.nodes)}
    for node in train.nodes:
        other = nodes.get(node.name)
        if other is not None:
            found = _compare_weights(node, other)
            if found is not None:
                refused.add(node.name)
                yield found
    for name, value in train.final.items():
        other_value = test.final.get(name)
        if other_value is None or not _differ(value, other_value):
            continue
        first = _first_version(value)
        maker = first.producer
        if maker is None or maker.name in refused or _inherits(maker, train, test):
            continue
        yield Diagnostic(
            "phase-shapes-differ", "warning", maker.message.span("top", first.output_index),
            f"`{name}` is {_shown(value)} in TRAIN and {_shown(other_value)} in TEST",
            help="give both phases the same sizes behind the batch, unless the net takes any",
            layer=maker.name,
        )  # fmt: skip


def _compare_weights(train: Node, test: Node) -> Diagnostic | None:
    """The first weight blob that differs (net.cpp, ShareTrainedLayersWith)."""
    if not (_is_known(train) and _is_known(test)):
        return None
    assert train.definition is not None
    assert test.definition is not None
    mine, theirs = train.definition.blobs, test.definition.blobs
    said = ""
    if len(mine) != len(theirs):
        said = f"`{train.name}` has {len(mine)} weight blobs in TRAIN and {len(theirs)} in TEST"
    for blob, other in zip(mine, theirs):
        if not said and blob.shape != other.shape:
            said = (
                f"the {blob.name} of `{train.name}` is {list(blob.shape)} in TRAIN and "
                f"{list(other.shape)} in TEST"
            )
    if not said:
        return None
    message = test.message
    return Diagnostic(
        "phase-weights-differ", "error", message.span("name", value=True) or message.span(), said,
        help="give both phases inputs of one size, or the layers different names",
        layer=test.name,
    )  # fmt: skip


def _is_known(node: Node) -> bool:
    """Whether the layer was set up, so that its weight blobs are known."""
    definition = node.definition
    return (
        definition is not None
        and not definition.refused
        and all(value is not None and value.shape is not None for value in node.inputs)
    )


def _differ(first: Value, second: Value) -> bool:
    """Whether two shapes differ in more than the size of the batch."""
    if first.shape is None or second.shape is None:
        return False
    return len(first.shape) != len(second.shape) or first.shape[1:] != second.shape[1:]


def _first_version(value: Value) -> Value:
    """The blob before the layers that work on it in place."""
    while value.producer is not None and value.producer.in_place(value.output_index):
        before = value.producer.inputs[value.output_index]
        if before is None:
            break
        value = before
    return value


def _inherits(maker: Node, train: Graph, test: Graph) -> bool:
    """Whether the shapes differ in a bottom already."""
    return any(
        name in train.final and name in test.final and _differ(train.final[name], test.final[name])
        for name in maker.bottom
    )


def _shown(value: Value) -> str:
    return str(list(value.shape or ()))
