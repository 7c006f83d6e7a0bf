"""Region proposals in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from caffegen.layer_types import proposal as definitions

from .registry import Lowered, lowers
from .suppression import suppress

__all__ = ["Proposals"]


@lowers("Proposal", "rpn.proposal_layer.ProposalLayer")
def proposal(definition: definitions.Proposal | definitions.ProposalLayer) -> Lowered:
    """Boxes from a region proposal network's maps."""
    return Lowered(Proposals(definition))


class Proposals(nn.Module):
    """Anchors moved as the maps say, cut off at the image, the best of them after suppression.

    Boxes count both end pixels. The phase is that of the net it was built for. No gradient.
    """

    def __init__(self, definition: definitions.Proposal | definitions.ProposalLayer) -> None:
        super().__init__()
        self.anchors = definition.anchors
        self.feat_stride = definition.feat_stride
        self.min_size = definition.min_size
        self.drops = definition.drops
        self.scales_at = definition.scales_at
        self.pre_nms = definition.pre_nms
        self.post_nms = definition.post_nms
        self.nms_thresh = definition.nms_thresh
        self.top_count = definition.top_count
        # the scores' own axis 1, which the Python layer has and the C++ layer not
        self.score_shape = (-1,) if isinstance(definition, definitions.Proposal) else (-1, 1)

    @torch.no_grad()
    def forward(self, scores: Tensor, deltas: Tensor, info: Tensor) -> Tensor | tuple[Tensor, ...]:
        found = [
            self._of_image(scores[index], deltas[index], info.flatten(), index)
            for index in range(scores.shape[0])
        ]
        rois = torch.cat([rows for rows, _ in found])
        if self.top_count < 2:
            return rois
        return rois, torch.cat([best for _, best in found]).reshape(self.score_shape)

    def _of_image(
        self, scores: Tensor, deltas: Tensor, info: Tensor, image: int
    ) -> tuple[Tensor, Tensor]:
        number = len(self.anchors)
        likely = scores[number:].permute(1, 2, 0).flatten()
        moves = torch.unflatten(deltas, 0, (number, 4)).permute(2, 3, 0, 1).reshape(-1, 4)
        boxes = self._boxes(moves, scores.shape[1], scores.shape[2])
        edge = (info[1] - 1, info[0] - 1)
        boxes = torch.stack(
            [boxes[:, side].minimum(edge[side % 2]).clamp(min=0) for side in range(4)], 1
        )
        least = torch.stack([info[self.scales_at[1]], info[self.scales_at[0]]]) * self.min_size
        large = (boxes[:, 2:] - boxes[:, :2] + 1 >= least).all(1)
        if self.drops:
            boxes, likely = boxes[large], likely[large]
        else:
            likely = likely * large
        order = likely.argsort(descending=True, stable=True)[: self.pre_nms]
        boxes, likely = boxes[order], likely[order]
        # a box that counts both end pixels is as large as one whose end is 1 further
        ends = boxes.new_tensor((0, 0, 1, 1))
        kept = suppress(boxes + ends, self.nms_thresh, self.post_nms)
        rows = torch.cat([boxes.new_full((kept.shape[0], 1), image), boxes[kept]], 1)
        return rows, likely[kept]

    def _boxes(self, moves: Tensor, height: int, width: int) -> Tensor:
        """Corners after the moves, in order of rows, columns and anchors (bbox_transform_inv)."""
        anchors = moves.new_tensor(self.anchors)
        columns = torch.arange(width).to(moves) * self.feat_stride
        rows = torch.arange(height).to(moves) * self.feat_stride
        shifts = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).repeat(1, 1, 2)
        placed = (shifts[:, :, None] + anchors).reshape(-1, 4)
        sizes = placed[:, 2:] - placed[:, :2] + 1
        centres = placed[:, :2] + 0.5 * sizes
        centres = moves[:, :2] * sizes + centres
        halves = 0.5 * (moves[:, 2:].exp() * sizes)
        return torch.cat([centres - halves, centres + halves], 1)

    def extra_repr(self) -> str:
        return (
            f"{len(self.anchors)} anchors, feat_stride={self.feat_stride}, "
            f"{self.pre_nms} to {self.post_nms} boxes, nms_thresh={self.nms_thresh:g}"
        )
