"""The proof that written source computes what the net computes, before anybody gets it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from caffegen.errors import CaffegenError
from caffegen.pytorch.inputs import InputSpec
from caffegen.pytorch.module import CaffeModule

__all__ = ["check"]


def check(text: str, title: str, tensors: Mapping[str, Tensor], module: CaffeModule) -> None:
    """Run the source beside the net; CaffegenError where they differ.

    The text is caffegen's own and holds no code of the net's file. Without known input shapes only
    the weights are checked.
    """
    space: dict[str, Any] = {"__name__": "caffegen_written_source"}
    exec(compile(text, "<written source>", "exec"), space)  # noqa: S102
    with torch.device("meta"):
        model: nn.Module = space[title]()
    model.load_state_dict(dict(tensors), assign=True)
    model.eval()
    module.eval()
    specs = [spec for spec in module._inputs if not spec.optional]
    if any(spec.shape is None for spec in specs) or module.training:
        return
    with torch.no_grad():
        inputs, expected = _run(module, specs)
        found = model(*inputs)
    if isinstance(found, Tensor):
        found = dict.fromkeys(expected, found)
    for name, tensor in expected.items():
        if not _equal(found[name], tensor):
            raise CaffegenError(
                f"the source written for this net gives other values for `{name}`; nothing is "
                f"written, `-o model.pt2` keeps the net as it is"
            )


def _run(module: CaffeModule, specs: list[InputSpec]) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Inputs, one item each where the net lets us, and what the net makes of them."""
    shapes = [spec.shape or () for spec in specs]
    single = [(1, *shape[1:]) if shape else shape for shape in shapes]
    try:
        inputs = _inputs(specs, single)
        return inputs, module(*inputs)
    except CaffegenError:
        inputs = _inputs(specs, shapes)
        return inputs, module(*inputs)


def _inputs(specs: list[InputSpec], shapes: list[tuple[int, ...]]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.zeros(shape) if spec.integers else torch.randn(shape, generator=generator)
        for spec, shape in zip(specs, shapes, strict=True)
    ]


def _equal(found: Tensor, expected: Tensor) -> bool:
    if found.shape != expected.shape:
        return False
    finite = expected[expected.isfinite()]
    largest = max(1.0, float(finite.abs().max())) if finite.numel() else 1.0
    return torch.allclose(
        found.float(), expected.float(), rtol=1e-5, atol=1e-6 * largest, equal_nan=True
    )
