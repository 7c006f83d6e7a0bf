"""Recorded shapes, so that a change of shape in a net shows in review."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from caffegen.atomic import atomic_write
from caffegen.diagnostics import Diagnostic
from caffegen.errors import FileError, unreadable

__all__ = ["compare_snapshot", "write_snapshot"]

# file -> phase -> blob -> shape
Shapes = Mapping[str, Mapping[str, Mapping[str, Any]]]


def write_snapshot(path: str, shapes: Shapes) -> None:
    """Record the shapes as JSON, one blob a line."""
    text = json.dumps({"version": 1, "files": shapes}, indent=1)
    with atomic_write(path, "w") as file:
        file.write(_short_lists(text) + "\n")


def _short_lists(text: str) -> str:
    """Put each shape on one line."""
    out: list[str] = []
    inside = False
    for line in text.splitlines():
        bare = line.strip()
        if inside:
            out[-1] += ("" if out[-1].endswith("[") or bare.startswith("]") else " ") + bare
            inside = not bare.startswith("]")
        else:
            out.append(line)
            inside = bare.endswith("[")
    return "\n".join(out)


def compare_snapshot(path: str, shapes: Shapes) -> Iterator[Diagnostic]:
    """One finding for every blob that is gone, new, or of another shape."""
    try:
        with open(path, encoding="utf-8") as file:
            recorded = json.load(file)["files"]
    except OSError as error:
        said = f"{unreadable(path, error).sentence}; record it with --update-snapshot"
        raise FileError(path, said) from None
    except (ValueError, KeyError, TypeError):
        raise FileError(path, "it holds no snapshot; record it with --update-snapshot") from None
    for file_name, phases in shapes.items():
        for phase, blobs in phases.items():
            before = recorded.get(file_name, {}).get(phase)
            if before is None:
                yield _changed(f"{file_name} ({phase}) is not in the snapshot")
                continue
            for name in {**before, **blobs}:
                old = _shown(before, name)
                new = _shown(blobs, name)
                if old != new:
                    yield _changed(f"{file_name} ({phase}): `{name}` was {old}, is {new}")


def _shown(blobs: Mapping[str, Any], name: str) -> str:
    if name not in blobs:
        return "absent"
    shape = blobs[name]
    return "unknown" if shape is None else str(list(shape))


def _changed(message: str) -> Diagnostic:
    return Diagnostic(
        "snapshot-differs",
        "error",
        None,
        message,
        "record it with --update-snapshot if it is meant",
    )
