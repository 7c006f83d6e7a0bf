"""Weights that several layers share, and those that don't learn, in whatever form they are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from torch import Tensor, nn

from caffegen.pytorch.module import CaffeModule

from .text import Bracketed, Text, render

__all__ = ["Weights", "freeze", "memory_of", "tie", "view_of"]

#: state_dict keys as a tree: parts, and at the ends whether the parameter is frozen
_Tree: TypeAlias = "dict[str, _Tree | bool]"


class Weights:
    """The memory of a net's weights: whose it is, and what of it no training moves.

    A form may be a view of a parameter, such as its transpose: memory tells that they are one.
    """

    def __init__(self, module: CaffeModule, *, training: bool) -> None:
        self.training = training
        self.parameters = {memory_of(p): p for p in module.parameters()}
        rates = module._facts.multipliers
        self.frozen = {
            memory_of(module.get_parameter(name)) for name, (lr, _) in rates.items() if lr == 0
        }
        users: dict[int, list[str]] = {}
        for step in module._steps:
            for memory in dict.fromkeys(map(memory_of, self.of(module._modules[step.module]))):
                users.setdefault(memory, []).append(step.layers[0])
        self.shared = {memory: layers for memory, layers in users.items() if len(layers) > 1}

    def of(self, module: nn.Module | None) -> list[Tensor]:
        """What a module learns; in TRAIN its statistics too."""
        if module is None:
            return []
        found = [*module.parameters(), *(module.buffers() if self.training else ())]
        return [tensor for tensor in found if tensor.numel()]

    def lost(self, module: nn.Module, layer: str, written: Iterable[Tensor]) -> str:
        """Why the tensors of a written layer can't stand for its own; empty where they can."""
        kept = {memory_of(tensor) for tensor in written}
        for tensor in self.of(module):
            memory = memory_of(tensor)
            if memory in kept:
                continue
            if memory in self.shared:
                return f"it shares its weights with {self.others(memory, layer)}, {_ANEW}"
            if self.training and memory in self.frozen:
                return f"its weights do not learn (`lr_mult: 0`), {_ANEW}"
        return ""

    def others(self, memory: int, layer: str) -> str:
        """The layers with which one shares its weights."""
        return ", ".join(f"`{name}`" for name in self.shared[memory] if name != layer)


_ANEW = "and its form here has new ones instead"


def memory_of(tensor: Tensor) -> int:
    """What a tensor and its views have in common."""
    return tensor.untyped_storage().data_ptr()


def view_of(tensor: Tensor) -> tuple[Any, ...]:
    """What is equal for two tensors only if they are one."""
    start = tensor.storage_offset()
    return memory_of(tensor), start, tuple(tensor.shape), tensor.stride()


def tie(tensors: Mapping[str, Tensor], weights: Weights) -> list[str]:
    """Statements that give several modules what their layers share."""
    first: dict[tuple[Any, ...], str] = {}
    lines = []
    for key, tensor in tensors.items():
        if memory_of(tensor) not in weights.shared:
            continue
        owner = first.setdefault(view_of(tensor), key)
        if owner != key:
            lines.append(f"        {_reference(key)} = {_reference(owner)}")
    return lines


def freeze(tensors: Mapping[str, Tensor], weights: Weights) -> list[str]:
    """Statements that keep training from what has lr_mult 0: whole modules where all of one has."""
    tree: _Tree = {}
    for key, tensor in tensors.items():
        memory = memory_of(tensor)
        if memory not in weights.parameters and not isinstance(tensor, nn.Parameter):
            continue
        *parents, name = key.split(".")
        node = tree
        for part in parents:
            inner = node.setdefault(part, {})
            assert isinstance(inner, dict)
            node = inner
        node[name] = memory in weights.frozen
    parts = _frozen(tree, "self")
    if not parts:
        return []
    lines = ["        # lr_mult 0 in Caffe"]
    if len(parts) == 1:
        return [*lines, f"        {parts[0]}.requires_grad_(False)"]
    row = Bracketed("[", [Text(part) for part in parts], "]")
    return [*lines, *render("for part in ", row, ":"), " " * 12 + "part.requires_grad_(False)"]


def _frozen(tree: _Tree, path: str) -> list[str]:
    """The largest pieces of a tree that are frozen."""
    if _wholly(tree):
        return [path]
    numbered = [part for part in tree if part.isdigit()]
    if len(numbered) == len(tree):
        return _of_row(tree, path, sorted(map(int, numbered)))
    return [piece for part, inner in tree.items() for piece in _below(inner, f"{path}.{part}")]


def _of_row(tree: _Tree, path: str, numbers: Sequence[int]) -> list[str]:
    """The same of a Sequential: frozen modules one after the other are a slice."""
    found: list[str] = []
    run: list[int] = []
    for number in [*numbers, None]:
        inner = None if number is None else tree[str(number)]
        if number is not None and isinstance(inner, dict) and _wholly(inner):
            run.append(number)
            continue
        if len(run) > 1:
            found.append(f"{path}[{run[0] or ''}:{run[-1] + 1}]")
        elif run:
            found.append(f"{path}[{run[0]}]")
        run = []
        if inner is not None:
            found += _below(inner, f"{path}[{number}]")
    return found


def _below(inner: _Tree | bool, path: str) -> list[str]:
    if isinstance(inner, dict):
        return _frozen(inner, path)
    return [path] if inner else []


def _wholly(tree: _Tree) -> bool:
    return bool(tree) and all(
        _wholly(inner) if isinstance(inner, dict) else inner for inner in tree.values()
    )


def _reference(key: str) -> str:
    """How a method of the model reads what has this state_dict key."""
    return "self" + "".join(
        f"[{part}]" if part.isdigit() else f".{part}" for part in key.split(".")
    )
