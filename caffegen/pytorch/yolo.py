"""YOLO's outputs in PyTorch."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from caffegen.layer_types import yolo as definitions

from .registry import Lowered, lowers, refuse
from .suppression import suppress

__all__ = ["Detections", "Regions"]

# the numbers of a box before those of its classes: x, y, width, height, objectness
BOX = 5


@lowers("YoloDetectionOutput")
def yolo_detection_output(definition: definitions.YoloDetectionOutput) -> Lowered:
    """YOLOv2's boxes, each of its best class."""
    return Lowered(Detections(definition))


@lowers("Yolov3DetectionOutput")
def yolov3_detection_output(definition: definitions.Yolov3DetectionOutput) -> Lowered:
    """YOLOv3's boxes, one for each class that passes."""
    if definition.gaussian_box:
        raise refuse(
            definition,
            "with `gaussian_box` its forward pass scores boxes by memory that it never writes, "
            "and differs between CPU and GPU",
        )
    return Lowered(Detections(definition))


class _Boxes(NamedTuple):
    """Boxes in parts of the image: centre and size (n, 4), and the scores of their classes (n, C)."""

    box: Tensor
    scores: Tensor


class Detections(nn.Module):
    """Rows of image, label, score and corners, the best first, after suppression across classes."""

    def __init__(
        self, definition: definitions.YoloDetectionOutput | definitions.Yolov3DetectionOutput
    ) -> None:
        super().__init__()
        self.maps = definition.maps
        self.num_classes = definition.num_classes
        self.best_class_only = definition.best_class_only
        self.confidence_threshold = definition.confidence_threshold
        self.nms_threshold = definition.nms_threshold

    @torch.no_grad()
    def forward(self, *bottoms: Tensor) -> Tensor:
        found = [
            self._candidates(_decode(bottom, prior_map, softmax=self.best_class_only))
            for bottom, prior_map in zip(bottoms, self.maps, strict=False)
        ]
        rows = torch.cat(found)
        rows = rows[rows[:, 1].argsort(descending=True, stable=True)]
        half = rows[:, 4:] / 2
        corners = torch.cat([rows[:, 2:4] - half, rows[:, 2:4] + half], 1)
        kept = suppress(corners, self.nms_threshold, reached=True)
        top = torch.cat([rows.new_zeros(kept.shape[0], 1), rows[kept, :2], corners[kept]], 1)
        # a row of -1 for each image where nothing is found
        image = torch.arange(bottoms[0].shape[0]).to(rows)[:, None]
        nothing = torch.cat([image, image.new_full((image.shape[0], 6), -1)], 1)
        some = torch.ones_like(kept, dtype=torch.bool)
        marks = torch.cat([some, ~some.any().expand(image.shape[0])])
        return torch.cat([top, nothing])[marks][None, None]

    def _candidates(self, boxes: _Boxes) -> Tensor:
        """Rows of label, score, centre and size for what passes the threshold, in Caffe's order."""
        if self.best_class_only:
            score, label = boxes.scores.max(1)
            passes = (score >= self.confidence_threshold).nonzero().squeeze(1)
            label, score, box = label[passes], score[passes], boxes.box[passes]
        else:
            passing = (boxes.scores > self.confidence_threshold).nonzero()
            box, label = boxes.box[passing[:, 0]], passing[:, 1]
            score = boxes.scores[passing[:, 0], label]
        return torch.cat([label.to(score)[:, None] + 1, score[:, None], box], 1)

    def extra_repr(self) -> str:
        return (
            f"{self.num_classes} classes, {len(self.maps)} maps, "
            f"confidence_threshold={self.confidence_threshold:g}, "
            f"nms_threshold={self.nms_threshold:g}"
        )


def _decode(bottom: Tensor, prior_map: definitions.PriorMap, *, softmax: bool) -> _Boxes:
    """The boxes of a map in order of images, rows, columns and priors; scores times objectness."""
    priors = bottom.new_tensor(prior_map.priors)
    height, width = bottom.shape[2:]
    split = torch.unflatten(bottom, 1, (priors.shape[0], -1)).permute(0, 3, 4, 1, 2)
    cell = torch.stack(
        torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy"), -1
    ).to(bottom)
    size = bottom.new_tensor((width, height))
    centre = (cell[:, :, None] + split[..., :2].sigmoid()) / size
    extent = split[..., 2:4].exp() * priors / (size * prior_map.stride)
    classes = split[..., BOX:]
    likely = classes.softmax(-1) if softmax else classes.sigmoid()
    scores = split[..., 4:5].sigmoid() * likely
    return _Boxes(torch.cat([centre, extent], -1).reshape(-1, 4), scores.flatten(0, 3))


