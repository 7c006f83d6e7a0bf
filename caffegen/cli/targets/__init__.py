"""What `caffegen convert` writes: one file per format, chosen by the ending of its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from caffegen.loader import Net

__all__ = ["TARGETS", "Settings", "target_of"]

# ending -> the module of this folder whose `write` makes such a file
TARGETS = {
    ".onnx": "onnx_model",
    ".py": "pytorch_source",
    ".pt2": "pytorch_program",
    ".safetensors": "pytorch_tensors",
}


class Settings(NamedTuple):
    """What the command line says of how to write; `words` are its options that say which net."""

    opset: int | None = None
    storage: str = "embed"
    dynamic_batch: bool = False
    dynamic_size: bool = False
    fold: bool = False
    outputs: Sequence[str] | None = None
    words: Sequence[str] = ()


#: Writes a net to a path and returns a word on what was written.
Target = Callable[["Net", str, Settings], str]


def target_of(path: str) -> Target:
    """The function that writes such a file."""
    ending = os.path.splitext(path)[1].lower()
    if ending not in TARGETS:
        known = ", ".join(TARGETS)
        raise click.UsageError(f"--output: `{path}` ends in none of {known}")
    write: Target = import_module(f"{__name__}.{TARGETS[ending]}").write
    return write
