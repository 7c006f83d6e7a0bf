"""Weights of an ONNX graph that are not in memory: what they are, and where they lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from caffegen.weights.encode import value_chunks
from caffegen.weights.mapped import forget

if TYPE_CHECKING:
    from caffegen.analysis.weights import Blob

__all__ = ["FLOAT", "Array", "Initialiser", "Place", "float_array"]

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
FLOAT = np.dtype("<f4")
_CHUNK = 1 << 20


class Place(NamedTuple):
    """Bytes of a file that are the values as ONNX stores them: float32, little-endian, in order."""

    path: str
    offset: int
    nbytes: int


class Initialiser:
    """A float32 weight of the graph: a blob as it is stored, or what `make` makes of some blobs.

    Nothing is read before `chunks` is asked for, and nothing is kept afterwards.
    """

    __slots__ = ("_blobs", "_make", "name", "shape")

    def __init__(
        self,
        name: str,
        shape: Shape,
        blobs: Sequence[Blob],
        make: Callable[..., Array] | None = None,
    ) -> None:
        self.name = name
        self.shape = shape
        self._blobs = tuple(blobs)
        self._make = make

    @property
    def nbytes(self) -> int:
        """The size of the values in ONNX."""
        return prod(self.shape) * FLOAT.itemsize

    @property
    def place(self) -> Place | None:
        """Where the values lie in a file just as ONNX wants them; None where they do not."""
        if self._make is not None:
            return None
        blob: Any = self._blobs[0]
        blob = getattr(blob, "stored", blob)
        offset = getattr(blob, "offset", None)
        if offset is None or blob.dtype != FLOAT:
            return None
        return Place(blob.path, offset, blob.nbytes)

    def array(self) -> Array:
        """The values, in the shape that the graph gives them."""
        arrays = [float_array(blob.array()) for blob in self._blobs]
        made = arrays[0] if self._make is None else np.asarray(self._make(*arrays))
        return float_array(made).reshape(self.shape)

    def chunks(self) -> Iterator[memoryview]:
        """The values as bytes, a few megabytes at a time."""
        if self._make is not None:
            yield from value_chunks(self.array(), FLOAT)
            return
        values = self._blobs[0].array()
        if values.dtype == FLOAT and values.flags.c_contiguous:
            yield from value_chunks(values, FLOAT)
            return
        flat = values.reshape(-1)
        for at in range(0, flat.size, _CHUNK):
            part = flat[at : at + _CHUNK]
            yield float_array(part).data.cast("B")
            forget(part)


def float_array(array: Array) -> Array:
    """The values as float32; doubles beyond its range become infinite, as a C cast makes them."""
    with np.errstate(over="ignore"):
        return array.astype(FLOAT, copy=False)
