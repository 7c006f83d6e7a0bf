"""Losses of distance: between two blobs, to the centre of a class, within triplets."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import BlobSpec, Cost, Shape, count
from .blob_shape import to_int
from .in_place import refuse_in_place
from .loss import _Loss
from .smooth_l1_loss import check_like_first
from .weight_blobs import check_weights

__all__ = ["CenterLoss", "L1Loss", "TripletLoss"]


class L1Loss(_Loss):
    """The sum of absolute differences between two blobs, per item of the batch.

    ## Shape
    Two bottoms with the same first size and as many values per item; their shapes may differ. The
    top has no axes.

    ## Differs from PyTorch
    `l1_loss` divides by the number of values; here the sum is divided by the first size of bottom 0.

    ## Forks
    nvidia's (l1_loss_layer.cpp).
    """

    type = "L1Loss"

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        self.check_batches(bottoms)
        self.check_items(bottoms)
        return [()]

    def cost(self) -> Cost:
        # per value: subtract, absolute value, sum
        return Cost(0, 3 * prod(self.bottom_shapes[0]))


class TripletLoss(_Loss):
    """Wants an anchor nearer to its like than to another, by a margin: the loss of FaceNet.

    ## Shape
    Bottoms (N, C): anchors, their likes, others; further axes of size 1. The top has no axes.

    ## Differs from PyTorch
    `triplet_margin_loss` takes distances; here they are squared, max(0, margin + |a - p|^2 -
    |a - n|^2), and the sum is divided by 2 N.

    ## Forks
    happynear's (triplet_loss_layer.cpp), and BVLC's pull request 3422. Layers of this name with two
    or four bottoms, or with `losstype`, form their triplets in other ways and are not computed.
    """

    type = "TripletLoss"
    param = "triplet_loss_param"
    bottoms = count(2, 4)

    def bind(self, param: Message) -> None:
        self.margin: float = param.margin
        other = [name for name in param._values if name != "margin"]
        if other:
            self.obstacle = (
                f"a TripletLoss with `{other[0]}` forms its triplets in a way of its own"
            )
        elif self.bottom_count != 3:
            number = self.bottom_count
            self.obstacle = (
                f"a TripletLoss of {number} bottoms forms its triplets in a way of its own"
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        if self.obstacle:
            return [()]
        check_like_first(self, bottoms)
        if prod(bottoms[0][2:]) != 1:
            self.refuse(
                "features-not-flat",
                f"a TripletLoss takes rows of features (N, C); bottom 0 is {list(bottoms[0])}",
                "layer.bottom",
                index=0,
                help="put a Flatten before it",
            )
        return [()]

    def cost(self) -> Cost:
        if self.obstacle:
            return Cost()
        # two differences, their squares and sums; two sums and a comparison for each item
        values = prod(self.bottom_shapes[0])
        return Cost(2 * values, 2 * values + 3 * self.bottom_shapes[0][0])


class CenterLoss(_Loss):
    """Half the squared distance of features to a learned centre of their class, per item.

    ## Shape
    Bottom 0 (N, ...): features, all axes behind the first one row. Bottom 1: N class numbers below
    `num_output`. The top has no axes.

    ## Blobs
    center (`num_output`, features).

    ## Differs from PyTorch
    No counterpart. The centres get no derivative but a step of their own, whatever the weight of the
    loss: the sum of their distances to the features of their class, over 1 + the number of these.

    ## Forks
    happynear's and yjxiong's (center_loss_layer.cpp), by Wen et al., A Discriminative Feature
    Learning Approach for Deep Face Recognition. happynear's also has `distance_type: "L1"`, the sum
    of absolute differences. Without a `loss_weight` it weighs 0.
    """

    type = "CenterLoss"
    param = "center_loss_param"
    auto_top = False
    loss = False

    def bind(self, param: Message) -> None:
        self.num_output = to_int(param.num_output)
        self.distance_type: str = param.distance_type
        self.each(self.check_outputs, self.check_distance)

    def check_outputs(self) -> None:
        """Refuse a loss without classes."""
        if self.num_output < 1:
            self.refuse(
                "num-output-zero",
                "CenterLoss needs a `num_output` of at least 1, the number of classes",
                "num_output",
            )

    def check_distance(self) -> None:
        """Refuse a distance that there is not."""
        if self.distance_type not in ("L1", "L2"):
            self.refuse(
                "unknown-norm",
                f"`distance_type` is `{self.distance_type}`; CenterLoss has L1 and L2",
                "distance_type",
            )

    def weight_fillers(self) -> list[tuple[str, Message | None]]:
        return [("center", self.layer.get(self.param).center_filler)]

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        refuse_in_place(self)
        self.check_batches(bottoms)
        features, labels = bottoms
        axis = self.axis(self.layer.get(self.param).axis, len(features))
        self.features = prod(features[axis:])
        if axis == 0 or prod(features[1:axis]) != 1:
            self.refuse(
                "features-not-flat",
                f"`axis` {axis} makes rows of {self.features} of a bottom {list(features)}, and "
                "CenterLoss reads one row for each item",
                "axis",
                help="leave `axis` out",
            )
        if prod(labels[1:]) != 1 or len(labels) > 4:
            self.refuse(
                "label-not-one-per-item",
                f"a CenterLoss takes one label per item; bottom 1 is {list(labels)}",
                "layer.bottom",
                index=1,
            )
        shape = (self.num_output, self.features)
        self.check_size(shape, "num_output")
        self.blobs = (BlobSpec("center", shape, self.layer.get(self.param).center_filler),)
        check_weights(self)
        return [()]

    def cost(self) -> Cost:
        values = prod(self.bottom_shapes[0])
        return Cost(values, values)
