"""BN: batch normalisation with its factor and bias, in the ways that forks of Caffe have it."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import BlobSpec, Cost, Definition, Shape, count
from .four_axes import four_axes
from .in_place import warn_in_place, warn_in_place_gradient
from .weight_blobs import check_weights

__all__ = ["BN", "SyncBN"]

_SLOPE = ("slope_filler", "momentum", "eps", "frozen", "engine", "bias_filler")
_AVERAGED = ("var_eps", "moving_average", "decay")
_SHIFT = ("scale_filler", "shift_filler")
# forks that compute the same (SegNet's eps is 1e-9, SSD's 1e-10); the first one's blobs are taken
_ALIKE = ({"pspnet", "yjxiong"}, {"segnet", "ssd"}, {"happynear"})


class BN(Definition):
    """Brings every channel to mean 0 and variance 1, then scales and shifts it.

    `affine` says that there is no normalising at all; `stored` that stored statistics are used, and
    `global_stats` so for both phases (None: in TEST alone); `inverse` that the last blob is one over
    the deviation. `fraction` is what a training step keeps of stored statistics; `train_eps` is added
    to a variance in TRAIN, `eps` in TEST; `unbiased` that the batch's variance is taken times
    m / (m - 1), for m values.

    ## Shape
    As the bottom's, of up to 4 axes; SegNet's top has four, and up to two more tops, the mean and the
    variance of the batch (1, C, 1, 1).

    ## Blobs
    slope, bias, mean, variance in PSPNet's (each (1, C, 1, 1)) and yjxiong's (each (1, C)); slope,
    bias, mean, inverse deviation (1, C) in happynear's; scale, shift (1, C, 1, 1) in SegNet's.

    ## Differs from PyTorch
    `batch_norm`; a training step takes the batch's variance as it is into the average, where torch
    takes it times m / (m - 1), as cuDNN does. Frozen, nothing is learned.

    ## Forks
    slope_filler, bias_filler, momentum, eps, frozen: PSPNet's and yjxiong's (bn_layer.cpp) keep the
    variance, happynear's keeps one over the deviation: the fields are the same, the net's fork decides.
    scale_filler, shift_filler, bn_mode: SegNet's (and ENet's): LEARN takes the batch's statistics in
    TEST too; for INFERENCE they are to be folded into scale and shift before. With var_eps, decay,
    moving_average and across_spatial: SSD's author's, whose averages are in no blob, and an old one of
    happynear's with four blobs, which adds no eps to a stored variance.
    """

    type = "BN"
    param = "bn_param"
    tops = count(1, 3)
    in_place = True
    affine = False
    stored = False
    global_stats: bool | None = False
    inverse = False
    unbiased = False
    frozen = False
    across_spatial = True
    fraction = 0.0
    eps = 0.0
    train_eps = 0.0

    def bind(self, param: Message) -> None:
        self.variant = self.find_variant(param)
        if self.variant in ("pspnet", "yjxiong", "happynear"):
            self.bind_slope(param)
        elif self.variant == "segnet":
            self.affine = param.bn_mode == "INFERENCE"
            self.eps = self.train_eps = 1e-9
        else:
            self.bind_averaged(param)
        most = 3 if self.variant == "segnet" and not self.affine else 1
        if self.top_count > most:
            self.refuse(
                "wrong-number-of-tops",
                f"BN has {most} top{'' if most == 1 else 's'} here; `{self.name}` has "
                f"{self.top_count}",
                "layer.top",
                index=most,
                help="only SegNet's that learns has more, the batch's mean and variance",
            )

    def find_variant(self, param: Message) -> str:
        """Whose BN it is, by its fields and then by the net's forks; what they leave open is told."""
        if param.has("bn_mode"):
            return "segnet"
        if param.has("across_spatial"):
            return "ssd"
        choices: tuple[str, ...] = ("pspnet", "yjxiong", "happynear", "segnet", "ssd")
        if any(param.has(field) for field in _SLOPE):
            choices = ("pspnet", "yjxiong", "happynear")
        elif any(param.has(field) for field in _AVERAGED):
            choices = ("ssd", "happynear")
        elif any(param.has(field) for field in _SHIFT):
            choices = ("segnet", "ssd", "happynear")
        found = [fork for fork in choices if fork in self.forks] or choices
        if not any(set(found) <= alike for alike in _ALIKE):
            self.blobs_known = False
            self.fault(
                "dialect-undecided",
                f"BN with these fields may be of {', '.join(found[:-1])} or {found[-1]}; they keep "
                "different blobs, or mean different things by them",
                help="say which Caffe the net is for with `--dialect`",
            )
        old = found[0] == "happynear" and "yjxiong" not in choices
        return "happynear2015" if old else found[0]

    def bind_slope(self, param: Message) -> None:
        """The fields of PSPNet's, yjxiong's and happynear's."""
        self.frozen = param.frozen
        self.eps = self.train_eps = param.eps
        self.fraction = param.momentum
        self.global_stats = True if self.frozen else None
        self.stored = self.frozen or self.phase == "TEST"
        self.inverse = self.variant == "happynear"

    def bind_averaged(self, param: Message) -> None:
        """The fields of SSD's author's and of happynear's old one."""
        self.train_eps = param.var_eps
        if self.variant == "ssd":
            self.eps = self.train_eps
            self.across_spatial = param.across_spatial
            if param.moving_average and self.phase == "TEST":
                self.refuse(
                    "statistics-not-stored",
                    "`moving_average` reads averages that this layer keeps in no blob: after "
                    "loading they are 0",
                    "moving_average",
                    help="remove it: TEST takes the batch's own statistics then",
                )
            return
        # in that fork the schema's default is true, and eps is added while training alone
        if param.moving_average or not param.has("moving_average"):
            self.global_stats = None
            self.stored = self.phase == "TEST"
        self.fraction = param.decay

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        whole = four_axes(self, bottom)
        self.channels = whole[1]
        self.bind_blobs(whole)
        check_weights(self)
        if self.affine:
            warn_in_place_gradient(self)
        statistics = (1, self.channels, 1, 1)
        keeps = self.variant in ("pspnet", "yjxiong", "happynear")
        return [bottom if keeps else whole, statistics, statistics]

    def bind_blobs(self, whole: Shape) -> None:
        channels = (1, self.channels)
        if self.variant in ("yjxiong", "happynear"):
            shape: Shape = channels
        else:
            shape = (*channels, *((1, 1) if self.across_spatial else whole[2:]))
        self.blobs = tuple(
            BlobSpec(name, shape, filler, name in ("scale", "shift", "slope", "bias"))
            for name, filler in self.weight_fillers()
        )

    def weight_fillers(self) -> list[tuple[str, Message | None]]:
        param = self.layer.get(self.param)
        blobs: list[tuple[str, Message | None]]
        if self.variant in ("segnet", "ssd", "happynear2015"):
            blobs = [("scale", param.scale_filler), ("shift", param.shift_filler)]
        else:
            blobs = [("slope", param.slope_filler), ("bias", param.bias_filler)]
        if self.variant not in ("segnet", "ssd"):
            spread = "inverse_deviation" if self.inverse else "variance"
            starts_at_one = self.frozen or self.variant.startswith("happynear")
            filler = param.field("bias_filler").type
            ones = Message(filler, type="constant", value=1.0) if starts_at_one else None
            blobs += [("mean", None), (spread, ones)]
        return blobs

    def cost(self) -> Cost:
        values = prod(self.bottom_shapes[0])
        if self.affine:
            return Cost(values)
        # subtract, divide, scale, shift; for the batch's own statistics a sum, a square and its sum
        return Cost(0, values * (4 if self.stored else 7))


