"""Weights: .caffemodel of any version, .caffemodel.h5 and .binaryproto, mapped and not copied.

`open_weights` opens a file of weights, whatever its name; a StoredBlob knows its shape at once and
makes an array, a view of the file, when it is asked for one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from caffegen.weights.binaryproto import open_binaryproto, write_binaryproto
from caffegen.weights.caffemodel import CaffeModel, LayerWeights, open_caffemodel, read_caffemodel
from caffegen.weights.encode import value_chunks
from caffegen.weights.fillers import Filler, fill
from caffegen.weights.hdf5 import open_hdf5, write_hdf5
from caffegen.weights.identify import HDF5_MAGIC
from caffegen.weights.mapped import map_file
from caffegen.weights.stored_blob import StoredBlob
from caffegen.weights.writer import LayerToWrite, Progress, write_caffemodel

__all__ = [
    "CaffeModel",
    "Filler",
    "LayerToWrite",
    "LayerWeights",
    "Progress",
    "StoredBlob",
    "fill",
    "open_binaryproto",
    "open_caffemodel",
    "open_hdf5",
    "open_weights",
    "value_chunks",
    "write_binaryproto",
    "write_caffemodel",
    "write_hdf5",
    "write_weights",
]


def open_weights(path: str | os.PathLike[str]) -> CaffeModel:
    """Open a file of weights; its content says which kind it is, its name does not count."""
    file = map_file(path)
    is_hdf5 = file.buffer[: len(HDF5_MAGIC)] == HDF5_MAGIC
    return open_hdf5(path) if is_hdf5 else read_caffemodel(file)


def write_weights(
    path: str | os.PathLike[str],
    net_name: str,
    layers: Iterable[LayerToWrite],
    *,
    progress: Progress | None = None,
) -> None:
    """Write a .caffemodel, or a .caffemodel.h5 where the name ends in `.h5` or `.hdf5`."""
    if os.fspath(path).lower().endswith((".h5", ".hdf5")):
        write_hdf5(path, layers, progress=progress)
    else:
        write_caffemodel(path, net_name, layers, progress=progress)
