"""Caffe's batch normalisation as torch.nn's: sums with a factor, seen as means."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["BatchNorm", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "batch_norm_module"]


class BatchNorm(_BatchNorm):
    """Normalises each channel, and with a Scale behind it scales and shifts it.

    Caffe stores sums of means and variances and their `factor`, the sum of the weights; here
    `running_mean` and `running_var` are the sums over the factor (0 where it is 0), as torch.nn
    uses them. A training step multiplies the sums by `fraction` and adds the batch's mean and its
    unbiased variance (batch_norm_layer.cpp, Forward_cpu). `global_stats` None: stored statistics
    in TEST, those of the batch in TRAIN.
    """

    factor: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        channels: int,
        eps: float,
        fraction: float,
        *,
        global_stats: bool | None = None,
        weight: bool = False,
        bias: bool = False,
    ) -> None:
        super().__init__(channels, eps, 1 - fraction, affine=weight)
        self.fraction = fraction
        self.global_stats = global_stats
        self.num_batches_tracked = None
        self.register_buffer("factor", torch.empty(1))
        if weight and not bias:
            self.register_parameter("bias", None)

    def forward(self, input: Tensor) -> Tensor:
        return self._normalise(input, self.weight, self.bias)

    def stages(self, bottom: Tensor) -> tuple[Tensor, Tensor]:
        """The normalised bottom, and what the Scale behind makes of it: the tops of two layers."""
        inner = self._normalise(bottom, None, None)
        shape = (-1, *(1,) * (bottom.dim() - 2))
        top = inner if self.weight is None else inner * self.weight.reshape(shape)
        return inner, top if self.bias is None else top + self.bias.reshape(shape)

    def _normalise(self, bottom: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        stored = not self.training if self.global_stats is None else self.global_stats
        if stored:
            return functional.batch_norm(
                bottom, self.running_mean, self.running_var, weight, bias, False, 0.0, self.eps
            )
        mean, variance = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        if bottom.numel() == bottom.shape[1]:
            # one value for each channel: torch refuses it, Caffe's variance is 0
            with torch.no_grad():
                mean += bottom.flatten()
            centred = bottom - bottom
            top = functional.batch_norm(
                centred, torch.zeros_like(mean), variance, weight, bias, False, 0.0, self.eps
            )
        else:
            # momentum 1: the statistics of this batch alone, the variance times m / (m - 1)
            top = functional.batch_norm(bottom, mean, variance, weight, bias, True, 1.0, self.eps)
        with torch.no_grad():
            self.factor.mul_(self.fraction).add_(1.0)
            share = self.factor.reciprocal()
            self.running_mean.lerp_(mean, share)
            self.running_var.lerp_(variance, share)
        return top

    def from_caffe(self, blobs: list[Tensor]) -> list[Tensor]:
        """Sums and factor to statistics and factor; the statistics are 0 where the factor is."""
        mean, variance, factor, *learned = blobs
        share = torch.where(factor == 0, 0.0, 1 / factor)
        return [mean * share, variance * share, factor, *learned]

    def to_caffe(self, tensors: list[Tensor]) -> list[Tensor]:
        """Statistics and factor to sums and factor."""
        mean, variance, factor, *learned = tensors
        return [mean * factor, variance * factor, factor.clone(), *learned]

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps:g}, fraction={self.fraction:g}"

    def _check_input_dim(self, input: Tensor) -> None:
        """Nothing to check: Caffe takes any number of axes from two on."""

    # torch.nn's own adds a `num_batches_tracked` to dictionaries that come without a version
    _load_from_state_dict = nn.Module._load_from_state_dict


class BatchNorm1d(BatchNorm, nn.BatchNorm1d):
    """For two or three axes."""


class BatchNorm2d(BatchNorm, nn.BatchNorm2d):
    """For four axes."""


class BatchNorm3d(BatchNorm, nn.BatchNorm3d):
    """For five axes."""


_BY_AXES: dict[int, Callable[..., BatchNorm]] = {
    2: BatchNorm1d, 3: BatchNorm1d, 4: BatchNorm2d, 5: BatchNorm3d,
}  # fmt: skip


def batch_norm_module(axes: int) -> Callable[..., BatchNorm]:
    """The class for bottoms of so many axes."""
    return _BY_AXES.get(axes, BatchNorm)
