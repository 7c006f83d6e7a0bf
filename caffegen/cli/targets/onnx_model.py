"""A net as an .onnx file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from caffegen.cli.progress import amount

from . import Settings

if TYPE_CHECKING:
    from caffegen.loader import Net

__all__ = ["write"]


def write(net: Net, path: str, settings: Settings) -> str:
    """Write the model; returns its size and where its weights are."""
    from caffegen import onnx_bridge

    blobs = [spec for node in net.graph.nodes if node.definition for spec in node.definition.blobs]
    total = 4 * sum(prod(spec.shape) for spec in blobs)
    with amount("writing", total) as add:
        done = 0

        def progress(written: int) -> None:
            nonlocal done
            add(written - done)
            done = written

        files = onnx_bridge.save(
            net, path,
            opset=settings.opset,
            dynamic_batch=settings.dynamic_batch,
            dynamic_size=settings.dynamic_size,
            fold=settings.fold,
            outputs=settings.outputs,
            weights=settings.storage,  # type: ignore[arg-type]
            progress=progress,
        )  # fmt: skip
    stored = _stored(settings.storage, files) if blobs else "no weights"
    return f"{os.path.getsize(path):,} bytes, {stored}"


def _stored(storage: str, files: Sequence[str]) -> str:
    """Where the weights are."""
    beside = [os.path.basename(name) for name in files[1:]]
    if storage != "link":
        return f"weights in `{beside[0]}`" if beside else "weights inside"
    linked = [name for name in _locations(files[0]) if name not in beside]
    elsewhere = f"in `{beside[0]}`" if beside else "inside"
    if not linked:
        return f"weights {elsewhere}: none of them lie in a file as ONNX has them"
    names = " and ".join(f"`{name}`" for name in linked)
    return f"weights left in {names}" + (f", others {elsewhere}" if beside else "")


def _locations(path: str) -> list[str]:
    """The files that a model's weights lie in."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    found = (
        entry.value
        for tensor in model.graph.initializer
        for entry in tensor.external_data
        if entry.key == "location"
    )
    return list(dict.fromkeys(found))
