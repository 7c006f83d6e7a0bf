"""Protobuf bytes of a blob and of the fields around it; the values stay where they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy as np

from caffegen.errors import CaffegenError
from caffegen.weights.mapped import forget
from caffegen.weights.wire import LEN

__all__ = [
    "BlobToWrite",
    "EncodedBlob",
    "HasArray",
    "blob_values",
    "bytes_field",
    "encode_blob",
    "field_head",
    "int_field",
    "stored_type",
    "text_field",
    "value_chunks",
    "write_blob",
]

_CHUNK = 1 << 22

_TYPES: dict[np.dtype[Any], np.dtype[Any]] = {
    np.dtype(np.float16): np.dtype("<f4"),  # BVLC Caffe has no field for half precision
    np.dtype(np.float32): np.dtype("<f4"),
    np.dtype(np.float64): np.dtype("<f8"),
}


class HasArray(Protocol):
    """A blob that gives its values when they are wanted, such as a StoredBlob."""

    def array(self) -> np.ndarray[Any, Any]:
        """The values."""


BlobToWrite = np.ndarray[Any, Any] | HasArray


class EncodedBlob(NamedTuple):
    """A BlobProto: the bytes before its values, the values, and the bytes after."""

    before: bytes
    values: np.ndarray[Any, Any]
    stored: np.dtype[Any]
    after: bytes

    @property
    def size(self) -> int:
        """The size of all three together."""
        return len(self.before) + self.values.size * self.stored.itemsize + len(self.after)


def blob_values(blob: BlobToWrite) -> np.ndarray[Any, Any]:
    """The array of a blob, wherever it is."""
    return blob.array() if hasattr(blob, "array") else np.asarray(blob)


def stored_type(values: np.ndarray[Any, Any], where: str) -> np.dtype[Any]:
    """The type that Caffe stores such values as; CaffegenError for integers and the like."""
    stored = _TYPES.get(values.dtype.newbyteorder("="))
    if stored is None:
        raise CaffegenError(
            f"{where} has {values.dtype.name} values; Caffe's weights are float32 or float64"
        )
    return stored


def encode_blob(
    values: np.ndarray[Any, Any], where: str, *, legacy_shape: bool = False
) -> EncodedBlob:
    """A BlobProto with packed values, and `shape` or, of four axes, num to width.

    Fields come in the order of their numbers, as protobuf itself writes them: num to width 1-4,
    data 5, shape 7, double_data 8.
    """
    stored = stored_type(values, where)
    head = b""
    if values.size:
        number = 8 if stored.itemsize == 8 else 5
        head = field_head(number, values.size * stored.itemsize)
    if legacy_shape:
        dims = b"".join(int_field(axis, size) for axis, size in enumerate(values.shape, 1))
        return EncodedBlob(dims + head, values, stored, b"")
    dims = b"".join(map(_varint, values.shape))
    shape = bytes_field(7, bytes_field(1, dims) if dims else b"")
    if head and stored.itemsize == 4:
        return EncodedBlob(head, values, stored, shape)
    return EncodedBlob(shape + head, values, stored, b"")


def write_blob(file: BinaryIO, blob: EncodedBlob) -> Iterator[int]:
    """Write a BlobProto; yields the size of each part when it is written."""
    if blob.before:
        yield file.write(blob.before)
    for chunk in value_chunks(blob.values, blob.stored):
        yield file.write(chunk)
    if blob.after:
        yield file.write(blob.after)


def value_chunks(values: np.ndarray[Any, Any], stored: np.dtype[Any]) -> Iterator[memoryview]:
    """The values as bytes of type `stored` in C order, a few megabytes at a time.

    Each chunk is good until the next is asked for. Values that lie so already are not copied, and
    those of a mapped file give their memory back when they have been used.
    """
    if values.dtype == stored and values.flags.c_contiguous:
        flat = values.reshape(-1).view(np.uint8)
        for at in range(0, flat.size, _CHUNK):
            part = flat[at : at + _CHUNK]
            yield part.data
            forget(part)
    elif values.size:
        pieces = np.nditer(
            values,
            flags=["external_loop", "buffered"],
            order="C",
            op_dtypes=[stored],
            casting="safe",
            buffersize=_CHUNK // stored.itemsize,
        )
        for piece in pieces:
            yield np.ascontiguousarray(piece).view(np.uint8).data


def field_head(number: int, size: int) -> bytes:
    """The tag and the length of a field of `size` bytes."""
    return _varint(number << 3 | LEN) + _varint(size)


def bytes_field(number: int, content: bytes) -> bytes:
    """A whole field of bytes, such as a message."""
    return field_head(number, len(content)) + content


def text_field(number: int, value: str) -> bytes:
    """A string field; surrogate escapes become the bytes they stand for."""
    try:
        return bytes_field(number, value.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raise CaffegenError(f"the name {value!a} can't be written as UTF-8") from None


def int_field(number: int, value: int) -> bytes:
    """A field of a number that is not below 0."""
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
