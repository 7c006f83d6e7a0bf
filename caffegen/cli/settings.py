"""Settings from pyproject.toml, table [tool.caffegen], of this folder or one above."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from caffegen.errors import FileError, unreadable

from .schema_options import DIALECTS

__all__ = ["Settings", "read_settings"]


class Settings(NamedTuple):
    """What a project sets once; the command line wins."""

    phase: str = "all"
    ignore: frozenset[str] = frozenset()
    exclude: tuple[str, ...] = ()
    inputs: Mapping[str, tuple[int, ...]] = {}
    pedantic: bool = False
    strict: bool = False
    dialect: str = ""
    proto: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()


# what each key takes, and how that is called
_KINDS: dict[str, tuple[type, str]] = {
    "phase": (str, "a string"),
    "ignore": (list, "a list of names"),
    "exclude": (list, "a list of patterns"),
    "inputs": (dict, "a table of shapes"),
    "pedantic": (bool, "true or false"),
    "strict": (bool, "true or false"),
    "dialect": (str, "a string"),
    "proto": (list, "a list of files"),
    "plugins": (list, "a list of files"),
}


def read_settings(folder: str = ".") -> Settings:
    """The settings that hold in a folder; FileError for a table that can't be understood."""
    path = _find(os.path.abspath(folder))
    if path is None:
        return Settings()
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise unreadable(path, error) from None
    # the reader of TOML costs start-up time
    table = _parse(path, data) if b"caffegen" in data else {}
    for key, value in table.items():
        _check(path, key, value)
    phase = table.get("phase", "all")
    if phase not in ("all", "TRAIN", "TEST"):
        raise _refused(path, f"`phase` is `{phase}`; it takes all, TRAIN or TEST")
    dialect = table.get("dialect", "")
    if dialect and dialect not in DIALECTS:
        raise _refused(path, f"`dialect` is `{dialect}`; it takes one of {', '.join(DIALECTS)}")
    beside = os.path.dirname(path)
    return Settings(
        phase=phase,
        ignore=frozenset(table.get("ignore", ())),
        exclude=tuple(table.get("exclude", ())),
        inputs={name: tuple(shape) for name, shape in table.get("inputs", {}).items()},
        pedantic=table.get("pedantic", False),
        strict=table.get("strict", False),
        dialect=dialect,
        proto=tuple(os.path.join(beside, name) for name in table.get("proto", ())),
        plugins=tuple(os.path.join(beside, name) for name in table.get("plugins", ())),
    )


def _parse(path: str, data: bytes) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        raise FileError(path, f"it can't be read as TOML: {error}") from None
    tool = document.get("tool", {})
    table = tool.get("caffegen", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise FileError(path, "`tool.caffegen` must be a table")
    return table


def _check(path: str, key: str, value: object) -> None:
    if key not in _KINDS:
        raise _refused(path, f"there is no key `{key}`; there are {', '.join(_KINDS)}")
    kind, told = _KINDS[key]
    if not isinstance(value, kind):
        raise _refused(path, f"`{key}` must be {told}")
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        raise _refused(path, f"`{key}` must be {told}")
    if isinstance(value, dict):
        for name, shape in value.items():
            sizes = shape if isinstance(shape, list) else [None]
            if not all(type(size) is int and size >= 0 for size in sizes):
                raise _refused(path, f"the shape of `{name}` must be a list of sizes")


def _refused(path: str, sentence: str) -> FileError:
    return FileError(path, f"in [tool.caffegen] {sentence}")


def _find(folder: str) -> str | None:
    while True:
        path = os.path.join(folder, "pyproject.toml")
        if os.path.exists(path):
            return path
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
