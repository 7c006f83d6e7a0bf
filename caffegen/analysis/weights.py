"""Which stored blob belongs to which layer, and everything in which a net and its weights disagree."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from caffegen.diagnostics import Report
from caffegen.errors import CaffegenError
from caffegen.net import Graph, Node

__all__ = ["Blob", "Weights", "match_weights", "save_weights"]

Shape = tuple[int, ...]


class Blob(Protocol):
    """A weight blob, wherever it is: mapped from a file, or in memory."""

    @property
    def shape(self) -> Shape: ...

    def array(self) -> Any:
        """The values, read-only; a view where they lie in one piece."""


class Weights(NamedTuple):
    """The blobs of each layer that has weights, in Caffe's order and in the net's shapes."""

    blobs: Mapping[str, Sequence[Blob]]
    sources: tuple[str, ...] = ()


class _Array:
    """A blob in memory."""

    def __init__(self, array: Any) -> None:
        import numpy as np

        view = np.asarray(array)
        if view.dtype not in (np.float32, np.float64, np.float16):
            view = view.astype(np.float32)
        view = view.view()
        view.flags.writeable = False
        self._array = view
        self.shape: Shape = view.shape

    def array(self) -> Any:
        return self._array


class Reshaped:
    """A stored blob in the shape that the net gives it (old files count every blob as 4-D)."""

    def __init__(self, stored: Blob, shape: Shape) -> None:
        self.stored = stored
        self.shape = shape

    def array(self) -> Any:
        return self.stored.array().reshape(self.shape)


def match_weights(graph: Graph, weights: Any, report: Report) -> Weights:
    """Give every layer its blobs by name (net.cpp, CopyTrainedLayersFrom), and report what is off.

    Mis-shaped blobs and wrong numbers of blobs are errors, as in Caffe; layers that get no weights
    and weights that no layer takes are warnings, since Caffe passes over them without a word. A
    layer of which nothing tells the blobs keeps those that the file holds.
    """
    stored, sources = _stored(weights)
    with_blobs = {n.name: n for n in graph.nodes if n.definition is not None and n.definition.blobs}
    known = {node.name for node in graph.nodes}
    found: dict[str, Sequence[Blob]] = {}
    for name, node in with_blobs.items():
        fitted = _fit(node, stored[name], report) if stored.get(name) else None
        if fitted is not None:
            found[name] = fitted
    for node in graph.nodes:
        if node.name in stored and node.name not in with_blobs and _is_open(node):
            found[node.name] = stored[node.name]
    missing = [node for name, node in with_blobs.items() if not stored.get(name)]
    extra = {n: blobs for n, blobs in stored.items() if blobs and n not in {**with_blobs, **found}}
    for node in missing:
        _report_missing(node, extra, report)
    for name, blobs in extra.items():
        where = "has no weights in the net" if name in known else "is not in the net"
        shapes = ", ".join(str(list(blob.shape)) for blob in blobs)
        report.warning(
            "weights-without-layer", f"the weights of `{name}` ({shapes}): the layer {where}",
            layer=name,
        )  # fmt: skip
    return Weights(found, sources)


def _is_open(node: Node) -> bool:
    """Whether it can't be told which blobs a layer has."""
    definition = node.definition
    if definition is None or definition.refused or not definition.blobs_known:
        return True
    return any(value is None or value.shape is None for value in node.inputs)


def _stored(weights: Any) -> tuple[dict[str, Sequence[Blob]], tuple[str, ...]]:
    if isinstance(weights, Weights):
        return dict(weights.blobs), weights.sources
    if isinstance(weights, Mapping):
        return {name: [_Array(array) for array in arrays] for name, arrays in weights.items()}, ()
    paths = [weights] if isinstance(weights, (str, os.PathLike)) else list(weights)
    from caffegen.weights import open_weights

    stored: dict[str, Sequence[Blob]] = {}
    for path in paths:
        for layer in open_weights(path).layers:
            if layer.blobs:
                stored[layer.name] = layer.blobs
    return stored, tuple(os.fspath(path) for path in paths)


def _fit(node: Node, blobs: Sequence[Blob], report: Report) -> list[Blob] | None:
    assert node.definition is not None
    specs = node.definition.blobs
    at = node.message.span("name", value=True) or node.message.span()
    if len(blobs) != len(specs):
        expected = ", ".join(f"{spec.name} {list(spec.shape)}" for spec in specs)
        report.error(
            "weights-wrong-number",
            f"layer `{node.name}` has {len(specs)} weight blobs ({expected}), "
            f"the file holds {len(blobs)}",
            at, layer=node.name,
        )  # fmt: skip
        return None
    fitted: list[Blob] = []
    for spec, blob in zip(specs, blobs):
        if blob.shape == spec.shape:
            fitted.append(blob)
        elif _same_in_four_axes(blob, spec.shape):
            fitted.append(Reshaped(blob, spec.shape))
        else:
            report.error(
                "weights-shape-differs",
                f"the {spec.name} of layer `{node.name}` is {list(spec.shape)} in the net and "
                f"{list(blob.shape)} in the file",
                at,
                help="the prototxt is not the one that these weights were trained with",
                layer=node.name,
            )
    return fitted if len(fitted) == len(specs) else None


def _same_in_four_axes(blob: Blob, shape: Shape) -> bool:
    """Whether an old blob of num, channels, height, width is this shape (blob.cpp, ShapeEquals)."""
    if not getattr(blob, "legacy_shape", False) or len(shape) > 4:
        return False
    return blob.shape == (1,) * (4 - len(shape)) + shape


def _report_missing(node: Node, extra: Mapping[str, Sequence[Blob]], report: Report) -> None:
    assert node.definition is not None
    shapes = [spec.shape for spec in node.definition.blobs]
    alike = [name for name, blobs in extra.items() if [b.shape for b in blobs] == shapes]
    help_text = ""
    if alike:
        from caffegen.schema.suggest import nearest

        near = nearest(node.name, alike) or alike[0]
        help_text = f"the weights of `{near}` have its shapes; was the layer renamed?"
    report.warning(
        "layer-without-weights",
        f"the weights hold nothing for layer `{node.name}`",
        node.message.span("name", value=True) or node.message.span(),
        help=help_text, layer=node.name,
    )  # fmt: skip


def save_weights(path: str | os.PathLike[str], graph: Graph, weights: Weights | None) -> None:
    """Write a .caffemodel with the layers of the net and their blobs."""
    from caffegen.weights import write_caffemodel

    if weights is None:
        raise CaffegenError("the net has no weights to save; give them to `load`")
    blobs = weights.blobs
    layers: Iterable[Any] = (
        (node.name, node.type, node.bottom, node.top, blobs.get(node.name, ()))
        for node in graph.nodes
    )
    write_caffemodel(path, graph.name, layers)
