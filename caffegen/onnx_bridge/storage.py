"""Where the weights of an ONNX model go: into its file, into one beside it, or nowhere at all.

Weights that lie in a .caffemodel as ONNX stores them are copied from file to file, all others are
read a piece at a time; neither fills memory.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from io import FileIO
from typing import BinaryIO

from onnx import GraphProto, ModelProto, TensorProto

from caffegen.atomic import atomic_write
from caffegen.errors import CaffegenError, FileError, unreadable
from caffegen.text import printable
from caffegen.weights import Progress
from caffegen.weights.encode import field_head

from .write.initialiser import Initialiser, Place
from .write.model import Model

__all__ = ["STORAGES", "with_data"]

# fields of ModelProto, GraphProto and TensorProto in onnx.proto
_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9
LARGEST_MESSAGE = (1 << 31) - 1

# weights below this are kept in the graph, as onnx itself does
_SMALL = 1024
# what `link` can't leave in the .caffemodel is kept in the graph up to this, else beside it
_LINKED_INSIDE = 1 << 24
# mapped files begin tensors on a page; small ones need no more than a cache line
_PAGE, _LINE, _LARGE = 4096, 64, 1 << 20
_PIECE = 1 << 19


class _Writer:
    """A file that is written from front to back, from memory or from other files."""

    def __init__(self, file: BinaryIO, files: contextlib.ExitStack, progress: Progress) -> None:
        self.file = file
        self.progress = progress
        self.at = 0
        self._files = files
        self._opened: dict[str, FileIO] = {}
        self._piece = memoryview(bytearray(_PIECE))

    def bytes(self, data: bytes | memoryview) -> None:
        """Write what is in memory."""
        self.file.write(data)
        self.at += len(data)
        self.progress(self.at)

    def weight(self, weight: Initialiser) -> None:
        """Write the values of a weight."""
        place = weight.place
        if place is not None:
            self._copy(place)
            return
        for chunk in weight.chunks():
            self.bytes(chunk)

    def _copy(self, place: Place) -> None:
        """Copy bytes of another file; reading it does not fill memory as mapping it would.

        Through a piece of memory that stays in the processor's cache: weights begin anywhere in a
        caffemodel, and the kernel's own copies (sendfile) take half as long again from an odd place.
        """
        source = self._open(place.path)
        source.seek(place.offset)
        left = place.nbytes
        while left:
            count = source.readinto(self._piece[: min(_PIECE, left)])
            if not count:
                raise FileError(place.path, f"it was cut off at byte {source.tell()}")
            self.bytes(self._piece[:count])
            left -= count

    def _open(self, path: str) -> FileIO:
        """The file that weights are copied from, opened once."""
        source = self._opened.get(path)
        if source is None:
            try:
                source = self._files.enter_context(FileIO(path))
            except OSError as error:
                raise unreadable(path, error) from None
            self._opened[path] = source
        return source


def with_data(model: Model) -> ModelProto:
    """The model with its weights, in memory."""
    whole = model.proto
    _check_size(len(whole.SerializeToString()) + sum(w.nbytes for w in model.initialisers), "")
    for weight in model.initialisers:
        _add_head(whole.graph, weight).raw_data = b"".join(weight.chunks())
    return whole


def _refuse_source(path: str, model: Model) -> None:
    """Refuse to write over a file that the model is made from, which a link would then lead to."""
    if os.path.exists(path):
        for source in model.sources:
            if os.path.exists(source) and os.path.samefile(path, source):
                raise FileError(path, "the model is made from it; give the model another name")


def embed(path: str, model: Model, progress: Progress) -> list[str]:
    """Write the weights into the model's own file."""
    _refuse_source(path, model)
    apart = GraphProto()
    heads = [_add_head(apart, weight).SerializeToString() for weight in model.initialisers]
    graph = model.proto.graph.SerializeToString()
    records = []
    for weight, head in zip(model.initialisers, heads, strict=True):
        record = head + field_head(_RAW_DATA, weight.nbytes)
        records.append(field_head(_INITIALIZER, len(record) + weight.nbytes) + record)
    length = len(graph) + sum(map(len, records)) + sum(w.nbytes for w in model.initialisers)
    model.proto.ClearField("graph")
    start = model.proto.SerializeToString() + field_head(_GRAPH, length)
    _check_size(len(start) + length, path)
    with atomic_write(path, "wb") as file, _writer(file, progress) as out:
        out.bytes(start)
        out.bytes(graph)
        for weight, record in zip(model.initialisers, records, strict=True):
            out.bytes(record)
            out.weight(weight)
    return [path]


