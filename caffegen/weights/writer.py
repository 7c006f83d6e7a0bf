"""Writing a .caffemodel layer by layer, straight from where the values lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

from caffegen.atomic import atomic_write
from caffegen.errors import FileError
from caffegen.weights.caffemodel import LayerWeights
from caffegen.weights.encode import (
    BlobToWrite,
    EncodedBlob,
    blob_values,
    encode_blob,
    field_head,
    text_field,
    write_blob,
)

__all__ = ["LayerToWrite", "Progress", "write_caffemodel"]

#: name, type, bottoms, tops, blobs
LayerToWrite = tuple[str, str, Sequence[str], Sequence[str], Sequence[BlobToWrite]] | LayerWeights

#: Called now and then with the number of bytes written so far.
Progress = Callable[[int], None]

_LARGEST_MESSAGE = (1 << 31) - 1


def write_caffemodel(
    path: str | os.PathLike[str],
    net_name: str,
    layers: Iterable[LayerToWrite],
    *,
    progress: Progress | None = None,
) -> None:
    """Write a NetParameter of today's format; it takes its name when it is whole.

    `layers` is gone through once and blobs are asked for their arrays one layer at a time; views
    of a mapped file go from file to file. float64 is written as double_data, float32 and float16
    as data; other types are refused.
    """
    path = os.fspath(path)
    with atomic_write(path, "wb") as file:
        written = file.write(text_field(1, net_name))
        for layer in layers:
            blobs = _encode(layer)
            head = _layer_head(layer, blobs)
            size = written + len(head) + sum(_size(blob) for blob in blobs)
            if size > _LARGEST_MESSAGE:
                raise FileError(
                    path,
                    f"with layer `{layer[0]}` it would have {size} bytes; protobuf, and so Caffe, "
                    f"reads up to {_LARGEST_MESSAGE} (a .caffemodel.h5 may be larger)",
                )
            written += file.write(head)
            for blob in blobs:
                written += file.write(field_head(7, blob.size))
                for count in write_blob(file, blob):
                    written += count
                    if progress is not None:
                        progress(written)


def _encode(layer: LayerToWrite) -> list[EncodedBlob]:
    return [
        encode_blob(blob_values(blob), f"blob {index} of layer `{layer[0]}`")
        for index, blob in enumerate(layer[4])
    ]


def _layer_head(layer: LayerToWrite, blobs: list[EncodedBlob]) -> bytes:
    """The bytes of a field `layer` up to its blobs."""
    fields = [text_field(1, layer[0]), text_field(2, layer[1])]
    fields += [text_field(3, bottom) for bottom in layer[2]]
    fields += [text_field(4, top) for top in layer[3]]
    body = b"".join(fields)
    return field_head(100, len(body) + sum(map(_size, blobs))) + body


def _size(blob: EncodedBlob) -> int:
    """The size of a field `blobs`."""
    return len(field_head(7, blob.size)) + blob.size
