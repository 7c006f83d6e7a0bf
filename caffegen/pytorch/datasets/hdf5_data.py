"""HDF5Data: blobs of any kind from the data sets of HDF5 files."""

from __future__ import annotations

import bisect
import os
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from caffegen.errors import FileError, MissingExtra
from caffegen.layer_types.data import HDF5Data

from .base import Item, LayerDataset, read_lines, to_tensors

if TYPE_CHECKING:
    import h5py

__all__ = ["HDF5DataSet"]


class HDF5DataSet(LayerDataset):
    """The rows of all files in a list, every top the data set of its name (hdf5_data_layer.cpp).

    The list holds paths between spaces and line ends. `shuffle` mixes rows across files, where
    Caffe mixes the files and the rows of one file at a time. A file stays on the disk until a row of
    it is asked for; each worker process opens files of its own.
    """

    def __init__(
        self, definition: HDF5Data, root: str | os.PathLike[str] = ".", seed: int = 0
    ) -> None:
        super().__init__(definition, root, seed)
        self.shuffle = definition.shuffle
        names = " ".join(read_lines(self.source)).split()
        self.paths = [os.path.join(self.root, name) for name in names]
        self._files: dict[int, h5py.File] = {}
        self.ends = list(accumulate(self._rows(path) for path in self.paths))
        if not self.ends[-1]:
            raise FileError(self.source, "its files hold no rows")

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> Item:
        place = self.place(index, len(self))
        number = bisect.bisect_right(self.ends, place)
        row = place - (self.ends[number - 1] if number else 0)
        path = self.paths[number]
        if number not in self._files:
            self._files[number] = _open(path)
        file = self._files[number]
        try:
            return to_tensors(self.tops, (file[top][row] for top in self.tops))
        except (OSError, RuntimeError) as error:
            raise FileError(path, f"its data can't be read: {error}") from None

    def _rows(self, path: str) -> int:
        """How many rows a file has; FileError where its data sets don't fit the tops."""
        with _open(path) as file:
            numbers = {top: _rows_of(file, top, path) for top in self.tops}
        first, rows = next(iter(numbers.items()))
        for top, number in numbers.items():
            if number != rows:
                raise FileError(
                    path, f"`{top}` has {number} rows, `{first}` has {rows}; Caffe wants as many"
                )
        return rows

    def __getstate__(self) -> dict[str, Any]:
        """Open files don't go to another process."""
        return {**self.__dict__, "_files": {}}


def _rows_of(file: h5py.File, top: str, path: str) -> int:
    import h5py

    if isinstance(file.get(top, getlink=True), h5py.ExternalLink):
        raise FileError(path, f"`{top}` is a link to another file, which is not followed")
    found = file.get(top)
    if not isinstance(found, h5py.Dataset):
        known = ", ".join(f"`{name}`" for name in list(file)[:8]) or "none"
        raise FileError(
            path, f"it has no data set `{top}` for the top of that name; it has {known}"
        )
    if found.dtype.kind not in "fiub":
        raise FileError(path, f"`{top}` holds values of type {found.dtype}, not real numbers")
    if not found.shape:
        raise FileError(path, f"`{top}` has no axes; the first axis of a data set are its rows")
    return int(found.shape[0])


def _open(path: str) -> h5py.File:
    try:
        import h5py
    except ModuleNotFoundError:
        raise MissingExtra("reading HDF5 data", "data") from None
    try:
        return h5py.File(path, "r")
    except OSError as error:
        told = "no such file" if not os.path.exists(path) else str(error)
        raise FileError(path, f"it can't be read as HDF5: {told}") from None
