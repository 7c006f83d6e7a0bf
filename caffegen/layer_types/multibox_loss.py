"""The loss of a single-shot detector."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import Cost, Shape, count
from .blob_shape import to_int
from .detection import bind_classes, check_predictions
from .four_axes import legacy_size
from .in_place import refuse_in_place
from .loss import _Loss

__all__ = ["MultiBoxLoss"]


class MultiBoxLoss(_Loss):
    """Matches priors with the boxes that are there; the loss of their locations and of the scores.

    A prior is matched with the box that it overlaps best: first each box with one prior, the best
    pairs first, and with PER_PREDICTION each prior left whose overlap reaches `overlap_threshold`.
    Matched priors shall give the box's location and class, others the background; of these the
    hardest are taken, `neg_pos_ratio` for each match (MAX_NEGATIVE), or the `sample_size` hardest of
    all (HARD_EXAMPLE), or all (NONE).

    ## Shape
    Bottom 0 (N, P L 4): locations for P priors and L location classes (1 with `share_location`).
    Bottom 1 (N, P C): scores before the softmax. Bottom 2 (1, 2, P 4): priors. Bottom 3 (1, 1, B,
    8): boxes as AnnotatedData gives them: image, class, instance, xmin, ymin, xmax, ymax, difficult.
    The top has no axes.

    ## Differs from PyTorch
    No counterpart. The sum of `loc_weight` times the loss of locations (smooth L1, or half the
    squares) and the cross-entropy of scores, divided by the number of matches (VALID), N (BATCH_SIZE),
    N P (FULL) or 1. An image without boxes counts only without mining. Matching and choice have no
    gradient. With `encode_variance_in_target` Caffe's gradient lacks the division by the variance;
    here it is the derivative. Of equally hard priors the earlier are taken; Caffe leaves that open.

    ## Forks
    ssd, intel, nvidia and mobilenet-yolo compute the same; nvidia drops boxes of the background,
    where the others stop.
    """

    type = "MultiBoxLoss"
    param = "multibox_loss_param"
    bottoms = count(4)
    reads_loss_param = True
    honours = frozenset({"LossParameter.normalization"})

    def bind(self, param: Message) -> None:
        self.num_classes = bind_classes(self, param)
        self.share_location: bool = param.share_location
        self.background_label_id = to_int(param.background_label_id)
        self.conf_loss_type: str = param.conf_loss_type
        self.loc_loss_type: str = param.loc_loss_type
        self.loc_weight: float = param.loc_weight
        self.code_type: str = param.code_type
        self.encode_variance_in_target: bool = param.encode_variance_in_target
        self.bp_inside: bool = param.bp_inside
        self.use_difficult_gt: bool = param.use_difficult_gt
        self.map_object_to_agnostic: bool = param.map_object_to_agnostic
        self.bind_matching(param)
        self.bind_mining(param)
        self.normalization = self.bind_normalization()
        self.pre_fixed_normalizer: float = self.layer.loss_param.pre_fixed_normalizer
        # a part that gets no gradient does not count in the loss either
        down = self.layer.propagate_down
        self.counted = (down[0], down[1]) if len(down) == 4 else (True, True)
        self.check_classes()

    def bind_matching(self, param: Message) -> None:
        """What says which prior stands for which box."""
        self.match_type: str = param.match_type
        self.overlap_threshold: float = param.overlap_threshold
        self.use_prior_for_matching: bool = param.use_prior_for_matching
        self.ignore_cross_boundary_bbox: bool = param.ignore_cross_boundary_bbox

    def bind_mining(self, param: Message) -> None:
        """What says which priors without a box count."""
        self.mining_type: str = param.mining_type
        self.neg_pos_ratio: float = param.neg_pos_ratio
        self.neg_overlap: float = param.neg_overlap
        self.sample_size: int = param.sample_size
        self.use_prior_for_nms: bool = param.use_prior_for_nms
        nms = param.nms_param
        self.nms_threshold: float = nms.nms_threshold if param.has("nms_param") else 0.0
        self.nms_top_k: int = nms.top_k
        mining = self.mining_type != "NONE"
        if param.has("do_neg_mining") and param.do_neg_mining != mining:
            self.fault(
                "do-neg-mining-contradicts",
                f"`do_neg_mining: {str(param.do_neg_mining).lower()}` contradicts `mining_type: "
                f"{self.mining_type}`",
                "do_neg_mining",
                help="remove `do_neg_mining`, and say `mining_type` alone",
                other=("mining_type", "the other is here") if param.has("mining_type") else None,
            )
        if mining and not self.share_location:
            self.fault(
                "mining-without-shared-locations",
                f"`mining_type: {self.mining_type}` takes `share_location: true`",
                "share_location",
                help="set `mining_type: NONE`, or share the locations",
            )
        if self.mining_type == "HARD_EXAMPLE" and self.sample_size < 1:
            self.fault(
                "sample-size-zero",
                f"`sample_size` is {self.sample_size}; HARD_EXAMPLE takes at least 1",
                "sample_size",
            )
        if mining and self.nms_threshold > 0 and self.nms_top_k == 0:
            self.warn(
                "mining-nms-without-top-k",
                "`nms_param` without `top_k` keeps none of the examples to choose from",
                "nms_param",
                help="add `top_k: -1` for all",
            )

    def bind_normalization(self) -> str:
        """FULL, VALID, BATCH_SIZE, NONE or PRE_FIXED; the old `normalize` counts alone."""
        loss_param = self.layer.loss_param
        if not loss_param.has("normalization") and loss_param.has("normalize"):
            return "VALID" if loss_param.normalize else "BATCH_SIZE"
        return str(loss_param.normalization)

    def check_classes(self) -> None:
        """Refuse a background, or a number of classes, that the loss of scores can't have."""
        background, classes = self.background_label_id, self.num_classes
        least = 0 if self.conf_loss_type == "SOFTMAX" else -1
        if not least <= background < classes:
            self.refuse(
                "background-out-of-range",
                f"`background_label_id` is {background}; it is one of the {classes} classes",
                "background_label_id",
            )
        if self.map_object_to_agnostic and classes != (2 if background >= 0 else 1):
            self.fault(
                "agnostic-class-count",
                f"`map_object_to_agnostic` takes 2 classes, object and background, not {classes}",
                "num_classes",
            )
        if self.conf_loss_type == "LOGISTIC" and (background != 0 or self.mining_type == "NONE"):
            self.warn(
                "logistic-targets-misplaced",
                "Caffe mixes up the targets of LOGISTIC scores where the background is not class 0 "
                "or `mining_type` is NONE; caffegen computes what was meant",
                "conf_loss_type",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        classes = 1 if self.share_location else self.num_classes
        self.priors = check_predictions(self, bottoms, self.num_classes, classes)
        if prod(bottoms[3]) != 8 * legacy_size(bottoms[3], 2):
            self.refuse(
                "rows-of-wrong-length",
                f"bottom 3 of MultiBoxLoss is (1, 1, boxes, 8); it is {list(bottoms[3])}",
                "layer.bottom",
                index=3,
            )
        return [()]

    def cost(self) -> Cost:
        # an overlap: 12 operations; a softmax: 5 for each score; a location: encoded and compared
        images, boxes = self.bottom_shapes[0][0], legacy_size(self.bottom_shapes[3], 2)
        return Cost(
            0,
            12 * self.priors * boxes
            + 5 * images * self.priors * self.num_classes
            + 8 * images * self.priors,
        )
