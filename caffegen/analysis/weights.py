"""Which stored blob belongs to which layer, and everything in which a net and its weights disagree."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple, Protocol

from caffegen.diagnostics import Report
from caffegen.errors import CaffegenError
from caffegen.net import Graph, Node
from caffegen.text import Span

from .sharing import ParamOwner, param_owners

__all__ = ["Blob", "Weights", "match_weights", "save_weights"]

Shape = tuple[int, ...]

# for so many layers without weights the names of those left over are looked through
_LOOKED_FOR = 50


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
    layer of which nothing tells the blobs keeps those that the file holds. Blobs that layers share
    are the same in all of them: those of the layer that the file has last, which Caffe copies last.
    """
    stored, sources = _stored(weights)
    with_blobs = {n.name: n for n in graph.nodes if n.definition is not None and n.definition.blobs}
    known = {node.name for node in graph.nodes}
    owners = param_owners(graph)
    fitted = {
        name: _fit(node, stored[name], owners, report)
        for name, node in with_blobs.items()
        if stored.get(name)
    }
    _share(graph, fitted, owners, list(stored))
    found: dict[str, Sequence[Blob]] = {}
    missing: list[Node] = []
    for name, node in with_blobs.items():
        row = fitted.get(name, ())
        whole = [blob for blob in row or () if blob is not None]
        if row and len(whole) == len(row):
            found[name] = whole
        elif row is not None:
            missing.append(node)
    for node in graph.nodes:
        if node.name in stored and node.name not in with_blobs and _is_open(node):
            found[node.name] = stored[node.name]
    taken = with_blobs.keys() | found.keys()
    extra = {name: blobs for name, blobs in stored.items() if blobs and name not in taken}
    by_shapes: dict[tuple[Shape, ...], list[str]] = {}
    for name, blobs in extra.items():
        by_shapes.setdefault(tuple(blob.shape for blob in blobs), []).append(name)
    for number, node in enumerate(missing):
        _report_missing(node, by_shapes, report, look=number < _LOOKED_FOR)
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
                # what is copied later overwrites, and counts as later where layers share
                stored.pop(layer.name, None)
                stored[layer.name] = layer.blobs
    return stored, tuple(os.fspath(path) for path in paths)


def _fit(
    node: Node, blobs: Sequence[Blob], owners: Mapping[ParamOwner, ParamOwner], report: Report
) -> list[Blob | None] | None:
    """The blobs in the net's shapes, or nothing where they are at fault.

    None stands for a blob that the layer borrows and the file leaves out, as HDF5 files do.
    """
    assert node.definition is not None
    specs = node.definition.blobs
    borrowed = {
        index for index in range(len(specs)) if owners and ParamOwner(node.index, index) in owners
    }
    if len(blobs) > len(specs) or not borrowed.issuperset(range(len(blobs), len(specs))):
        expected = ", ".join(f"{spec.name} {list(spec.shape)}" for spec in specs)
        report.error(
            "weights-wrong-number",
            f"layer `{node.name}` has {len(specs)} weight blobs ({expected}), "
            f"the file holds {len(blobs)}",
            _name_of(node), layer=node.name,
        )  # fmt: skip
        return None
    fitted: list[Blob | None] = []
    for index, spec in enumerate(specs):
        blob = blobs[index] if index < len(blobs) else None
        if blob is None or (index in borrowed and getattr(blob, "absent", False)):
            fitted.append(None)
        elif blob.shape == spec.shape:
            fitted.append(blob)
        elif _same_in_four_axes(blob, spec.shape):
            fitted.append(Reshaped(blob, spec.shape))
        else:
            report.error(
                "weights-shape-differs",
                f"the {spec.name} of layer `{node.name}` is {list(spec.shape)} in the net and "
                f"{list(blob.shape)} in the file",
                _name_of(node),
                help="the prototxt is not the one that these weights were trained with",
                layer=node.name,
            )
    return fitted if len(fitted) == len(specs) else None


def _name_of(node: Node) -> Span | None:
    """Where a layer's name was written, or the layer if it has none."""
    return node.message.span("name", value=True) or node.message.span()


def _share(
    graph: Graph,
    fitted: dict[str, list[Blob | None] | None],
    owners: Mapping[ParamOwner, ParamOwner],
    order: Sequence[str],
) -> None:
    """Give layers that share a parameter the blob of the one that comes last in `order`."""
    groups: dict[ParamOwner, list[ParamOwner]] = {}
    for borrower, owner in owners.items():
        groups.setdefault(owner, [owner]).append(borrower)
    place = {name: index for index, name in enumerate(order)}
    for group in groups.values():
        nodes = [graph.nodes[member.layer] for member in group]
        held: list[tuple[int, Blob]] = []
        for node, member in zip(nodes, group, strict=True):
            row = fitted.get(node.name)
            blob = row[member.blob] if row else None
            if blob is not None:
                held.append((place[node.name], blob))
        if not held:
            continue
        _, last = max(held, key=lambda entry: entry[0])
        for node, member in zip(nodes, group, strict=True):
            assert node.definition is not None
            specs = node.definition.blobs
            row = fitted.setdefault(node.name, [None] * len(specs))
            shape = specs[member.blob].shape
            if row is not None and prod(last.shape) == prod(shape):
                row[member.blob] = last if last.shape == shape else Reshaped(last, shape)


def _same_in_four_axes(blob: Blob, shape: Shape) -> bool:
    """Whether an old blob of num, channels, height, width is this shape (blob.cpp, ShapeEquals)."""
    if not getattr(blob, "legacy_shape", False) or len(shape) > 4:
        return False
    return blob.shape == (1,) * (4 - len(shape)) + shape


def _report_missing(
    node: Node, by_shapes: Mapping[tuple[Shape, ...], Sequence[str]], report: Report, *, look: bool
) -> None:
    """Warn of a layer without weights; with `look` name left-over ones that would fit it."""
    assert node.definition is not None
    alike = by_shapes.get(tuple(spec.shape for spec in node.definition.blobs), ())
    help_text = ""
    if alike and look:
        from caffegen.schema.suggest import nearest

        near = nearest(node.name, alike) or alike[0]
        help_text = f"the weights of `{near}` have its shapes; was the layer renamed?"
    report.warning(
        "layer-without-weights",
        f"the weights hold nothing for layer `{node.name}`",
        _name_of(node),
        help=help_text, layer=node.name,
    )  # fmt: skip


def save_weights(path: str | os.PathLike[str], graph: Graph, weights: Weights | None) -> None:
    """Write a .caffemodel, or a .caffemodel.h5, with the layers of the net and their blobs."""
    from caffegen.weights import write_weights

    if weights is None:
        raise CaffegenError("the net has no weights to save; give them to `load`")
    blobs = weights.blobs
    layers: Iterable[Any] = (
        (node.name, node.type, node.bottom, node.top, blobs.get(node.name, ()))
        for node in graph.nodes
    )
    write_weights(path, graph.name, layers)
