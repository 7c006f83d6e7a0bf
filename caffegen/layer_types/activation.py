"""Layers that compute every value from the value before it, each on its own (neuron_layer.hpp)."""

from __future__ import annotations

import math
from math import prod

from caffegen.text import Message
from caffegen.text.message import round_float

from .base import BlobSpec, Cost, Definition, Shape
from .blob_shape import require_axes, require_values
from .engine import check_engine
from .in_place import refuse_in_place, warn_in_place_gradient
from .weight_blobs import check_weights, constant_filler

__all__ = [
    "BNLL",
    "ELU",
    "AbsVal",
    "Clip",
    "Dropout",
    "Exp",
    "Log",
    "PReLU",
    "Power",
    "ReLU",
    "Sigmoid",
    "Swish",
    "TanH",
    "Threshold",
    "warn_of_ratio",
]


class _Neuron(Definition):
    """One bottom, one top of its shape, in any rank."""

    in_place = True
    # whether the gradient can be computed from the top alone, or from a copy of the bottom
    gradient_in_place: bool = True
    ops_per_value: int = 1

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        if not self.gradient_in_place:
            warn_in_place_gradient(self)
        return [bottoms[0]]

    def cost(self) -> Cost:
        return Cost(0, self.ops_per_value * prod(self.bottom_shapes[0]))


class AbsVal(_Neuron):
    """The absolute value.

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    `abs`. The gradient at 0 is 0, as there. It can't work in place.
    """

    type = "AbsVal"
    in_place = False

    def bind(self, param: Message) -> None:
        refuse_in_place(self)


class BNLL(_Neuron):
    """A smooth ramp, log(1 + exp(x)), known as softplus; BNLL is "binomial normal log likelihood".

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    `softplus` without its threshold: Caffe computes x + log(1 + exp(-x)) for every x above 0.
    """

    type = "BNLL"
    gradient_in_place = False
    ops_per_value = 3


class Clip(_Neuron):
    """Cuts values off below `min` and above `max`.

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    `clamp` with both bounds. Where `min` is above `max`, `min` wins; `clamp` gives `max`. The
    gradient passes at the bounds themselves. Without `clip_param` both bounds are 0.
    """

    type = "Clip"
    param = "clip_param"
    gradient_in_place = False
    ops_per_value = 2

    def bind(self, param: Message) -> None:
        given = self.layer.has("clip_param")
        for field in ("min", "max"):
            if given and not param.has(field):
                self.refuse(
                    "required-field-missing",
                    f"`clip_param` has no `{field}`, which the schema requires",
                    help=f"add `{field}`",
                )
        self.min: float = param.min
        self.max: float = param.max
        if not given:
            self.warn("clip-without-bounds", "Clip without `clip_param` makes every value 0")
        elif self.min > self.max:
            self.warn(
                "clip-range-reversed",
                f"`min` ({self.min:g}) is above `max` ({self.max:g}): every value becomes `min`",
                "min",
            )


def warn_of_ratio(definition: Definition, ratio: float) -> None:
    """Warn of a share of dropped values that drops none, or all."""
    if not 0 < ratio < 1:
        definition.warn(
            "dropout-ratio-out-of-range",
            f"`dropout_ratio` is {ratio:g}; it lies between 0 and 1",
            "dropout_ratio",
            help="remove the layer" if ratio == 0 else "",
        )


class Dropout(_Neuron):
    """Sets values to 0 at random while training, so that no value is relied on alone.

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    `dropout`; the same: kept values are multiplied by `scale` = 1 / (1 - `ratio`) in TRAIN, and
    TEST changes nothing. With `scale_train: false`, which forks have, TRAIN multiplies by nothing
    and TEST by 1 - `ratio`.
    """

    type = "Dropout"
    param = "dropout_param"

    def bind(self, param: Message) -> None:
        self.ratio: float = param.dropout_ratio
        # False in some forks: TRAIN drops alone, and TEST multiplies by what was kept
        self.scale_train: bool = param.scale_train
        # as C divides: a ratio of 1 gives infinity
        self.scale = 1 / (1 - self.ratio) if self.ratio != 1 else math.inf
        warn_of_ratio(self, self.ratio)

    def cost(self) -> Cost:
        return super().cost() if self.phase == "TRAIN" or not self.scale_train else Cost()


class ELU(_Neuron):
    """Keeps positive values and bends negative ones towards -`alpha`: alpha (exp(x) - 1).

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    `elu`; the same.
    """

    type = "ELU"
    param = "elu_param"
    ops_per_value = 3

    def bind(self, param: Message) -> None:
        self.alpha: float = param.alpha
        # the gradient takes the sign of the bottom from the top
        self.gradient_in_place = self.alpha >= 0


class _Based(_Neuron):
    """What Exp and Log share: a base, a scale and a shift (exp_layer.cpp, log_layer.cpp)."""

    def bind(self, param: Message) -> None:
        # None: e, which Caffe writes as -1
        self.base: float | None = None if param.base == -1 else param.base
        self.scale: float = param.scale
        self.shift: float = param.shift
        self.log_base = 1.0
        if self.base is None:
            return
        if not self.base > 0:
            self.refuse(
                "base-not-positive",
                f"`base` is {self.base:g}; it must be above 0, or -1 for e",
                "base",
            )
        if math.isinf(self.base):
            self.refuse("base-infinite", "`base` is infinite, and so is its logarithm", "base")
        self.log_base = round_float(math.log(self.base))


