"""DetectionEvaluate in PyTorch: detections held against the boxes that are really there."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from caffegen.errors import CaffegenError, FileError
from caffegen.layer_types import detection as definitions
from caffegen.text import Message

from .boxes import areas, overlaps

__all__ = ["DetectionEvaluate"]

# by class: boxes (n, 4), and what stands beside each (a score, or whether it is difficult)
Boxes = dict[int, tuple[Tensor, Tensor]]


class _Resize(NamedTuple):
    """What the net did to an image before it: the fields of a ResizeParameter that count here."""

    mode: str
    height: int
    width: int
    height_scale: int
    width_scale: int

    @property
    def scaled(self) -> bool:
        """Whether boxes are scaled by given sizes, not by those of the image."""
        return bool(self.mode == "FIT_SMALL_SIZE" and self.height_scale and self.width_scale)


class DetectionEvaluate(nn.Module):
    """Rows (1, 1, rows, 5): for each class its number of boxes, then each detection, true or false.

    With `name_size_file` boxes are compared in pixels; the file is read in the first pass, and the
    images of all passes are those of its lines in turn, from the first again behind the last.
    """

    def __init__(self, definition: definitions.DetectionEvaluate) -> None:
        super().__init__()
        self.labels = definition.labels
        self.background = definition.background_label_id
        self.overlap_threshold = definition.overlap_threshold
        self.evaluate_difficult = definition.evaluate_difficult_gt
        self.path = definition.name_size_file
        self.resize = _resize(definition.layer.get(definition.param))
        self.sizes: list[tuple[int, int]] | None = None
        self.seen = 0

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self, detections: Tensor, truth: Tensor, *_more: Tensor) -> Tensor:
        found = detections.detach().reshape(-1, 7)
        there = truth.detach().reshape(-1, 8)
        # behind a row of -1 nothing is read
        ended = (there[:, 0].long() == -1).nonzero()
        if ended.numel():
            there = there[: int(ended[0])]
        self.refuse_background(found, there)
        rows = [*self.counts(there)]
        for image in sorted(set(found[:, 0].long().tolist()) - {-1}):
            size = self.size()
            own = _by_class(there[there[:, 0].long() == image], (3, 7), 7)
            mine = _by_class(found[found[:, 0].long() == image], (3, 7), 2)
            for label, (boxes, scores) in mine.items():
                if label != -1:
                    rows += self.marked(image, label, boxes, scores, own.get(label), size)
            self.seen += 1
        return detections.new_tensor(rows)[None, None]

    def refuse_background(self, found: Tensor, there: Tensor) -> None:
        """Refuse a box of the background; Caffe stops there."""
        for what, rows in (("detection", found), ("box", there)):
            here = rows[rows[:, 0].long() != -1, 1].long()
            if self.background != -1 and (here == self.background).any():
                raise CaffegenError(
                    f"the bottoms of DetectionEvaluate hold a {what} of the background class "
                    f"({self.background})"
                )

    def counts(self, there: Tensor) -> list[list[float]]:
        """A row for each class: the number of its boxes, the difficult ones as it is told."""
        counted = there if self.evaluate_difficult else there[there[:, 7] == 0]
        labels = counted[:, 1].long()
        return [[-1, c, int((labels == c).sum()), -1, -1] for c in self.labels]

    def marked(
        self,
        image: int,
        label: int,
        boxes: Tensor,
        scores: Tensor,
        own: tuple[Tensor, Tensor] | None,
        size: tuple[int, int] | None,
    ) -> list[list[float]]:
        """A row for each detection of one class in one image."""
        if own is None:
            return [[image, label, score, 0, 1] for score in scores.tolist()]
        order = scores.sort(descending=True, stable=True).indices
        table = self.compared(boxes[order], own[0], size)
        best, nearest = table.max(1)
        taken: set[int] = set()
        rows = []
        for score, overlap, box in zip(
            scores[order].tolist(), best.tolist(), nearest.tolist(), strict=True
        ):
            right = wrong = 0
            if not overlap >= self.overlap_threshold:
                wrong = 1
            elif self.evaluate_difficult or not own[1][box]:
                right, wrong = int(box not in taken), int(box in taken)
                taken.add(box)
            rows.append([image, label, score, right, wrong])
        return rows

    def compared(self, boxes: Tensor, own: Tensor, size: tuple[int, int] | None) -> Tensor:
        """The overlap of each detection with each box, in shares of the image or in pixels."""
        if size is None:
            return overlaps(boxes, own)
        first, second = (_in_pixels(corners, size, self.resize) for corners in (boxes, own))
        # the last pixel of a box belongs to it (bbox_util.cpp, JaccardOverlap)
        low = torch.maximum(first[:, None, :2], second[:, :2])
        high = torch.minimum(first[:, None, 2:], second[:, 2:])
        apart = (high < low).any(-1)
        shared = (high - low + 1).prod(-1)
        whole = self.pixels(first)[:, None] + self.pixels(second) - shared
        return (shared / whole).where(~apart, 0)

    def pixels(self, boxes: Tensor) -> Tensor:
        """The number of pixels of each box; without the last ones where Caffe forgets them."""
        if self.resize is not None and self.resize.scaled:
            return areas(boxes)
        sides = boxes[:, 2:] - boxes[:, :2]
        return (sides + 1).prod(-1).where((sides >= 0).all(-1), 0)

    def size(self) -> tuple[int, int] | None:
        """Height and width of the image that is looked at; None where they do not matter."""
        if self.path is None:
            return None
        if self.sizes is None:
            self.sizes = _read_sizes(self.path)
        return self.sizes[self.seen % len(self.sizes)]

    def extra_repr(self) -> str:
        return f"{len(self.labels)} classes, overlap_threshold={self.overlap_threshold:g}"


def _by_class(rows: Tensor, corners: tuple[int, int], beside: int) -> Boxes:
    """Boxes and what stands in column `beside`, by their class in column 1, in rising order."""
    labels = rows[:, 1].long()
    return {
        label: (rows[labels == label, corners[0] : corners[1]], rows[labels == label, beside])
        for label in sorted(set(labels.tolist()))
    }


def _resize(param: Message) -> _Resize | None:
    if not param.has("resize_param"):
        return None
    resize = param.resize_param
    return _Resize(
        resize.resize_mode, resize.height, resize.width, resize.height_scale, resize.width_scale
    )


def _read_sizes(path: str) -> list[tuple[int, int]]:
    """Heights and widths of a file with a line `name height width` for each image."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            words = file.read().split()
        found = [(int(words[i + 1]), int(words[i + 2])) for i in range(0, len(words) - 2, 3)]
    except OSError as error:
        raise FileError(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise FileError(path, f"a line is not `name height width`: {error}") from error
    if not found:
        raise FileError(path, "it names no image")
    return found


def _in_pixels(boxes: Tensor, size: tuple[int, int], resize: _Resize | None) -> Tensor:
    """Boxes in shares of what the net saw, in pixels of the image (bbox_util.cpp, OutputBBox)."""
    height, width = size
    whole = boxes.new_tensor((width, height, width, height))
    if resize is None:
        return boxes.clamp(0, 1) * whole
    if resize.scaled:
        scales = (resize.width_scale, resize.height_scale)
        return torch.minimum((boxes * boxes.new_tensor(scales * 2)).clamp(min=0), whole)
    if resize.mode == "FIT_LARGE_SIZE_AND_PAD":
        margin = boxes.new_tensor(_margins(size, resize))
        inner = (boxes - margin.repeat(2)) / (1 - 2 * margin).repeat(2)
        # what lies in the padding alone is left as it is
        seen = ((boxes[:, :2] < 1 - margin) & (boxes[:, 2:] > margin)).all(1, keepdim=True)
        boxes = inner.where(seen, boxes)
    return boxes.clamp(0, 1) * whole


def _margins(size: tuple[int, int], resize: _Resize) -> tuple[float, float]:
    """The share of the padded image that lies left, and above, the picture."""
    aspect = size[1] / size[0]
    if aspect > resize.width / resize.height:
        return 0.0, (resize.height - resize.width / aspect) / 2 / resize.height
    return (resize.width - resize.height * aspect) / 2 / resize.width, 0.0
