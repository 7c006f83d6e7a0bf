"""Activations that draw anew for every value while training."""

from __future__ import annotations

import math

from caffegen.text import Message

from .activation import _Neuron
from .base import Cost, Shape
from .blob_shape import require_axes

__all__ = ["Insanity", "SeLuDropout"]


class Insanity(_Neuron):
    """A leaky ReLU that divides values below 0: by a number drawn from `low` to `high` in TRAIN.

    In TEST by `mean`, of which 1 / `mean` is the average of 1 / x between the two bounds.

    ## Shape
    As the bottom's, of two axes or more.

    ## Differs from PyTorch
    `RReLU` draws a factor evenly, here a divisor is drawn: in TRAIN the slopes near 1 / `high` are
    more likely (Xu et al., Empirical Evaluation of Rectified Activations in Convolution Network,
    arXiv:1505.00853). In TEST `leaky_relu`.

    ## Forks
    happynear's (insanity_layer.cpp).
    """

    type = "Insanity"
    param = "insanity_param"
    ops_per_value = 3

    def bind(self, param: Message) -> None:
        self.low: float = param.lb
        self.high: float = param.ub
        if self.high <= self.low:
            self.refuse(
                "divisors-not-rising",
                f"`ub` ({self.high:g}) is not above `lb` ({self.low:g})",
                "ub" if param.has("ub") else "lb",
            )
        if 0 in (self.low, self.high):
            self.refuse(
                "divisor-zero",
                f"`{'lb' if self.low == 0 else 'ub'}` is 0, and values below 0 are divided by it",
                "lb" if self.low == 0 else "ub",
            )
        logs = math.log(abs(self.high)) - math.log(abs(self.low))
        self.mean = (self.high - self.low) / logs if logs else math.inf

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        require_axes(self, bottoms[0], 2, 32)
        return super().shapes(bottoms)


class SeLuDropout(_Neuron):
    """Dropout for SeLu: dropped values become `alpha`, and all are scaled back to mean 0, variance 1.

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    `AlphaDropout`; the same with the default `alpha`: in TRAIN `scale` x + `shift` for what is kept,
    `scale` `alpha` + `shift` for what is dropped; TEST changes nothing (Klambauer et al.,
    Self-Normalizing Neural Networks, arXiv:1706.02515).

    ## Forks
    soeaver's and a pull request to BVLC (selu_dropout_layer.cpp).
    """

    type = "SeLuDropout"
    param = "selu_dropout_param"
    ops_per_value = 3

    def bind(self, param: Message) -> None:
        self.ratio: float = param.dropout_ratio
        self.alpha: float = param.alpha
        if not 0 < self.ratio < 1:
            self.warn(
                "dropout-ratio-out-of-range",
                f"`dropout_ratio` is {self.ratio:g}; it lies between 0 and 1",
                "dropout_ratio",
                help="remove the layer" if self.ratio == 0 else "",
            )
        kept = 1 - self.ratio
        spread = kept * (1 + self.alpha**2 * self.ratio)
        self.scale = spread**-0.5 if spread > 0 else math.inf
        self.shift = -self.scale * self.ratio * self.alpha

    def cost(self) -> Cost:
        return super().cost() if self.phase == "TRAIN" else Cost()
