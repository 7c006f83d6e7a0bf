"""The net through OpenCV 4's own Caffe importer."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from caffegen.analysis.sharing import param_owners
from caffegen.errors import MissingExtra
from caffegen.schema import message_type
from caffegen.text import parse, print_message, printable
from caffegen.weights.identify import HDF5_MAGIC
from caffegen.weights.mapped import map_file

from . import CannotRun, Job, Outcome
from .accent import Accent, in_its_accent

if TYPE_CHECKING:
    from caffegen.loader import Net
    from caffegen.net import Node

__all__ = ["run", "version"]

_ONE_LAYER = (
    'layer {{ name: "x" type: "Input" top: "x" '
    "input_param {{ shape {{ dim: 1 dim: 1 dim: 1 dim: 1 }} }} }}\n"
    'layer {{ name: "layer" type: {} bottom: "x" top: "y" }}\n'
)


def version() -> str:
    """The version of OpenCV; its Caffe importer ended with version 4."""
    try:
        import cv2
    except ImportError:
        raise MissingExtra("running a net in OpenCV", "verify") from None
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        raise CannotRun(f"OpenCV {cv2.__version__} has no Caffe importer; install a version 4")
    return str(cv2.__version__)


def run(job: Job) -> Outcome:
    """Every blob whose last maker is a layer with one top; layers are not fused, so that each shows.

    What reads a layer that OpenCV lacks is given the values that the job knows, and goes on.
    """
    if job.net.phase != "TEST":
        raise CannotRun("OpenCV runs nets in the TEST phase alone")
    names = [*job.net.graph.final, *(node.name for node in job.net.graph.nodes)]
    if any(printable(name) != name for name in names):
        raise CannotRun("OpenCV's Python module takes no names that are not UTF-8")
    with _quiet():
        return _run_what_it_has(job)


@contextmanager
def _quiet() -> Iterator[None]:
    """OpenCV writes to stderr what it throws as well."""
    from cv2.utils import logging

    before = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(before)


def _run_what_it_has(job: Job) -> Outcome:
    lacks = {node.type for node in job.net.graph.nodes if _lacks(node.type)}
    accent = in_its_accent(job.net, lacks, job.known)
    if not accent.computed:
        reasons = "; ".join(accent.left_out.values())
        raise CannotRun(reasons or "the net has no layer that computes anything")
    if not accent.given:
        return _run(job, accent)
    try:
        return _run(job, accent)
    except CannotRun:
        # what stands in front of the layers that it lacks
        accent = in_its_accent(job.net, lacks)
        if not accent.computed:
            raise
        return _run(job, accent)


def _run(job: Job, accent: Accent) -> Outcome:
    import cv2

    _need_weights(job.net, accent.kept)
    imported, note = _read(job, accent)
    imported.enableFusion(False)
    imported.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    imported.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
    there = set(imported.getLayerNames())
    makers = {
        name: _called(value.producer, there)
        for name, value in job.net.graph.final.items()
        if value.producer is not None
        and value.producer.name in accent.kept
        and len(value.producer.outputs) == 1
        and value.producer.bottom
    }
    makers = {name: layer for name, layer in makers.items() if layer in there}
    if not makers:
        raise CannotRun("OpenCV has no layer with one top that the net has too")
    given = {name: job.known[blob] for name, blob in accent.given.items()}
    inputs = {name: array for name, array in job.inputs.items() if name not in accent.unread}
    try:
        for name, array in {**inputs, **given}.items():
            imported.setInput(array, name)
        names = list(dict.fromkeys(makers.values()))
        arrays = dict(zip(names, imported.forward(names), strict=True))
    except cv2.error as error:
        raise CannotRun(_reason(error)) from error
    blobs = {}
    for blob, layer in makers.items():
        maker = job.net.graph.final[blob].producer
        array = arrays[layer]
        if maker is not None and maker.type == "DetectionOutput":
            array = _by_class(array, maker)
        elif maker is not None and maker.type == "Proposal":
            array = _without_filling(array)
        blobs[blob] = array
    return Outcome(blobs, note)


def _need_weights(net: Net, kept: Collection[str]) -> None:
    """Refuse layers that have none of their blobs: OpenCV reads them all the same, and crashes."""
    held = net.weights.blobs if net.weights is not None else {}
    for node in net.graph.nodes:
        has_blobs = node.definition is not None and node.definition.blobs
        if has_blobs and node.name in kept and not held.get(node.name):
            raise CannotRun(f"layer `{node.name}` has no weights")


@cache
def _lacks(kind: str) -> bool:
    """Whether OpenCV has no layer of a type, which it says when it is to make one."""
    import cv2
    import numpy as np

    if kind == "Input":
        return False
    data = _ONE_LAYER.format(json.dumps(kind)).encode()
    try:
        cv2.dnn.readNetFromCaffe(np.frombuffer(data, np.uint8)).getLayer("layer")
    except cv2.error as error:
        return "Can't create layer" in _reason(error)
    return False


def _called(node: Node, there: Collection[str]) -> str:
    """The layer's name in OpenCV 4.14, which calls a convolution by its top."""
    return node.name if node.name in there else node.top[0]


