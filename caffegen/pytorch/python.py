"""Parameter in PyTorch, and Python layers whose class the caller gives."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from caffegen.errors import CaffegenError
from caffegen.layer_types import python as definitions

from .registry import Lowered, lowers, refuse

__all__ = ["Parameter", "PycaffeBlob", "PycaffeLayer", "python_layer"]

Values = np.ndarray[Any, np.dtype[np.float32]]


@lowers("Parameter")
def parameter(definition: definitions.Parameter) -> Lowered:
    """A learned blob as a layer of its own."""
    return Lowered(Parameter(definition.shape), ("value",))


class Parameter(nn.Module):
    """No bottoms; the top is the parameter."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.empty(shape))

    def forward(self) -> Tensor:
        # a view: the parameter itself is not handed out to be worked on in place
        return self.value.view_as(self.value)

    def extra_repr(self) -> str:
        return f"{list(self.value.shape)}"


@lowers("Python")
def python(definition: definitions.Python) -> Lowered:
    """Refused: code that a file names is not run. `python_layer` takes a class from the caller."""
    raise refuse(
        definition,
        f"the code of `{definition.module}` is not imported because a file names it; give the "
        f'class by `allow_python={{"{definition.module}.{definition.class_name}": ...}}`',
    )


def python_layer(definition: definitions.Python, allowed: Mapping[str, Any]) -> Lowered:
    """A Python layer by a class that the caller gives for `module.Layer`, or for `module`.

    That is a subclass of torch.nn.Module, which is called with `param_str` where it takes one, or a
    class with pycaffe's `setup`, `reshape`, `forward` and `backward`. Refused when there is none.
    """
    names = (f"{definition.module}.{definition.class_name}", definition.module)
    name = next((name for name in names if name in allowed), None)
    if name is None:
        return python(definition)
    given = allowed[name]
    if isinstance(given, nn.Module):
        return Lowered(given)
    with torch.device("cpu"):
        if isinstance(given, type) and issubclass(given, nn.Module):
            module: nn.Module = _construct(given, name, definition)
        elif isinstance(given, type) and all(hasattr(given, method) for method in _METHODS):
            module = PycaffeLayer(_construct(given, name, definition), definition)
        else:
            raise CaffegenError(
                f"`allow_python` has {given!r} for `{name}`; it takes a torch.nn.Module class or "
                f"one with {', '.join(f'`{method}`' for method in _METHODS)}"
            )
    return Lowered(module)


_METHODS = ("setup", "reshape", "forward", "backward")


def _construct(given: type, name: str, definition: definitions.Python) -> Any:
    parameters = inspect.signature(given).parameters
    if "param_str" in parameters:
        return given(param_str=definition.param_str)
    empty = inspect.Parameter.empty
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p.name for p in parameters.values() if p.default is empty and p.kind not in variable]
    if needed:
        raise CaffegenError(
            f"the class for `{name}` takes `{needed[0]}`; layer `{definition.name}` has only "
            f"`param_str` to give"
        )
    return given()


class PycaffeBlob:
    """A blob as pycaffe shows it to a Python layer: `data` and `diff` are arrays of its shape."""

    def __init__(self, data: Values | None = None) -> None:
        self.data: Values = np.zeros((), np.float32) if data is None else data
        self.diff: Values = np.zeros_like(self.data)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape."""
        return tuple(self.data.shape)

    @property
    def count(self) -> int:
        """The number of values."""
        return self.data.size

    @property
    def num(self) -> int:
        """The size of the first of the four old axes."""
        return self._old(0)

    @property
    def channels(self) -> int:
        """The size of the second of the four old axes."""
        return self._old(1)

    @property
    def height(self) -> int:
        """The size of the third of the four old axes."""
        return self._old(2)

    @property
    def width(self) -> int:
        """The size of the last of the four old axes."""
        return self._old(3)

    def reshape(self, *shape: int) -> None:
        """Take another shape; the values are zeros then."""
        if tuple(shape) != self.shape:
            self.data = np.zeros(shape, np.float32)
            self.diff = np.zeros(shape, np.float32)

    def _old(self, axis: int) -> int:
        return self.shape[axis] if axis < len(self.shape) else 1


class PycaffeLayer(nn.Module):
    """A layer written for pycaffe, on the CPU; `setup` is called in the first pass."""

    like: Tensor

    def __init__(self, layer: Any, definition: definitions.Python) -> None:
        super().__init__()
        self.layer = layer
        self.layer.param_str = definition.param_str
        # what the last pass has left there; None before `setup`
        self.tops: list[PycaffeBlob] | None = None
        self.top_count = definition.top_count
        # shows the device where there is no bottom
        self.register_buffer("like", torch.empty(0), persistent=False)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self, *bottoms: Tensor) -> tuple[Tensor, ...]:
        tops: tuple[Tensor, ...] = _Run.apply(self, self.like, *bottoms)  # type: ignore[no-untyped-call]
        return tops

    def compute(self, bottoms: Sequence[PycaffeBlob]) -> list[PycaffeBlob]:
        """The tops; the layer is told the phase as pycaffe does, 0 for TRAIN and 1 for TEST."""
        self.layer.phase = 0 if self.training else 1
        if self.tops is None:
            tops = [PycaffeBlob() for _ in range(self.top_count)]
            self.layer.setup(bottoms, tops)
        else:
            # of their own for each pass: a backward pass may still want the last ones
            tops = [PycaffeBlob(top.data.copy()) for top in self.tops]
        self.layer.reshape(bottoms, tops)
        self.layer.forward(bottoms, tops)
        self.tops = tops
        return tops

    def extra_repr(self) -> str:
        return type(self.layer).__name__


class _Run(torch.autograd.Function):
    """The forward and backward pass of a pycaffe layer."""

    @staticmethod
    def forward(ctx: Any, module: PycaffeLayer, like: Tensor, *bottoms: Tensor) -> Any:
        ctx.layer = module.layer
        ctx.bottoms = [PycaffeBlob(_array(bottom)) for bottom in bottoms]
        ctx.tops = module.compute(ctx.bottoms)
        ctx.like = bottoms[0] if bottoms else like
        return tuple(_tensor(top.data, ctx.like) for top in ctx.tops)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        for top, gradient in zip(ctx.tops, gradients, strict=True):
            top.diff[...] = _array(gradient)
        wanted = list(ctx.needs_input_grad[2:])
        ctx.layer.backward(ctx.tops, wanted, ctx.bottoms)
        found = [
            _tensor(bottom.diff, ctx.like) if want else None
            for bottom, want in zip(ctx.bottoms, wanted, strict=True)
        ]
        return (None, None, *found)


def _array(tensor: Tensor) -> Values:
    array: Values = tensor.detach().to("cpu", torch.float32, copy=True).numpy()
    return array


def _tensor(array: Values, like: Tensor) -> Tensor:
    return torch.from_numpy(np.array(array, np.float32)).to(like)
