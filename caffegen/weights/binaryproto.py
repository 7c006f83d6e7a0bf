"""A single blob in a file of its own: the mean image of a data set (mean.binaryproto)."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from caffegen.atomic import atomic_write
from caffegen.errors import FileError
from caffegen.weights.encode import encode_blob, write_blob
from caffegen.weights.identify import by_content, by_magic, refusal
from caffegen.weights.mapped import map_file
from caffegen.weights.stored_blob import StoredBlob, read_blob
from caffegen.weights.wire import WireError

__all__ = ["open_binaryproto", "write_binaryproto"]

_KIND = "a .binaryproto"


def open_binaryproto(path: str | os.PathLike[str]) -> StoredBlob:
    """Map a .binaryproto; FileError says what the file is where it is none."""
    file = map_file(path)
    kind = by_magic(file.buffer)
    if kind:
        raise FileError(file.path, refusal(kind, _KIND))
    try:
        blob = read_blob(file, 0, file.size, "its blob")
    except WireError as fault:
        refused = FileError(
            file.path,
            f"it is {'cut off' if fault.cut else 'damaged'}: "
            f"at byte {fault.offset}, {fault.sentence}",
        )
    except FileError as error:
        refused = error
    else:
        if blob.size:
            return blob
        refused = FileError(file.path, "it holds no values")
    kind = by_content(file.buffer)
    if kind and not kind.startswith(_KIND):
        raise FileError(file.path, refusal(kind, _KIND)) from None
    raise refused


def write_binaryproto(path: str | os.PathLike[str], values: np.ndarray[Any, Any]) -> None:
    """Write one blob; it takes its name when it is whole.

    Four axes are written as num, channels, height and width, which every version of Caffe reads
    (tools/compute_image_mean.cpp writes them too), others as `shape`.
    """
    blob = encode_blob(values, "the blob", legacy_shape=values.ndim == 4)
    with atomic_write(path, "wb") as file:
        for _ in write_blob(file, blob):
            pass