def _by_class(array: Any, maker: Node | None) -> Any:
    """Detections as Caffe lists them, by class, and -1 for each image where there are none.

    OpenCV lists them by score, and fills up with zeros.
    """
    import numpy as np

    rows = array.reshape(-1, 7)
    rows = rows[rows.any(1)]
    if not len(rows):
        first = None if maker is None else maker.inputs[0]
        number = first.shape[0] if first is not None and first.shape else 1
        rows = np.full((number, 7), -1, np.float32)
        rows[:, 0] = np.arange(number)
    return rows[np.lexsort((rows[:, 1], rows[:, 0]))][None, None]


def _without_filling(rows: Any) -> Any:
    """The regions of a Proposal; OpenCV fills up with zeros to `post_nms_topn`."""
    return rows[: rows.any(1).nonzero()[0].max(initial=-1) + 1]


def _read(job: Job, accent: Accent) -> tuple[Any, str]:
    """The user's own files where they can be taken as they are, else what OpenCV takes for them."""
    import cv2

    net, reference = job.net, job.reference
    own = _own_files(net)
    if own is not None and not (accent.changes or accent.left_out or accent.unread):
        try:
            return cv2.dnn.readNetFromCaffe(*own), "read the files as they are"
        except cv2.error:
            own = None
    with tempfile.TemporaryDirectory(prefix="caffegen-") as folder:
        prototxt, caffemodel = (
            os.path.join(folder, f"net.{end}") for end in ("prototxt", "caffemodel")
        )
        with open(prototxt, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(print_message(accent.net))
        if own is not None:
            try:
                return cv2.dnn.readNetFromCaffe(prototxt, own[1]), _note(accent, reference)
            except cv2.error:
                pass
        if net.weights is not None:
            net.save(caffemodel=caffemodel)
        paths = (prototxt, caffemodel) if net.weights is not None else (prototxt,)
        try:
            return cv2.dnn.readNetFromCaffe(*paths), _note(accent, reference)
        except cv2.error as error:
            raise CannotRun(_reason(error)) from error


def _note(accent: Accent, reference: str) -> str:
    told = "read the net as caffegen writes it"
    if accent.changes:
        told = f"read in its own accent: {'; '.join(accent.changes)}"
    if not accent.left_out:
        return told
    reasons = "; ".join(accent.left_out.values())
    if not accent.given:
        return f"{told}; left out with all behind it: {reasons}"
    given = ", ".join(f"`{blob}`" for blob in accent.given.values())
    return f"{told}; left out: {reasons}; behind them it read {reference}'s {given}"


def _own_files(net: Net) -> tuple[str, str] | None:
    """Prototxt and caffemodel, where the net is the whole of one of each.

    OpenCV reads no HDF5 and says nothing of it, and knows no weights that layers share.
    """
    sources = net.weights.sources if net.weights is not None else ()
    if net.source is None or len(sources) != 1 or not os.path.exists(net.source.path):
        return None
    is_hdf5 = bytes(map_file(sources[0]).buffer[: len(HDF5_MAGIC)]) == HDF5_MAGIC
    if is_hdf5 or param_owners(net.graph):
        return None
    # at a path that is no UTF-8 OpenCV 4.14 ends the process
    if any(printable(path) != path for path in (net.source.path, *sources)):
        return None
    # the net has the layers of one state, and OpenCV reads those of all
    text = parse(net.source, message_type("NetParameter")).message
    ruled = any(la.has("include") or la.has("exclude") for la in (*text.layer, *text.layers))
    whole = len(net.message.layer) == len(net.graph.nodes) and not ruled
    return (net.source.path, sources[0]) if whole and not net.state.stages else None


def _reason(error: Exception) -> str:
    text = getattr(error, "err", "") or str(error)
    return " ".join(str(text).split())
