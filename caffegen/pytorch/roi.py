"""Pooling over regions of a feature map, in PyTorch."""

from __future__ import annotations

from functools import reduce
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor, nn

from caffegen.layer_types import roi as definitions

from .exporting import exporting
from .registry import Lowered, lowers, refuse

__all__ = ["PSROIPooling", "ROIAlign", "ROIPooling", "RegionCorners", "round_away"]

Pair = tuple[int, int]


def round_away(numbers: Tensor) -> Tensor:
    """Rounded to whole numbers, halves away from zero, as C's `round` does."""
    size = numbers.abs()
    whole = size.floor()
    return torch.where(size - whole >= 0.5, whole + 1, whole).copysign(numbers)


class _Spans(NamedTuple):
    """Begin and end (one past the last) of each cell of each region on one axis: (R, cells)."""

    begin: Tensor
    end: Tensor

    @property
    def length(self) -> Tensor:
        """How many pixels each cell has, 0 or fewer where it has none."""
        return self.end - self.begin


def _cut(begin: Tensor, end: Tensor, size: int) -> _Spans:
    """Cells as whole numbers, cut off at the map."""
    return _Spans(begin.long().clamp(0, size), end.long().clamp(0, size))


@lowers("ROIPooling")
def roi_pooling(definition: definitions.ROIPooling) -> Lowered:
    """Maxima over the cells of regions."""
    if len(definition.bottom_shapes[0]) == 5:
        raise refuse(definition, "caffegen pools regions of pictures, and this one is of volumes")
    return Lowered(
        ROIPooling((definition.pooled[0], definition.pooled[1]), definition.spatial_scale)
    )


class ROIPooling(nn.Module):
    """The maximum of each cell of each region, and the gradient to the first pixel that has it.

    Where the maxima are is found by a table of the maxima of all windows of 2^i x 2^j pixels: four
    such windows cover a cell, however large it is.
    """

    def __init__(self, pooled: Pair, spatial_scale: float) -> None:
        super().__init__()
        self.pooled = pooled
        self.spatial_scale = spatial_scale

    def forward(self, bottom: Tensor, rois: Tensor) -> Tensor:
        rois = rois.detach().reshape(-1, 5)
        rows = self._cells(rois[:, 2], rois[:, 4], self.pooled[0], bottom.shape[2])
        columns = self._cells(rois[:, 1], rois[:, 3], self.pooled[1], bottom.shape[3])
        images = rois[:, 0].long()
        count, channels = rois.shape[0], bottom.shape[1]
        shape = (count, *self.pooled)
        begin = torch.stack(
            [rows.begin[:, :, None].expand(shape), columns.begin[:, None].expand(shape)]
        ).flatten(1)
        length = torch.stack(
            [rows.length[:, :, None].expand(shape), columns.length[:, None].expand(shape)]
        ).flatten(1)
        image = images[:, None, None].expand(shape).flatten()
        full = (length > 0).all(0)
        with torch.no_grad():
            place = _first_maxima(bottom, image[full], begin[:, full], length[:, full])
        plane = image[full][:, None] * channels + torch.arange(channels, device=place.device)
        values = bottom.take(plane * (bottom.shape[2] * bottom.shape[3]) + place)
        top = bottom.new_zeros(image.shape[0], channels).index_put((full,), values)
        return top.reshape(count, *self.pooled, channels).permute(0, 3, 1, 2).contiguous()

    def _cells(self, first: Tensor, last: Tensor, cells: int, size: int) -> _Spans:
        start = round_away(first * self.spatial_scale)
        extent = (round_away(last * self.spatial_scale) - start + 1).clamp(min=1)
        step = (extent / cells)[:, None]
        index = torch.arange(cells, device=first.device, dtype=first.dtype)
        begin, end = (index * step).floor(), ((index + 1) * step).ceil()
        return _cut(begin + start[:, None], end + start[:, None], size)

    def extra_repr(self) -> str:
        return f"{self.pooled}, spatial_scale={self.spatial_scale:g}"


def _first_maxima(bottom: Tensor, image: Tensor, begin: Tensor, length: Tensor) -> Tensor:
    """Where in its plane each of M windows has its first maximum, for each channel: (M, C)."""
    height, width = bottom.shape[2:]
    best = torch.zeros(image.shape[0], bottom.shape[1], dtype=torch.int32, device=bottom.device)
    powers = 2 ** torch.arange(1, max(height, width, 2).bit_length(), device=bottom.device)
    level = (length[..., None] >= powers).sum(-1)
    if exporting():
        tables = range(height.bit_length()), range(width.bit_length())
        wanted = set(product(*tables))
    else:
        wanted = {(int(i), int(j)) for i, j in torch.unique(level, dim=1).T.tolist()}
    # channels last: what is looked up lies together
    value = bottom.detach().permute(0, 2, 3, 1).contiguous()
    place = torch.arange(height * width, dtype=torch.int32, device=bottom.device)
    tall = _Table(value, place.view(height, width, 1).expand_as(value))
    for i in range(max((i for i, _ in wanted), default=-1) + 1):
        wide = tall
        for j in range(max((j for k, j in wanted if k == i), default=-1) + 1):
            if (i, j) in wanted:
                mine = ((level[0] == i) & (level[1] == j)).nonzero().squeeze(1)
                top, left = begin[:, mine]
                below, right = begin[:, mine] + length[:, mine]
                corners = [
                    wide.at(image[mine], row, column)
                    for row in (top, below - 2**i)
                    for column in (left, right - 2**j)
                ]
                best[mine] = reduce(_Table.better, corners).place
            wide = wide.doubled(2, 2**j)
        tall = tall.doubled(1, 2**i)
    return best.long()


