"""Layers that bring values to a common size, as forks of Caffe have them."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import BlobSpec, Cost, Definition, Shape, count
from .blob_shape import require_axes
from .four_axes import four_axes
from .in_place import warn_in_place_gradient
from .weight_blobs import check_weights, constant_filler

__all__ = ["L2Norm", "Normalize", "NormalizeBBox"]

_VARIANTS = {
    "ssd": "ssd",
    "intel": "ssd",
    "nvidia": "ssd",
    "mobilenet-yolo": "ssd",
    "happynear": "happynear",
    "yjxiong": "yjxiong",
}


class _Normalizing(Definition):
    """A division by a norm over `axes`: (sum of |x|^p + `eps`)^(1/p) for p = `power`.

    `channel_shared` says that a learned factor stands behind it, one (True) or one for each
    channel; None: no factor. `norm_top` says that the norm is a second top.
    """

    tops = count(1, 2)
    in_place = True
    power = 2
    eps = 0.0
    channel_shared: bool | None = None
    # False in a branch of SSD's Caffe: the factor gets no gradient
    scale_learned = True
    across_spatial = True
    norm_top = False
    norm_gradient = False
    axes: Shape

    def place(self, bottom: Shape) -> None:
        """Resolve the axes of the norm: all but the first, or the channels alone."""
        self.axes = tuple(range(1, len(bottom))) if self.across_spatial else (1,)

    def bind_scale(self, param: Message) -> None:
        """SSD's parameters."""
        self.eps = param.eps
        self.across_spatial = param.across_spatial
        self.channel_shared = param.channel_shared
        self.filler = constant_filler(param, "scale_filler", 1)

    def weight_fillers(self) -> list[tuple[str, Message | None]]:
        return [] if self.channel_shared is None else [("scale", self.filler)]

    def scaled(self, bottom: Shape) -> list[Shape]:
        """The top of SSD's layer, and its blob."""
        require_axes(self, bottom, 2, 4)
        self.place(bottom)
        self.channels = bottom[1]
        shape = () if self.channel_shared else (self.channels,)
        self.blobs = (BlobSpec("scale", shape, self.filler, self.scale_learned),)
        check_weights(self)
        warn_in_place_gradient(self)
        return [bottom]

    def cost(self) -> Cost:
        values = prod(self.bottom_shapes[0])
        # square, sum and divide; the factor
        return Cost(0, values * (3 if self.channel_shared is None else 4))


