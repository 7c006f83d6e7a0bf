"""Files and shapes as a command line names them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import click

__all__ = ["find_files", "parse_shapes"]

_SUFFIXES = (".prototxt", ".pt", ".pbtxt")


def find_files(paths: Sequence[str], exclude: Iterable[str] = ()) -> list[str]:
    """Files, the prototxt files of folders, and the matches of globs; each once, in order.

    A file that is named itself is never excluded. Hidden folders are not searched; a `.pt` file that
    is a zip archive is PyTorch's and no prototxt.
    """
    found: dict[str, None] = {}
    for path in paths:
        if os.path.isdir(path):
            names = _kept(_walk(path), exclude)
        elif any(char in path for char in "*?[") and not os.path.exists(path):
            names = _kept(_matches(path), exclude)
        else:
            names = [path]
        found.update(dict.fromkeys(names))
    return list(found)


def _walk(folder: str) -> Iterable[str]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = os.path.join(parent, name)
            if name.endswith(_SUFFIXES) and not _is_archive(path):
                yield path


def _is_archive(path: str) -> bool:
    """Whether the file is one of PyTorch's, which share a suffix with old prototxt files."""
    if not path.endswith(".pt"):
        return False
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False  # whoever reads it says so


def _matches(pattern: str) -> list[str]:
    from glob import glob

    matches = sorted(glob(pattern, recursive=True))
    if not matches:
        raise click.UsageError(f"no file matches `{pattern}`")
    return [name for name in matches if not os.path.isdir(name) and not _is_archive(name)]


def _kept(names: Iterable[str], exclude: Iterable[str]) -> list[str]:
    """The names without those that a pattern matches: as a whole, or one of its folders."""
    patterns = tuple(exclude)
    if not patterns:
        return list(names)
    from fnmatch import fnmatch

    def excluded(name: str) -> bool:
        path = os.path.normpath(name).replace(os.sep, "/")
        parts = path.split("/")
        heads = ["/".join(parts[: index + 1]) for index in range(len(parts))]
        return any(fnmatch(head, p.rstrip("/")) for head in heads for p in patterns)

    return [name for name in names if not excluded(name)]


def parse_shapes(texts: Sequence[str], option: str) -> dict[str, tuple[int, ...]]:
    """`blob=1,3,224,224` to `{blob: (1, 3, 224, 224)}`; `blob=` is a blob of no axes."""
    shapes = {}
    for text in texts:
        name, equals, dims = text.rpartition("=")
        try:
            shape = tuple(int(dim) for dim in dims.replace("x", ",").split(",")) if dims else ()
        except ValueError:
            equals = ""
            shape = ()
        if not name or not equals or any(dim < 0 for dim in shape):
            raise click.UsageError(f"{option}: `{text}` is not of the form blob=1,3,224,224")
        shapes[name] = shape
    return shapes
