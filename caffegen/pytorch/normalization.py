"""BatchNorm, LRN and MVN in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.layer_types import Definition
from caffegen.layer_types import normalization as definitions
from caffegen.layer_types.elementwise import Scale
from caffegen.net import Graph, Node

from .batch_norm import BatchNorm, batch_norm_module
from .four_axes import as_pictures
from .registry import Lowered, lowers

__all__ = ["MVN", "LRNAcrossChannels", "LRNWithinChannel", "batch_norm_with_scale", "scale_behind"]

_STATISTICS = ("running_mean", "running_var", "factor")


@lowers("BatchNorm")
def batch_norm(definition: definitions.BatchNorm) -> Lowered:
    """A BatchNorm1d, 2d or 3d with Caffe's moving averages; weight and bias only in a fork's."""
    if definition.scale_bias:
        module = _batch_norm(definition, weight=True, bias=True)
        return Lowered(module, (*_STATISTICS, "weight", "bias"))
    return Lowered(_batch_norm(definition), _STATISTICS)


def batch_norm_with_scale(
    definition: Definition | None, scale: Definition | None
) -> tuple[BatchNorm, tuple[str, ...], tuple[str, ...]]:
    """The module for a BatchNorm and the Scale behind it; the attributes of each one's blobs."""
    assert isinstance(definition, definitions.BatchNorm)
    assert isinstance(scale, Scale)
    affine = ("weight", "bias") if scale.bias_term else ("weight",)
    module = _batch_norm(definition, weight=True, bias=scale.bias_term)
    return module, _STATISTICS, affine


def _batch_norm(
    definition: definitions.BatchNorm, *, weight: bool = False, bias: bool = False
) -> BatchNorm:
    param = definition.layer.get(definition.param)
    return batch_norm_module(len(definition.bottom_shapes[0]))(
        definition.channels,
        definition.eps,
        definition.moving_average_fraction,
        # only what the file says stands against module.train() and module.eval()
        global_stats=definition.use_global_stats if param.has("use_global_stats") else None,
        weight=weight,
        bias=bias,
    )


def scale_behind(node: Node, graph: Graph) -> Node | None:
    """The Scale that alone reads a BatchNorm, if it has a factor for each channel; else None."""
    if not isinstance(node.definition, definitions.BatchNorm) or len(node.outputs) != 1:
        return None
    if node.definition.scale_bias:
        return None
    (value,) = node.outputs
    if len(value.readers) != 1 or value in graph.outputs or node.message.loss_weight:
        return None
    scale = value.readers[0]
    definition = scale.definition
    if not isinstance(definition, Scale) or definition.from_bottom:
        return None
    if definition.axis_index != 1 or len(definition.operand_shape) != 1:
        return None
    if any(spec.shape != definition.operand_shape for spec in definition.blobs):
        return None
    if any(spec.share_mode == "PERMISSIVE" for spec in scale.message.param):
        return None
    return None if False in scale.message.propagate_down else scale


@lowers("LRN")
def lrn(definition: definitions.LRN) -> Lowered:
    """A LocalResponseNorm across channels; within a channel a module of our own."""
    size, alpha, beta = definition.local_size, definition.alpha, definition.beta
    if definition.within_channel:
        return Lowered(LRNWithinChannel(size, alpha, beta))
    return Lowered(LRNAcrossChannels(size, alpha, beta, definition.k))


class LRNAcrossChannels(nn.LocalResponseNorm):
    """torch.nn's, as a sum of shifted channels: many times as fast on a CPU, and in any precision."""

    def forward(self, input: Tensor) -> Tensor:
        half, channels = self.size // 2, input.shape[1]
        squares = functional.pad(input * input, (0, 0, 0, 0, half, half))
        total = squares[:, :channels]
        for first in range(1, self.size):
            total = total + squares[:, first : first + channels]
        return input * (self.k + self.alpha / self.size * total).pow(-self.beta)


class LRNWithinChannel(nn.Module):
    """x (1 + alpha * mean of squares)^-beta; the windows count the padding (lrn_layer.cpp)."""

    def __init__(self, size: int, alpha: float, beta: float) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta

    def forward(self, bottom: Tensor) -> Tensor:
        squares = functional.avg_pool2d(bottom * bottom, self.size, 1, self.size // 2)
        return bottom * (1 + self.alpha * squares).pow(-self.beta)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha:g}, beta={self.beta:g}"


@lowers("MVN")
def mvn(definition: definitions.MVN) -> Lowered:
    """Mean 0, and standard deviation 1, of each item or of each of its channels."""
    return Lowered(
        MVN(
            definition.eps,
            variance=definition.normalize_variance,
            across_channels=definition.across_channels,
        )
    )


class MVN(nn.Module):
    """(x - mean) / (deviation + eps), over four axes whatever the bottom has.

    Caffe's gradient leaves eps out; this one has it (mvn_layer.cpp, Backward_cpu).
    """

    def __init__(self, eps: float, *, variance: bool, across_channels: bool) -> None:
        super().__init__()
        self.eps = eps
        self.variance = variance
        self.axes = (1, 2, 3) if across_channels else (2, 3)

    def forward(self, bottom: Tensor) -> Tensor:
        top = as_pictures(bottom)
        top = top - top.mean(self.axes, keepdim=True)
        if not self.variance:
            return top
        count = 1
        for axis in self.axes:
            count = count * top.shape[axis]
        # a norm, not the root of a mean: its gradient at 0 is 0
        norm: Tensor = torch.linalg.vector_norm(top, dim=self.axes, keepdim=True)
        scaled: Tensor = top / (norm / count**0.5 + self.eps)
        return scaled

    def extra_repr(self) -> str:
        return f"eps={self.eps:g}, variance={self.variance}, axes={self.axes}"