class Normalize(_Normalizing):
    """Divides values by the norm of their item or of their pixel, and may learn a factor.

    ## Shape
    As the bottom's, of 2 to 4 axes in SSD's. The others' tops have four axes; happynear's may have a
    second one, the norms (N, 1, H, W).

    ## Blobs
    In SSD's scale: without axes, or with `channel_shared: false` (C); 1 unless `scale_filler` says
    otherwise. None in the others.

    ## Differs from PyTorch
    `normalize`, with eps in the sum of squares and not as a lower bound of the norm.

    ## Forks
    Three layers by one name. SSD's (also intel's, NVIDIA's, MobileNet-YOLO's; `norm_param`): the norm
    over the item, or over the channels without `across_spatial`, and a factor. happynear's
    (`normalize_param`): over the channels, L2 or L1, eps 1e-6 (on GPUs 1e-12 for L2), no factor.
    yjxiong's: over the item, no eps, no factor, no parameters; an item of zeros gives NaN. What tells
    them apart are the fields, a second top, a `param`; then the net's fork.
    """

    type = "Normalize"

    def bind(self, param: Message) -> None:
        self.variant = self.find_variant(param)
        if self.variant == "ssd":
            own = param.norm_param
            self.bind_scale(own)
            self.scale_learned = not (own.has("fix_scale") and own.fix_scale)
        if self.top_count > 1 and self.variant != "happynear":
            self.refuse(
                "wrong-number-of-tops",
                f"Normalize with `norm_param` has 1 top; `{self.name}` has {self.top_count}",
                "layer.top",
                index=1,
                help="only happynear's has a second one, the norms",
            )
        if self.variant == "happynear":
            self.bind_type(param.normalize_param)

    def find_variant(self, layer: Message) -> str:
        """Which of the three it is: `ssd`, `happynear` or `yjxiong`; what nothing tells is reported."""
        if layer.has("norm_param") or layer.param or layer.blobs:
            return "ssd"
        if layer.has("normalize_param") or self.top_count > 1:
            return "happynear"
        found = {_VARIANTS[fork] for fork in self.forks if fork in _VARIANTS}
        if len(found) == 1:
            return found.pop()
        self.fault(
            "dialect-undecided",
            "Normalize without parameters is one layer in SSD's Caffe, another in happynear's and "
            "a third in yjxiong's",
            help="say which Caffe the net is for with `--dialect`, or write `norm_param { }` for "
            "SSD's",
        )
        return "ssd"

    def bind_type(self, param: Message) -> None:
        """The parameters of happynear's."""
        kind: str = param.normalize_type
        if kind not in ("L1", "L2"):
            self.refuse(
                "unknown-norm", f"no `normalize_type` `{kind}`; there are L1 and L2",
                "layer.normalize_param",
            )  # fmt: skip
        self.power = int(kind[1])
        self.eps = 1e-6
        self.across_spatial = False
        self.norm_top = self.top_count > 1
        # the norms get a gradient only where they are asked to
        self.norm_gradient = param.bp_norm

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        if self.variant == "ssd":
            return self.scaled(bottom)
        top = four_axes(self, bottom)
        self.place(top)
        if self.variant == "yjxiong":
            warn_in_place_gradient(self)
        return [top, (top[0], 1, *top[2:])]


class NormalizeBBox(_Normalizing):
    """SSD's Normalize under the name that OpenCV gave it in its first nets.

    ## Shape
    As the bottom's, of 2 to 4 axes.

    ## Blobs
    scale: without axes, or with `channel_shared: false` (C); 1 unless `scale_filler` says otherwise.

    ## Differs from PyTorch
    As SSD's Normalize.

    ## Forks
    opencv_contrib's schema of 2016.
    """

    type = "NormalizeBBox"
    param = "normalize_bbox_param"
    tops = count(1)

    def bind(self, param: Message) -> None:
        self.bind_scale(param)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        return self.scaled(bottoms[0])


class L2Norm(_Normalizing):
    """Divides every item by its length: what embeddings are compared by.

    ## Shape
    As the bottom's, of 2 axes or more.

    ## Differs from PyTorch
    `normalize`; the same. A norm below 1e-6 counts as 1e-6; some forks divide by 0 there.

    ## Forks
    Over the whole item (MSRCCS/Caffe, l2_norm_layer.cpp), or with `l2norm_param` over the channels of
    each pixel, to length sqrt(`l2_length`) (l2norm_layer.cpp). Without parameters these differ where
    the bottom has pixels, and it is refused.
    """

    type = "L2Norm"
    param = "l2norm_param"
    tops = count(1)

    def bind(self, param: Message) -> None:
        self.across_spatial = not self.layer.has("l2norm_param")
        self.length: float = param.l2_length
        if not self.length > 0:
            self.refuse(
                "norm-length-not-positive",
                f"`l2_length` is {self.length:g}; it must be above 0",
                "l2_length",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        require_axes(self, bottom, 2)
        if self.across_spatial and prod(bottom[2:]) > 1:
            self.refuse(
                "norm-axes-undecided",
                f"the bottom is {list(bottom)}: some forks' L2Norm takes the norm of each item, "
                "others' of each pixel",
                help="for each pixel write `l2norm_param { l2_length: 1 }`; for each item flatten it",
            )
        self.place(bottom)
        warn_in_place_gradient(self)
        return [bottom]
