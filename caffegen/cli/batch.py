"""Many nets at once: weights paired by name, failures passed over, work that is done not done again."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future
from typing import NamedTuple

import click

from caffegen.atomic import atomic_write
from caffegen.errors import CaffegenError

__all__ = ["Job", "Outcome", "convert_all", "pair_weights", "plan"]

_WEIGHTS = (".caffemodel", ".caffemodel.h5")
# what names of a net's text end in where the weights' name does not
_TAILS = ("_deploy", "-deploy", "_test", "_train_val", "_train_test", "_inference")


class Job(NamedTuple):
    """One net, its weights if any were found, and the file to write.

    `record` is the file that says how the folder's nets are converted.
    """

    prototxt: str
    weights: str | None
    output: str
    record: str


class Outcome(NamedTuple):
    """How a job ended: `converted`, `up to date` or `failed`, with a sentence."""

    job: Job
    state: str
    told: str


def pair_weights(prototxt: str) -> str | None:
    """The weights that belong to a prototxt by name; None where none or several might.

    A file of the same stem, with or without a tail such as `_deploy`; else the one caffemodel of the
    folder, if the folder has but one.
    """
    folder, name = os.path.split(prototxt)
    stem = name.rsplit(".", 1)[0]
    stems = [stem, *(stem[: -len(tail)] for tail in _TAILS if stem.endswith(tail))]
    for candidate in stems:
        for suffix in _WEIGHTS:
            path = os.path.join(folder, candidate + suffix)
            if os.path.isfile(path):
                return path
    try:
        there = [entry for entry in os.listdir(folder or ".") if entry.endswith(_WEIGHTS)]
    except OSError:
        return None  # whoever reads the prototxt says so
    return os.path.join(folder, there[0]) if len(there) == 1 else None


def plan(paths: Sequence[str], folder: str, suffix: str) -> list[Job]:
    """A job for every net; outputs keep the folders that the inputs do not share.

    Of what lies in folders, solvers and label maps are no nets.
    """
    from caffegen.cli.paths import find_files

    for path in paths:
        if path.endswith(_WEIGHTS):
            raise click.UsageError(
                f"`{path}` is no prototxt; the weights of a folder's nets are found by name"
            )
    # a file that is named twice, in one way or another, is one
    files = list({os.path.abspath(path): path for path in find_files(paths)}.values())
    files = [path for path in files if path in paths or not _is_other(path)]
    if not files:
        raise click.UsageError("no prototxt was found")
    shared = os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in files])
    record = os.path.join(folder, f".caffegen{suffix}.txt")
    jobs = []
    for path in files:
        inside = os.path.relpath(os.path.abspath(path), shared)
        output = os.path.join(folder, os.path.splitext(inside)[0] + suffix)
        jobs.append(Job(path, pair_weights(path), output, record))
    taken: dict[str, str] = {}
    for job in jobs:
        other = taken.setdefault(job.output, job.prototxt)
        if other != job.prototxt:
            raise click.UsageError(f"{other} and {job.prototxt} would both become {job.output}")
    return jobs


def _is_other(path: str) -> bool:
    """Whether a text is meant for something else than a net."""
    from caffegen.check.kind import read_kind
    from caffegen.loader import read_source

    try:
        return read_kind(read_source(path)).word in ("solver", "labels")
    except CaffegenError:
        return False  # whoever converts it says so


def _is_current(job: Job) -> bool:
    """Whether the output is there and newer than all that it is made from."""
    try:
        made = os.stat(job.output).st_mtime_ns
        sources = [job.prototxt, job.record, *([job.weights] if job.weights else [])]
        return all(os.stat(source).st_mtime_ns <= made for source in sources)
    except OSError:
        return False


def _note_options(record: str, options: str) -> None:
    """Keep how a folder's nets are converted in a file, which is newer than what was made otherwise.

    What a run that was ended halfway did not come to is then still to be done.
    """
    with contextlib.suppress(OSError, ValueError), open(record, encoding="utf-8") as file:
        if file.read() == options:
            return
    os.makedirs(os.path.dirname(record) or ".", exist_ok=True)
    with atomic_write(record) as file:
        file.write(options)


def _run(job: Job, convert: Callable[[Job], str]) -> Outcome:
    if _is_current(job):
        return Outcome(job, "up to date", "")
    try:
        os.makedirs(os.path.dirname(job.output) or ".", exist_ok=True)
        return Outcome(job, "converted", convert(job))
    except click.ClickException as error:
        return Outcome(job, "failed", error.format_message())
    except (CaffegenError, OSError) as error:
        return Outcome(job, "failed", str(error))
    except Exception as error:  # noqa: BLE001 - what fails in one net is not the end of the others
        return Outcome(job, "failed", f"{type(error).__name__}: {error}")


def _result(future: Future[Outcome], job: Job) -> Outcome:
    """What a process has made of a job; one that the system ends takes the others with it."""
    try:
        return future.result()
    except BrokenExecutor:
        told = "its process was ended by the system, as for memory; try again with fewer --jobs"
        return Outcome(job, "failed", told)


def convert_all(
    jobs: Sequence[Job], convert: Callable[[Job], str], workers: int, options: str
) -> int:
    """Run all jobs, print the table and give the exit code; `convert` must be picklable.

    `options` says all that `convert` goes by: what was made by others is made again.
    """
    from caffegen.cli.progress import amount

    _note_options(jobs[0].record, options)
    outcomes: list[Outcome] = []
    with amount("converting", len(jobs), unit="nets") as advance:
        if workers > 1:
            from concurrent.futures import ProcessPoolExecutor
            from multiprocessing import get_context

            with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
                waiting = [pool.submit(_run, job, convert) for job in jobs]
                try:
                    for future, job in zip(waiting, jobs, strict=True):
                        outcomes.append(_result(future, job))
                        advance(1)
                except KeyboardInterrupt:
                    pool.shutdown(cancel_futures=True)
                    raise
        else:
            for job in jobs:
                outcomes.append(_run(job, convert))
                advance(1)
    width = max(len(outcome.job.prototxt) for outcome in outcomes)
    for outcome in outcomes:
        told = outcome.told.splitlines()[0] if outcome.told else ""
        line = f"{outcome.job.prototxt:<{width}}  {outcome.state:<10}  {outcome.job.output}"
        click.echo(f"{line}  {told}" if outcome.state == "failed" else line)
    failed = sum(outcome.state == "failed" for outcome in outcomes)
    done = sum(outcome.state == "converted" for outcome in outcomes)
    plural = "" if len(outcomes) == 1 else "s"
    click.echo(
        f"{len(outcomes)} net{plural}: {done} converted, {len(outcomes) - done - failed} up to date, "
        f"{failed} failed",
        file=sys.stderr,
    )
    return 1 if failed else 0
