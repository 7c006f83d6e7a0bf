"""Picking a part of a blob, in PyTorch."""

from __future__ import annotations

from torch import Tensor, nn

from caffegen.layer_types import selecting as definitions

from .registry import Lowered, lowers

__all__ = ["BatchReindex", "Crop", "Filter"]

Shape = tuple[int, ...]


@lowers("Crop")
def crop(definition: definitions.Crop) -> Lowered:
    """Cuts a blob to the size of another."""
    return Lowered(Crop(definition.axis_index, definition.offsets))


class Crop(nn.Module):
    """A window of bottom 0 from `offsets` on, of bottom 1's size in the axes from `axis` on."""

    def __init__(self, axis: int, offsets: Shape) -> None:
        super().__init__()
        self.axis = axis
        self.offsets = offsets

    def forward(self, bottom: Tensor, reference: Tensor) -> Tensor:
        top = bottom
        for axis in range(self.axis, bottom.dim()):
            top = top.narrow(axis, self.offsets[axis], reference.shape[axis])
        return top

    def extra_repr(self) -> str:
        return f"axis={self.axis}, offsets={self.offsets}"


@lowers("BatchReindex")
def batch_reindex(_definition: definitions.BatchReindex) -> Lowered:
    """Picks items of the batch by their numbers."""
    return Lowered(BatchReindex())


class BatchReindex(nn.Module):
    """The items of bottom 0 that the numbers in bottom 1 name, in their order."""

    def forward(self, bottom: Tensor, numbers: Tensor) -> Tensor:
        return bottom.index_select(0, numbers.long())


@lowers("Filter")
def filter_(_definition: definitions.Filter) -> Lowered:
    """Passes on the items of the batch that a selector marks."""
    return Lowered(Filter())


class Filter(nn.Module):
    """The items of the bottoms for which the last bottom is not 0.

    Their number is known only when the net runs: torch.compile takes that with
    `torch._dynamo.config.capture_dynamic_output_shape_ops`, torch.export as it is.
    """

    def forward(self, *bottoms: Tensor) -> tuple[Tensor, ...]:
        *filtered, selector = bottoms
        chosen = selector.flatten().nonzero().squeeze(1)
        return tuple(bottom.index_select(0, chosen) for bottom in filtered)
