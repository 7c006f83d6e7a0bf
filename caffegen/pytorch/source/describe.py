"""The docstring of a written file: what it is, what it was made from, and how."""

from __future__ import annotations

import hashlib
import os
import shlex
import textwrap
from typing import TYPE_CHECKING

from caffegen.pytorch.module import CaffeModule

from .forms import literal
from .names import prose

if TYPE_CHECKING:
    from caffegen.loader import Net

__all__ = ["describe"]

_WIDTH = 84
_PIECE = 1 << 20


def describe(net: Net, module: CaffeModule, name: str, options: str, *, stored: bool) -> list[str]:
    """The docstring's lines."""
    sources = () if net.weights is None else net.weights.sources
    files = [*([net.source.path] if net.source is not None else []), *sources]
    files = [path for path in files if os.path.isfile(path)]
    named = [os.path.basename(path) for path in files]
    lines = [f"{prose(net.name) or 'A Caffe net'} in PyTorch, written by caffegen from", ""]
    for path, base in zip(files, named, strict=True):
        lines += [f"- {prose(base)}", f"  sha256 {_digest(path)}"]
    if not files:
        lines.append("- a net in memory")
    command = " ".join(["caffegen convert", *map(shlex.quote, named), "-o", shlex.quote(name)])
    lines += ["", "by", "", f"    {prose(f'{command} {options}'.rstrip())}", ""]
    lines += textwrap.wrap(f"{_inputs(module)}{_loss(module)}", _WIDTH)
    if stored:
        weights = os.path.splitext(name)[0] + ".safetensors"
        lines += textwrap.wrap(f"The weights are in {prose(weights)}; `load` reads them.", _WIDTH)
    return lines


def _inputs(module: CaffeModule) -> str:
    parts = []
    for spec in module._inputs:
        if spec.optional:
            continue
        shape = "of unknown shape" if spec.shape is None else str(tuple(spec.shape))
        parts.append(f"{prose(spec.name)} {shape}")
    plural = "" if len(parts) == 1 else "s"
    outputs = ", ".join(prose(name) for name in module.output_names)
    return f"Input{plural}: {', '.join(parts) or 'none'}. Output: {outputs or 'none'}."


def _loss(module: CaffeModule) -> str:
    """How the net's losses add up, where it is no single one."""
    weights = module.loss_weights
    if not weights or list(weights.values()) == [1]:
        return ""
    parts = [
        prose(name) if weight == 1 else f"{literal(float(weight))} * {prose(name)}"
        for name, weight in weights.items()
    ]
    return f" The loss is {' + '.join(parts)}."


def _digest(path: str) -> str:
    found = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while piece := file.read(_PIECE):
                found.update(piece)
    except OSError:
        return "unknown"
    return found.hexdigest()
