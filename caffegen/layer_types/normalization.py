"""Layers that bring values to a common size: by the batch, by neighbours, or each item alone."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import BlobSpec, Cost, Definition, Shape, Window
from .blob_shape import require_axes, require_values, to_int
from .engine import check_engine
from .four_axes import four_axes
from .in_place import warn_in_place, warn_in_place_gradient
from .weight_blobs import check_weights

__all__ = ["LRN", "MVN", "BatchNorm"]


_LEAST_EPS = 1e-5  # CUDNN_BN_MIN_EPSILON, in NVIDIA's batch_norm_layer.cpp


class BatchNorm(Definition):
    """Brings every channel to mean 0 and variance 1, by statistics of the batch or stored ones.

    It has no learned factor and bias: a Scale with `bias_term: true` behind it has them.

    ## Shape
    As the bottom's, of 2 axes or more; channels on axis 1.

    ## Blobs
    mean (C) and variance (C), both as sums that are to be divided by scale_factor (1); where that
    is 0, mean and variance are 0. The solver never learns them: TRAIN updates them. In NVIDIA's
    Caffe, with `scale_bias`, behind them a learned scale (C) and bias (C).

    ## Forks
    nvidia: `scale_bias`, and an `eps` below 1e-5 counts as 1e-5. happynear: the default of
    `moving_average_fraction` is 0.99.

    ## Differs from PyTorch
    `batch_norm` without `weight` and `bias`. The stored statistics are sums, with a factor of their
    own: in TRAIN each is multiplied by `moving_average_fraction` and the batch's is added. Stored
    statistics are used (`use_global_stats`) in TEST, unless the file says otherwise.
    """

    type = "BatchNorm"
    param = "batch_norm_param"
    in_place = True

    def bind(self, param: Message) -> None:
        self.bind_scale(param)
        nvidia = self.scale_bias or self.dialect == "nvidia"
        self.eps: float = max(param.eps, _LEAST_EPS) if nvidia else param.eps
        self.use_global_stats: bool = (
            param.use_global_stats if param.has("use_global_stats") else self.phase == "TEST"
        )
        # stored statistics are not updated, so nothing reads the fraction
        self.moving_average_fraction: float = (
            param.moving_average_fraction
            if self.use_global_stats or self.phase == "TEST"
            else self.default_of(param, "moving_average_fraction")
        )
        for index, spec in enumerate(self.layer.param[:3]):
            if spec.lr_mult != 0 and "nvidia" not in self.forks:  # which sets it to 0
                self.fault(
                    "statistics-learned",
                    f"`param` {index + 1} gives the statistics `lr_mult` {spec.lr_mult:g}; "
                    "they take 0 alone",
                    "layer.param",
                    index=index,
                    help="write `param { lr_mult: 0 }`, or no `param` at all",
                )

    def bind_scale(self, param: Message) -> None:
        """Whether the layer has a scale and a bias of its own (NVIDIA's batch_norm_layer.cpp)."""
        fillers = [name for name in ("scale_filler", "bias_filler") if param.has(name)]
        self.scale_bias: bool = param.scale_bias
        if fillers and not param.has("scale_bias"):
            self.blobs_known = self.dialect in ("nvidia", "happynear")
            if self.dialect not in ("nvidia", "happynear"):
                self.fault(
                    "dialect-undecided",
                    f"`{fillers[0]}` gives the layer a scale and a bias in nvidia, and does nothing "
                    "in other forks that have it",
                    fillers[0],
                    help="set `scale_bias`, or say which Caffe the net is for with `--dialect`",
                )
            self.scale_bias = self.dialect == "nvidia"
        kind = param.field("scale_filler").type
        one = Message(kind, type="constant", value=1.0)
        self.scale_filler = param.scale_filler if "scale_filler" in fillers else one
        self.bias_filler = param.bias_filler if "bias_filler" in fillers else Message(kind)

    def weight_fillers(self) -> list[tuple[str, Message | None]]:
        blobs: list[tuple[str, Message | None]] = [
            (name, None) for name in ("mean", "variance", "scale_factor")
        ]
        if self.scale_bias:
            blobs += [("scale", self.scale_filler), ("bias", self.bias_filler)]
        return blobs

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        require_axes(self, bottom, 2)
        require_values(self, bottom)
        self.channels = bottom[1]
        self.blobs = (
            BlobSpec("mean", (self.channels,), learned=False),
            BlobSpec("variance", (self.channels,), learned=False),
            BlobSpec("scale_factor", (1,), learned=False),
        )
        if self.scale_bias:
            self.blobs += (
                BlobSpec("scale", (self.channels,), self.scale_filler),
                BlobSpec("bias", (self.channels,), self.bias_filler),
            )
        if self.layer.has("blobs"):
            check_weights(self)
        return [bottom]

    def cost(self) -> Cost:
        values = prod(self.bottom_shapes[0])
        # subtract and divide; for the batch's own statistics a sum, a square and its sum
        return Cost(0, values * (2 if self.use_global_stats else 5))


class LRN(Definition):
    """Divides every value by the size of its neighbours, in nearby channels or in nearby pixels.

    ## Shape
    As the bottom's (N, C, H, W).

    ## Differs from PyTorch
    ACROSS_CHANNELS is `local_response_norm`: x (k + alpha / n * sum of squares)^-beta over n =
    `local_size` channels. WITHIN_CHANNEL averages the squares over n x n pixels, takes no k (it is
    1), and counts the padding that lies in the windows as pixels: x (1 + alpha * average)^-beta.
    """

    type = "LRN"
    param = "lrn_param"

    def bind(self, param: Message) -> None:
        self.local_size = to_int(param.local_size)
        self.alpha: float = param.alpha
        self.beta: float = param.beta
        self.within_channel = param.norm_region == "WITHIN_CHANNEL"
        # what is computed, whatever the file says
        self.k: float = 1.0 if self.within_channel else param.k
        if self.within_channel and param.k != 1:
            self.warn(
                "k-without-effect",
                f"`k` ({param.k:g}) has no effect within a channel; Caffe takes 1",
                "k",
                help="remove `k`",
            )
        check_engine(self, param)
        if self.local_size < 1 or self.local_size % 2 == 0:
            self.refuse(
                "local-size-even" if self.local_size > 0 else "local-size-zero",
                f"`local_size` is {self.local_size}; it must be odd, with a middle",
                "local_size",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        require_axes(self, bottoms[0], 4, 4)
        if self.within_channel:
            warn_in_place_gradient(self)
        else:
            warn_in_place(self)
        return [bottoms[0]]

    @property
    def window(self) -> Window | None:
        if not self.within_channel:
            return None
        size = self.local_size
        return Window((size, size), (1, 1), (size // 2, size // 2), (1, 1))

    def cost(self) -> Cost:
        values = prod(self.bottom_shapes[0])
        if self.within_channel:
            # square, sum over the window, average, scale and shift, power, product
            return Cost(0, values * (self.local_size**2 + 5))
        # a running sum takes one square in and another out; square, power, product
        return Cost(2 * values, 3 * values)


class MVN(Definition):
    """Brings every item, or every channel of it, to mean 0 and by default to variance 1.

    ## Shape
    Bottom: up to 4 axes. Top: always 4, with axes of 1 at the end.

    ## Differs from PyTorch
    `instance_norm` without statistics, or with `across_channels` a `layer_norm` of the whole item;
    but `eps` is added to the standard deviation, not to the variance.
    """

    type = "MVN"
    param = "mvn_param"

    def bind(self, param: Message) -> None:
        self.normalize_variance: bool = param.normalize_variance
        self.across_channels: bool = param.across_channels
        self.eps: float = param.eps

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        top = four_axes(self, bottom)
        require_values(self, bottom, top[1 if self.across_channels else 2 :])
        if self.normalize_variance:
            warn_in_place_gradient(self)
        return [top]

    def cost(self) -> Cost:
        values = prod(self.bottom_shapes[0])
        # sum and subtract; square, sum and divide
        return Cost(0, values * (5 if self.normalize_variance else 2))
