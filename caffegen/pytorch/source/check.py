"""The proof that written source computes what the net computes, before anybody gets it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from caffegen.errors import CaffegenError
from caffegen.pytorch.inputs import InputSpec
from caffegen.pytorch.module import CaffeModule

__all__ = ["check"]

# modules whose second bottom holds numbers of images, classes or places, none below 0
_COUNTING = frozenset({"MaxUnpool", "PSROIPooling", "ROIPooling", "SegAccuracy"})


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
    if any(spec.shape is None for spec in specs):
        return
    expected, found = _run_both(module, model, specs)
    for name, tensor in expected.items():
        if not _equal(found[name], tensor):
            raise CaffegenError(
                f"the source written for this net gives other values for `{name}`; nothing is "
                f"written, `-o model.pt2` keeps the net as it is"
            )


def _run_both(
    module: CaffeModule, model: nn.Module, specs: list[InputSpec]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What the net and the source make of the same values: one item each where both take that."""
    shapes = [spec.shape or () for spec in specs]
    single = [(1, *shape[1:]) if shape else shape for shape in shapes]
    with torch.no_grad(), torch.random.fork_rng(devices=[]), _same_buffers(module, model):
        try:
            return _run_with(module, model, _inputs(module, specs, single))
        except CaffegenError:
            if single == shapes:
                raise
        return _run_with(module, model, _inputs(module, specs, shapes))


def _run_with(
    module: CaffeModule, model: nn.Module, inputs: list[Tensor]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    expected = _seeded(module, inputs)
    module.reset()
    try:
        found = _seeded(model, inputs)
    except Exception as error:
        why = str(error).strip().partition("\n")[0]
        raise CaffegenError(
            f"the source written for this net does not run ({type(error).__name__}: {why}); "
            "nothing is written, `-o model.pt2` keeps the net as it is"
        ) from error
    return expected, found if isinstance(found, dict) else dict.fromkeys(expected, found)


@contextlib.contextmanager
def _same_buffers(*modules: nn.Module) -> Iterator[None]:
    """Put back what a pass remembers: some statistics are updated outside training too."""
    kept = [(buffer, buffer.clone()) for module in modules for buffer in module.buffers()]
    try:
        yield
    finally:
        for buffer, values in kept:
            buffer.copy_(values)


def _seeded(module: nn.Module, inputs: list[Tensor]) -> Any:
    """What a module makes of its inputs; random values are drawn alike."""
    torch.manual_seed(0)
    return module(*inputs)


def _inputs(
    module: CaffeModule, specs: list[InputSpec], shapes: list[tuple[int, ...]]
) -> list[Tensor]:
    """Values of both signs; 0 for labels and indices, from 0 to 1 where numbers are cut to them."""
    generator = torch.Generator().manual_seed(0)
    counting = {
        step.inputs[1]
        for step in module._steps
        if type(module._modules[step.module]).__name__ in _COUNTING
    }
    return [
        torch.zeros(shape)
        if spec.integers
        else (torch.rand if spec.slot in counting else torch.randn)(shape, generator=generator)
        for spec, shape in zip(specs, shapes, strict=True)
    ]


def _equal(found: Tensor, expected: Tensor) -> bool:
    if found.shape != expected.shape:
        return False
    found, expected = found.detach(), expected.detach()
    finite = expected[expected.isfinite()]
    largest = max(1.0, float(finite.abs().max())) if finite.numel() else 1.0
    return torch.allclose(
        found.float(), expected.float(), rtol=1e-5, atol=1e-6 * largest, equal_nan=True
    )
