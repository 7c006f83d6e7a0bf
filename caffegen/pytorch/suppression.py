"""Non-maximum suppression: of boxes that overlap, the one with the best score stays."""

from __future__ import annotations

import torch
from torch import Tensor

from .exporting import exporting

__all__ = ["suppress"]


def suppress(
    boxes: Tensor, threshold: float, most: int | None = None, *, reached: bool = False
) -> Tensor:
    """The numbers of the boxes that stay, of (n, 4) corners x1, y1, x2, y2, the best box first.

    A box goes when its overlap (intersection over union) with one that stays is above `threshold`
    or, with `reached`, at least that. At most `most` stay.
    """
    if exporting():
        return _in_a_graph(boxes, threshold, most, reached=reached)
    kept: Tensor = _one_by_one(boxes, threshold, most, reached=reached)
    return kept


def _in_a_graph(boxes: Tensor, threshold: float, most: int | None, *, reached: bool) -> Tensor:
    """As a loop that torch.export takes: all pairs at once, until nothing moves any more."""
    from torch._higher_order_ops.while_loop import while_loop

    left, top, right, bottom = boxes.unbind(1)
    areas = (right - left) * (bottom - top)
    wide, high = (
        (torch.minimum(end[:, None], end) - torch.maximum(start[:, None], start)).clamp(min=0)
        for start, end in ((left, right), (top, bottom))
    )
    shared = wide * high
    overlap = shared / (areas[:, None] + areas - shared)
    behind = torch.ones_like(areas).cumsum(0)[:, None] > torch.ones_like(areas).cumsum(0)
    # [i, j]: box j, if it stays, drives out box i behind it
    beaten = (overlap >= threshold if reached else overlap > threshold) & behind

    def moves(_stays: Tensor, moving: Tensor) -> Tensor:
        return moving.clone()

    def step(stays: Tensor, _moving: Tensor) -> tuple[Tensor, Tensor]:
        # who stays follows from those before: after n rounds the first n are right
        then = ~(beaten & stays).any(1)
        return then, (then != stays).any()

    all_stay = torch.ones_like(areas, dtype=torch.bool)
    start = all_stay, torch.ones_like(areas.sum(), dtype=torch.bool)
    stays: Tensor = while_loop(moves, step, start)[0]  # type: ignore[no-untyped-call]
    if most is not None:
        stays = stays & (stays.cumsum(0) <= most)
    return stays.nonzero()[:, 0]


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _one_by_one(
    boxes: Tensor, threshold: float, most: int | None = None, *, reached: bool = False
) -> Tensor:
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    alive = torch.ones(boxes.shape[0], dtype=torch.bool, device=boxes.device)
    kept: list[int] = []
    at = 0
    limit = boxes.shape[0] if most is None else min(most, boxes.shape[0])
    while len(kept) < limit:
        left = alive[at:].nonzero()
        if not left.numel():
            break
        at += int(left[0])
        kept.append(at)
        rest = boxes[at + 1 :]
        low = torch.maximum(rest[:, :2], boxes[at, :2])
        high = torch.minimum(rest[:, 2:], boxes[at, 2:])
        sides = (high - low).clamp(min=0)
        shared = sides[:, 0] * sides[:, 1]
        overlap = shared / (areas[at] + areas[at + 1 :] - shared)
        alive[at + 1 :] &= ~(overlap >= threshold if reached else overlap > threshold)
        at += 1
    return torch.tensor(kept, dtype=torch.long, device=boxes.device)
