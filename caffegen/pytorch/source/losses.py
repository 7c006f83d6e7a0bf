"""How losses and measures are written."""

from __future__ import annotations

from typing import Any

from .forms import Shapes, Written, literal, writes, writes_shaped

__all__: list[str] = []

# what stands for each normalisation in a written loss
_PER: dict[str, str | float] = {"VALID": "kept", "FULL": "label", "BATCH_SIZE": "item", "NONE": 1.0}


def _per(module: Any) -> str | float:
    found = _PER.get(module.normalization)
    return float(max(1, module.pre_fixed_normalizer)) if found is None else found


def _over_classes(module: Any) -> dict[str, Any]:
    return {
        "axis": module.axis,
        "ignore_label": module.ignore_label,
        "per": _per(module),
        "with_prob": module.prob_top,
    }


@writes("SoftmaxWithLoss")
def softmax_with_loss(module: Any, _training: bool) -> Written:
    """Cross-entropy of a softmax."""
    return Written("SoftmaxLoss", _over_classes(module), {})


@writes("InfogainLoss")
def infogain_loss(module: Any, _training: bool) -> Written:
    """Cross-entropy with a weight for each pair of classes; those of a file go into the weights."""
    given = module.H is not None
    args = {"classes": module.H.shape[0] if given else 0, **_over_classes(module)}
    return Written("InfogainLoss", args, {"matrix": module.H} if given else {})


@writes("SigmoidCrossEntropyLoss")
def sigmoid_cross_entropy_loss(module: Any, _training: bool) -> Written:
    """Cross-entropy of independent answers."""
    args = {"ignore_label": module.ignore_label, "per": _per(module)}
    return Written("SigmoidLoss", args, {})


@writes("EuclideanLoss")
def euclidean_loss(_module: Any, _training: bool) -> Written:
    """Half the squared distance."""
    return Written("EuclideanLoss", {}, {})


@writes("HingeLoss")
def hinge_loss(module: Any, _training: bool) -> Written:
    """The margin of one against all."""
    return Written("HingeLoss", {"squared": module.norm == "L2"}, {})


@writes("MultinomialLogisticLoss")
def multinomial_logistic_loss(_module: Any, _training: bool) -> Written:
    """Minus the logarithm of a probability."""
    return Written("LogLoss", {}, {})


@writes("ContrastiveLoss")
def contrastive_loss(module: Any, _training: bool) -> Written:
    """Pairs together or apart."""
    args = {"margin": literal(module.margin), "legacy": module.legacy}
    return Written("ContrastiveLoss", args, {})


@writes("SmoothL1Loss")
def smooth_l1_loss(module: Any, _training: bool) -> Written:
    """The loss of box regression."""
    args = {
        "sigma2": literal(module.sigma_squared),
        "turn": literal(module.turn_point),
        "per_item": module.by_batch,
    }
    return Written("SmoothL1Loss", args, {})


@writes("L1Loss")
def l1_loss(_module: Any, _training: bool) -> Written:
    """Absolute differences."""
    return Written("L1Loss", {}, {})


@writes("TripletLoss")
def triplet_loss(module: Any, _training: bool) -> Written:
    """Nearer to the like than to the other."""
    return Written("TripletLoss", {"margin": literal(float(module.margin))}, {})


@writes("CenterLoss")
def center_loss(_module: Any, _training: bool) -> str:
    """Refused: its centres move by a rule of their own."""
    return "its centres move by a step that is no gradient, and needs a rule of its own"


@writes_shaped("SegAccuracy")
def seg_accuracy(module: Any, shapes: Shapes) -> Written | str:
    """Measures of a segmentation."""
    if shapes[0] is None or len(shapes[0]) != 4:
        return "its scores are no picture"
    return Written("SegAccuracy", {"ignore_labels": tuple(module.ignore_labels)}, {})


@writes("Accuracy")
def accuracy(module: Any, _training: bool) -> Written:
    """The share of labels among the best scores."""
    args = {
        "axis": module.axis,
        "top_k": module.top_k,
        "ignore_label": module.ignore_label,
        "per_class": module.per_class,
    }
    return Written("Accuracy", args, {})


@writes("ArgMax")
def arg_max(module: Any, _training: bool) -> Written:
    """The places of the largest values."""
    args = {"axis": module.axis, "top_k": module.top_k, "values": module.values}
    return Written("ArgMax", args, {})


@writes("SoftmaxWithLossOHEM", "SmoothL1LossOHEM", "BoxAnnotatorOHEM")
def hard_examples(_module: Any, _training: bool) -> str:
    """Refused: R-FCN's training."""
    return "it serves R-FCN's training on the hardest examples alone"


@writes("MultiBoxLoss")
def multibox_loss(_module: Any, _training: bool) -> str:
    """Refused: SSD's training."""
    return "matching boxes with labels and picking the hardest takes more code than the net"


@writes("MaskLoss")
def mask_loss(_module: Any, _training: bool) -> str:
    """Refused: its gradient is a rule of its own."""
    return "its gradient is not that of the value that it gives, and needs a rule of its own"
