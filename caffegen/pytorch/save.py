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
from caffegen.errors import CaffegenError, MissingExtra

from .module import CaffeModule

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
) -> bool:
    """Write the net as torch.export sees it; whether its batch size is free.

    With `sizes` height and width are free too. Where the net fixes the batch size, it is the file's.
    """
    specs = [spec for spec in module._inputs if not spec.optional]
    unknown = [spec.name for spec in specs if spec.shape is None]
    if unknown:
        raise CaffegenError(
            f"the shape of `{unknown[0]}` is not known; give it by --input {unknown[0]}=1,3,224,224"
        )
    program, free = _export(module, [spec.shape or () for spec in specs], sizes=sizes)
    with atomic_path(path) as beside:
        # torch asks for this ending
        named = f"{beside}.pt2"
        try:
            with _same_mode(beside):
                torch.export.save(program, named)
                os.replace(named, beside)
        finally:
            if os.path.exists(named):
                os.unlink(named)
    return free


@contextlib.contextmanager
def _same_mode(path: str) -> Iterator[None]:
    """Keep a file's permissions over a writer that puts another file in its place."""
    mode = stat.S_IMODE(os.stat(path).st_mode)
    yield
    os.chmod(path, mode)


def _export(
    module: CaffeModule, shapes: list[tuple[int, ...]], *, sizes: bool
) -> tuple[torch.export.ExportedProgram, bool]:
    auto = torch.export.Dim.AUTO
    free = [
        {axis: auto for axis in range(len(shape)) if axis == 0 or (sizes and axis > 1)}
        for shape in shapes
    ]
    dynamic = {"x": free[0], "more": tuple(free[1:])} if free else {}
    # a size of 1 would be taken as fixed
    inputs = [torch.zeros(2, *shape[1:]) if shape else torch.zeros(()) for shape in shapes]
    try:
        program = torch.export.export(
            module, tuple(inputs), dynamic_shapes=dynamic if len(free) > 1 else tuple(free)
        )
    except (CaffegenError, RuntimeError):
        whole = tuple(torch.zeros(shape) for shape in shapes)
        return torch.export.export(module, whole), False
    given = set(program.graph_signature.user_inputs)
    batches = [
        node.meta["val"].shape[0]
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in given and node.meta["val"].dim()
    ]
    return program, all(isinstance(batch, torch.SymInt) for batch in batches)
