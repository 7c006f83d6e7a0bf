"""Weights for a net that has none: by its own fillers, with batch statistics in a sane state."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from math import prod
from typing import TYPE_CHECKING, Any

from caffegen.errors import CaffegenError
from caffegen.layer_types import BlobSpec
from caffegen.net import Graph, Node
from caffegen.text import Message

from .moments import Expected, expect

if TYPE_CHECKING:
    import numpy as np

    from caffegen.weights.fillers import Filler

    Values = np.ndarray[Any, np.dtype[np.float32]]

__all__ = ["fill_params"]


def fill_params(
    graph: Graph, seed: int, only: Iterable[Node] | None = None, *, strict: bool = False
) -> dict[str, list[Values]]:
    """`{layer name: [arrays]}` for the layers with weights (of `only`): same seed, same bytes.

    Every layer draws from a stream of its own, made of the seed and the layer's name. Blobs whose
    values stand in the text keep them. Two things are not as Caffe has them, unless `strict`:

    1. A weight for which the prototxt declares no filler would be all zeros, and the net dead; it
       is filled as by `msra`, and by less where values would have grown large without anything to
       normalise them. Biases are 0, as they are in Caffe.
    2. The statistics of a BatchNorm would be 0; they are mean 0, the variance that its bottom lets
       expect and the factor 1, so that values neither die nor blow up with depth. So are those of
       the forks' BN, whose own factor is 1 where no filler is declared for it.
    """
    if seed < 0:
        raise CaffegenError(f"the seed is {seed}; a seed is not below 0")
    nodes = graph.nodes if only is None else only
    nodes = [node for node in nodes if node.definition is not None and node.definition.blobs]
    expected = Expected({}, {}) if strict else expect(graph)
    return {node.name: _fill_layer(node, seed, expected, strict) for node in nodes}


def _fill_layer(node: Node, seed: int, expected: Expected, strict: bool) -> list[Values]:
    import numpy as np

    from caffegen.weights.fillers import fill

    assert node.definition is not None
    stored = _stored(node)
    if stored is not None:
        return stored
    name = node.name.encode("utf-8", "surrogateescape")
    stream = int.from_bytes(blake2b(name, digest_size=16).digest(), "big")
    rng = np.random.default_rng([seed, stream])
    try:
        filled = [
            fill(_filler(node, spec, strict), spec.shape, rng) for spec in node.definition.blobs
        ]
    except CaffegenError as error:
        raise CaffegenError(f"layer `{node.name}` can't be filled: {error}") from None
    if node.index in expected.gains:
        filled[0] *= np.float32(expected.gains[node.index])
    variance = expected.variances.get(node.index)
    if node.type == "BatchNorm" and variance is not None:
        filled[1][...], filled[2][...] = variance, 1
    if node.type in ("BN", "SyncBN") and variance is not None:
        _expect(node, variance, filled[-1])
    return filled


def _expect(node: Node, variance: float, spread: Values) -> None:
    """Set the last blob of a BN, the variance or one over the deviation, to what is expected."""
    facts: Any = node.definition
    spread[...] = (variance + facts.eps) ** -0.5 if facts.inverse else variance


def _filler(node: Node, spec: BlobSpec, strict: bool) -> Filler:
    from caffegen.weights.fillers import Filler

    message = spec.filler
    declared = message is not None and any(message.set_fields())
    if declared:
        assert message is not None
        return filler_of(message)
    if strict or len(spec.shape) < 2 or not spec.learned:
        return Filler()
    if node.type in ("BN", "SyncBN"):
        return Filler(value=float(spec.name in ("scale", "slope")))
    # Caffe counts what feeds an output along axis 0, which here counts the inputs
    inputs_first = node.type == "Deconvolution" or getattr(node.definition, "transpose", False)
    return Filler("msra", variance_norm="FAN_OUT" if inputs_first else "FAN_IN")


def filler_of(message: Message) -> Filler:
    """A FillerParameter as the fillers take it."""
    from caffegen.weights.fillers import Filler

    for field, value in message.set_fields():
        if field.forks is not None and value != field.default:
            raise CaffegenError(
                f"`{field.name}` of its filler is a fork's, and caffegen does not fill by it"
            )
    return Filler(*(message.get(field) for field in Filler._fields))


def _stored(node: Node) -> list[Values] | None:
    """The values that stand in the text (`blobs { ... }`), which keep fillers from running."""
    import numpy as np

    assert node.definition is not None
    blobs, specs = node.message.blobs, node.definition.blobs
    if not blobs:
        return None
    arrays = [np.array(blob.double_data or blob.data, np.float32) for blob in blobs]
    if len(arrays) != len(specs) or any(
        array.size != prod(spec.shape) for array, spec in zip(arrays, specs, strict=True)
    ):
        raise CaffegenError(
            f"the `blobs` in the text of layer `{node.name}` are not of the sizes that it has here"
        )
    return [array.reshape(spec.shape) for array, spec in zip(arrays, specs, strict=True)]
