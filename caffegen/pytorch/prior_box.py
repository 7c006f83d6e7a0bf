"""PriorBox in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from caffegen.layer_types import prior_box as definitions

from .registry import Lowered, lowers

__all__ = ["PriorBox"]


@lowers("PriorBox")
def prior_box(definition: definitions.PriorBox) -> Lowered:
    """Boxes around every cell of a feature map."""
    return Lowered(PriorBox(definition))


class PriorBox(nn.Module):
    """Boxes (1, 2, 4 priors) for maps and images of any size: corners, and behind them variances.

    They are of single precision, or double where the map is, and have no gradient
    (prior_box_layer.hpp).
    """

    def __init__(self, definition: definitions.PriorBox) -> None:
        super().__init__()
        self.boxes = definition.boxes
        self.variances = definition.variances
        self.image = definition.image
        self.step = definition.step
        self.offset = definition.offset
        self.clip = definition.clip

    def forward(self, features: Tensor, image: Tensor | None = None, *_more: Tensor) -> Tensor:
        cells = _plane(features)
        size = self.image
        if size is None:
            assert image is not None
            size = _plane(image)
        step = self.step or (size[0] / cells[0], size[1] / cells[1])
        y, x = (
            (torch.arange(cells[axis], device=features.device) + self.offset) * step[axis]
            for axis in (0, 1)
        )
        grid = x.expand(*cells), y[:, None].expand(*cells)
        centre = torch.stack(grid, -1)[:, :, None]
        half = torch.tensor(self.boxes, device=features.device) / 2
        whole = torch.tensor((size[1], size[0]), dtype=torch.float32, device=features.device)
        corners = torch.cat(((centre - half) / whole, (centre + half) / whole), -1)
        if self.clip:
            corners = corners.clamp(0, 1)
        variances = torch.tensor(self.variances, device=features.device).expand_as(corners)
        top = torch.stack((corners.flatten(), variances.flatten())).unsqueeze(0)
        # half precision would move the boxes by a pixel
        return top.to(torch.promote_types(features.dtype, torch.float32))

    def extra_repr(self) -> str:
        return f"{len(self.boxes)} boxes, image={self.image}, step={self.step}, clip={self.clip}"


def _plane(blob: Tensor) -> tuple[int, int]:
    """Height and width, 1 for axes that are not there."""
    sizes = (*blob.shape[2:], 1, 1)
    return sizes[0], sizes[1]
