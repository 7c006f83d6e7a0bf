"""The net through OpenCV 4's own Caffe importer."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from caffegen.errors import MissingExtra
from caffegen.text import print_message

from . import CannotRun, Job, Outcome
from .accent import Accent, in_its_accent

if TYPE_CHECKING:
    from caffegen.loader import Net
    from caffegen.net import Node

__all__ = ["run", "version"]


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
    """Every blob whose last maker is a layer with one top; layers are not fused, so that each shows."""
    import cv2

    if job.net.phase != "TEST":
        raise CannotRun("OpenCV runs nets in the TEST phase alone")
    accent = in_its_accent(job.net)
    if accent.left_out and not accent.computed:
        raise CannotRun("; ".join(accent.left_out.values()))
    imported, note = _read(job.net, accent)
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
    try:
        for name, array in job.inputs.items():
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


def _read(net: Net, accent: Accent) -> tuple[Any, str]:
    """The user's own files where they can be taken as they are, else what OpenCV takes for them."""
    import cv2

    own = _own_files(net)
    if own is not None and not accent.changes and not accent.left_out:
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
                return cv2.dnn.readNetFromCaffe(prototxt, own[1]), _note(accent)
            except cv2.error:
                pass
        if net.weights is not None:
            net.save(caffemodel=caffemodel)
        paths = (prototxt, caffemodel) if net.weights is not None else (prototxt,)
        try:
            return cv2.dnn.readNetFromCaffe(*paths), _note(accent)
        except cv2.error as error:
            raise CannotRun(_reason(error)) from error


def _note(accent: Accent) -> str:
    told = "read the net as caffegen writes it"
    if accent.changes:
        told = f"read in its own accent: {'; '.join(accent.changes)}"
    if accent.left_out:
        told += f"; left out with all behind it: {'; '.join(accent.left_out.values())}"
    return told


def _own_files(net: Net) -> tuple[str, str] | None:
    """Prototxt and caffemodel, where the net is the whole of one of each."""
    sources = net.weights.sources if net.weights is not None else ()
    if net.source is None or len(sources) != 1 or not os.path.exists(net.source.path):
        return None
    whole = len(net.message.layer) == len(net.graph.nodes) and not any(
        layer.has("include") or layer.has("exclude") for layer in net.message.layer
    )
    return (net.source.path, sources[0]) if whole and not net.state.stages else None


def _reason(error: Exception) -> str:
    text = getattr(error, "err", "") or str(error)
    return " ".join(str(text).split())
