"""Layers for sequences without an alignment, in PyTorch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.layer_types import sequence as definitions

from .registry import Lowered, lowers

__all__ = ["CTCLoss", "ContinuationIndicator", "CtcLoss", "LabelsequenceAccuracy"]


@lowers("ContinuationIndicator")
def continuation_indicator(definition: definitions.ContinuationIndicator) -> Lowered:
    """A row of zeros and rows of ones."""
    return Lowered(ContinuationIndicator(definition))


class ContinuationIndicator(nn.Module):
    """0 for the first step of each sequence, 1 for all others."""

    like: Tensor

    def __init__(self, definition: definitions.ContinuationIndicator) -> None:
        super().__init__()
        self.time_step = definition.time_step
        self.batch_size = definition.batch_size
        self.axis = definition.axis_index if definition.bottom_count else None
        # without a bottom nothing comes in that would show the device
        self.register_buffer("like", torch.empty(0, device="cpu"), persistent=False)

    def forward(self, bottom: Tensor | None = None) -> Tensor:
        items = self.batch_size
        like = self.like
        if bottom is not None and self.axis is not None:
            like, items = bottom, bottom.shape[self.axis]
        steps = torch.arange(self.time_step, device=like.device)[:, None]
        return (steps > 0).to(like.dtype).repeat(1, items)

    def extra_repr(self) -> str:
        return f"time_step={self.time_step}"


@lowers("CTCLoss")
def ctc_loss(definition: definitions.CTCLoss) -> Lowered:
    """ctc_loss, with lengths that stand in the bottoms."""
    return Lowered(CTCLoss(definition))


class CTCLoss(nn.Module):
    """The mean over the batch of ctc_loss, with the gradient of the sum and no loss weight."""

    def __init__(self, definition: definitions.CTCLoss) -> None:
        super().__init__()
        self.blank = definition.blank
        self.delay = definition.delay
        self.collapse = definition.collapse

    def forward(self, scores: Tensor, going_on: Tensor, labels: Tensor) -> Tensor:
        steps, items = scores.shape[:2]
        logits = scores.reshape(steps, items, -1)[self.delay :]
        going_on, labels = going_on.reshape(steps, items), labels.reshape(steps, items)
        lengths = _first(((going_on + 0.5).long() == 0)[1:]) + 1
        targets = [self.target(row, logits.shape[2]) for row in labels.T]
        losses = [scores.flatten()[:0]]
        reads = (lengths - self.delay).clamp(min=0).tolist()
        for index, (target, read) in enumerate(zip(targets, reads, strict=True)):
            if not len(target):
                continue
            row = logits[:read, index]
            if fits(target, read):
                losses.append(_losses(row[:, None], [target], self.blank))
            else:
                # no path at all; the gradient is the softmax, that of the normaliser
                losses.append(row.logsumexp(1).sum(0, keepdim=True) + torch.inf)
        loss: Tensor = _SumGradient.apply(torch.cat(losses), items, False)  # type: ignore[no-untyped-call]
        return loss

    def target(self, column: Tensor, classes: int) -> Tensor:
        """The labels of one sequence: up to the first negative one, blanks left out."""
        row = column[: int(_first(column[:, None] < 0))]
        if self.collapse and len(row):
            repeated = functional.pad(row[1:] == row[:-1], (1, 0))
            row = row[~repeated]
        index = (row + 0.5).long()
        return index[(index < classes) & (index != self.blank)]

    def extra_repr(self) -> str:
        return f"blank={self.blank}, delay={self.delay}, collapse={self.collapse}"


@lowers("CtcLoss")
def warp_ctc_loss(definition: definitions.CtcLoss) -> Lowered:
    """ctc_loss, for labels filled up with blanks."""
    return Lowered(CtcLoss(definition))


class CtcLoss(nn.Module):
    """The mean over the batch of ctc_loss, with the gradient of the sum.

    Labels that do not fit into the steps, with a blank between equal ones, cost nothing (cpu_ctc.h).
    """

    def __init__(self, definition: definitions.CtcLoss) -> None:
        super().__init__()
        self.blank = definition.blank
        self.time_step = definition.time_step

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        labels = labels.long()
        items = labels.shape[0]
        targets = [row[row != self.blank] for row in labels]
        some = [index for index, target in enumerate(targets) if fits(target, self.time_step)]
        if not some:
            return scores.sum() * 0
        logits = scores[: self.time_step, some]
        losses = _losses(logits, [targets[index] for index in some], self.blank)
        loss: Tensor = _SumGradient.apply(losses, items, True)  # type: ignore[no-untyped-call]
        return loss

    def extra_repr(self) -> str:
        return f"blank={self.blank}, time_step={self.time_step}"


def _first(columns: Tensor) -> Tensor:
    """For each column the index of the first that is true, or the number of rows."""
    return (columns.cumsum(0) == 0).sum(0)


def fits(target: Tensor, steps: int) -> bool:
    """Whether there are as many steps as labels and blanks between equal ones."""
    return len(target) + int((target[1:] == target[:-1]).sum()) <= steps


def _losses(logits: Tensor, targets: list[Tensor], blank: int) -> Tensor:
    """Minus the logarithm of each sequence's chance; all are as long as the scores."""
    sizes = torch.tensor([len(target) for target in targets], device=logits.device)
    read = torch.full_like(sizes, logits.shape[0])
    scores = logits.log_softmax(2)
    return functional.ctc_loss(scores, torch.cat(targets), read, sizes, blank, reduction="none")


class _SumGradient(torch.autograd.Function):
    """A sum over `items`, which hands back the gradient of the sum; unless `weighed`, as it is."""

    @staticmethod
    def forward(ctx: Any, losses: Tensor, items: int, weighed: bool) -> Tensor:
        ctx.shape = losses.shape
        ctx.weighed = weighed
        return losses.sum() / items

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        gradient = gradients[0].expand(ctx.shape)
        return gradient if ctx.weighed else torch.ones_like(gradient), None, None


@lowers("LabelsequenceAccuracy")
def labelsequence_accuracy(definition: definitions.LabelsequenceAccuracy) -> Lowered:
    """The share of sequences read right."""
    return Lowered(LabelsequenceAccuracy(definition.blank))


class LabelsequenceAccuracy(nn.Module):
    """The share of sequences whose best classes, without repetitions and blanks, are the labels."""

    def __init__(self, blank: int) -> None:
        super().__init__()
        self.blank = blank

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        best = scores.argmax(2)
        repeated = functional.pad(best[:, 1:] == best[:, :-1], (1, 0))
        width = max(best.shape[1], labels.shape[1])
        read = self.packed(best, (best != self.blank) & ~repeated, width)
        wanted = self.packed(labels.long(), labels != self.blank, width)
        return (read == wanted).all(1).to(scores.dtype).mean()

    def packed(self, rows: Tensor, kept: Tensor, width: int) -> Tensor:
        """What is kept of each row, moved to its beginning; behind it a number that is no label."""
        order = (~kept).to(torch.uint8).argsort(dim=1, stable=True)
        nothing = torch.iinfo(torch.int64).min
        moved = rows.where(kept, nothing).gather(1, order)
        return functional.pad(moved, (0, width - rows.shape[1]), value=nothing)

    def extra_repr(self) -> str:
        return f"blank={self.blank}"
