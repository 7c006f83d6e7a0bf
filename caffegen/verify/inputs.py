"""Inputs for a net from a seed: images as noise, labels as class numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caffegen.errors import CaffegenError
from caffegen.net import Value

if TYPE_CHECKING:
    from caffegen.loader import Net

__all__ = ["seeded_inputs"]

# layer type -> which bottom holds whole numbers, and where their limit comes from
_LABELS = frozenset(
    {
        "Accuracy",
        "HingeLoss",
        "InfogainLoss",
        "MultinomialLogisticLoss",
        "SoftmaxWithLoss",
        "SoftmaxWithLossOHEM",
    }
)


def seeded_inputs(net: Net, seed: int = 0) -> dict[str, Any]:
    """Float32 arrays by blob name for everything the caller of the net must give.

    Values are standard normal; a blob that is read as labels or indices gets whole numbers that the
    reader can take, one that is read as regions or an image's size such places. Raises
    CaffegenError where the shape of an input is not known.
    """
    if seed < 0:
        raise CaffegenError(f"the seed is {seed}; a seed is not below 0")
    import numpy as np

    from .regions import seeded_places

    inputs: dict[str, Any] = {}
    for node in net.graph.nodes:
        if node.bottom or node.type in ("DummyData", "Parameter"):
            continue
        for value in node.outputs:
            if value.shape is None:
                raise CaffegenError(
                    f"the shape of the input blob `{value.name}` is not known; "
                    f"give it, e.g. --input {value.name}=1,3,224,224"
                )
            rng = np.random.default_rng([seed, *value.name.encode("utf-8", "surrogateescape")])
            limit = _whole_number_limit(value)
            places = seeded_places(value, rng)
            if places is not None:
                array = places
            elif limit is None:
                array = rng.standard_normal(value.shape, dtype=np.float32)
            else:
                array = rng.integers(0, limit, value.shape).astype(np.float32)
            inputs[value.name] = array
    return inputs


def _whole_number_limit(value: Value) -> int | None:
    """One past the largest whole number that the readers take; None where any number will do."""
    for reader in value.readers:
        index = reader.inputs.index(value)
        first = reader.inputs[0]
        if reader.type in _LABELS and index == 1 and first is not None and first.shape:
            axis = 1 if len(first.shape) > 1 else 0
            return max(1, first.shape[axis])
        if reader.type == "BatchReindex" and index == 1 and first is not None and first.shape:
            return max(1, first.shape[0])
        if reader.type == "Embed" and reader.definition is not None and reader.definition.blobs:
            return max(1, reader.definition.blobs[0].shape[0])
        if reader.type in ("Filter", "ContrastiveLoss") and index == len(reader.inputs) - 1:
            return 2
        if reader.type in ("LSTM", "RNN") and index == 1:
            return 2
        if reader.type in ("Split", "Reshape", "Flatten"):
            found = [_whole_number_limit(output) for output in reader.outputs]
            if any(found):
                return next(limit for limit in found if limit)
    return None
