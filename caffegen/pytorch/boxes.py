"""Boxes as corners: coded against priors, compared, and thinned out where they overlap.

Boxes are (..., 4) tensors of xmin, ymin, xmax, ymax in shares of the image. A box whose corners are
swapped has no area and overlaps nothing (bbox_util.cpp, BBoxSize and JaccardOverlap).
"""

from __future__ import annotations

import torch
from torch import Tensor

from .exporting import exporting

__all__ = ["areas", "decode", "encode", "overlaps", "survivors"]

# boxes that are compared at once with those that stay
_BLOCK = 256
# the threshold of adaptive suppression falls no further (bbox_util.cpp, ApplyNMSFast)
_LOWEST = 0.5


def decode(
    locations: Tensor, priors: Tensor, variances: Tensor, code_type: str, *, encoded: bool
) -> Tensor:
    """Boxes from what a net says of priors (bbox_util.cpp, DecodeBBox).

    `encoded` says that the variances are in the targets already and not to be multiplied by.
    """
    if not encoded:
        locations = locations * variances
    if code_type == "CORNER":
        return priors + locations
    sizes = priors[..., 2:] - priors[..., :2]
    if code_type == "CORNER_SIZE":
        return priors + locations * torch.cat((sizes, sizes), -1)
    middle = (priors[..., :2] + priors[..., 2:]) / 2
    centre = locations[..., :2] * sizes + middle
    half = locations[..., 2:].exp() * sizes / 2
    return torch.cat((centre - half, centre + half), -1)


def encode(
    boxes: Tensor, priors: Tensor, variances: Tensor, code_type: str, *, encoded: bool
) -> Tensor:
    """What a net shall say of priors for it to mean these boxes (bbox_util.cpp, EncodeBBox).

    `encoded` says that the variances are left out, to be divided by in the loss.
    """
    if code_type == "CORNER":
        said = boxes - priors
    else:
        sizes = priors[..., 2:] - priors[..., :2]
        if code_type == "CORNER_SIZE":
            said = (boxes - priors) / torch.cat((sizes, sizes), -1)
        else:
            middle = (priors[..., :2] + priors[..., 2:]) / 2
            centre = (boxes[..., :2] + boxes[..., 2:]) / 2
            ratio = (boxes[..., 2:] - boxes[..., :2]) / sizes
            said = torch.cat(((centre - middle) / sizes, ratio.log()), -1)
    return said if encoded else said / variances


def areas(boxes: Tensor) -> Tensor:
    """Width times height; 0 where corners are swapped."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return sides.prod(-1).where((sides >= 0).all(-1), 0)


def overlaps(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of each of (..., n, 4) with each of (..., m, 4): (..., n, m)."""
    one, other = first.unsqueeze(-2).unbind(-1), second.unsqueeze(-3).unbind(-1)
    sides = [
        (torch.minimum(one[i + 2], other[i + 2]) - torch.maximum(one[i], other[i])).clamp(min=0)
        for i in (0, 1)
    ]
    shared = sides[0] * sides[1]
    union = areas(first).unsqueeze(-1) + areas(second).unsqueeze(-2) - shared
    return (shared / union).where(shared > 0, 0)


def survivors(boxes: Tensor, alive: Tensor, threshold: float, eta: float = 1.0) -> Tensor:
    """Which of (lanes, n, 4) boxes stay, in each lane the best first: a mask as `alive` (lanes, n).

    A box goes that overlaps one that stays by more than the threshold; those not `alive` are not
    looked at. With `eta` below 1 the threshold shrinks by it with each that stays, down to 0.5.
    """
    if eta < 1 and threshold > _LOWEST:
        return _survivors_one_by_one(boxes, alive, threshold, eta)
    if exporting():
        return _survivors_in_a_graph(boxes, alive, threshold)
    kept: Tensor = _survivors_by_lanes(boxes, alive, threshold)
    return kept


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _survivors_by_lanes(boxes: Tensor, alive: Tensor, threshold: float) -> Tensor:
    kept = torch.zeros_like(alive)
    for lane, row in enumerate(alive):
        index = row.nonzero()[:, 0]
        kept[lane, index[_survivors_of_lane(boxes[lane, index], threshold)]] = True
    return kept


def _survivors_of_lane(boxes: Tensor, threshold: float) -> Tensor:
    """The numbers of those of (n, 4) boxes that stay, a block at a time."""
    numbers = torch.arange(boxes.shape[0], device=boxes.device)
    kept = numbers[:0]
    for begin in range(0, boxes.shape[0], _BLOCK):
        left = numbers[begin : begin + _BLOCK]
        if kept.numel():
            left = left[~(overlaps(boxes[left], boxes[kept]) > threshold).any(1)]
        # [i, j]: box j, if it stays, drives out box i behind it
        beaten = (overlaps(boxes[left], boxes[left]) > threshold).tril(-1)
        stays = torch.ones_like(left, dtype=torch.bool)
        # who stays follows from those before: after n rounds the first n are right
        while True:
            then = ~(beaten & stays).any(1)
            if torch.equal(then, stays):
                break
            stays = then
        kept = torch.cat((kept, left[stays]))
    return kept


def _survivors_in_a_graph(boxes: Tensor, alive: Tensor, threshold: float) -> Tensor:
    """As a loop that torch.export takes: all pairs at once, until nothing moves any more."""
    from torch._higher_order_ops.while_loop import while_loop

    beaten = (overlaps(boxes, boxes) > threshold).tril(-1)

    def moves(_stays: Tensor, moving: Tensor) -> Tensor:
        return moving.clone()

    def step(stays: Tensor, _moving: Tensor) -> tuple[Tensor, Tensor]:
        then = alive & ~(beaten & stays.unsqueeze(1)).any(2)
        return then, (then != stays).any()

    start = alive.clone(), torch.ones_like(alive).any()
    stays: Tensor = while_loop(moves, step, start)[0]  # type: ignore[no-untyped-call]
    return stays


def _survivors_one_by_one(boxes: Tensor, alive: Tensor, threshold: float, eta: float) -> Tensor:
    kept = torch.zeros_like(alive)
    limit = boxes.new_full(boxes.shape[:1], threshold)
    for index in range(boxes.shape[1]):
        over = overlaps(boxes[:, index : index + 1], boxes[:, :index])[:, 0] > limit[:, None]
        stays = alive[:, index] & ~(over & kept[:, :index]).any(1)
        kept[:, index] = stays
        limit = (limit * eta).where(stays & (limit > _LOWEST), limit)
    return kept
