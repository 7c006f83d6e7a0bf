"""MultiBoxLoss in PyTorch: matching, mining, and the loss of what was chosen."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from caffegen.errors import CaffegenError
from caffegen.layer_types import multibox_loss as definitions
from caffegen.text.message import round_float

from .boxes import areas, decode, encode, overlaps, survivors
from .cross_entropy import SMALLEST_NORMAL, floored
from .registry import Lowered, lowers
from .smooth_l1_loss import smooth_l1

__all__ = ["MultiBoxLoss", "match"]

# an overlap up to this is none (bbox_util.cpp, MatchBBox), a box below this area is no example
# (ApplyNMS)
_NO_OVERLAP, _NO_AREA = 1e-6, 1e-5
# what a prior is matched with that is no number of a box: none, and not to be looked at
_NONE, _IGNORED = -1, -2


class _Rules(NamedTuple):
    """The facts of the definition that say what is matched, mined and counted."""

    share_location: bool
    code_type: str
    encode_variance_in_target: bool
    bp_inside: bool
    use_difficult_gt: bool
    map_object_to_agnostic: bool
    match_type: str
    overlap_threshold: float
    use_prior_for_matching: bool
    ignore_cross_boundary_bbox: bool
    neg_pos_ratio: float
    neg_overlap: float
    sample_size: int
    use_prior_for_nms: bool
    nms_threshold: float
    nms_top_k: int
    loc_loss_type: str
    loc_weight: float
    normalization: str
    pre_fixed_normalizer: float
    counted: tuple[bool, bool]


@lowers("MultiBoxLoss")
def multibox_loss(definition: definitions.MultiBoxLoss) -> Lowered:
    """The loss of a single-shot detector."""
    return Lowered(MultiBoxLoss(definition))


def match(
    predictions: Tensor,
    boxes: Tensor,
    *,
    threshold: float | None = None,
    ignore_outside: bool = False,
) -> tuple[Tensor, Tensor]:
    """The number of the box for each of (P, 4) predictions, -1 for none, and its best overlap.

    First the best pair of a prediction and a box, then the best of those left, until no box
    overlaps a prediction that is left; of equal pairs the first. Then, with a threshold, each
    prediction left gets the box that it overlaps best, if by that much. With `ignore_outside`
    predictions that reach out of the image are left out, marked -2.
    """
    table = overlaps(predictions, boxes)
    table = table.where(table > _NO_OVERLAP, -1)
    found = torch.full(table.shape[:1], _NONE, device=table.device)
    if ignore_outside:
        outside = ((predictions < 0) | (predictions > 1)).any(1)
        table = table.masked_fill(outside[:, None], -1)
        found = found.masked_fill(outside, _IGNORED)
    if not boxes.shape[0]:
        return found, table.new_zeros(table.shape[:1])
    best, nearest = table.max(1)
    left = table.clone()
    for _ in range(boxes.shape[0]):
        place = left.argmax()
        row, column = place // boxes.shape[0], place % boxes.shape[0]
        real = left[row, column] > 0
        found[row] = column.where(real, found[row])
        left[row] = left[row].where(~real, -1)
        left[:, column] = left[:, column].where(~real, -1)
    if threshold is not None:
        near = (found == _NONE) & (best > 0) & (best >= threshold)
        found = nearest.where(near, found)
    return found, best.clamp(min=0)


class MultiBoxLoss(nn.Module):
    """`loc_weight` times the loss of locations, and that of scores, over the number of matches."""

    def __init__(self, definition: definitions.MultiBoxLoss) -> None:
        super().__init__()
        self.facts = _Rules(*(getattr(definition, name) for name in _Rules._fields))
        self.classes = definition.num_classes
        self.background = definition.background_label_id
        self.mining = definition.mining_type
        self.softmax = definition.conf_loss_type == "SOFTMAX"

    def forward(self, locations: Tensor, scores: Tensor, priors: Tensor, truth: Tensor) -> Tensor:
        # priors are of single precision where the net is of half
        exact = torch.promote_types(locations.dtype, torch.float32)
        locations, scores, priors, truth = (
            blob.to(exact) for blob in (locations, scores, priors, truth)
        )
        number = locations.shape[0]
        corners, variances = priors.detach()[:1].reshape(2, -1, 4)
        said = locations.reshape(number, corners.shape[0], -1, 4)
        table = scores.reshape(number, -1, self.classes)
        boxes = self.truth(truth.detach())
        where = locations.new_zeros(())
        what = scores.new_zeros(())
        matches = torch.zeros((), dtype=torch.long, device=locations.device)
        for image in range(number):
            here = boxes[boxes[:, 0].long() == image]
            loss, chosen = self.of_image(said[image], table[image], corners, variances, here)
            where = where + loss
            matches = matches + (chosen[0] >= 0).sum()
            what = what + self.score_loss(table[image], here, *chosen)
        divisor = self.divisor(matches, number, corners.shape[0])
        parts = (self.facts.loc_weight * where, what)
        return sum(
            (part / divisor for part, on in zip(parts, self.facts.counted, strict=True) if on),
            locations.new_zeros(()),
        )

    def truth(self, rows: Tensor) -> Tensor:
        """The rows of bottom 3 that count: image, class, -, corners, difficult."""
        rows = rows.reshape(-1, 8)
        kept = rows[:, 0].long() != -1
        if not self.facts.use_difficult_gt:
            kept &= rows[:, 7] == 0
        rows = rows[kept]
        labels = rows[:, 1].long()
        strange = (labels == self.background) | (labels < 0) | (labels >= self.classes)
        if not torch.compiler.is_compiling() and strange.any():
            raise CaffegenError(
                f"bottom 3 holds a box of class {int(labels[strange][0])}; a box has one of the "
                f"{self.classes} classes, and not the background ({self.background})"
            )
        return rows

    def of_image(
        self, said: Tensor, table: Tensor, corners: Tensor, variances: Tensor, boxes: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The loss of locations of one image; which box (location classes, P) counts, and which
        priors (P) count as background.
        """
        found, best = self.matched(said, corners, variances, boxes)
        losses = self.location_losses(said, corners, variances, boxes, found)
        negative = torch.ones_like(found[0], dtype=torch.bool)
        if self.mining != "NONE":
            negative = torch.zeros_like(negative)
            if boxes.shape[0]:
                hardness = self.hardness(table, boxes, found[0])
                if self.mining == "HARD_EXAMPLE":
                    hardness = hardness + losses[0].detach()
                picked = self.picked(hardness, found[0], best[0], said, corners, variances)
                negative = picked & (found[0] == _NONE)
                if self.mining == "HARD_EXAMPLE":
                    found = found.where(picked | (found < 0), _NONE)
                    losses = losses.where(found >= 0, 0)
        return losses.sum(), (found, negative)

    def matched(
        self, said: Tensor, corners: Tensor, variances: Tensor, boxes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """For each location class and prior the number of its box, and the best overlap."""
        facts = self.facts
        per_prediction = facts.match_type == "PER_PREDICTION"
        threshold = facts.overlap_threshold if per_prediction else None
        outside = facts.ignore_cross_boundary_bbox
        labels = boxes[:, 1].long()
        classes = said.shape[1]
        if facts.use_prior_for_matching:
            found, best = match(corners, boxes[:, 3:7], threshold=threshold, ignore_outside=outside)
            if facts.share_location:
                return found[None], best[None]
            # each match belongs to the class of its box
            own = torch.arange(classes, device=found.device)[:, None]
            its = torch.cat((labels, labels.new_full((2,), -1)))[found]
            return found.where(its == own, _NONE), best.expand(classes, -1)
        shown = decode(
            said.detach(), corners[:, None], variances[:, None], facts.code_type,
            encoded=facts.encode_variance_in_target,
        )  # fmt: skip
        results = []
        for index in range(classes):
            mine = torch.arange(boxes.shape[0], device=boxes.device)
            if not facts.share_location:
                skipped = index == self.background
                mine = mine[:0] if skipped else mine[labels == index]
            found, best = match(
                shown[:, index], boxes[mine, 3:7], threshold=threshold, ignore_outside=outside
            )
            numbers = torch.cat((mine, mine.new_tensor((_IGNORED, _NONE))))
            results.append((numbers[found], best))
        return torch.stack([found for found, _ in results]), torch.stack([b for _, b in results])

    def location_losses(
        self, said: Tensor, corners: Tensor, variances: Tensor, boxes: Tensor, found: Tensor
    ) -> Tensor:
        """The loss (location classes, P) of what is said of matched priors, 0 elsewhere."""
        facts = self.facts
        losses = said.new_zeros(found.shape)
        place, prior = (found >= 0).nonzero(as_tuple=True)
        mine, its = said[prior, place], boxes[found[place, prior], 3:7]
        corners, variances = corners[prior], variances[prior]
        encoded = facts.encode_variance_in_target
        difference = mine - encode(its, corners, variances, facts.code_type, encoded=encoded)
        if facts.bp_inside:
            shown = corners
            if not facts.use_prior_for_matching:
                shown = decode(mine.detach(), corners, variances, facts.code_type, encoded=encoded)
            difference = difference.where((shown >= 0) & (shown <= 1), 0)
        if encoded:
            difference = difference / variances
        squares = facts.loc_loss_type == "L2"
        each = 0.5 * difference * difference if squares else smooth_l1(difference)
        return losses.index_put((place, prior), each.sum(1))

    def hardness(self, table: Tensor, boxes: Tensor, found: Tensor) -> Tensor:
        """The loss of each prior's scores, should it be chosen."""
        matched = found >= 0
        labels = boxes[:, 1].long()[found.clamp(min=0)].where(matched, self.background)
        return self.cross_entropy(table.detach(), labels)

    def cross_entropy(self, table: Tensor, labels: Tensor) -> Tensor:
        """The loss of each row of scores against its class; -1 is none."""
        if self.softmax:
            own = table.log_softmax(1).gather(1, labels[:, None])[:, 0]
            return -floored(own, math.log(SMALLEST_NORMAL))
        targets = functional.one_hot(labels + 1, self.classes + 1)[:, 1:].to(table.dtype)
        return self.logistic(table, targets)

    def logistic(self, table: Tensor, targets: Tensor) -> Tensor:
        """The loss of each row of independent scores."""
        return functional.binary_cross_entropy_with_logits(table, targets, reduction="none").sum(1)

    def picked(
        self,
        hardness: Tensor,
        found: Tensor,
        best: Tensor,
        said: Tensor,
        corners: Tensor,
        variances: Tensor,
    ) -> Tensor:
        """The examples (P) that mining chooses, the hardest first (bbox_util.cpp, MineHardExamples)."""
        facts = self.facts
        if self.mining == "MAX_NEGATIVE":
            candidates = (found == _NONE) & (best < facts.neg_overlap)
            most = int(round_float(int((found >= 0).sum()) * facts.neg_pos_ratio))
        else:
            candidates = torch.ones_like(found, dtype=torch.bool)
            most = facts.sample_size
        index = candidates.nonzero()[:, 0]
        order = hardness[index].sort(descending=True, stable=True).indices
        index = index[order]
        if facts.nms_threshold > 0:
            boxes = corners
            if not facts.use_prior_for_nms:
                boxes = decode(
                    said[:, 0].detach(), corners, variances, facts.code_type,
                    encoded=facts.encode_variance_in_target,
                )  # fmt: skip
            if facts.nms_top_k >= 0:
                index = index[: facts.nms_top_k]
            alive = areas(boxes[index]) >= _NO_AREA
            index = index[survivors(boxes[index][None], alive[None], facts.nms_threshold)[0]]
        return torch.zeros_like(candidates).index_fill(0, index[: max(0, most)], True)

    def score_loss(self, table: Tensor, boxes: Tensor, found: Tensor, negative: Tensor) -> Tensor:
        """The loss of the scores of one image: of matched priors, and of those for background."""
        labels = boxes[:, 1].long()
        if self.facts.map_object_to_agnostic:
            labels = torch.full_like(labels, self.background + 1)
        if not self.softmax and self.mining == "NONE":
            # a target for each match; nothing says that a prior is background
            targets = torch.zeros_like(table)
            place, prior = (found >= 0).nonzero(as_tuple=True)
            targets = targets.index_put((prior, labels[found[place, prior]]), table.new_ones(()))
            return self.logistic(table, targets).sum()
        own = torch.full_like(found[0], self.background)
        for row in found:
            # of several classes the last counts
            own = own.where(row < 0, torch.cat((labels, labels.new_zeros(2)))[row])
        chosen = negative | (found >= 0).any(0)
        return self.cross_entropy(table[chosen], own[chosen]).sum()

    def divisor(self, matches: Tensor, number: int, priors: int) -> Tensor | float:
        """What the sums are divided by, at least 1."""
        if self.facts.normalization == "VALID":
            return matches.clamp(min=1)
        full = number * priors
        sizes = {"BATCH_SIZE": number, "FULL": full, "PRE_FIXED": self.facts.pre_fixed_normalizer}
        return max(1, sizes.get(self.facts.normalization, 1))

    def extra_repr(self) -> str:
        facts = self.facts
        return f"{self.classes} classes, {facts.code_type}, {self.mining}, {facts.normalization}"
