"""Local and SparseInnerProduct in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.layer_types import local as definitions

from .inner_product import inner_product
from .registry import Lowered, lowers

__all__ = ["Local"]

lowers("SparseInnerProduct")(inner_product)


@lowers("Local")
def local(definition: definitions.Local) -> Lowered:
    """A convolution that shares no weights between places."""
    blobs = ("weight", "bias") if definition.bias_term else ("weight",)
    return Lowered(Local(definition), blobs)


class Local(nn.Module):
    """Unfolded windows, summed with weights of each place."""

    bias: nn.Parameter | None

    def __init__(self, definition: definitions.Local) -> None:
        super().__init__()
        self.kernel_size = definition.kernel_size
        self.stride = definition.stride
        self.padding = definition.pad
        self.weight = nn.Parameter(torch.empty(definition.blobs[0].shape))
        if definition.bias_term:
            self.bias = nn.Parameter(torch.empty(definition.blobs[1].shape))
        else:
            self.register_parameter("bias", None)

    def forward(self, bottom: Tensor) -> Tensor:
        windows = functional.unfold(
            bottom, self.kernel_size, padding=self.padding, stride=self.stride
        )
        top = torch.einsum("nkp,mkp->nmp", windows, self.weight[:, 0])
        if self.bias is not None:
            top = top + self.bias[0]
        sizes = (n + 2 * self.padding - self.kernel_size for n in bottom.shape[2:])
        return top.reshape(*top.shape[:2], *(size // self.stride + 1 for size in sizes))

    def extra_repr(self) -> str:
        return (
            f"{self.weight.shape[0]}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}"
        )