class _Table(NamedTuple):
    """Maxima of equal windows and the first place of each, (N, H, W, C) by their first pixel."""

    value: Tensor
    place: Tensor

    def better(self, other: _Table) -> _Table:
        """The larger of two, or of equal ones the one whose place comes first."""
        other_wins = (other.value > self.value) | (
            (other.value == self.value) & (other.place < self.place)
        )
        return _Table(
            torch.where(other_wins, other.value, self.value),
            torch.where(other_wins, other.place, self.place),
        )

    def doubled(self, axis: int, step: int) -> _Table:
        """Windows twice as long on an axis; those that leave the map end there as before."""
        size = self.value.shape[axis]
        later = torch.arange(size, device=self.value.device).add(step).clamp(max=size - 1)
        moved = _Table(self.value.index_select(axis, later), self.place.index_select(axis, later))
        return self.better(moved)

    def at(self, image: Tensor, row: Tensor, column: Tensor) -> _Table:
        """The windows of M pixels, for each channel: (M, C)."""
        height, width = self.value.shape[1:3]
        pixel = (image * height + row) * width + column
        return _Table(
            self.value.flatten(0, 2).index_select(0, pixel),
            self.place.flatten(0, 2).index_select(0, pixel),
        )


@lowers("PSROIPooling")
def psroi_pooling(definition: definitions.PSROIPooling) -> Lowered:
    """Averages over the cells of regions, each cell in channels of its own."""
    return Lowered(
        PSROIPooling(definition.output_dim, definition.group_size, definition.spatial_scale)
    )


class PSROIPooling(nn.Module):
    """The average of each cell of each region, as products with the cells' rows and columns."""

    def __init__(self, output_dim: int, group_size: int, spatial_scale: float) -> None:
        super().__init__()
        self.output_dim = output_dim
        self.group_size = group_size
        self.spatial_scale = spatial_scale

    def forward(self, bottom: Tensor, rois: Tensor) -> Tensor:
        rois = rois.detach().reshape(-1, 5)
        group = self.group_size
        rows = self._cells(rois[:, 2], rois[:, 4], bottom.shape[2])
        columns = self._cells(rois[:, 1], rois[:, 3], bottom.shape[3])
        image = rois[:, 0].long()
        maps = torch.unflatten(bottom, 1, (self.output_dim, group, group))
        top = bottom.new_zeros(rois.shape[0], self.output_dim, group, group)
        for index in range(bottom.shape[0]):
            mine = (image == index).nonzero().squeeze(1)
            if exporting() or mine.numel():
                over_rows = torch.einsum(
                    "rih,dijhw->rdijw", _inside(rows, mine, bottom, 2), maps[index]
                )
                sums = torch.einsum("rdijw,rjw->rdij", over_rows, _inside(columns, mine, bottom, 3))
                top = top.index_copy(0, mine, sums)
        area = rows.length.clamp(min=0)[:, :, None] * columns.length.clamp(min=0)[:, None]
        return top / area.clamp(min=1)[:, None].to(top.dtype)

    def _cells(self, first: Tensor, last: Tensor, size: int) -> _Spans:
        start = (round_away(first) * self.spatial_scale)[:, None]
        end = ((round_away(last) + 1) * self.spatial_scale)[:, None]
        step = (end - start).clamp(min=0.1) / self.group_size
        index = torch.arange(self.group_size, device=first.device, dtype=first.dtype)
        return _cut((index * step + start).floor(), ((index + 1) * step + start).ceil(), size)

    def extra_repr(self) -> str:
        return f"{self.output_dim}, {self.group_size}, spatial_scale={self.spatial_scale:g}"


def _inside(spans: _Spans, mine: Tensor, bottom: Tensor, axis: int) -> Tensor:
    """1 for each pixel of an axis that lies in a cell, else 0: (regions, cells, size)."""
    pixel = torch.arange(bottom.shape[axis], device=bottom.device)
    begin, end = spans.begin[mine][..., None], spans.end[mine][..., None]
    return ((pixel >= begin) & (pixel < end)).to(bottom.dtype)


