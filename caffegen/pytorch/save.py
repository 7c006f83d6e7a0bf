"""A net's weights as safetensors, and the net as a program of torch.export."""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import BinaryIO, cast

import torch
from torch import Tensor

from caffegen.atomic import atomic_path, atomic_write
from caffegen.errors import FileError, MissingExtra

from .module import CaffeModule
from .program import Program, export_program

__all__ = ["need_safetensors", "save_exported", "save_tensors"]

# in the metadata of a file of weights: the source that reads them
_READER = "caffegen.reader"


def need_safetensors() -> None:
    """Say at once that the package is not there."""
    if find_spec("safetensors") is None:
        raise MissingExtra("a .safetensors file", "all")


def save_tensors(
    path: str | os.PathLike[str], tensors: Mapping[str, Tensor], *, reader: str = ""
) -> None:
    """Write tensors by name; one that has several names is written under each.

    `reader` is the .py file beside it that will read them. A source and the weights of a module may
    want one file: FileError where what is there is another's.
    """
    need_safetensors()
    from safetensors.torch import save_file

    _refuse_other_readers(os.fspath(path), reader)
    seen: set[int] = set()
    own: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        plain = tensor.detach().contiguous()
        if plain.numel() and plain.data_ptr() in seen:
            plain = plain.clone()
        seen.add(plain.data_ptr())
        own[name] = plain
    with atomic_path(path) as beside, _same_mode(beside), _system_refusals():
        save_file(own, beside, metadata={"format": "pt"} | ({_READER: reader} if reader else {}))


def _refuse_other_readers(path: str, reader: str) -> None:
    """Refuse to write over weights that are not the reader's, or that another file reads."""
    from safetensors import SafetensorError, safe_open

    if not os.path.isfile(path):
        return
    try:
        with safe_open(path, "pt") as file:
            found = (file.metadata() or {}).get(_READER, "")
    except (SafetensorError, OSError):
        found = ""
    if reader and found != reader:
        raise FileError(path, f"it holds other weights than those of `{reader}`; move one of them")
    if not reader and found and os.path.exists(os.path.join(os.path.dirname(path), found)):
        raise FileError(path, f"`{found}` reads its weights from it; give these another name")


def save_exported(
    path: str | os.PathLike[str], module: CaffeModule, *, sizes: bool = False
) -> Program:
    """Write the net as torch.export sees it; the program, and what of its inputs is free.

    With `sizes` height and width are free too, where the net allows. Where it fixes the batch size,
    that is the file's. Raises CaffegenError where the shape of an input is not known.
    """
    program = export_program(module, sizes=sizes)
    with atomic_write(path, "wb") as file:
        target = _Patient(file)
        torch.export.save(program.exported, cast(BinaryIO, target))
        target.check()
    return program


class _Patient(io.RawIOBase):
    """A file that goes on when the system refuses to write, and says so when it is asked.

    PyTorch's own writer ends the process, be it at a full disk or at a path that is no UTF-8.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self.file = file
        self.refusal: OSError | None = None

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        if self.refusal is None:
            try:
                self.file.write(data)
            except OSError as error:
                self.refusal = error
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return 0 if self.refusal else self.file.seek(offset, whence)

    def tell(self) -> int:
        return 0 if self.refusal else self.file.tell()

    def check(self) -> None:
        """Raise what the system has refused."""
        if self.refusal is not None:
            raise self.refusal
        self.file.flush()


@contextlib.contextmanager
def _system_refusals() -> Iterator[None]:
    """The system's refusals as OSErrors, which safetensors tells as text alone."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from None


@contextlib.contextmanager
def _same_mode(path: str) -> Iterator[None]:
    """Keep a file's permissions over a writer that puts another file in its place."""
    mode = stat.S_IMODE(os.stat(path).st_mode)
    yield
    os.chmod(path, mode)