@lowers("RegionOutput")
def region_output(definition: definitions.RegionOutput) -> Lowered:
    """All boxes of YOLOv2's map, with the scores that are left of each class."""
    if definition.tree:
        raise refuse(definition, f"its tree of classes stands in the file `{definition.tree}`")
    if definition.coords != 4:
        raise refuse(
            definition, f"its boxes have {definition.coords} coordinates; caffegen knows 4"
        )
    return Lowered(Regions(definition))


class Regions(nn.Module):
    """Boxes in pixels of the image, and the scores of each class after suppression within it."""

    def __init__(self, definition: definitions.RegionOutput) -> None:
        super().__init__()
        self.priors = definition.priors
        self.feat_stride = definition.feat_stride
        self.thresh = definition.thresh
        self.nms = definition.nms

    @torch.no_grad()
    def forward(self, bottom: Tensor, info: Tensor) -> tuple[Tensor, Tensor]:
        box, objectness, classes = self._read(bottom)
        scores = objectness * classes
        best = scores.amax(1, keepdim=True).clamp(min=0)
        scores = torch.where(scores > self.thresh, scores, 0)
        box = self._to_image(box, info, bottom.shape[2], bottom.shape[3])
        if self.nms > 0:
            half = box[:, 2:] / 2
            corners = torch.cat([box[:, :2] - half, box[:, :2] + half], 1)
            left = torch.zeros_like(scores)
            for index in range(scores.shape[1]):
                order = scores[:, index].argsort(descending=True, stable=True)
                order = order[: int((scores[:, index] != 0).sum())]
                kept = order[suppress(corners[order], self.nms)]
                left[kept, index] = scores[kept, index]
            scores = left
        return box[None], torch.cat([scores, best], 1)[None]

    def _read(self, bottom: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes in parts of the network's image, objectness, classes; priors, rows, columns."""
        priors = bottom.new_tensor(self.priors)
        split = torch.unflatten(bottom, 1, (priors.shape[0], -1))
        numbers = torch.cat(
            [
                split[:, :, :2].sigmoid(),
                split[:, :, 2:4],
                split[:, :, 4:5].sigmoid(),
                split[:, :, BOX:].softmax(2),
            ],
            2,
        )
        if bottom.shape[0] == 2:
            numbers = (numbers[:1] + self._mirrored(numbers[1])) / 2
        numbers = numbers[0].permute(0, 2, 3, 1)
        height, width = bottom.shape[2:]
        cell = torch.stack(
            torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy"), -1
        ).to(bottom)
        size = bottom.new_tensor((width, height))
        centre = (cell + numbers[..., :2]) / size
        extent = numbers[..., 2:4].exp() * priors[:, None, None] / size
        box = torch.cat([centre, extent], -1).reshape(-1, 4)
        rest = numbers[..., 4:].flatten(0, 2)
        return box, rest[:, :1], rest[:, 1:]

    def _mirrored(self, numbers: Tensor) -> Tensor:
        """The predictions of the mirror image, mirrored: (priors, 5 + classes, H, W).

        get_region_boxes takes its first maps, as many as there are priors, for those of x, and
        changes the sign of all of their columns but the one in the middle.
        """
        planes = numbers.flatten(0, 1).flip(2)
        sign = torch.ones(planes.shape[0], planes.shape[2]).to(planes)
        sign[: numbers.shape[0]] = -1
        if planes.shape[2] % 2:
            sign[:, planes.shape[2] // 2] = 1
        return (planes * sign[:, None]).view_as(numbers)

    def _to_image(self, box: Tensor, info: Tensor, rows: int, columns: int) -> Tensor:
        """In pixels of the image, which fills the network's in one direction (correct_region_boxes)."""
        net = torch.tensor((columns, rows), device=info.device) * self.feat_stride
        given = info.flatten()[:2].long().flip(0)
        image = torch.where(given == 0, net, given)
        # each side, where the other fills the network's image
        fitted = torch.div(image * net.flip(0), image.flip(0), rounding_mode="floor")
        ratio = net.to(box) / image.to(box)
        fills = torch.stack([ratio[0] < ratio[1], ratio[0] >= ratio[1]])
        share = torch.where(fills, net, fitted).to(box) / net
        centre = (box[:, :2] - (1 - share) / 2) / share
        return torch.cat([centre, box[:, 2:] / share], 1) * image.repeat(2)

    def extra_repr(self) -> str:
        return f"{len(self.priors)} priors, thresh={self.thresh:g}, nms={self.nms:g}"
