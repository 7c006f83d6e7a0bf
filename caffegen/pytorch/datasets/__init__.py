"""Data layers as torch datasets: they read the files that the prototxt names.

`dataset_of(node)` takes a layer of a loaded net and gives a map-style torch Dataset whose items are
`{top: tensor}`; a plain DataLoader makes the net's inputs of them:

    data = dataset_of(net.layers[0], root="examples")
    for batch in DataLoader(data, batch_size=data.batch_size):
        module(**batch)

One pass over the dataset is one pass over the file. Random choices (shuffle, rand_skip, crop,
mirror) come from `seed` and the item's index, so that they do not depend on the number of worker
processes; `set_epoch` makes new ones, as a DistributedSampler's does.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from caffegen.errors import CaffegenError

from .base import LayerDataset
from .hdf5_data import HDF5DataSet
from .image_data import ImageDataSet
from .lmdb_data import LmdbDataSet
from .transform import Transform
from .window_data import WindowDataSet

if TYPE_CHECKING:
    from caffegen.net import Node

__all__ = [
    "HDF5DataSet",
    "ImageDataSet",
    "LayerDataset",
    "LmdbDataSet",
    "Transform",
    "WindowDataSet",
    "dataset_of",
]

_BY_TYPE: dict[str, Callable[[Any, str, int], LayerDataset]] = {
    "Data": LmdbDataSet,
    "HDF5Data": HDF5DataSet,
    "ImageData": ImageDataSet,
    "WindowData": WindowDataSet,
}
# layers whose files are not read here, with the reason
_REFUSED = {
    "AnnotatedData": "it samples, expands, distorts and crops images together with their boxes by "
    "random rules of its own; feed its tops from a loader of your own"
}


def dataset_of(node: Node, root: str | os.PathLike[str] = ".", seed: int = 0) -> LayerDataset:
    """The data that a layer reads; files that it names by a relative path are looked for in `root`.

    Raises FileError for a file that can't be read, and CaffegenError where Caffe would refuse.
    """
    if node.type in _REFUSED:
        raise CaffegenError(
            f"layer `{node.name}` ({node.type}) can't be read: {_REFUSED[node.type]}"
        )
    kind = _BY_TYPE.get(node.type)
    if kind is None or node.definition is None:
        known = ", ".join(_BY_TYPE)
        raise CaffegenError(
            f"layer `{node.name}` ({node.type}) reads no files; those that do are {known}"
        )
    return kind(node.definition, os.fspath(root), seed)
