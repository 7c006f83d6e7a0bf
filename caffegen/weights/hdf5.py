"""Trained weights in a .caffemodel.h5: `data/<layer>/<index>`, one HDF5 dataset per blob."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from caffegen.atomic import atomic_path
from caffegen.errors import CaffegenError, FileError
from caffegen.weights.caffemodel import CaffeModel, LayerWeights
from caffegen.weights.encode import blob_values, stored_type
from caffegen.weights.identify import HDF5_MAGIC, by_content, by_magic, refusal
from caffegen.weights.mapped import MappedFile, forget, map_file
from caffegen.weights.stored_blob import DOUBLE, FLOAT, HALF, Run, StoredBlob
from caffegen.weights.writer import LayerToWrite, Progress

if TYPE_CHECKING:
    import h5py

__all__ = ["AbsentBlob", "open_hdf5", "write_hdf5"]

_KIND = "a .caffemodel.h5"

_CHUNK = 1 << 22
_DEEPEST = 100  # each `/` in a layer's name makes a group in a group
_BEST_DEFLATE = 1032  # bytes that one byte of zlib's output can stand for (zlib's own figure)

# What h5py raises for a file that is damaged, by where the library notices.
_H5PY_FAULTS = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError)


class AbsentBlob(StoredBlob):
    """A blob that the file leaves out because its layer borrows it from another (ToHDF5)."""

    __slots__ = ("_where",)

    absent = True

    def __init__(self, file: MappedFile, where: str) -> None:
        super().__init__(file, (), FLOAT, ())
        self._where = where

    def array(self) -> np.ndarray[Any, Any]:
        """There is none: CaffegenError."""
        raise FileError(
            self.path, f"{self._where} is not in the file; Caffe leaves out what layers share"
        )


class DatasetBlob(StoredBlob):
    """A blob whose values HDF5 must unpack: chunked, compressed, or of another type."""

    __slots__ = ("_dataset", "_root")

    def __init__(self, file: MappedFile, dataset: h5py.Dataset, dtype: np.dtype[Any]) -> None:
        super().__init__(file, tuple(dataset.shape), dtype, ())
        self._dataset = dataset
        self._root = dataset.file  # h5py closes a file with its last File object

    def array(self) -> np.ndarray[Any, Any]:
        """The values, read-only, in a copy."""
        values = np.empty(self.shape, self.dtype)
        try:
            if values.size:
                self._dataset.read_direct(values)
        except _H5PY_FAULTS as error:
            raise _damaged(self.path, error) from None
        values.flags.writeable = False
        return values


def open_hdf5(path: str | os.PathLike[str]) -> CaffeModel:
    """Open a .caffemodel.h5; layers come in the order of their names, as the file keeps them.

    The net's name and the layers' types are not in such a file. Datasets that lie in one piece
    are mapped, others are read when an array is asked for.
    """
    file = map_file(path)
    if bytes(file.buffer[: len(HDF5_MAGIC)]) != HDF5_MAGIC:
        kind = by_magic(file.buffer) or by_content(file.buffer)
        raise FileError(
            file.path, refusal(kind, _KIND) if kind else f"it is not {_KIND}: no HDF5 signature"
        )
    h5py = _import_h5py()
    try:
        root = h5py.File(file.path, "r")
    except _H5PY_FAULTS as error:
        raise _damaged(file.path, error) from None
    keep_open = False
    try:
        layers = list(_read_layers(file, _data_group(file, root), "", set()))
        keep_open = any(isinstance(blob, DatasetBlob) for layer in layers for blob in layer.blobs)
    except _H5PY_FAULTS as error:
        raise _damaged(file.path, error) from None
    finally:
        if not keep_open:
            root.close()
    return CaffeModel(file.path, "", layers)


def _data_group(file: MappedFile, root: h5py.File) -> h5py.Group:
    h5py = _import_h5py()
    # A link of another kind could lead to another file.
    if isinstance(root.get("data", getlink=True), h5py.HardLink):
        data = root["data"]
        if isinstance(data, h5py.Group):
            return data
    held = ", ".join(f"`{name}`" for name in list(root)[:4]) or "nothing"
    raise FileError(file.path, f"it is an HDF5 file without Caffe's group `data`; it holds {held}")


def write_hdf5(
    path: str | os.PathLike[str],
    layers: Iterable[LayerToWrite],
    *,
    progress: Progress | None = None,
) -> None:
    """Write a .caffemodel.h5 as Caffe does (net.cpp, ToHDF5); it takes its name when it is whole.

    The format keeps the layers' names and blobs, and nothing else of them.
    """
    path = os.fspath(path)
    h5py = _import_h5py()
    names: set[str] = set()
    written = 0
    with atomic_path(path) as beside:
        try:
            with h5py.File(beside, "w") as root:
                data = root.create_group("data")
                for layer in layers:
                    _check_name(path, layer[0], names)
                    for count in _write_layer(data, layer):
                        written += count
                        if progress is not None:
                            progress(written)
        except (OSError, RuntimeError) as error:
            raise FileError(path, f"it can't be written: {error}") from error


def _import_h5py() -> Any:
    try:
        import h5py
    except ImportError:
        raise CaffegenError("a .caffemodel.h5 needs h5py: pip install h5py") from None
    return h5py


def _damaged(path: str, error: Exception) -> FileError:
    why = str(error.args[0]) if error.args else type(error).__name__
    return FileError(path, f"it is a damaged HDF5 file: {why}")


def _read_layers(
    file: MappedFile, group: h5py.Group, name: str, met: set[int], depth: int = 0
) -> Iterator[LayerWeights]:
    """The layers in a group: the group itself if it holds blobs or nothing, and all below it."""
    h5py = _import_h5py()
    # Links can make a circle of groups, or a tree that has more branches than can be walked.
    address = h5py.h5o.get_info(group.id).addr
    if address in met or depth > _DEEPEST:
        raise FileError(file.path, f"its group `{name}` is linked twice, or lies too deep")
    met.add(address)
    blobs: dict[int, StoredBlob] = {}
    groups: list[tuple[str, Any]] = []
    for key in group:
        # Soft and external links could lead out of this file; Caffe writes hard ones only.
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            continue
        item = group[key]
        if isinstance(item, h5py.Group):
            groups.append((f"{name}/{key}" if depth else key, item))
        elif depth and isinstance(item, h5py.Dataset) and _is_index(key):
            blobs[int(key)] = _read_dataset(file, item, f"blob {key} of layer `{name}`")
    if depth and (blobs or not groups):
        yield LayerWeights(name, "", (), (), _in_order(file, blobs, name))
    for below, item in groups:
        yield from _read_layers(file, item, below, met, depth + 1)


def _is_index(key: str) -> bool:
    return key.isascii() and key.isdigit() and len(key) < 4


def _in_order(file: MappedFile, blobs: dict[int, StoredBlob], name: str) -> list[StoredBlob]:
    return [
        blobs[index] if index in blobs else AbsentBlob(file, f"blob {index} of layer `{name}`")
        for index in range(max(blobs, default=-1) + 1)
    ]


def _read_dataset(file: MappedFile, dataset: h5py.Dataset, where: str) -> StoredBlob:
    stored = dataset.dtype
    if stored.kind not in "fiu" or dataset.shape is None:
        raise FileError(file.path, f"{where} has values of type {stored}; weights are numbers")
    if dataset.external or dataset.is_virtual:
        raise FileError(file.path, f"{where} has its values in another file")
    count = math.prod(dataset.shape)
    nbytes, held = count * stored.itemsize, dataset.id.get_storage_size()
    if nbytes > held * (_BEST_DEFLATE if dataset.chunks else 1):
        raise FileError(
            file.path,
            f"{where} has the shape {list(dataset.shape)}, {nbytes} bytes; the file holds {held}",
        )
    offset = None if dataset.chunks else dataset.id.get_offset()
    if offset is not None and stored in (FLOAT, DOUBLE, HALF) and offset + nbytes <= file.size:
        runs = (Run(offset, count, stored.itemsize),) if count else ()
        return StoredBlob(file, tuple(dataset.shape), stored, runs)
    wide = stored.kind == "f" and stored.itemsize > 4
    half = stored.kind == "f" and stored.itemsize == 2
    return DatasetBlob(file, dataset, DOUBLE if wide else HALF if half else FLOAT)


def _check_name(path: str, name: str, names: set[str]) -> None:
    if not name or any(part in ("", ".") for part in name.split("/")) or "\0" in name:
        raise FileError(path, f"it can't be written: HDF5 has no name `{name}`")
    if name in names:
        raise FileError(path, f"it can't be written: two layers have the name `{name}`")
    names.add(name)


def _write_layer(data: h5py.Group, layer: LayerToWrite) -> Iterator[int]:
    """Write one layer's group and datasets; yields the size of each blob when it is written."""
    name = layer[0]
    try:
        group = data.require_group(name)
        for index, blob in enumerate(layer[4]):
            if getattr(blob, "absent", False):
                continue
            values = blob_values(blob)
            stored = stored_type(values, f"blob {index} of layer `{name}`")
            dataset = group.create_dataset(str(index), values.shape, stored, track_times=False)
            yield from _write_values(dataset, values)
    except (TypeError, ValueError) as error:
        # A layer `a/0` wants to be a group where the first blob of layer `a` lies, or the reverse.
        raise CaffegenError(f"layer `{name}` has no place in an HDF5 file: {error}") from None


def _write_values(dataset: h5py.Dataset, values: np.ndarray[Any, Any]) -> Iterator[int]:
    """Write values a few megabytes of rows at a time; yields the size of each part."""
    if not values.ndim:
        dataset[()] = values
        yield values.nbytes
        return
    rows = max(1, _CHUNK * len(values) // max(1, values.nbytes))
    for at in range(0, len(values) if values.size else 0, rows):
        part = values[at : at + rows]
        dataset[at : at + rows] = part
        forget(part)
        yield part.nbytes
