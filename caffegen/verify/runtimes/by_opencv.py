"""The net through OpenCV 4's own Caffe importer."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from caffegen.errors import MissingExtra

from . import CannotRun, Job, Outcome

if TYPE_CHECKING:
    from caffegen.loader import Net

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
    imported, note = _read(job.net)
    imported.enableFusion(False)
    imported.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    imported.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
    there = set(imported.getLayerNames())
    makers = {
        name: value.producer.name
        for name, value in job.net.graph.final.items()
        if value.producer is not None
        and value.producer.name in there
        and len(value.producer.outputs) == 1
        and value.producer.bottom
    }
    try:
        for name, array in job.inputs.items():
            imported.setInput(array, name)
        names = list(dict.fromkeys(makers.values()))
        arrays = dict(zip(names, imported.forward(names), strict=True))
    except cv2.error as error:
        raise CannotRun(_reason(error)) from error
    return Outcome({blob: arrays[layer] for blob, layer in makers.items()}, note)


def _read(net: Net) -> tuple[Any, str]:
    """The user's own files where they can be taken as they are, else the net as caffegen writes it."""
    import cv2

    own = _own_files(net)
    if own is not None:
        try:
            return cv2.dnn.readNetFromCaffe(*own), "read the files as they are"
        except cv2.error:
            pass
    with _written(net) as paths:
        try:
            return cv2.dnn.readNetFromCaffe(*paths), "read the net as caffegen writes it"
        except cv2.error as error:
            raise CannotRun(_reason(error)) from error


def _own_files(net: Net) -> tuple[str, str] | None:
    """Prototxt and caffemodel, where the net is the whole of one of each."""
    sources = net.weights.sources if net.weights is not None else ()
    if net.source is None or len(sources) != 1 or not os.path.exists(net.source.path):
        return None
    whole = len(net.message.layer) == len(net.graph.nodes) and not any(
        layer.has("include") or layer.has("exclude") for layer in net.message.layer
    )
    return (net.source.path, sources[0]) if whole and not net.state.stages else None


@contextmanager
def _written(net: Net) -> Iterator[tuple[str, ...]]:
    with tempfile.TemporaryDirectory(prefix="caffegen-") as folder:
        prototxt = os.path.join(folder, "net.prototxt")
        caffemodel = os.path.join(folder, "net.caffemodel")
        if net.weights is None:
            net.save(prototxt)
            yield (prototxt,)
        else:
            net.save(prototxt, caffemodel)
            yield prototxt, caffemodel


def _reason(error: Exception) -> str:
    text = getattr(error, "err", "") or str(error)
    return " ".join(str(text).split())