def external(path: str, model: Model, progress: Progress) -> list[str]:
    """Write the weights into one file beside the model, each at an aligned place."""
    inside = [weight for weight in model.initialisers if weight.nbytes < _SMALL]
    beside = [weight for weight in model.initialisers if weight.nbytes >= _SMALL]
    return _write_beside(os.path.realpath(path), model, inside, beside, {}, progress)


def link(path: str, model: Model, progress: Progress) -> list[str]:
    """Point at the weights in the .caffemodel; write only what does not lie there as float32."""
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    links = {}
    below: dict[str, str] = {}
    rest = []
    for weight in model.initialisers:
        place = weight.place
        if place is None:
            rest.append(weight)
        else:
            if place.path not in below:
                below[place.path] = _below(folder, place.path)
            links[weight.name] = Place(below[place.path], place.offset, place.nbytes)
    inside = sum(weight.nbytes for weight in rest) <= _LINKED_INSIDE
    return _write_beside(
        path, model, rest if inside else [], [] if inside else rest, links, progress
    )


STORAGES: dict[str, Callable[[str, Model, Progress], list[str]]] = {
    "embed": embed,
    "external": external,
    "link": link,
}


def _write_beside(
    path: str,
    model: Model,
    inside: Sequence[Initialiser],
    beside: Sequence[Initialiser],
    links: dict[str, Place],
    progress: Progress,
) -> list[str]:
    """Write the model, and `<path>.data` with the weights that go beside it, if there are any.

    `path` is no link, so that both lie in one folder.
    The file beside takes its name first: a model never points at what is not there.
    """
    graph = model.proto.graph
    places = dict(links)
    name = os.path.basename(path) + ".data"
    data = os.path.join(os.path.dirname(path), name)
    _refuse_source(path, model)
    if beside:
        _refuse_source(data, model)
    at = 0
    for weight in beside:
        at += -at % (_PAGE if weight.nbytes >= _LARGE else _LINE)
        places[weight.name] = Place(name, at, weight.nbytes)
        at += weight.nbytes
    for location in {place.path for place in places.values()}:
        if printable(location) != location:
            raise CaffegenError(
                f"ONNX names files in UTF-8, and `{location}` is none; rename it, or use "
                "--weights embed"
            )
    for weight in model.initialisers:
        place = places.get(weight.name)
        if place is not None:
            tensor = _add_head(graph, weight)
            tensor.data_location = TensorProto.EXTERNAL
            add = tensor.external_data.add
            add(key="location", value=place.path)
            add(key="offset", value=str(place.offset))
            add(key="length", value=str(place.nbytes))
    for weight in inside:
        _add_head(graph, weight).raw_data = b"".join(weight.chunks())
    with atomic_write(path, "wb") as file:
        file.write(model.proto.SerializeToString())
        if beside:
            with atomic_write(data, "wb") as side, _writer(side, progress) as out:
                for weight in beside:
                    out.bytes(bytes(places[weight.name].offset - out.at))
                    out.weight(weight)
    return [path, data] if beside else [path]


@contextlib.contextmanager
def _writer(file: BinaryIO, progress: Progress) -> Iterator[_Writer]:
    with contextlib.ExitStack() as files:
        yield _Writer(file, files, progress)


def _add_head(graph: GraphProto, weight: Initialiser) -> TensorProto:
    """Add the TensorProto of a weight, but for its values."""
    return graph.initializer.add(name=weight.name, dims=weight.shape, data_type=TensorProto.FLOAT)


def _check_size(size: int, path: str) -> None:
    if size > LARGEST_MESSAGE:
        sentence = (
            f"with its weights the model has {size} bytes, and protobuf reads {LARGEST_MESSAGE} "
            "at most; keep them beside it (--weights external) or in the .caffemodel (link)"
        )
        raise FileError(path, sentence) if path else CaffegenError(sentence)


def _below(folder: str, path: str) -> str:
    """The path of the weights as seen from the model; runtimes read nothing outside its folder."""
    try:
        relative = os.path.relpath(os.path.realpath(path), folder)
    except ValueError:  # another drive
        relative = os.pardir
    if relative.split(os.sep)[0] == os.pardir:
        raise CaffegenError(
            f"`{path}` lies outside the folder of the model, `{folder}`, and ONNX links to nothing "
            "there; write the model beside the weights, or use --weights external"
        )
    return relative.replace(os.sep, "/")
