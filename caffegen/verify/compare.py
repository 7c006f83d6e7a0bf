"""Running a net by several runtimes and holding their blobs against each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from caffegen.errors import CaffegenError, MissingExtra

from .inputs import seeded_inputs
from .recompute import recompute
from .report import BlobDifference, RuntimeRun, VerifyReport
from .runtimes import CannotRun, Job, runtime

if TYPE_CHECKING:
    from caffegen.loader import Net

__all__ = ["compare"]

# below this magnitude a blob counts as zero, and its differences as absolute ones
_TINY = 1e-6


def compare(
    net: Net,
    runtimes: Sequence[str] | None = None,
    seed: int = 0,
    *,
    inputs: Mapping[str, Any] | None = None,
    tolerance: float = 1e-4,
    device: str = "cpu",
    progress: Callable[[str], None] | None = None,
) -> VerifyReport:
    """The same input through every runtime, blob by blob, against the first that ran.

    Without `runtimes`, torch, onnxruntime and OpenCV as far as they are installed. `inputs` are
    arrays by blob name, from `seed` by default. Blobs differ when their largest difference is above
    `tolerance` times the largest magnitude of the blob. A runtime that does not take the net is
    noted with its reason; one that was asked for by name and is not installed raises MissingExtra.

    Where a blob differs that comes from a layer which sorts, cuts off or rounds, the runtime
    computes again from there with what the reference has for the bottoms of such layers; the blob
    agrees if it does then. What these layers read has to agree as it is.
    """
    arrays = dict(inputs) if inputs is not None else seeded_inputs(net, seed)
    names = list(runtimes) if runtimes is not None else ["torch", "onnxruntime", "opencv"]
    runs: list[RuntimeRun] = []
    results: dict[str, dict[str, Any]] = {}
    for name in names:
        if progress is not None:
            progress(name)
        engine = runtime(name)
        try:
            version = engine.version()
        except MissingExtra as missing:
            if runtimes is not None:
                raise
            runs.append(RuntimeRun(name, "", False, 0.0, str(missing)))
            continue
        start = time.perf_counter()
        try:
            outcome = engine.run(Job(net, arrays, device))
        except CaffegenError as refusal:
            if not isinstance(refusal, CannotRun) and name == "torch" and device != "cpu":
                raise
            runs.append(RuntimeRun(name, version, False, 0.0, str(refusal)))
            continue
        seconds = time.perf_counter() - start
        runs.append(RuntimeRun(name, version, True, seconds, outcome.note))
        results[name] = outcome.blobs
    if not results:
        return VerifyReport(net.name, seed, tolerance, tuple(runs), ())
    job = Job(net, arrays, device)
    rows = _rows(net, arrays, results, tolerance)
    difference = partial(_difference, tolerance=tolerance)
    notes = recompute(rows, job, results, difference, tolerance)
    return VerifyReport(net.name, seed, tolerance, tuple(runs), tuple(rows), tuple(notes))


def _rows(
    net: Net, inputs: Mapping[str, Any], results: Mapping[str, dict[str, Any]], tolerance: float
) -> list[BlobDifference]:
    """Blobs in the order in which they are computed, so that the first difference is the cause."""
    reference, *others = results
    finals = [value for value in net.graph.values if net.graph.final.get(value.name) is value]
    rows = []
    for value in finals:
        if value.name in inputs and value.producer is not None and not value.producer.bottom:
            continue
        mine = results[reference].get(value.name)
        for other in others:
            theirs = results[other].get(value.name)
            if mine is None or theirs is None:
                continue
            layer = value.producer.name if value.producer else ""
            rows.append(_difference(value.name, layer, reference, mine, other, theirs, tolerance))
    return rows


def _difference(
    blob: str, layer: str, reference: str, mine: Any, other: str, theirs: Any, tolerance: float
) -> BlobDifference:
    import numpy as np

    a = np.asarray(mine, dtype=np.float64)
    b = np.asarray(theirs, dtype=np.float64)
    if a.size == b.size and a.shape != b.shape:
        b = _same_but_for_ones(a, b)
    if a.shape != b.shape:
        infinite = float("inf")
        return BlobDifference(
            blob, layer, a.shape, reference, other, infinite, infinite, infinite, False
        )
    finite = np.isfinite(a) & np.isfinite(b)
    same = finite | (a == b) | (np.isnan(a) & np.isnan(b))
    if not same.all():
        absolute = relative = float("inf")
        largest = float(np.abs(a[np.isfinite(a)]).max(initial=0.0))
    else:
        absolute = float(np.abs(a[finite] - b[finite]).max(initial=0.0))
        largest = float(np.abs(a[finite]).max(initial=0.0))
        relative = absolute / max(largest, _TINY)
    return BlobDifference(
        blob, layer, a.shape, reference, other, absolute, relative, largest, relative <= tolerance
    )


def _same_but_for_ones(a: Any, b: Any) -> Any:
    """OpenCV keeps or drops axes of length 1 where Caffe does not; the values are the same."""
    if [n for n in a.shape if n != 1] == [n for n in b.shape if n != 1]:
        return b.reshape(a.shape)
    return b
