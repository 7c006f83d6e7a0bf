"""Layers that sort, cut off or round, and the net in which they read another runtime's values.

Two runtimes whose maps agree to the seventh digit may put two boxes of nearly equal scores in another
order, or round a corner to another cell; what such a layer gives then differs by a lot, and so does
all behind it. That is no fault of either, and none of it can be told by a wider tolerance. Given the
same bottoms, bit by bit, such a layer and those behind it have to agree like any other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from caffegen.analysis.dialect import find_dialect
from caffegen.loader import Net, loads
from caffegen.text import Message

if TYPE_CHECKING:
    from caffegen.net import Node

__all__ = [
    "Cut",
    "cut_before",
    "deciding_layers",
    "made_from",
    "paired_detections",
    "what_it_decides",
]

_SORTS = "sorts boxes by their scores and cuts them off"
_LARGEST = "takes the largest value's place"
_ROUNDS = "rounds regions to cells"
_DECIDING = {
    "Accuracy": _LARGEST,
    "ArgMax": _LARGEST,
    "DetectionOutput": _SORTS,
    "PSROIPooling": _ROUNDS,
    "Proposal": _SORTS,
    "ROIAlign": _ROUNDS,
    "ROIPooling": _ROUNDS,
    "RegionOutput": _SORTS,
    "Threshold": "compares values with a bound",
    "YoloDetectionOutput": _SORTS,
    "Yolov3DetectionOutput": _SORTS,
    "rpn.proposal_layer.ProposalLayer": _SORTS,
}


class Cut(NamedTuple):
    """A net whose deciding layers read inputs of their own, and the values of these inputs."""

    net: Net
    inputs: dict[str, Any]


def what_it_decides(node: Node) -> str:
    """What the layer does by which small differences become large, `""` for one that does not."""
    if node.type == "Pooling" and len(node.outputs) > 1:
        # its mask
        return _LARGEST
    return _DECIDING.get(node.type if node.definition is None else node.definition.type, "")


def deciding_layers(net: Net) -> list[Node]:
    """The layers that sort, cut off or round, in the order of the net."""
    return [node for node in net.graph.nodes if what_it_decides(node)]


def made_from(nodes: Sequence[Node]) -> set[int]:
    """The `id`s of all values that these layers make, and those behind them."""
    found: set[int] = set()
    left = list(nodes)
    while left:
        for value in left.pop().outputs:
            if id(value) not in found:
                found.add(id(value))
                left.extend(value.readers)
    return found


def cut_before(
    net: Net, nodes: Sequence[Node], values: Mapping[str, Any], inputs: Mapping[str, Any]
) -> Cut:
    """The net with Input layers for what these layers read, as far as it is in `values`.

    What the caller of the net gives, `inputs`, is read as before. Raises NetError where the layers
    do not fit the shapes of the values.
    """
    taken = {*net.graph.final, *inputs}
    given: dict[str, str] = {}
    layers = {node.index: node.message for node in nodes}
    for node in nodes:
        bottoms = []
        for value in node.inputs:
            name = "" if value is None else value.name
            is_last = value is not None and net.graph.final.get(name) is value
            if is_last and name in values and name not in inputs:
                given.setdefault(name, _free_name(f"{name}/given", taken))
            bottoms.append(given.get(name, name) if is_last else name)
        layers[node.index] = _with_bottoms(node.message, bottoms)
    message = net.message.shallow_copy()
    message.set(
        "layer",
        [
            *(_input_layer(message, given[name], values[name].shape) for name in given),
            *(layers.get(node.index, node.message) for node in net.graph.nodes),
        ],
    )
    made = loads(
        message, phase=net.phase, stages=tuple(net.state.stages), level=net.state.level,
        inputs={name: tuple(array.shape) for name, array in inputs.items()},
        dialect=_dialect_of(net, message),
    )  # fmt: skip
    made.weights = net.weights
    return Cut(made, {given[name]: values[name] for name in given})


def _free_name(wanted: str, taken: Collection[str]) -> str:
    while wanted in taken:
        wanted += "'"
    return wanted


def _with_bottoms(layer: Message, bottoms: Sequence[str]) -> Message:
    found = layer.shallow_copy()
    found.set("bottom", bottoms)
    return found


def _input_layer(net: Message, blob: str, shape: Sequence[int]) -> Message:
    layer = Message(net.field("layer").type, name=blob, type="Input", top=[blob])
    layer.add("input_param").add("shape").set("dim", shape)
    return layer


def _dialect_of(net: Net, cut: Message) -> str:
    """The fork that the net was loaded for, where the text of the cut net does not say it itself.

    To name it would refuse what that fork has not, and a net may mix.
    """
    definitions = (node.definition for node in net.graph.nodes)
    needed = next((found.dialect for found in definitions if found is not None), "")
    return "" if find_dialect(cut).name == needed else needed


def paired_detections(mine: Any, theirs: Any, tolerance: float) -> Any:
    """The rows of `theirs` in the order of `mine`, as far as equal scores leave the order open.

    Rows (..., 7) are image, class, score and box. Two rows of one image and class whose scores are
    equal to the tolerance may trade boxes. Where classes or scores are not in the same order, or a
    row has no partner, they are given back as they are.
    """
    import numpy as np

    if np.shape(mine) != np.shape(theirs) or np.shape(mine)[-1:] != (7,):
        return theirs
    a, b = np.reshape(mine, (-1, 7)), np.reshape(theirs, (-1, 7))
    scale = tolerance * np.maximum(np.abs(a[:, 2]), tolerance)
    if (a[:, :2] != b[:, :2]).any() or (np.abs(a[:, 2] - b[:, 2]) > scale).any():
        return theirs
    free = np.ones(len(b), bool)
    order = []
    for row, slack in zip(a, scale, strict=True):
        equal = (b[:, :2] == row[:2]).all(1) & (np.abs(b[:, 2] - row[2]) <= slack)
        partners = np.flatnonzero(free & equal)
        if not len(partners):
            return theirs
        best = partners[np.abs(b[partners, 3:] - row[3:]).max(1).argmin()]
        free[best] = False
        order.append(best)
    return b[order].reshape(np.shape(theirs))
