"""One weight blob in a file: its shape and type at once, its values when asked for."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from caffegen.errors import FileError
from caffegen.weights.mapped import MappedFile
from caffegen.weights.wire import (
    FIXED32,
    FIXED64,
    LEN,
    VARINT,
    Fields,
    WireError,
    int32,
    int64,
    int64s,
)

__all__ = ["Run", "StoredBlob", "read_blob"]

FLOAT: np.dtype[Any] = np.dtype("<f4")
DOUBLE: np.dtype[Any] = np.dtype("<f8")
HALF: np.dtype[Any] = np.dtype("<f2")

_MOST_AXES = 32  # kMaxBlobAxes of blob.hpp

# BlobProto's fields; 10 and 12 are NVIDIA's (its enum Type says how wide a value of raw_data is).
# C3D's fork of 2014 has a length before height, so that its width is 5 and its data 6.
_NUM, _WIDTH, _DATA, _SHAPE, _DOUBLE_DATA = 1, 4, 5, 7, 8
_C3D_WIDTH, _C3D_DATA = 5, 6
_RAW_TYPE, _OPENCL_PACKED, _RAW_DATA = 10, 11, 12
# BlobShape's
_DIM = 1
_PACKED_DIMS = _DIM << 3 | LEN
_RAW_TYPES = {0: DOUBLE, 1: FLOAT, 2: HALF}


class Run(NamedTuple):
    """Values at equal distances: `length` of them, the first at byte `start`, `stride` bytes apart.

    Packed values lie side by side; of unpacked ones each has its own tag before it.
    """

    start: int
    length: int
    stride: int


class StoredBlob:
    """A blob of a file: `shape`, `dtype`, and where its values lie.

    `legacy_shape` says that the file gives num, channels, height and width (C3D's a length before
    height), so that a vector of ten counts as (1, 1, 1, 10). `offset` is the place of the values in
    the file where they lie in one piece, else None.
    """

    __slots__ = ("_file", "_runs", "dtype", "legacy_shape", "shape")

    #: Whether the file leaves this blob out, as HDF5 files do with blobs that layers share.
    absent = False

    def __init__(
        self,
        file: MappedFile,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        runs: tuple[Run, ...],
        *,
        legacy_shape: bool = False,
    ) -> None:
        self._file = file
        self._runs = runs
        self.shape = shape
        self.dtype = dtype
        self.legacy_shape = legacy_shape

    @property
    def path(self) -> str:
        """The file."""
        return self._file.path

    @property
    def size(self) -> int:
        """The number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The number of bytes that the values take."""
        return self.size * self.dtype.itemsize

    @property
    def offset(self) -> int | None:
        """The byte of the file where the values begin, little-endian and side by side, or None."""
        if len(self._runs) == 1 and self._runs[0].stride == self.dtype.itemsize:
            return self._runs[0].start
        return None

    def array(self) -> np.ndarray[Any, Any]:
        """The values, read-only: a view of the file where they lie in one piece, else a copy."""
        pieces: list[np.ndarray[Any, Any]] = [
            np.ndarray((run.length,), self.dtype, self._file.buffer, run.start, (run.stride,))
            for run in self._runs
        ]
        if self.offset is not None:
            return pieces[0].reshape(self.shape)
        values = np.concatenate(pieces) if pieces else np.empty(0, self.dtype)
        values.flags.writeable = False
        return values.reshape(self.shape)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {list(self.shape)} {self.dtype.name}>"


def read_blob(file: MappedFile, at: int, end: int, where: str) -> StoredBlob:
    """Read the BlobProto in bytes `at` to `end`; `where` names it in a refusal."""
    fields = Fields(file.buffer, at, end)
    shape: list[int] = []
    legacy = [0, 0, 0, 0]
    has_legacy = packed_by_opencl = of_c3d = False
    floats: list[Run] = []
    doubles: list[Run] = []
    raw: tuple[int, int] | None = None
    raw_type: int | None = None
    for number, wire, start, stop in fields:
        if number == _DATA and wire == LEN:
            _add_packed(floats, start, stop, FLOAT, where)
        elif number == _DATA and wire == FIXED32:
            _add_unpacked(floats, fields, start, stop, FLOAT)
        elif number == _DOUBLE_DATA and wire == LEN:
            _add_packed(doubles, start, stop, DOUBLE, where)
        elif number == _DOUBLE_DATA and wire == FIXED64:
            _add_unpacked(doubles, fields, start, stop, DOUBLE)
        elif number == _SHAPE and wire == LEN and not of_c3d:
            _add_dims(shape, file, start, stop, where)
        elif number == _C3D_WIDTH and wire == VARINT:
            legacy[4:] = [int32(start)]
            of_c3d = has_legacy = True
        elif number == _C3D_DATA and of_c3d and wire == LEN:
            _add_packed(floats, start, stop, FLOAT, where)
        elif number == _C3D_DATA and of_c3d and wire == FIXED32:
            _add_unpacked(floats, fields, start, stop, FLOAT)
        elif _NUM <= number <= _WIDTH and wire == VARINT:
            legacy[number - _NUM] = int32(start)
            has_legacy = True
        elif number == _RAW_TYPE and wire == VARINT:
            raw_type = int32(start)
        elif number == _RAW_DATA and wire == LEN:
            raw = (start, stop)
        elif number == _OPENCL_PACKED and wire == LEN:
            packed_by_opencl = True

    # blob.cpp, FromProto: the old dimensions win over `shape`, doubles over floats.
    sizes = tuple(legacy if has_legacy else shape)
    runs, dtype = (doubles, DOUBLE) if doubles else (floats, FLOAT)
    if not runs and packed_by_opencl and raw_type is None:
        raise FileError(
            file.path, f"{where} has its values in field 11, which only Caffe's OpenCL branch reads"
        )
    if not runs and raw is not None:
        runs, dtype = _raw_run(file, raw, raw_type, where)
    _check_count(file, sizes, sum(run.length for run in runs), where)
    return StoredBlob(file, sizes, dtype, tuple(runs), legacy_shape=has_legacy)


def _add_packed(runs: list[Run], start: int, stop: int, dtype: np.dtype[Any], where: str) -> None:
    """Note where values lie side by side."""
    size = dtype.itemsize
    count, rest = divmod(stop - start, size)
    if rest:
        raise WireError(
            start,
            f"{where} has {stop - start} bytes of {dtype.name} values, "
            f"which is not a multiple of {size}",
        )
    if count:
        runs.append(Run(start, count, size))


def _add_unpacked(
    runs: list[Run], fields: Fields, start: int, stop: int, dtype: np.dtype[Any]
) -> None:
    """Note where a value lies that has its own tag, and all that follow it, at once."""
    # The tag is one byte, as a rule; one behind a longer tag stands alone.
    buffer = fields.buffer
    stride = 1 + dtype.itemsize
    tag = buffer[start - 1]
    more = _count_records(buffer, stop, fields.end, tag, stride) if tag < 0x80 else 0
    runs.append(Run(start, 1 + more, stride))
    fields.at = stop + more * stride


def _count_records(buffer: Any, at: int, end: int, tag: int, stride: int) -> int:
    """How many records of `stride` bytes that begin with `tag` follow each other from `at` on."""
    most = (end - at) // stride
    if most <= 0:
        return 0
    tags: np.ndarray[Any, Any] = np.ndarray((most,), np.uint8, buffer, at, (stride,))
    done, step = 0, 64
    while done < most:
        others = tags[done : done + step] != tag
        if others.any():
            return done + int(others.argmax())
        done += len(others)
        step = min(2 * step, 1 << 20)
    return most


def _add_dims(shape: list[int], file: MappedFile, start: int, stop: int, where: str) -> None:
    buffer = file.buffer
    size = stop - start - 2
    if 0 <= size < 0x80 and buffer[start] == _PACKED_DIMS and buffer[start + 1] == size:
        # as Caffe writes it: all dimensions in one field, and nothing else
        shape += int64s(buffer, start + 2, stop, _MOST_AXES + 1)
    else:
        for number, wire, value, end in Fields(buffer, start, stop):
            if number == _DIM and wire == VARINT:
                shape.append(int64(value))
            elif number == _DIM and wire == LEN:
                shape += int64s(buffer, value, end, _MOST_AXES + 1)
            if len(shape) > _MOST_AXES:
                break
    if len(shape) > _MOST_AXES:
        raise FileError(file.path, f"{where} has more than {_MOST_AXES} axes, Caffe's limit")


def _raw_run(
    file: MappedFile, raw: tuple[int, int], raw_type: int | None, where: str
) -> tuple[list[Run], np.dtype[Any]]:
    """The values of NVIDIA's fork, which stores them as bytes and names their type beside."""
    if raw_type is None:
        raise FileError(file.path, f"{where} has `raw_data` without the `raw_data_type` it needs")
    dtype = _RAW_TYPES.get(raw_type)
    if dtype is None:
        raise FileError(
            file.path,
            f"{where} has the `raw_data_type` {raw_type}; weights are of type 0 (DOUBLE), "
            "1 (FLOAT) or 2 (FLOAT16)",
        )
    count, rest = divmod(raw[1] - raw[0], dtype.itemsize)
    if rest:
        raise FileError(
            file.path,
            f"{where} has {raw[1] - raw[0]} bytes of {dtype.name} values, "
            f"which is not a multiple of {dtype.itemsize}",
        )
    return ([Run(raw[0], count, dtype.itemsize)] if count else []), dtype


def _check_count(file: MappedFile, shape: tuple[int, ...], held: int, where: str) -> None:
    if shape and min(shape) < 0:
        raise FileError(file.path, f"{where} has the shape {list(shape)}; no size is below 0")
    count = math.prod(shape)
    if count != held:
        raise FileError(
            file.path, f"{where} has the shape {list(shape)}, {count} values; the file holds {held}"
        )
