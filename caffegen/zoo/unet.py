"""U-Net: Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical ..." (2015).

Layers and blobs are called as in the net that the authors released for their Caffe (phseg_v5):
`d0` to `d4` are the levels of the contracting path, `u3` to `u0` those of the expanding one, and a
letter counts the blobs of a level, so that `conv_d0a-b` makes `d0b` of `d0a`. That net, `released`
here, has a ReLU behind every up-convolution, too, and does not halve the channels in the last.

The authors' loss weighs every pixel, those between touching cells most, which takes a layer of
their Caffe; the loss here weighs all pixels alike.
"""

from __future__ import annotations

import sys
from itertools import pairwise

from caffegen.dsl import NetSpec
from caffegen.dsl import layers as L  # noqa: N812
from caffegen.dsl.blocks import Feature

from .architecture import (
    Architecture,
    CallableFamily,
    Depths,
    Option,
    ZooError,
    check_choice,
    whole_number,
)
from .dataset import Images
from .published import RATES, Builder, filled
from .recipe import TrainingRecipe
from .segmentation import add_pixel_data, add_pixel_losses, pixel_options

__all__ = ["ARCHITECTURE", "unet"]

# Figure 1: the channels of the levels; two 3x3 convolutions in each
WIDTHS = (64, 128, 256, 512, 1024)
PADDINGS = ("valid", "same")
STYLES = ("paper", "released")
# section 3: dropout at the end of the contracting path; the released net has it in two levels
DROPPED = (3, 4)

_PAPER = (
    "O. Ronneberger, P. Fischer, T. Brox: U-Net: Convolutional Networks for Biomedical Image "
    "Segmentation. MICCAI 2015, arXiv:1505.04597"
)
_IMAGES = Images(
    2, 572, 1, 1, "examples/unet/train_lmdb", "examples/unet/test_lmdb", {},
    crop=False, mirror=False, channels=1,
)  # fmt: skip
# section 3: a Gaussian of variance 2 / N, of the values that reach a neuron
_FILLERS = filled("msra", 0)


def unet(
    padding: str = "valid",
    style: str = "paper",
    channels: int | None = None,
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """The U-Net; 2 classes and grey images of 572x572 unless given, which make 388x388.

    The paper's convolutions are `valid`: each loses a border, so what the expanding path joins is
    cut, and label images are as large as the result. `same` pads them, and all sizes stay.
    `train_val` has data layers, fillers, dropout, loss and accuracy; `deploy` an Input, and ends in
    `prob`, the Softmax of every pixel.
    """
    check_choice("padding", padding, PADDINGS)
    check_choice("style", style, STYLES)
    images = _IMAGES._replace(channels=whole_number("number of channels", channels, 1))
    if padding == "same":
        images = images._replace(input_size=512)
    builder = Builder(
        "u-net" if style == "paper" else "phseg_v5", phase, images, batch, input_size,
        rates=RATES if phase != "deploy" else (), fillers=phase != "deploy", data=data,
    )  # fmt: skip
    number = whole_number("number of classes", classes, images.classes)
    _check_size(builder.input_size, padding)
    pad = 1 if padding == "same" else 0
    feature = add_pixel_data(builder, _output_size(builder.input_size, padding))
    levels = []
    for level, width in enumerate(WIDTHS):
        if level:
            pool = f"pool_d{level - 1}c-{level}a"
            feature = builder.pool(feature, pool, 2, 2, top=f"d{level}a")
        feature = _convolutions(builder, feature, f"d{level}", "abc", width, pad)
        if level in DROPPED and phase != "deploy":
            feature = builder.dropout(feature, f"dropout_d{level}c", 0.5)
        levels.append(feature)
    for level in reversed(range(len(WIDTHS) - 1)):
        feature = _joined(builder, feature, levels[level], level, style)
        feature = _convolutions(builder, feature, f"u{level}", "bcd", WIDTHS[level], pad)
    scores = builder.convolution(feature, "conv_u0d-score", number, 1, _FILLERS, top="score")
    if phase == "deploy":
        builder.net.prob = L.Softmax(scores.top)
    else:
        add_pixel_losses(builder, scores.top)
    return builder.net


def _convolutions(
    builder: Builder, bottom: Feature, level: str, letters: str, width: int, pad: int
) -> Feature:
    """Two convolutions with ReLUs, from the blob of the first letter to that of the last."""
    feature = bottom
    for before, after in pairwise(letters):
        feature = builder.convolution(
            feature, f"conv_{level}{before}-{after}", width, 3, _FILLERS,
            relu=f"relu_{level}{after}", pad=pad, top=f"{level}{after}",
        )  # fmt: skip
    return feature


def _joined(builder: Builder, bottom: Feature, skip: Feature, level: int, style: str) -> Feature:
    """A blob twice as large by an up-convolution, and the middle of the skip beside it."""
    before = f"d{level + 1}c" if level == len(WIDTHS) - 2 else f"u{level + 1}d"
    released = style == "released"
    # the released net does not halve the channels once more
    width = WIDTHS[1] if released and level == 0 else WIDTHS[level]
    name = f"upconv_{before}_u{level}a"
    up = builder.deconvolution(bottom, name, width, 2, 2, _FILLERS, top=f"u{level}a")
    if released:
        up = up._replace(top=builder.relu(up.top, f"relu_u{level}a"))
    cut = skip
    if skip.size != up.size:
        offset = (skip.size - up.size) // 2
        crop = f"crop_d{level}c-d{level}cc"
        cut = builder.crop(skip, up, crop, offset, top=f"d{level}cc")
    return builder.concat(f"concat_d{level}cc_u{level}a-b", up, cut, top=f"u{level}b")


def _output_size(size: int, padding: str) -> int:
    """The size of the result: two convolutions a level, seen from both sides of it, take 184."""
    return size if padding == "same" else size - 184


def _check_size(size: int, padding: str) -> None:
    """Refuse a size that is odd before a pooling: what is joined would not fit (section 3.1)."""
    rest, least = (0, 16) if padding == "same" else (12, 188)
    if size % 16 == rest and size >= least:
        return
    below = size - (size - rest) % 16
    near = [number for number in (below, below + 16) if number >= least] or [least]
    raise ZooError(
        f"{size}x{size} can't be halved four times with `{padding}` convolutions; the nearest "
        + (f"are {near[0]} and {near[1]}" if len(near) > 1 else f"is {near[0]}")
    )


_RECIPE = TrainingRecipe(
    source="Ronneberger et al. 2015, section 3: the momentum, and batches of one image",
    batch=1, test_images=30,
    base_lr=1e-4, lr_policy="fixed", policy={},
    max_iter=60000, weight_decay=5e-4, momentum=0.99,
    test_interval=1000, average_loss=20,
    notes=("The paper does not say the rate, its decay and the length; these are a place to start.",),
)  # fmt: skip

ARCHITECTURE = Architecture(
    name="unet",
    title="U-Net",
    paper=_PAPER,
    depths={"isbi": Depths((23,), 23)},
    options=(
        Option("padding", "Convolutions that lose a border, as the paper's do, or that keep the "
               "size.", "valid", PADDINGS),
        Option("style", "The net of the paper's figure, or the one that the authors released.",
               "paper", STYLES),
        Option("channels", "Channels of the images (1)."),
        *pixel_options(2, 572, "data layers, fillers and a loss"),
    ),
    build=unet,
    recipes={"isbi": _RECIPE},
)  # fmt: skip

sys.modules[__name__].__class__ = CallableFamily
