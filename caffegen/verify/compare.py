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
# values that are held against each other in double precision at once
_AT_ONCE = 1 << 20


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
    noted with its reason; one that was asked for by name and is not installed, or in a version that
    takes no net of Caffe's, raises MissingExtra or CannotRun.

    Where a blob differs that comes from a layer which sorts, cuts off or rounds, the runtime
    computes again from there with what the reference has for the bottoms of such layers; the blob
    agrees if it does then. What these layers read has to agree as it is.
    """
    arrays = dict(inputs) if inputs is not None else seeded_inputs(net, seed)
    names = list(runtimes) if runtimes is not None else ["torch", "onnxruntime", "opencv"]
    runs: list[RuntimeRun] = []
    job = Job(net, arrays, device)
    found: dict[tuple[str, str], BlobDifference] = {}
    for name in names:
        if progress is not None:
            progress(name)
        engine = runtime(name)
        try:
            version = engine.version()
        except (CannotRun, MissingExtra) as missing:
            if runtimes is not None:
                raise
            runs.append(RuntimeRun(name, "", False, 0.0, str(missing)))
            continue
        start = time.perf_counter()
        try:
            outcome = engine.run(job)
        except CaffegenError as refusal:
            if not isinstance(refusal, CannotRun) and name == "torch" and device != "cpu":
                raise
            runs.append(RuntimeRun(name, version, False, 0.0, str(refusal)))
            continue
        seconds = time.perf_counter() - start
        runs.append(RuntimeRun(name, version, True, seconds, outcome.note))
        if job.reference:
            found.update(_differences(job, name, outcome.blobs, tolerance))
        else:
            job = job._replace(known=outcome.blobs, reference=name)
        # the blobs of a large net are gigabytes: those of two runtimes at a time
        del outcome
    others = [run.name for run in runs if run.ran][1:]
    # in the order in which they are computed, so that the first difference is the cause
    rows = [
        found[value.name, other]
        for value in net.graph.values
        for other in others
        if net.graph.final.get(value.name) is value and (value.name, other) in found
    ]
    notes = recompute(rows, job, partial(_difference, tolerance=tolerance), tolerance)
    return VerifyReport(net.name, seed, tolerance, tuple(runs), tuple(rows), tuple(notes))


def _differences(
    job: Job, other: str, theirs: dict[str, Any], tolerance: float
) -> dict[tuple[str, str], BlobDifference]:
    """A row for each blob that both have, by the blob's name and the runtime's."""
    rows = {}
    for value in job.net.graph.final.values():
        name, maker = value.name, value.producer
        if name not in job.known or name not in theirs:
            continue
        if name in job.inputs and maker is not None and not maker.bottom:
            continue
        layer = maker.name if maker else ""
        values = job.known[name], other, theirs.pop(name)
        rows[name, other] = _difference(name, layer, job.reference, *values, tolerance)
    return rows


def _difference(
    blob: str, layer: str, reference: str, mine: Any, other: str, theirs: Any, tolerance: float
) -> BlobDifference:
    import numpy as np

    a, b = np.asarray(mine), np.asarray(theirs)
    if a.size == b.size and a.shape != b.shape:
        b = _same_but_for_ones(a, b)
    absolute = relative = float("inf")
    if a.shape != b.shape:
        return BlobDifference(
            blob, layer, a.shape, reference, other, absolute, relative, absolute, False
        )
    gaps, sizes = [], [0.0]
    left, right = a.reshape(-1), b.reshape(-1)
    for begin in range(0, a.size, _AT_ONCE):
        x, y = (side[begin : begin + _AT_ONCE].astype(np.float64) for side in (left, right))
        known = np.isfinite(x)
        both = known & np.isfinite(y)
        sizes.append(float(np.abs(x[known]).max(initial=0.0)))
        same = both | (x == y) | (np.isnan(x) & np.isnan(y))
        gaps.append(float(np.abs(x[both] - y[both]).max(initial=0.0)) if same.all() else absolute)
    absolute, largest = max(gaps, default=0.0), max(sizes)
    if absolute < float("inf"):
        relative = absolute / max(largest, _TINY)
    return BlobDifference(
        blob, layer, a.shape, reference, other, absolute, relative, largest, relative <= tolerance
    )


def _same_but_for_ones(a: Any, b: Any) -> Any:
    """OpenCV keeps or drops axes of length 1 where Caffe does not; the values are the same."""
    if [n for n in a.shape if n != 1] == [n for n in b.shape if n != 1]:
        return b.reshape(a.shape)
    return b