@lowers("ROIAlign")
def roi_align(definition: definitions.ROIAlign) -> Lowered:
    """Samples between the pixels of regions."""
    pooled = (definition.pooled[0], definition.pooled[1])
    if definition.corners:
        return Lowered(RegionCorners(pooled, definition.spatial_scale, definition.pad_ratio))
    return Lowered(ROIAlign(pooled, definition.spatial_scale, definition.sampling_ratio))


def _sample(
    bottom: Tensor, image: Tensor, rows: Tensor, columns: Tensor, reach: float, edge: float
) -> Tensor:
    """Bilinear samples at (R, Y) rows and (R, X) columns of each region's image: (R, C, Y, X).

    0 further than `reach` before the first pixel or than `edge` behind the last.
    """
    weights = []
    for axis, at in ((2, rows), (3, columns)):
        size = bottom.shape[axis]
        inside = (at >= -reach) & (at <= size - 1 + edge)
        held = at.clamp(0, size - 1)
        low = held.floor()
        share = held - low
        pixel = torch.arange(size, device=bottom.device, dtype=at.dtype)
        lower = (pixel == low[..., None]) * (1 - share)[..., None]
        upper = (pixel == low[..., None] + 1) * share[..., None]
        weights.append((lower + upper) * inside[..., None])
    found = bottom.new_zeros(rows.shape[0], bottom.shape[1], rows.shape[1], columns.shape[1])
    for index in range(bottom.shape[0]):
        mine = (image == index).nonzero().squeeze(1)
        if mine.numel():
            over_rows = torch.einsum("ryh,chw->rcyw", weights[0][mine], bottom[index])
            part = torch.einsum("rcyw,rxw->rcyx", over_rows, weights[1][mine])
            found = found.index_copy(0, mine, part)
    return found


class ROIAlign(nn.Module):
    """The mean of samples in each cell of each region, as Mask R-CNN takes them."""

    def __init__(self, pooled: Pair, spatial_scale: float, sampling_ratio: int) -> None:
        super().__init__()
        self.pooled = pooled
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio

    def forward(self, bottom: Tensor, rois: Tensor) -> Tensor:
        rois = rois.detach().reshape(-1, 5)
        start = rois[:, 1:3] * self.spatial_scale
        extent = (rois[:, 3:5] * self.spatial_scale - start).clamp(min=1)
        cells = extent.new_tensor((self.pooled[1], self.pooled[0]))
        step = extent / cells
        # as many samples along an axis as a cell has pixels, unless their number is given
        number = step.ceil() if not self.sampling_ratio else step * 0 + self.sampling_ratio
        top = bottom.new_zeros(rois.shape[0], bottom.shape[1], *self.pooled)
        for grid in torch.unique(number, dim=0).tolist():
            mine = (number == number.new_tensor(grid)).all(1).nonzero().squeeze(1)
            axes = []
            for axis in (1, 0):
                times = int(grid[axis])
                index = torch.arange(self.pooled[1 - axis] * times).to(extent)
                cell, sample = (index / times).floor(), index % times
                each = step[mine, axis, None]
                first = start[mine, axis, None] + cell * each
                axes.append(first + (sample + 0.5) * each / times)
            samples = _sample(bottom, rois[mine, 0].long(), axes[0], axes[1], 1, 1)
            split = torch.unflatten(samples, 3, (self.pooled[1], -1))
            split = torch.unflatten(split, 2, (self.pooled[0], -1))
            top = top.index_copy(0, mine, split.mean((3, 5)))
        return top

    def extra_repr(self) -> str:
        return (
            f"{self.pooled}, spatial_scale={self.spatial_scale:g}, "
            f"sampling_ratio={self.sampling_ratio}"
        )


class RegionCorners(nn.Module):
    """Samples at the corners of the cells of each region, as cascade-rcnn takes them."""

    def __init__(self, points: Pair, spatial_scale: float, pad_ratio: float) -> None:
        super().__init__()
        self.points = points
        self.spatial_scale = spatial_scale
        self.pad_ratio = pad_ratio

    def forward(self, bottom: Tensor, rois: Tensor) -> Tensor:
        rois = rois.detach().reshape(-1, 5)
        pad = (rois[:, 3:5] - rois[:, 1:3] + 1) * self.pad_ratio
        start = (rois[:, 1:3] - pad) * self.spatial_scale - 0.5
        extent = (rois[:, 3:5] + pad) * self.spatial_scale - 0.5 - start
        axes = []
        for axis in (1, 0):
            points = self.points[1 - axis]
            step = extent[:, axis, None] / (points - 1)
            axes.append(start[:, axis, None] + torch.arange(points).to(extent) * step)
        top = _sample(bottom, rois[:, 0].long(), axes[0], axes[1], 0.5, 0.5)
        return top * (extent > 0).all(1)[:, None, None, None]

    def extra_repr(self) -> str:
        return f"{self.points}, spatial_scale={self.spatial_scale:g}, pad_ratio={self.pad_ratio:g}"
