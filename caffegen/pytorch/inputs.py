"""The blobs that a caller gives, and what is said when they don't fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from keyword import iskeyword
from typing import NamedTuple

from torch import Tensor

from caffegen.errors import CaffegenError
from caffegen.net import Node, Value

from .exporting import exporting

__all__ = ["InputSpec", "bind_inputs", "fixed_channels", "takes_integers"]

Shape = tuple[int, ...]

# layers whose top has the axes of their bottom: who reads the top reads the bottom's channels
_KEEPS_AXES = frozenset({
    "AbsVal", "BNLL", "BatchNorm", "Clip", "Dropout", "ELU", "Exp", "Flip", "HardSigmoid",
    "HardSwish", "LRN", "Log", "Mish", "Padding", "Pooling", "Power", "ReLU", "ReLU6", "SeLu",
    "Sigmoid", "SpatialDropout", "Split", "Swish", "TanH", "Threshold",
})  # fmt: skip
# layers that only move values about
_MOVES = frozenset({"Flatten", "Reshape", "Silence", "Slice", "Split", "Tile"})
# bottoms that hold labels, indices, selectors or indicators: layer type -> first such bottom
_LABELS = {
    "Accuracy": 1, "BatchReindex": 1, "ContrastiveLoss": 2, "Embed": 0, "EuclideanLoss": 1,
    "Filter": 1, "HingeLoss": 1, "InfogainLoss": 1, "LSTM": 1, "MultinomialLogisticLoss": 1,
    "Python": 0, "RNN": 1, "SigmoidCrossEntropyLoss": 1, "SoftmaxWithLoss": 1,
    "SoftmaxWithLossOHEM": 1,
}  # fmt: skip


class InputSpec(NamedTuple):
    """A blob that the caller gives: its shape in the file, and what of it the net's weights fix.

    `channels` is the size of axis 1 where a layer's weights fix it; `integers` says that labels or
    indices of an integer type are taken; an `optional` blob has values of its own.
    """

    name: str
    slot: int
    shape: Shape | None
    channels: int | None = None
    integers: bool = False
    optional: bool = False

    def __str__(self) -> str:
        kind = "labels or indices" if self.integers else "floating-point values"
        return f"{kind} of shape {_shape(self.shape)} (batch size is free)"


def bind_inputs(
    specs: Sequence[InputSpec], args: Sequence[Tensor], blobs: Mapping[str, Tensor]
) -> dict[int, Tensor]:
    """Tensors by slot, from those given in order and by name; a sentence for what does not fit."""
    if blobs and exporting():
        _refuse_code(blobs)
    required = [spec for spec in specs if not spec.optional]
    if len(args) > len(required):
        names = ", ".join(f"`{spec.name}`" for spec in required) or "none"
        number = f"{len(required)} input{'' if len(required) == 1 else 's'}"
        raise CaffegenError(f"{len(args)} input tensors are given; the net has {number}: {names}")
    given = dict(blobs)
    for spec, tensor in zip(required, args, strict=False):
        if spec.name in given:
            raise CaffegenError(f"the input blob `{spec.name}` is given twice")
        given[spec.name] = tensor
    bound = {}
    for spec in specs:
        if spec.name in given:
            tensor = given.pop(spec.name)
            _check(spec, tensor)
            bound[spec.slot] = tensor
        elif not spec.optional:
            raise CaffegenError(f"the input blob `{spec.name}` is missing; the net expects {spec}")
    if given:
        names = ", ".join(f"`{name}`" for name in given)
        known = ", ".join(f"`{spec.name}`" for spec in specs) or "none"
        raise CaffegenError(f"the net has no input blob {names}; its inputs are {known}")
    return bound


def _refuse_code(names: Iterable[str]) -> None:
    """Refuse names that are no identifiers: torch.export makes them parameters of a function."""
    for name in names:
        if not name.isidentifier() or iskeyword(name):
            raise CaffegenError(
                f"torch.export takes no input by the name `{name}`; give the inputs in their order"
            )


def _check(spec: InputSpec, tensor: Tensor) -> None:
    if not isinstance(tensor, Tensor):
        kind = type(tensor).__name__
        raise CaffegenError(f"the input blob `{spec.name}` is of type {kind}, not a torch.Tensor")
    if not (spec.integers or tensor.is_floating_point()):
        raise CaffegenError(
            f"the input blob `{spec.name}` holds {str(tensor.dtype)[6:]} values; the net computes "
            f"with floating-point ones: give `{spec.name}.float()`"
        )
    shape = spec.shape
    if shape is None:
        return
    fits = tensor.dim() == len(shape)
    if fits and spec.channels is not None:
        fits = tensor.shape[1] == spec.channels
    if not fits:
        what = "channels" if tensor.dim() == len(shape) else "axes"
        raise CaffegenError(
            f"the input blob `{spec.name}` has shape {list(tensor.shape)}: wrong number of {what}; "
            f"the net expects {spec}"
        )


def fixed_channels(value: Value) -> int | None:
    """The size of axis 1 where a layer's weights fix it, also behind layers that keep the axes."""
    if value.shape is None or len(value.shape) < 2:
        return None
    todo, seen = [value], set()
    while todo:
        current = todo.pop()
        for node in current.readers:
            if node.index in seen:
                continue
            seen.add(node.index)
            if _fixes_channels(node, current):
                return value.shape[1]
            if node.type in _KEEPS_AXES:
                todo.extend(node.outputs)
    return None


def _fixes_channels(node: Node, value: Value) -> bool:
    definition = node.definition
    if definition is None or not definition.blobs:
        return False
    if node.type in ("BN", "BatchNorm", "SyncBN"):
        return True
    if node.type in ("Normalize", "NormalizeBBox", "PReLU"):
        return bool(definition.blobs[0].shape)
    if getattr(definition, "axis_index", None) != 1:
        return False
    if node.type == "InnerProduct":
        # of more axes the product alone is fixed
        return len(value.shape or ()) == 2
    if node.type in ("Scale", "Bias"):
        return bool(definition.blobs[0].shape)
    return node.type in (
        "Convolution", "ConvolutionDepthwise", "Deconvolution", "DepthwiseConvolution",
    )  # fmt: skip


def takes_integers(value: Value) -> bool:
    """Whether every reader uses the blob as labels, indices or indicators."""
    for node in value.readers:
        if node.type in _MOVES:
            if not all(takes_integers(output) for output in node.outputs):
                return False
            continue
        first = _LABELS.get(node.type)
        positions = [index for index, read in enumerate(node.inputs) if read is value]
        if first is None or any(index < first for index in positions):
            return False
    return True


def _shape(shape: Shape | None) -> str:
    return "that the file does not say" if shape is None else str(list(shape))
