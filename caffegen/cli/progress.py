"""Progress on standard error, for work that may take longer than a second.

Nothing is shown, and rich is not imported, where standard error is no terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["amount", "steps"]


def _shown() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def steps(title: str) -> Iterator[Callable[[str], None]]:
    """A spinner with the title and the step at hand; the function that is given names the step."""
    if not _shown():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status(title) as status:
        yield lambda step: status.update(f"{title}: {step}")


@contextmanager
def amount(title: str, total: int, *, unit: str = "bytes") -> Iterator[Callable[[int], None]]:
    """A bar over a known amount, with speed and time left; the function that is given adds to it."""
    if not _shown():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    counted: tuple[ProgressColumn, ...] = (
        (DownloadColumn(), TransferSpeedColumn()) if unit == "bytes" else (MofNCompleteColumn(),)
    )
    columns = (TextColumn("{task.description}"), BarColumn(), *counted, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda more: progress.advance(task, more)
