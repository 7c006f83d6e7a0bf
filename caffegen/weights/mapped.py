"""A file mapped into memory: nothing of it is read before someone looks at it."""

from __future__ import annotations

import mmap
import os
import stat
from typing import Any

import numpy as np

from caffegen.errors import FileError, unreadable

__all__ = ["MappedFile", "forget", "map_file"]


class _ReadOnlyMap(mmap.mmap):
    """A map that this package made: it is never written to, so its pages can be dropped."""


class MappedFile:
    """A file's path and its bytes; views of `buffer` keep the map alive after this object."""

    __slots__ = ("buffer", "path", "size")

    def __init__(self, path: str, buffer: mmap.mmap) -> None:
        self.path = path
        self.buffer = buffer
        self.size = len(buffer)


def map_file(path: str | os.PathLike[str]) -> MappedFile:
    """Map a file for reading; FileError where it isn't a file with something in it."""
    path = os.fspath(path)
    try:
        # A pipe would block for ever in `open`, so its kind is looked at first.
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise FileError(path, "it is a folder, not a file")
        if not stat.S_ISREG(mode):
            raise FileError(path, "it is a pipe or a device; only a file can be mapped")
        with open(path, "rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise FileError(path, "it is empty")
            return MappedFile(path, _ReadOnlyMap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None


def forget(values: np.ndarray[Any, Any]) -> None:
    """Give back the memory behind a contiguous view of a mapped file that has been used.

    The view stays good: its pages come back from the file when someone looks again. This is what
    keeps the copy of a large file small in memory. Other arrays are left alone.
    """
    base: Any = values
    while isinstance(base, np.ndarray):
        base = base.base
    if not isinstance(base, _ReadOnlyMap) or not hasattr(mmap, "MADV_DONTNEED"):
        return
    first = np.frombuffer(base, np.uint8).ctypes.data
    start = values.ctypes.data - first
    start -= start % mmap.PAGESIZE
    base.madvise(mmap.MADV_DONTNEED, start, values.ctypes.data - first + values.nbytes - start)
