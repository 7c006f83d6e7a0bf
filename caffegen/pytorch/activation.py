"""Layers that compute every value from the value before it, in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.layer_types import activation as definitions

from .registry import Lowered, lowers

__all__ = [
    "AbsVal", "Affine", "Clip", "Constant", "Exp", "Log", "PReLUShared", "Power", "Step", "Swish",
    "UnscaledDropout",
]  # fmt: skip


@lowers("ReLU")
def relu(definition: definitions.ReLU) -> Lowered:
    """ReLU, or LeakyReLU where there is a slope."""
    slope = definition.negative_slope
    return Lowered(nn.LeakyReLU(slope) if slope else nn.ReLU())


@lowers("Sigmoid")
def sigmoid(_definition: definitions.Sigmoid) -> Lowered:
    """Sigmoid."""
    return Lowered(nn.Sigmoid())


@lowers("TanH")
def tanh(_definition: definitions.TanH) -> Lowered:
    """Tanh."""
    return Lowered(nn.Tanh())


@lowers("Dropout")
def dropout(definition: definitions.Dropout) -> Lowered:
    """Dropout, which scales as Caffe does; a ratio past a bound is taken as the bound."""
    ratio = min(max(definition.ratio, 0.0), 1.0)
    return Lowered(nn.Dropout(ratio) if definition.scale_train else UnscaledDropout(ratio))


@lowers("ELU")
def elu(definition: definitions.ELU) -> Lowered:
    """ELU."""
    return Lowered(nn.ELU(definition.alpha))


@lowers("AbsVal")
def abs_val(_definition: definitions.AbsVal) -> Lowered:
    """The absolute value."""
    return Lowered(AbsVal())


@lowers("BNLL")
def bnll(_definition: definitions.BNLL) -> Lowered:
    """Softplus; past its threshold of 20 it differs from log(1 + exp(x)) by less than 3e-9."""
    return Lowered(nn.Softplus())


@lowers("Power")
def power(definition: definitions.Power) -> Lowered:
    """(shift + scale x)^power."""
    if definition.constant is not None:
        return Lowered(Constant(definition.constant))
    if definition.power == 1:
        return Lowered(Affine(definition.scale, definition.shift))
    return Lowered(Power(definition.power, definition.scale, definition.shift))


@lowers("Exp")
def exp(definition: definitions.Exp) -> Lowered:
    """An exponential function of the bottom, scaled."""
    return Lowered(Exp(definition.inner_scale, definition.outer_scale))


@lowers("Log")
def log(definition: definitions.Log) -> Lowered:
    """A logarithm of the bottom, scaled and shifted."""
    return Lowered(Log(definition.scale, definition.shift, definition.base_scale))


@lowers("Swish")
def swish(definition: definitions.Swish) -> Lowered:
    """SiLU, or x * sigmoid(beta x)."""
    return Lowered(nn.SiLU() if definition.beta == 1 else Swish(definition.beta))


@lowers("Clip")
def clip(definition: definitions.Clip) -> Lowered:
    """A clamp in which the lower bound wins."""
    return Lowered(Clip(definition.min, definition.max))


@lowers("Threshold")
def threshold(definition: definitions.Threshold) -> Lowered:
    """1 above the threshold, else 0."""
    return Lowered(Step(definition.threshold))


@lowers("PReLU")
def prelu(definition: definitions.PReLU) -> Lowered:
    """PReLU; with a shared slope a module whose weight has no axes, as Caffe's."""
    if definition.channel_shared:
        return Lowered(PReLUShared(), ("weight",))
    return Lowered(nn.PReLU(definition.channels), ("weight",))


class UnscaledDropout(nn.Dropout):
    """Drops without scaling what it keeps; without training it scales by the share that is kept."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) * (1 - self.p)


class AbsVal(nn.Module):
    """The absolute value, with the gradient 0 at 0."""

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom.abs()


class Constant(nn.Module):
    """One value everywhere, with a gradient of 0."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, bottom: Tensor) -> Tensor:
        # x^0 is 1 even where x is infinite or no number, and keeps the bottom in the graph
        return bottom.pow(0) * self.value

    def extra_repr(self) -> str:
        return f"{self.value:g}"


class Affine(nn.Module):
    """scale * x + shift."""

    def __init__(self, scale: float, shift: float) -> None:
        super().__init__()
        self.scale = scale
        self.shift = shift

    def forward(self, bottom: Tensor) -> Tensor:
        if self.scale != 1:
            bottom = bottom * self.scale
        return bottom + self.shift if self.shift else bottom

    def extra_repr(self) -> str:
        return f"scale={self.scale:g}, shift={self.shift:g}"


class Power(Affine):
    """(shift + scale * x)^power."""

    def __init__(self, power: float, scale: float, shift: float) -> None:
        super().__init__(scale, shift)
        self.power = power

    def forward(self, bottom: Tensor) -> Tensor:
        return super().forward(bottom).pow(self.power)

    def extra_repr(self) -> str:
        return f"power={self.power:g}, {super().extra_repr()}"


class Exp(nn.Module):
    """outer * exp(inner * x)."""

    def __init__(self, inner: float, outer: float) -> None:
        super().__init__()
        self.inner = inner
        self.outer = outer

    def forward(self, bottom: Tensor) -> Tensor:
        top = (bottom if self.inner == 1 else bottom * self.inner).exp()
        return top if self.outer == 1 else top * self.outer

    def extra_repr(self) -> str:
        return f"inner={self.inner:g}, outer={self.outer:g}"


class Log(Affine):
    """base_scale * log(scale * x + shift)."""

    def __init__(self, scale: float, shift: float, base_scale: float) -> None:
        super().__init__(scale, shift)
        self.base_scale = base_scale

    def forward(self, bottom: Tensor) -> Tensor:
        top = super().forward(bottom).log()
        return top if self.base_scale == 1 else top * self.base_scale

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, base_scale={self.base_scale:g}"


class Swish(nn.Module):
    """x * sigmoid(beta * x)."""

    def __init__(self, beta: float) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, bottom: Tensor) -> Tensor:
        return bottom * torch.sigmoid(bottom * self.beta)

    def extra_repr(self) -> str:
        return f"beta={self.beta:g}"


class Clip(nn.Module):
    """max(low, min(x, high)); the gradient passes at the bounds (clip_layer.cpp)."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low = low
        self.high = high

    def forward(self, bottom: Tensor) -> Tensor:
        if self.low > self.high:
            # torch's clamp lets the upper bound win
            return bottom.clamp(max=self.high).clamp(min=self.low)
        return bottom.clamp(self.low, self.high)

    def extra_repr(self) -> str:
        return f"{self.low:g}, {self.high:g}"


class Step(nn.Module):
    """1 above the threshold, else 0, in the bottom's type."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold

    def forward(self, bottom: Tensor) -> Tensor:
        return (bottom > self.threshold).to(bottom.dtype)

    def extra_repr(self) -> str:
        return f"{self.threshold:g}"


class PReLUShared(nn.Module):
    """A PReLU with one slope, which has no axes."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(()))

    def forward(self, bottom: Tensor) -> Tensor:
        return functional.prelu(bottom, self.weight)
