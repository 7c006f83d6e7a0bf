"""InnerDistance and ChannelScale in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from caffegen.layer_types import face_features as definitions

from .registry import Lowered, lowers

__all__ = ["ChannelScale", "InnerDistance"]


@lowers("InnerDistance")
def inner_distance(definition: definitions.InnerDistance) -> Lowered:
    """Distances of items to centres."""
    return Lowered(InnerDistance(definition), ("weight",) if definition.learned else ())


class InnerDistance(nn.Module):
    """The distance of each item to each centre: squared, or of absolute values."""

    weight: nn.Parameter | None

    def __init__(self, definition: definitions.InnerDistance) -> None:
        super().__init__()
        self.axis = definition.axis_index
        self.distance_type = definition.distance_type
        self.normalize = definition.normalize
        self.centers = definition.centers
        if definition.learned:
            self.weight = nn.Parameter(torch.empty(definition.blobs[0].shape))
        else:
            self.register_parameter("weight", None)

    def forward(self, bottom: Tensor, *others: Tensor) -> Tensor:
        items = bottom.flatten(self.axis)
        # as the values lie, whichever way round they are meant
        rows = others[0] if self.weight is None else self.weight
        rows = rows.reshape(self.centers, -1)
        if self.normalize:
            rows = rows / (rows.square().sum(1, keepdim=True) + 1e-6).sqrt()
        apart = items.unsqueeze(-2) - rows
        return (apart.abs() if self.distance_type == "L1" else apart.square()).sum(-1)

    def extra_repr(self) -> str:
        return f"{self.centers}, {self.distance_type}, normalize={self.normalize}"


@lowers("ChannelScale")
def channel_scale(definition: definitions.ChannelScale) -> Lowered:
    """A product with one number for each place."""
    return Lowered(ChannelScale(scales=definition.scales))


class ChannelScale(nn.Module):
    """Every place times a number of its own; or nothing, where it only acts backwards."""

    def __init__(self, *, scales: bool) -> None:
        super().__init__()
        self.scales = scales

    def forward(self, bottom: Tensor, factors: Tensor) -> Tensor:
        if not self.scales:
            return bottom
        places = (bottom.shape[0], *(1,) * min(1, bottom.dim() - 1), *bottom.shape[2:])
        return bottom * factors.reshape(places)
