"""Where a command's data goes: standard output, or a file that appears whole or not at all."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

from caffegen.errors import FileError

__all__ = ["write_text"]


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
