"""Trained weights in a .caffemodel of any version: found by a walk over the headers alone."""

from __future__ import annotations

import os
from typing import Literal, NamedTuple

from caffegen.errors import FileError
from caffegen.weights.identify import by_content, by_magic, refusal
from caffegen.weights.mapped import MappedFile, map_file
from caffegen.weights.old_types import V0_TYPES, V1_TYPES
from caffegen.weights.stored_blob import StoredBlob, read_blob
from caffegen.weights.wire import LEN, VARINT, Fields, WireError, int32, text

__all__ = ["CaffeModel", "LayerWeights", "open_caffemodel", "read_caffemodel"]

Version = Literal["V0", "V1", "V2"]

_KIND = "a .caffemodel"

# NetParameter's fields that hold the name and the layers, and the wire types of all others.
_NAME, _LAYERS, _LAYER = 1, 2, 100
_OTHERS = {(3, LEN), (4, LEN), (4, VARINT), (5, VARINT), (6, LEN), (7, VARINT), (8, LEN)}


class LayerWeights(NamedTuple):
    """One layer as the file holds it: its names, and its weight blobs in Caffe's order.

    `version` is the format: V0 of 2013, V1 of 2014 (`layers`), V2 of today (`layer`). `type` is
    today's name in all of them.
    """

    name: str
    type: str
    bottom: tuple[str, ...]
    top: tuple[str, ...]
    blobs: list[StoredBlob]
    version: Version = "V2"


class CaffeModel(NamedTuple):
    """A file of weights: the net's name and its layers in file order, as often as they occur.

    Caffe matches layers by name alone; of two with one name the later one overwrites
    (net.cpp, CopyTrainedLayersFrom).
    """

    path: str
    name: str
    layers: list[LayerWeights]


def open_caffemodel(path: str | os.PathLike[str]) -> CaffeModel:
    """Map a .caffemodel and find its layers; the values are read when an array is.

    Takes time by the number of layers, not by the size. Raises FileError, in one sentence that
    says what the file is, for all that is no sound .caffemodel.
    """
    return read_caffemodel(map_file(path))


def read_caffemodel(file: MappedFile) -> CaffeModel:
    """As `open_caffemodel`, of a file that is mapped already."""
    unlike = by_magic(file.buffer)
    if unlike:
        raise FileError(file.path, refusal(unlike, _KIND))
    name = ""
    layers: list[LayerWeights] = []
    foreign = named = False
    fields = Fields(file.buffer)
    try:
        for number, wire, start, stop in fields:
            if number == _LAYER and wire == LEN:
                layers.append(_read_layer(file, start, stop))
            elif number == _LAYERS and wire == LEN:
                layers.append(_read_old_layer(file, start, stop))
            elif number == _NAME and wire == LEN:
                name = text(file.buffer, start, stop)
                foreign = foreign or named
                named = True
            else:
                foreign = foreign or (number, wire) not in _OTHERS
    except WireError as fault:
        raise FileError(file.path, _explain(file, fields, layers, fault)) from None
    # Forks add fields of their own to nets with layers; without layers they prove another format.
    if foreign and not layers:
        kind = by_content(file.buffer)
        if kind in ("", _KIND):
            raise FileError(file.path, f"it holds no layers, so it is not {_KIND}")
        raise FileError(file.path, refusal(kind, _KIND))
    return CaffeModel(file.path, name, layers)


def _read_layer(file: MappedFile, at: int, end: int) -> LayerWeights:
    """Read a LayerParameter: the five fields that mean the same in every fork."""
    buffer = file.buffer
    name = kind = ""
    bottom: list[str] = []
    top: list[str] = []
    blobs: list[tuple[int, int]] = []
    for number, wire, start, stop in Fields(buffer, at, end):
        if wire != LEN or number > 7:
            continue
        if number == 7:
            blobs.append((start, stop))
        elif number == 1:
            name = text(buffer, start, stop)
        elif number == 2:
            kind = text(buffer, start, stop)
        elif number == 3:
            bottom.append(text(buffer, start, stop))
        elif number == 4:
            top.append(text(buffer, start, stop))
    return LayerWeights(name, kind, tuple(bottom), tuple(top), _read_blobs(file, blobs, name))


def _read_old_layer(file: MappedFile, at: int, end: int) -> LayerWeights:
    """Read a V1LayerParameter, or the V0LayerParameter inside it, which then counts alone.

    upgrade_proto.cpp, UpgradeV0LayerParameter: of the outer message only bottom and top stay.
    """
    buffer = file.buffer
    name = kind = ""
    bottom: list[str] = []
    top: list[str] = []
    blobs: list[tuple[int, int]] = []
    inner: list[tuple[int, int]] = []
    for number, wire, start, stop in Fields(buffer, at, end):
        if number == 6 and wire == LEN:
            blobs.append((start, stop))
        elif number == 4 and wire == LEN:
            name = text(buffer, start, stop)
        elif number == 5 and wire == VARINT:
            value = int32(start)
            kind = V1_TYPES[value] if 0 <= value < len(V1_TYPES) else kind
        elif number == 2 and wire == LEN:
            bottom.append(text(buffer, start, stop))
        elif number == 3 and wire == LEN:
            top.append(text(buffer, start, stop))
        elif number == 1 and wire == LEN:
            inner.append((start, stop))
    version: Version = "V1"
    if inner:
        version = "V0"
        name, kind, blobs = _read_v0(file, inner)
    stored = _read_blobs(file, blobs, name)
    return LayerWeights(name, kind, tuple(bottom), tuple(top), stored, version)


def _read_v0(
    file: MappedFile, parts: list[tuple[int, int]]
) -> tuple[str, str, list[tuple[int, int]]]:
    """The name, type and blobs of a V0LayerParameter; protobuf merges one that comes in parts."""
    name = kind = ""
    blobs: list[tuple[int, int]] = []
    for at, end in parts:
        for number, wire, start, stop in Fields(file.buffer, at, end):
            if number == 50 and wire == LEN:
                blobs.append((start, stop))
            elif number == 1 and wire == LEN:
                name = text(file.buffer, start, stop)
            elif number == 2 and wire == LEN:
                kind = text(file.buffer, start, stop)
    return name, V0_TYPES.get(kind, kind), blobs


def _read_blobs(file: MappedFile, places: list[tuple[int, int]], name: str) -> list[StoredBlob]:
    return [
        read_blob(file, start, stop, f"blob {index} of layer `{name}`")
        for index, (start, stop) in enumerate(places)
    ]


def _explain(file: MappedFile, fields: Fields, layers: list[LayerWeights], fault: WireError) -> str:
    """The sentence for a file that is no message, or no whole one."""
    if not layers:
        kind = by_content(file.buffer)
        if kind and kind != _KIND:
            return refusal(kind, _KIND)
        if fields.at == 0 and not kind and not fault.cut:
            return f"it is not {_KIND}: at byte {fault.offset}, {fault.sentence}"
    # A field of the net that fails leaves `fields` before it; a fault in a layer comes after.
    cut_off = fault.cut and fault.offset >= fields.at
    after = f" after layer `{layers[-1].name}`" if layers else ""
    state = "cut off" if cut_off else "damaged"
    return f"it is {state}{after}: at byte {fault.offset}, {fault.sentence}"
