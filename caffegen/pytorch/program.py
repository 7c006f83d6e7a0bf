"""A net as a program of torch.export, with as many of its sizes free as the net allows."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.errors import CaffegenError
from caffegen.text import printable

from .inputs import InputSpec
from .module import CaffeModule
from .pooling import PoolingExact

__all__ = ["ConstantEdges", "Program", "export_program", "with_constant_edges"]

Shape = tuple[int, ...]
Pair = tuple[int, int]

# by how much the inputs grow when it is tried whether a net takes other heights and widths
_GROWTHS = ((1, 2), (37, 22), (64, 131))
# who reports on such trials
_REPORTERS = (
    "torch._export", "torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes",
)  # fmt: skip


class Program(NamedTuple):
    """A program, and what of its inputs is free.

    `batch` is the first axis, `sizes` those behind the channels; `reason` says why they are not
    free where they were asked to be.
    """

    exported: torch.export.ExportedProgram
    batch: bool
    sizes: bool
    reason: str = ""


def export_program(module: CaffeModule, *, sizes: bool = False) -> Program:
    """The net as torch.export sees it, its batch size free if it can be; with `sizes` the rest too.

    Raises CaffegenError where the shape of an input is not known, or the net has no outputs.
    """
    if not module._outputs:
        raise CaffegenError("the net has no output blob: a program of it would compute nothing")
    specs = [spec for spec in module._inputs if not spec.optional]
    for spec in specs:
        if spec.shape is None:
            raise CaffegenError(
                f"the shape of `{spec.name}` is not known; give it by "
                f"--input {spec.name}=1,3,224,224"
            )
    module = _with_printable_outputs(module)
    reason = ""
    if sizes:
        reason = _refusal(module, specs, "")
        if not reason:
            found = _export(with_constant_edges(module), specs, sizes=True)
            if isinstance(found, Program):
                return found
            reason = found
    found = _export(module, specs, sizes=False)
    if isinstance(found, Program):
        return found._replace(reason=reason)
    exported = _traced(module, tuple(torch.zeros(spec.shape or ()) for spec in specs))
    if isinstance(exported, str):
        raise CaffegenError(f"torch.export makes no program of the net: {exported}")
    return Program(exported, batch=False, sizes=False, reason=reason)


def _with_printable_outputs(module: CaffeModule) -> CaffeModule:
    """The same net with blob names that the source of a program can hold."""
    exported = copy.copy(module)
    exported._outputs = {printable(name): slot for name, slot in module._outputs.items()}
    return exported


def _export(module: CaffeModule, specs: Sequence[InputSpec], *, sizes: bool) -> Program | str:
    """The program with these axes free; or why there is none."""
    auto = getattr(torch.export.Dim, "AUTO", None)
    if auto is None:
        return f"torch {torch.__version__} finds out no free sizes"
    shapes = [spec.shape or () for spec in specs]
    free = [
        {axis: auto for axis in range(len(shape)) if axis == 0 or (sizes and axis > 1)}
        for shape in shapes
    ]
    dynamic = {"x": free[0], "more": tuple(free[1:])} if free else {}
    # a size of 1 would be taken as fixed
    inputs = [torch.zeros(2, *shape[1:]) if shape else torch.zeros(()) for shape in shapes]
    exported = _traced(module, tuple(inputs), dynamic if len(free) > 1 else tuple(free))
    if isinstance(exported, str):
        return f"torch.export finds no program for all sizes: {exported}"
    given = set(exported.graph_signature.user_inputs)
    taken = [
        node.meta["val"].shape
        for node in exported.graph.nodes
        if node.op == "placeholder" and node.name in given
    ]
    batch = all(isinstance(shape[0], torch.SymInt) for shape in taken if shape)
    # a guard can fix what looks free, where the net goes through the batch item by item
    if batch and not all(_takes(exported.module(), shapes, number) for number in (1, 3)):
        return "torch.export finds that the net holds for one batch size alone"
    if not sizes:
        return Program(exported, batch, sizes=False)
    if any(not isinstance(size, torch.SymInt) for shape in taken for size in shape[2:]):
        return "torch.export finds that the net holds for them alone"
    # a guard that only other sizes break
    reason = _refusal(exported.module(), specs, "the program holds for them alone: ")
    return reason or Program(exported, batch, sizes=True)


def _traced(
    module: nn.Module, inputs: tuple[Tensor, ...], dynamic_shapes: Any = None
) -> torch.export.ExportedProgram | str:
    """What torch.export makes of a net; or why it makes nothing, without the graph that it prints."""
    with _quiet(), contextlib.redirect_stderr(io.StringIO()):
        try:
            return torch.export.export(module, inputs, dynamic_shapes=dynamic_shapes)
        except (CaffegenError, RuntimeError, AssertionError) as error:
            return _sentence(error)


def _refusal(module: nn.Module, specs: Sequence[InputSpec], before: str) -> str:
    """Why a net does not take other heights and widths; nothing where it does.

    Nothing is computed but shapes.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode

    if not any(len(spec.shape or ()) > 2 for spec in specs):
        return "the inputs have none"
    for growth in _GROWTHS:
        with torch.no_grad(), _quiet(), FakeTensorMode(allow_non_fake_inputs=True):
            try:
                module(*(torch.zeros(_grown(spec.shape or (), growth)) for spec in specs))
            except (CaffegenError, RuntimeError, AssertionError) as error:
                return before + _sentence(error)
    return ""


