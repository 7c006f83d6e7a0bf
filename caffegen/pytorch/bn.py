"""BN of SegNet, PSPNet and their kin in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.layer_types import bn as definitions

from .elementwise import Scale
from .four_axes import as_pictures
from .registry import Lowered, lowers

__all__ = ["BN", "BatchStatistics", "ChannelScale"]

Shape = tuple[int, ...]


@lowers("BN", "SyncBN")
def bn(definition: definitions.BN) -> Lowered:
    """A BatchNorm2d with stored statistics; without any, the batch's own, or a factor and a shift."""
    if definition.affine:
        of_pictures = len(definition.bottom_shapes[0]) == 4
        module = ChannelScale(definition.channels, of_pictures=of_pictures)
        return Lowered(module, ("weight", "bias"))
    if len(definition.blobs) == 2:
        statistics = BatchStatistics(
            definition.blobs[0].shape, definition.eps, tops=max(1, definition.top_count)
        )
        return Lowered(statistics, ("weight", "bias"))
    return Lowered(BN(definition), ("weight", "bias", "running_mean", "running_var"))


class ChannelScale(Scale):
    """A factor and a shift for each channel, over four axes: SegNet's BN for inference."""

    def __init__(self, channels: int, *, of_pictures: bool = True) -> None:
        super().__init__(1, (channels,), (channels,))
        self.of_pictures = of_pictures

    def forward(self, bottom: Tensor, factors: Tensor | None = None) -> Tensor:
        return super().forward(as_pictures(bottom), factors)

    def from_caffe(self, blobs: list[Tensor]) -> list[Tensor]:
        """(1, C, 1, 1) to (C)."""
        return [blob.reshape(-1) for blob in blobs]

    def to_caffe(self, tensors: list[Tensor]) -> list[Tensor]:
        """(C) to (1, C, 1, 1)."""
        return [tensor.reshape(1, -1, 1, 1) for tensor in tensors]


class BatchStatistics(nn.Module):
    """Normalises by the statistics of the batch, whatever the phase, then scales and shifts.

    The weights are (1, C, 1, 1), or (1, C, H, W) for statistics of every place alone. The mean and
    the variance are further results, as many as there are `tops` beyond the first.
    """

    def __init__(self, shape: Shape, eps: float, *, tops: int = 1) -> None:
        super().__init__()
        self.eps = eps
        self.tops = tops
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.empty(shape))
        self.axes = (0, 2, 3) if shape[2:] == (1, 1) else (0,)

    def forward(self, bottom: Tensor) -> Tensor | tuple[Tensor, ...]:
        bottom = as_pictures(bottom)
        variance, mean = torch.var_mean(bottom, self.axes, correction=0, keepdim=True)
        normal = (bottom - mean) * (variance + self.eps).rsqrt()
        top = normal * self.weight + self.bias
        return top if self.tops == 1 else (top, mean.detach(), variance.detach())[: self.tops]

    def extra_repr(self) -> str:
        return f"{list(self.weight.shape)}, eps={self.eps:g}"


class BN(nn.BatchNorm2d):
    """Normalises each channel, scales and shifts it.

    A training step keeps `fraction` of the stored statistics and takes the rest from the batch, its
    variance as it is, or with `unbiased` times m / (m - 1) for m values, with which it normalises
    too, and of which the gradient knows nothing. With `inverse` Caffe stores one over the deviation:
    `running_var` is the variance that this stands for. `frozen`: stored statistics always, and no
    gradient for the weights. `global_stats` as in BatchNorm: None for stored statistics in TEST, the
    batch's in TRAIN.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, definition: definitions.BN) -> None:
        super().__init__(definition.channels, definition.eps, 1 - definition.fraction)
        self.train_eps = definition.train_eps
        self.fraction = definition.fraction
        self.global_stats = definition.global_stats
        self.frozen = definition.frozen
        self.inverse = definition.inverse
        self.unbiased = definition.unbiased
        self.shape = definition.blobs[0].shape
        self.axes = len(definition.bottom_shapes[0])
        self.num_batches_tracked = None

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() < 2:
            return self.forward(input.unsqueeze(1)).squeeze(1)
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        if self.frozen:
            weight, bias = weight.detach(), bias.detach()
        eps = self.train_eps if self.training else self.eps
        stored = not self.training if self.global_stats is None else self.global_stats
        if stored:
            return functional.batch_norm(
                input, self.running_mean, self.running_var, weight, bias, False, 0.0, eps
            )
        axes = (0, *range(2, input.dim()))
        variance, mean = torch.var_mean(input, axes, correction=0, keepdim=True)
        values = input.numel() // max(1, mean.numel())
        if self.unbiased and values > 1:
            variance = variance + variance.detach() / (values - 1)
        if self.training:
            self._remember(mean.detach().flatten(), variance.detach().flatten())
        normal = (input - mean) * (variance + eps).rsqrt()
        shape = mean.shape[1:]
        return normal * weight.reshape(shape) + bias.reshape(shape)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Take the batch into the stored statistics."""
        share = 1 - self.fraction
        self.running_mean.lerp_(mean, share)
        if not self.inverse:
            self.running_var.lerp_(variance, share)
            return
        inverse = (self.running_var + self.eps).rsqrt().lerp((variance + self.eps).rsqrt(), share)
        self.running_var.copy_(inverse.pow(-2) - self.eps)

    def from_caffe(self, blobs: list[Tensor]) -> list[Tensor]:
        """Four blobs of axes of 1 and C to four of (C); one over a deviation to its variance."""
        weight, bias, mean, spread = (blob.reshape(-1) for blob in blobs)
        return [weight, bias, mean, spread.pow(-2) - self.eps if self.inverse else spread]

    def to_caffe(self, tensors: list[Tensor]) -> list[Tensor]:
        """The blobs as the fork stores them."""
        weight, bias, mean, variance = tensors
        spread = (variance + self.eps).rsqrt() if self.inverse else variance
        return [tensor.reshape(self.shape) for tensor in (weight, bias, mean, spread)]

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.train_eps:g}, fraction={self.fraction:g}"

    def _check_input_dim(self, input: Tensor) -> None:
        """Nothing to check: bottoms have up to four axes."""

    _load_from_state_dict = nn.Module._load_from_state_dict
