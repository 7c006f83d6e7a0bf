"""Files that appear whole or not at all: written beside the target, then renamed onto it."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from typing import IO, Any, BinaryIO, Literal, TextIO, overload

from caffegen.errors import FileError

__all__ = ["atomic_path", "atomic_write"]

# What the shell calls `>` and `>>`, even where a file is behind it.
_STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/self/fd/")
_DEVICE_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@overload
def atomic_write(
    path: str | os.PathLike[str], mode: Literal["w"] = "w"
) -> contextlib.AbstractContextManager[TextIO]: ...


@overload
def atomic_write(
    path: str | os.PathLike[str], mode: Literal["wb"]
) -> contextlib.AbstractContextManager[BinaryIO]: ...


def atomic_write(
    path: str | os.PathLike[str], mode: Literal["w", "wb"] = "w"
) -> contextlib.AbstractContextManager[Any]:
    r"""Open a file that takes its name only when the block ends well.

    Whatever goes wrong in the block (a full disk, Ctrl-C), the target keeps its old content and
    nothing stays behind. A link is followed, a file that is there keeps its permissions, and a
    device or a pipe such as `/dev/stdout` is written to directly. Text is UTF-8 with `\n`; bytes
    that were no UTF-8 when they were read (surrogate escapes) are written back as they were.
    """
    return _written(os.fspath(path), mode)


@contextlib.contextmanager
def _written(path: str, mode: Literal["w", "wb"]) -> Iterator[IO[Any]]:
    if _is_special(path):
        with _refusals(path), _open(path, mode) as file:
            yield file
        return
    with atomic_path(path) as beside, _open(beside, mode, _as_it_is) as file:
        yield file


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[str]:
    """The path of an empty file beside the target, which takes the target's name in the end.

    For writers that open files themselves; `atomic_write` serves all others.
    """
    path = os.fspath(path)
    if "\0" in path:
        raise FileError(path, "it can't be written: a path holds no zero bytes")
    target = path
    if os.path.islink(path):
        target = os.path.realpath(path)
    elif not os.path.isabs(path):
        target = os.path.join(os.getcwd(), path)
    mode = _mode(target)
    _check_target(path, target, mode)
    beside = os.path.join(os.path.dirname(target), f".caffegen-{secrets.token_hex(6)}.part")
    try:
        with _refusals(path, always=True):
            os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            if mode is not None:
                os.chmod(beside, stat.S_IMODE(mode))
        with _refusals(path):
            yield beside
        with _refusals(path, always=True):
            os.replace(beside, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def _open(
    path: str, mode: Literal["w", "wb"], opener: Callable[[str, int], int] | None = None
) -> IO[Any]:
    if mode == "wb":
        return open(path, "wb", opener=opener)
    return open(path, "w", encoding="utf-8", errors="surrogateescape", newline="\n", opener=opener)


def _as_it_is(path: str, flags: int) -> int:
    """Open a file without cutting it off: it is empty, but ext4 would flush it when it closes."""
    return os.open(path, flags & ~os.O_TRUNC)


def _is_special(path: str) -> bool:
    """Whether the path is a stream, a device or a pipe; renaming onto one would destroy it."""
    mode = _mode(path)
    return path.startswith(_STREAMS) or (mode is not None and not _is_ordinary(mode))


def _is_ordinary(mode: int) -> bool:
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _mode(path: str) -> int | None:
    """The kind and the permissions of what the path leads to; None where there is nothing."""
    try:
        return os.stat(path).st_mode
    except (OSError, ValueError):
        return None


def _check_target(path: str, target: str, mode: int | None) -> None:
    folder = os.path.dirname(target)
    if not path or path.endswith(os.sep) or (mode is not None and stat.S_ISDIR(mode)):
        raise FileError(path, "it can't be written: it is a folder, not a file")
    if path.startswith(_STREAMS) or (mode is not None and not _is_ordinary(mode)):
        raise FileError(path, "it can't be written: it is a pipe or a device, this takes a file")
    if mode is None and not os.path.isdir(folder):
        raise FileError(path, f"it can't be written: there is no folder `{folder}`")
    if mode is not None and not os.access(target, os.W_OK):
        raise FileError(path, "it can't be written: it is read-only")


@contextlib.contextmanager
def _refusals(path: str, *, always: bool = False) -> Iterator[None]:
    """Turn the system's refusal to write this file into a FileError.

    Inside the caller's block an OSError that names a file is about some other file and passes,
    and so does the end of a pipe that nobody reads, which is no fault.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if not always and error.filename is not None:
            raise
        why = error.strerror or str(error)
        if error.errno in _DEVICE_IS_FULL:
            why = f"the disk is full ({why})"
        raise FileError(path, f"it can't be written: {why[:1].lower()}{why[1:]}") from error
