"""A net as PyTorch source, with its weights beside it."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

import click

from . import Settings

if TYPE_CHECKING:
    from caffegen.loader import Net

__all__ = ["write"]


def write(net: Net, path: str, settings: Settings) -> str:
    """Write the .py file and its .safetensors; returns the number of lines."""
    from caffegen.atomic import atomic_write
    from caffegen.pytorch.save import need_safetensors, save_tensors
    from caffegen.pytorch.source import write_source

    refuse_outputs(settings)
    need_safetensors()
    source = write_source(net, name=os.path.basename(path), options=_options(), fuse=settings.fold)
    beside = os.path.splitext(path)[0] + ".safetensors"
    with atomic_write(path, "w") as file:
        file.write(source.text)
        if source.tensors:
            save_tensors(beside, source.tensors)
    lines = f"{source.text.count(chr(10))} lines"
    return f"{lines}, weights in `{os.path.basename(beside)}`" if source.tensors else lines


def refuse_outputs(settings: Settings) -> None:
    """Refuse an option that says which blobs an ONNX model gives."""
    if settings.outputs:
        raise click.UsageError("--outputs is for .onnx; PyTorch gives all outputs of the net")


def _options() -> str:
    """What the command line says besides the files, as it is put in the docstring."""
    context = click.get_current_context(silent=True)
    given = {} if context is None else context.params
    words: list[str] = []
    for name in ("fill", "phase", "level"):
        value = given.get(name)
        if (value is not None and value not in ("TEST", 0)) or (name == "fill" and value == 0):
            words += [f"--{name}", str(value)]
    for name, option in (("stage", "--stage"), ("inputs", "--input")):
        for value in given.get(name) or ():
            words += [option, str(value)]
    if given.get("fold"):
        words.append("--fold")
    return " ".join(map(shlex.quote, words))
