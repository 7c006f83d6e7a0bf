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

    refuse_onnx_options(settings)
    refuse_free_sizes(settings)
    need_safetensors()
    words = shlex.join(settings.words)
    source = write_source(net, name=os.path.basename(path), options=words, fuse=settings.fold)
    beside = os.path.splitext(path)[0] + ".safetensors"
    with atomic_write(path, "w") as file:
        file.write(source.text)
        if source.tensors:
            save_tensors(beside, source.tensors, reader=os.path.basename(path))
    lines = f"{source.text.count(chr(10))} lines"
    return f"{lines}, weights in `{os.path.basename(beside)}`" if source.tensors else lines


def refuse_free_sizes(settings: Settings) -> None:
    """Refuse the options that leave sizes free, which a module does by itself."""
    for given, option in (
        (settings.dynamic_batch, "--dynamic-batch"),
        (settings.dynamic_size, "--dynamic-size"),
    ):
        if given:
            raise click.UsageError(f"{option} is for .onnx and .pt2; a PyTorch module needs none")


def refuse_onnx_options(settings: Settings) -> None:
    """Refuse the options that say how an ONNX model is written."""
    if settings.outputs:
        raise click.UsageError("--outputs is for .onnx; PyTorch gives all outputs of the net")
    if settings.opset is not None:
        raise click.UsageError("--opset is for .onnx alone")
    if settings.storage != "embed":
        raise click.UsageError("--weights is for .onnx alone; PyTorch's own formats hold weights")
