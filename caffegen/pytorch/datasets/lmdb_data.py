"""Data: images and labels from an LMDB, as convert_imageset writes them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

from caffegen.errors import FileError, MissingExtra
from caffegen.layer_types.data import Data
from caffegen.pytorch.images import decode_image

from .base import Item, LayerDataset, to_tensors
from .transform import Transform

if TYPE_CHECKING:
    import lmdb

__all__ = ["LmdbDataSet"]


class LmdbDataSet(LayerDataset):
    """The Datum messages of an LMDB in the order of their keys (data_layer.cpp).

    Values are bytes, floats or an encoded image, which keeps its own number of channels unless
    `force_color` or `force_gray` says otherwise. Caffe ignores `rand_skip` here, and so is it here.
    Datasets of one process share the open data base; each worker process opens it for itself.
    """

    def __init__(self, definition: Data, root: str | os.PathLike[str] = ".", seed: int = 0) -> None:
        super().__init__(definition, root, seed)
        if definition.backend != "LMDB":
            why = "LevelDB has no reader in Python that is kept up"
            mend = "write the data as LMDB (convert_imageset -backend lmdb)"
            if os.path.exists(os.path.join(self.source, "data.mdb")):
                mend = "but the source is an LMDB: add `backend: LMDB`"
            raise self.fault(f"`{self.source}` is a LevelDB by its `backend`; {why}: {mend}")
        transform = definition.layer.transform_param
        if transform.force_color and transform.force_gray:
            raise self.fault("`force_color` and `force_gray` are both set")
        self.color = True if transform.force_color else False if transform.force_gray else None
        self.transform = Transform(definition, root)
        self._shared: _Shared | None = None
        self._keys: list[bytes] | None = None
        self._number = int(self._environment().stat()["entries"])
        if not self._number:
            raise FileError(self.source, "the data base is empty")

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, index: int) -> Item:
        place = self.place(index, self._number)
        with self._environment().begin(buffers=True) as transaction:
            if self._keys is None:
                self._keys = [bytes(key) for key in transaction.cursor().iternext(values=False)]
            key = self._keys[place]
            image, label = self._read(bytes(transaction.get(key, b"")), key)
        where = f"{self.source}:{key.decode('utf-8', 'backslashreplace')}"
        values = self.transform(image, self.generator(index), where)
        return to_tensors(self.tops, (values, label))

    def _environment(self) -> lmdb.Environment:
        if self._shared is None:
            self._shared = _shared(self.source)
        return self._shared.environment()

    def _read(self, data: bytes, key: bytes) -> tuple[np.ndarray[Any, Any], int]:
        """The image of a Datum, C x H x W, and its label."""
        from google.protobuf.message import DecodeError

        from caffegen.schema import caffe_pb2

        name = f"the entry `{key.decode('utf-8', 'backslashreplace')}`"
        try:
            datum = caffe_pb2.Datum.FromString(data)
        except DecodeError:
            raise FileError(self.source, f"{name} is no Datum message") from None
        if datum.encoded:
            pixels = decode_image(datum.data, f"{self.source}:{name[10:-1]}", color=self.color)
            return pixels.transpose(2, 0, 1), datum.label
        values = np.frombuffer(datum.data, np.uint8)
        if not values.size:
            values = np.array(datum.float_data, np.float32)
        shape = datum.channels, datum.height, datum.width
        if min(shape) < 1 or values.size != np.prod(shape, dtype=np.int64):
            raise FileError(
                self.source,
                f"{name} has {values.size} values for {shape[0]} x {shape[1]} x {shape[2]}",
            )
        return values.reshape(shape), datum.label

    def __getstate__(self) -> dict[str, Any]:
        """An open data base does not go to another process."""
        return {**self.__dict__, "_shared": None}


class _Shared:
    """An open data base, for all who read it: LMDB can be opened once in a process.

    What was open when a worker process was forked off is opened anew there.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.process = os.getpid()
        self.opened = _open(path)

    def environment(self) -> lmdb.Environment:
        """The data base, open in this process."""
        if self.process != os.getpid():
            self.opened.close()
            self.opened = _open(self.path)
            self.process = os.getpid()
        return self.opened


_SHARED: WeakValueDictionary[str, _Shared] = WeakValueDictionary()


def _shared(path: str) -> _Shared:
    place = os.path.realpath(path)
    found = _SHARED.get(place)
    if found is None:
        found = _SHARED[place] = _Shared(path)
    return found


def _open(path: str) -> lmdb.Environment:
    try:
        import lmdb
    except ModuleNotFoundError:
        raise MissingExtra("reading an LMDB", "data") from None
    if not os.path.exists(path):
        raise FileError(path, "there is no such data base")
    try:
        return lmdb.open(
            path, readonly=True, lock=False, readahead=False, subdir=os.path.isdir(path)
        )
    except lmdb.Error as error:
        raise FileError(path, f"it can't be read as LMDB: {error}") from None
