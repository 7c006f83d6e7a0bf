"""The activations of the forks, and dropout of whole channels, in PyTorch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.layer_types import rectifiers as definitions

from .activation import Affine
from .registry import Lowered, lowers

__all__ = ["CReLU", "HardSigmoid", "LeakyReLU6", "ScaledELU", "SpatialDropout"]

# the constants of torch.nn.SELU, and its Hardsigmoid's slope, as the files hold them
_SELU = (float(np.float32(1.0507009873554805)), float(np.float32(1.6732632423543772)))
_SIXTH = float(np.float32(1 / 6))
_LOWEST = float(np.finfo(np.float32).min)


@lowers("ReLU6")
def relu6(definition: definitions.ReLU6) -> Lowered:
    """ReLU6, or a leaky one."""
    slope = definition.negative_slope
    return Lowered(LeakyReLU6(slope) if slope else nn.ReLU6())


class LeakyReLU6(nn.Module):
    """A leaky ReLU cut off at 6, where its gradient is 0."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, bottom: Tensor) -> Tensor:
        return functional.hardtanh(functional.leaky_relu(bottom, self.slope), _LOWEST, 6.0)

    def extra_repr(self) -> str:
        return f"{self.slope:g}"


@lowers("Mish")
def mish(_definition: definitions.Mish) -> Lowered:
    """Mish."""
    return Lowered(nn.Mish())


@lowers("HardSwish")
def hard_swish(_definition: definitions.HardSwish) -> Lowered:
    """Hardswish."""
    return Lowered(nn.Hardswish())


@lowers("HardSigmoid")
def hard_sigmoid(definition: definitions.HardSigmoid) -> Lowered:
    """A straight line cut off at 0 and 1; torch.nn's where it has the same line."""
    if (definition.alpha, definition.beta) == (_SIXTH, 0.5):
        return Lowered(nn.Hardsigmoid())
    return Lowered(HardSigmoid(definition.alpha, definition.beta))


class HardSigmoid(nn.Module):
    """alpha x + beta, cut off at 0 and 1."""

    def __init__(self, alpha: float, beta: float) -> None:
        super().__init__()
        self.alpha = alpha
        self.beta = beta

    def forward(self, bottom: Tensor) -> Tensor:
        return functional.hardtanh(bottom * self.alpha + self.beta, 0.0, 1.0)

    def extra_repr(self) -> str:
        return f"{self.alpha:g}, {self.beta:g}"


@lowers("SeLu")
def selu(definition: definitions.SeLu) -> Lowered:
    """SELU; a module of our own for other constants than the paper's."""
    if (definition.scale, definition.alpha) == _SELU:
        return Lowered(nn.SELU())
    return Lowered(ScaledELU(definition.scale, definition.alpha))


class ScaledELU(nn.Module):
    """scale times an ELU of alpha."""

    def __init__(self, scale: float, alpha: float) -> None:
        super().__init__()
        self.scale = scale
        self.alpha = alpha

    def forward(self, bottom: Tensor) -> Tensor:
        return self.scale * functional.elu(bottom, self.alpha)

    def extra_repr(self) -> str:
        return f"{self.scale:g}, {self.alpha:g}"


@lowers("CReLU")
def crelu(definition: definitions.CReLU) -> Lowered:
    """The positive and the negative parts, joined."""
    return Lowered(CReLU(definition.axis_index, definition.negative_slope))


class CReLU(nn.Module):
    """The ReLU of x and behind it the ReLU of -x, along one axis."""

    def __init__(self, axis: int, slope: float) -> None:
        super().__init__()
        self.axis = axis
        self.slope = slope

    def forward(self, bottom: Tensor) -> Tensor:
        both = torch.cat((bottom, -bottom), self.axis)
        return functional.leaky_relu(both, self.slope) if self.slope else functional.relu(both)

    def extra_repr(self) -> str:
        return f"axis={self.axis}" + (f", slope={self.slope:g}" if self.slope else "")


@lowers("SpatialDropout")
def spatial_dropout(definition: definitions.SpatialDropout) -> Lowered:
    """Dropout2d, or what drops channels of fewer axes; a ratio past a bound is taken as the bound."""
    ratio = min(max(definition.ratio, 0.0), 1.0)
    rank = len(definition.bottom_shapes[0])
    return Lowered({4: nn.Dropout2d, 3: nn.Dropout1d}.get(rank, nn.Dropout)(ratio))


@lowers("spatial_dropout.SpatialDropoutLayer")
def spatial_dropout_layer(definition: definitions.SpatialDropoutLayer) -> Lowered:
    """A factor in TEST; in TRAIN, as its own parameters have it, a drop of channels."""
    if definition.drops:
        return Lowered(SpatialDropout(definition.ratio))
    return Lowered(Affine(definition.scale, 0.0))


class SpatialDropout(nn.Module):
    """Drops channels, in training or not."""

    def __init__(self, ratio: float) -> None:
        super().__init__()
        self.ratio = ratio

    def forward(self, bottom: Tensor) -> Tensor:
        return functional.dropout2d(bottom, self.ratio, training=True)

    def extra_repr(self) -> str:
        return f"{self.ratio:g}"