class SyncBN(BN):
    """BN whose statistics in TRAIN are those of the batches of all processes together.

    There is one process here, whose batch is the whole.

    ## Shape
    As the bottom's, of up to 4 axes.

    ## Blobs
    slope, bias, mean and variance, each (1, C).

    ## Differs from PyTorch
    `SyncBatchNorm` normalises by the variance of the batch as it is; this takes it times
    m / (m - 1), for m values, both to normalise by and into the average. Its gradient leaves that
    factor's m - 1 out and divides by m (sync_bn_layer.cu, kernel_backward_bottom).

    ## Forks
    yjxiong, built with MPI. It reads slope_filler, bias_filler, momentum and eps.
    """

    type = "SyncBN"
    tops = count(1)
    unbiased = True

    def bind(self, param: Message) -> None:
        self.variant = "yjxiong"
        self.bind_slope(param)

    def bind_slope(self, param: Message) -> None:
        self.eps = self.train_eps = param.eps
        self.fraction = param.momentum
        self.global_stats = None
        self.stored = self.phase == "TEST"
        if param.frozen:
            self.warn(
                "parameters-without-effect",
                "SyncBN reads no `frozen`: it takes the batch's statistics in TRAIN, and learns",
                "frozen",
                help="write `BN` for a layer that is frozen",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        if self.phase == "TRAIN":
            warn_in_place(self)
        return super().shapes(bottoms)
