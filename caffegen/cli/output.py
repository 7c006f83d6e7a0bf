"""Where a command's data goes: standard output, or a file that appears whole or not at all."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import click

from caffegen.errors import FileError

__all__ = [
    "TEXT_ENDINGS",
    "WEIGHTS_ENDINGS",
    "refuse_endings",
    "refuse_input",
    "use_color",
    "write_text",
]

TEXT_ENDINGS = (".prototxt", ".pbtxt", ".pt", ".txt")
WEIGHTS_ENDINGS = (".caffemodel", ".h5", ".hdf5")


def refuse_input(target: str | None, *inputs: str | None) -> None:
    """Refuse to write over a file that the command reads, by whatever name or link it is called."""
    if target is None or target == "-" or not os.path.isfile(target):
        return
    for path in inputs:
        if path and os.path.exists(path) and os.path.samefile(target, path):
            said = "the file that is read" if target == path else f"`{path}`, which is read"
            raise click.UsageError(f"`{target}` is {said}; write to another")


def refuse_endings(target: str, endings: tuple[str, ...], kind: str) -> None:
    """Refuse a name whose ending says another kind of file than the one that is written."""
    if target.lower().endswith(endings):
        ending = os.path.splitext(target)[1]
        raise click.UsageError(f"--output: {kind} is written, and `{target}` ends in {ending}")


def use_color() -> bool:
    """Whether standard output takes colours: a terminal that has them, and NO_COLOR is not set.

    An empty NO_COLOR counts as none (no-color.org).
    """
    if sys.stdout is None or not sys.stdout.isatty():
        return False
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def write_text(text: str, path: str | None = None) -> None:
    """Write text to a file, or without one (or for `-`) to standard output.

    It is UTF-8 with plain newlines everywhere, whatever the locale says.
    """
    if path is not None and path != "-":
        from caffegen.atomic import atomic_write

        with atomic_write(path, "w") as file:
            file.write(text)
        return
    if sys.stdout is None:  # closed by the shell, as in `caffegen resnet >&-`
        raise FileError("<stdout>", "it can't be written: it is closed")
    try:
        sys.stdout.flush()
        _write_all(getattr(sys.stdout, "buffer", None), text)
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        why = error.strerror or str(error)
        raise FileError("<stdout>", f"it can't be written: {why[:1].lower()}{why[1:]}") from None


def _write_all(stream: Any, text: str) -> None:
    if stream is None:  # a text stream that someone put in its place
        sys.stdout.write(text)
        return
    # under `python -u` the stream is the bare file, which may take a part and say so
    rest = memoryview(text.encode("utf-8", "surrogateescape"))
    while rest:
        taken = stream.write(rest)
        if taken is None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        rest = rest[taken:]
    stream.flush()