def _takes(module: nn.Module, shapes: Sequence[Shape], number: int) -> bool:
    """Whether a program takes so many items; nothing is computed but shapes."""
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    shapeless = FakeTensorMode(allow_non_fake_inputs=True, shape_env=ShapeEnv())
    with torch.no_grad(), _quiet(), shapeless:
        try:
            module(
                *(torch.zeros(number, *shape[1:]) if shape else torch.zeros(()) for shape in shapes)
            )
        except (CaffegenError, RuntimeError, AssertionError) as error:
            # what only the values tell is no matter of the batch
            return type(error).__name__.startswith(("GuardOnData", "DataDependent"))
    return True


def _grown(shape: Shape, growth: Pair) -> Shape:
    return (*shape[:2], *(size + growth[axis % 2] for axis, size in enumerate(shape[2:])))


def _sentence(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".") if lines else type(error).__name__


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from reporting shapes that don't fit as failures of its own."""
    loggers = [logging.getLogger(name) for name in _REPORTERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def with_constant_edges(module: CaffeModule) -> CaffeModule:
    """The same net over the same tensors, in which no pooling asks how large its bottom is.

    torch.nn's own poolings that round up compare sizes, which torch.export can't leave open.
    """
    exported = copy.copy(module)
    exported.__dict__["_modules"] = {
        name: part if part is None else _constant(part) for name, part in module._modules.items()
    }
    return exported


def _constant(part: nn.Module) -> nn.Module:
    if isinstance(part, PoolingExact) and not part.mask and part.kernel is not None:
        return ConstantEdges(
            part.method, part.kernel, part.stride, part.pad, round_up=part.round_up
        )
    if isinstance(part, (nn.MaxPool2d, nn.AvgPool2d)) and part.ceil_mode:
        method = "MAX" if isinstance(part, nn.MaxPool2d) else "AVE"
        windows = (_pair(part.kernel_size), _pair(part.stride), _pair(part.padding))
        return ConstantEdges(method, *windows, round_up=True)
    return part


def _pair(value: int | tuple[int, ...]) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


class ConstantEdges(nn.Module):
    """Caffe's pooling as padding by constants and pooling that rounds down, for every size.

    Over a size H with a kernel k, a stride s and a pad p, Caffe has as many windows as begin at or
    before H + 2p - k (+ s - 1 where it rounds up) and, where there is padding, before H + p
    (pooling_layer.cpp, Reshape). Pooling that rounds down has those that begin at or before
    H + p + r - k, with r behind the input: the same ones for r = p (+ s - 1), but at most k - 1.
    """

    def __init__(
        self, method: str, kernel: Pair, stride: Pair, pad: Pair, *, round_up: bool
    ) -> None:
        super().__init__()
        self.method = method
        self.kernel = kernel
        self.stride = stride
        self.pad = pad
        self.behind = tuple(
            min(p + (s - 1) * round_up, k - 1) if any(pad) else (s - 1) * round_up
            for k, s, p in zip(kernel, stride, pad, strict=True)
        )

    def forward(self, bottom: Tensor) -> Tensor:
        (top, left), (below, right) = self.pad, self.behind
        edges = (left, right, top, below)
        if self.method == "MAX":
            padded = functional.pad(bottom, edges, value=torch.finfo(bottom.dtype).min)
            return functional.max_pool2d(padded, self.kernel, self.stride)
        total = functional.avg_pool2d(functional.pad(bottom, edges), self.kernel, self.stride)
        # padding counts as zeros, what lies past it does not count
        counted = functional.pad(torch.ones_like(bottom[:1, :1]), (left, left, top, top), value=1.0)
        counted = functional.pad(counted, (0, right - left, 0, below - top))
        share = functional.avg_pool2d(counted, self.kernel, self.stride)
        return total / torch.where(share > 0, share, 1.0)

    def extra_repr(self) -> str:
        return (
            f"{self.method}, kernel={self.kernel}, stride={self.stride}, pad={self.pad}, "
            f"behind={self.behind}"
        )