class Exp(_Based):
    """An exponential function: base^(shift + scale x), by default exp(x).

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    Computed as `outer_scale` * exp(`inner_scale` * x).
    """

    type = "Exp"
    param = "exp_param"

    def bind(self, param: Message) -> None:
        super().bind(param)
        self.inner_scale = round_float(self.log_base * self.scale)
        self.outer_scale = 1.0
        if self.shift:
            self.outer_scale = _power(math.e if self.base is None else self.base, self.shift)
        self.ops_per_value = 1 + (self.inner_scale != 1) + (self.outer_scale != 1)


class Log(_Based):
    """A logarithm: log(shift + scale x) to a base, by default e.

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    Computed as `base_scale` * log(`scale` * x + `shift`).
    """

    type = "Log"
    param = "log_param"
    gradient_in_place = False

    def bind(self, param: Message) -> None:
        super().bind(param)
        if self.log_base == 0:
            self.refuse(
                "base-one", "`base` is 1, whose logarithm is 0: there is no logarithm to it", "base"
            )
        self.base_scale = round_float(1 / self.log_base)
        self.ops_per_value = 1 + (self.scale != 1) + (self.shift != 0) + (self.base_scale != 1)


class PReLU(_Neuron):
    """A ReLU that learns how steep its negative side is, for each channel or for all.

    ## Shape
    As the bottom's, of 2 to 4 axes; channels on axis 1.

    ## Blobs
    slope (C), or without axes with `channel_shared`; 0.25 unless `filler` says otherwise.

    ## Differs from PyTorch
    `PReLU`; a shared slope has one axis there.
    """

    type = "PReLU"
    param = "prelu_param"
    ops_per_value = 2

    def bind(self, param: Message) -> None:
        self.channel_shared: bool = param.channel_shared
        self.filler = constant_filler(param, "filler", 0.25)

    def weight_fillers(self) -> list[tuple[str, Message | None]]:
        return [("slope", self.filler)]

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        require_axes(self, bottom, 2, 4)
        self.channels = bottom[1]
        slope = () if self.channel_shared else (self.channels,)
        self.blobs = (BlobSpec("slope", slope, self.filler),)
        require_values(self, bottom, bottom[1:])
        check_weights(self)
        return [bottom]


class Power(_Neuron):
    """Scales, shifts and raises to a power: (shift + scale x)^power.

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    `pow`. Where power * scale is 0 every value is `constant` (otherwise None), and there is no
    gradient.
    """

    type = "Power"
    param = "power_param"

    def bind(self, param: Message) -> None:
        self.power: float = param.power
        self.scale: float = param.scale
        self.shift: float = param.shift
        self.constant: float | None = None
        if round_float(self.power * self.scale) == 0:
            self.constant = _power(self.shift, self.power)
        self.gradient_in_place = self.power == 1 or self.constant is not None
        self.ops_per_value = (
            (self.scale != 1) + (self.shift != 0) + (self.power != 1)
            if self.constant is None
            else 0
        )


class ReLU(_Neuron):
    """Keeps positive values and multiplies negative ones by `negative_slope`, by default 0.

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    `relu`, or `leaky_relu` with a slope. The gradient at 0 is the slope.
    """

    type = "ReLU"
    param = "relu_param"

    def bind(self, param: Message) -> None:
        self.negative_slope: float = param.negative_slope
        # the gradient takes the sign of the bottom from the top
        self.gradient_in_place = self.negative_slope >= 0
        if self.negative_slope:
            self.ops_per_value = 2
        check_engine(self, param)


class Sigmoid(_Neuron):
    """An S-shaped curve from 0 to 1: 1 / (1 + exp(-x)).

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    `sigmoid`; Caffe computes it as (tanh(x / 2) + 1) / 2.
    """

    type = "Sigmoid"
    param = "sigmoid_param"
    ops_per_value = 3

    def bind(self, param: Message) -> None:
        check_engine(self, param)


class Swish(_Neuron):
    """A value times its own sigmoid: x * sigmoid(beta x).

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    `silu` is the case of beta 1.
    """

    type = "Swish"
    param = "swish_param"
    ops_per_value = 5

    def bind(self, param: Message) -> None:
        self.beta: float = param.beta


class TanH(_Neuron):
    """An S-shaped curve from -1 to 1: the hyperbolic tangent.

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    `tanh`; the same.
    """

    type = "TanH"
    param = "tanh_param"

    def bind(self, param: Message) -> None:
        check_engine(self, param)


class Threshold(_Neuron):
    """1 for values above `threshold`, 0 for all others.

    ## Shape
    As the bottom's, in any rank.

    ## Differs from PyTorch
    A comparison, with the result as floats; `torch.threshold` is another thing. There is no
    gradient.
    """

    type = "Threshold"
    param = "threshold_param"

    def bind(self, param: Message) -> None:
        self.threshold: float = param.threshold


def _power(base: float, exponent: float) -> float:
    """C's pow in single precision, with infinities and NaN where Python raises."""
    try:
        return round_float(math.pow(base, exponent))
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    except ValueError:
        if base != 0:
            return math.nan
        return math.copysign(math.inf, base) if exponent % 2 == 1 else math.inf
