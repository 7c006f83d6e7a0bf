"""A net's weights as safetensors, and the net as a program of torch.export."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from importlib.util import find_spec

import torch
from torch import Tensor

from caffegen.atomic import atomic_path
from caffegen.errors import MissingExtra

from .module import CaffeModule
from .program import Program, export_program

__all__ = ["need_safetensors", "save_exported", "save_tensors"]


def need_safetensors() -> None:
    """Say at once that the package is not there."""
    if find_spec("safetensors") is None:
        raise MissingExtra("a .safetensors file", "all")


def save_tensors(path: str | os.PathLike[str], tensors: Mapping[str, Tensor]) -> None:
    """Write tensors by name; one that has several names is written under each."""
    need_safetensors()
    from safetensors.torch import save_file

    seen: set[int] = set()
    own: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        plain = tensor.detach().contiguous()
        if plain.numel() and plain.data_ptr() in seen:
            plain = plain.clone()
        seen.add(plain.data_ptr())
        own[name] = plain
    with atomic_path(path) as beside, _same_mode(beside):
        save_file(own, beside, metadata={"format": "pt"})


def save_exported(
    path: str | os.PathLike[str], module: CaffeModule, *, sizes: bool = False
) -> Program:
    """Write the net as torch.export sees it; the program, and what of its inputs is free.

    With `sizes` height and width are free too, where the net allows. Where it fixes the batch size,
    that is the file's. Raises CaffegenError where the shape of an input is not known.
    """
    program = export_program(module, sizes=sizes)
    with atomic_path(path) as beside:
        # torch asks for this ending
        named = f"{beside}.pt2"
        try:
            with _same_mode(beside):
                torch.export.save(program.exported, named)
                os.replace(named, beside)
        finally:
            if os.path.exists(named):
                os.unlink(named)
    return program


@contextlib.contextmanager
def _same_mode(path: str) -> Iterator[None]:
    """Keep a file's permissions over a writer that puts another file in its place."""
    mode = stat.S_IMODE(os.stat(path).st_mode)
    yield
    os.chmod(path, mode)
