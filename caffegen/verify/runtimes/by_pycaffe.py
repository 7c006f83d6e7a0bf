"""The net through Caffe itself, for those who still have its Python module."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from caffegen.errors import CaffegenError

from . import CannotRun, Job, Outcome

__all__ = ["run", "version"]


def version() -> str:
    """The version of the installed `caffe` module."""
    try:
        import caffe
    except ImportError:
        raise CaffegenError(
            "running a net in pycaffe needs Caffe's own Python module, which no package installs"
        ) from None
    return str(getattr(caffe, "__version__", "unknown"))


def run(job: Job) -> Outcome:
    """Every blob of the net after one forward pass on the CPU."""
    import caffe

    if job.net.weights is None:
        raise CannotRun("a net without weights would be filled by Caffe's own random numbers")
    phase = caffe.TRAIN if job.net.phase == "TRAIN" else caffe.TEST
    with tempfile.TemporaryDirectory(prefix="caffegen-") as folder:
        prototxt = os.path.join(folder, "net.prototxt")
        caffemodel = os.path.join(folder, "net.caffemodel")
        job.net.save(prototxt, caffemodel)
        caffe.set_mode_cpu()
        net: Any = caffe.Net(prototxt, caffemodel, phase)
    for name, array in job.inputs.items():
        net.blobs[name].reshape(*array.shape)
        net.blobs[name].data[...] = array
    net.forward()
    return Outcome({name: net.blobs[name].data.copy() for name in job.net.graph.final})
