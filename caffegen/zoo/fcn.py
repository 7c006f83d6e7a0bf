"""FCN: Long, Shelhamer, Darrell, "Fully Convolutional Networks for Semantic Segmentation" (2015).

The PASCAL VOC nets that shelhamer/fcn.berkeleyvision.org published: VGG-16 whose fully connected
layers are convolutions, and whose scores are enlarged 32, 16 or 8 times, the finer ones after
adding scores of earlier, larger blobs. 100 pixels of padding make every image large enough; the
offsets of the Crop layers follow from that and from the windows, at any size of image.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from caffegen.dsl import NetSpec
from caffegen.dsl import layers as L  # noqa: N812
from caffegen.dsl.blocks import Feature

from .architecture import Architecture, CallableFamily, Depths, Option, check_choice, whole_number
from .dataset import Images
from .published import RATES, Builder, filled
from .recipe import TrainingRecipe
from .segmentation import add_pixel_data, add_pixel_losses, pixel_options
from .vgg import FULLY_CONNECTED, plain_stage

__all__ = ["ARCHITECTURE", "fcn"]


class Skip(NamedTuple):
    """A blob whose scores are added: its name, how it is cut, and how it is scaled to train at once.

    `upscore` is the layer that enlarges, twice, what its scores are added to.
    """

    pool: str
    upscore: str
    offset: int
    scale: float


class Variant(NamedTuple):
    """What the nets differ in: the skips, the last enlargement, where its result is cut."""

    skips: int
    upscore: str
    stride: int
    offset: int
    at_once: bool = False


# Section 4.2, Figure 3
SKIPS = (Skip("pool4", "upscore2", 5, 1e-2), Skip("pool3", "upscore_pool4", 9, 1e-4))
VARIANTS = {
    "32s": Variant(0, "upscore", 32, 19),
    "16s": Variant(1, "upscore16", 16, 27),
    "8s": Variant(2, "upscore8", 8, 31),
    "8s-atonce": Variant(2, "upscore8", 8, 31, at_once=True),
}
UPSAMPLING = ("grouped", "published")

_PAPER = (
    "J. Long, E. Shelhamer, T. Darrell: Fully Convolutional Networks for Semantic Segmentation. "
    "CVPR 2015, arXiv:1411.4038; E. Shelhamer, J. Long, T. Darrell: the same, PAMI 2017, "
    "arXiv:1605.06211"
)
_IMAGES = Images(
    21, 500, 1, 1, "examples/voc/voc_train_lmdb", "examples/voc/voc_val_lmdb",
    {"mean_value": [104.00699, 116.66877, 122.67892]}, crop=False, mirror=False,
)  # fmt: skip
_FILLERS = filled("xavier", 0)
# section 4.3: the layers that score start at zero
_ZERO = filled("constant", 0)
_IGNORED = 255


def fcn(
    variant: str = "32s",
    upsampling: str = "grouped",
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """The FCN of a variant; 21 classes and images of 500x500 unless given.

    A layer that enlarges is fixed and interpolates every class by itself. `grouped` makes it a
    group a class, which Caffe's bilinear filler can fill. The `published` caffemodels have kernels
    from every class to every class, of which all but the diagonal are zero; no filler makes those,
    so such a net needs the weights of a caffemodel, to train it as well. `train_val` has data
    layers, fillers, dropout, loss and accuracy; `deploy` an Input, and ends in `score`.
    """
    check_choice("variant", variant, VARIANTS)
    check_choice("upsampling", upsampling, UPSAMPLING)
    facts = VARIANTS[variant]
    builder = Builder(
        f"voc-fcn{variant}", phase, _IMAGES, batch, input_size,
        rates=RATES, fillers=phase != "deploy", data=data,
    )  # fmt: skip
    number = whole_number("number of classes", classes, _IMAGES.classes)
    images = add_pixel_data(builder, builder.input_size)
    pools = {}
    feature = images
    for stage in range(1, 6):
        feature = plain_stage(builder, feature, stage, _FILLERS, pad=100 if stage == 1 else 1)
        feature = pools[f"pool{stage}"] = builder.pool(feature, f"pool{stage}", 2, 2)
    scores = _score_fr(builder, feature, number)
    grouped = upsampling == "grouped"
    for skip in SKIPS[: facts.skips]:
        scores = _enlarge(builder, scores, skip.upscore, 2, grouped=grouped)
        scores = _fuse(builder, scores, pools[skip.pool], skip, at_once=facts.at_once)
    scores = _enlarge(builder, scores, facts.upscore, facts.stride, grouped=grouped)
    score = builder.crop(scores, images, "score", facts.offset)
    if phase != "deploy":
        # a sum over the pixels of an image, which the tiny learning rates of the recipe go with
        add_pixel_losses(
            builder, score.top, ignore_label=_IGNORED, normalization="BATCH_SIZE"
        )  # fmt: skip
    return builder.net


def _score_fr(builder: Builder, bottom: Feature, classes: int) -> Feature:
    """VGG-16's fully connected layers as convolutions."""
    feature = bottom
    for layer, width, kernel_size in zip((6, 7), FULLY_CONNECTED, (7, 1), strict=True):
        feature = builder.convolution(
            feature, f"fc{layer}", width, kernel_size, _FILLERS, relu=f"relu{layer}"
        )
        if builder.phase != "deploy":
            feature = builder.dropout(feature, f"drop{layer}", 0.5)
    return builder.convolution(feature, "score_fr", classes, 1, _ZERO)


def _enlarge(
    builder: Builder, bottom: Feature, name: str, stride: int, *, grouped: bool
) -> Feature:
    """Bilinear interpolation: windows twice as large as the stride, class by class."""
    classes = bottom.channels
    return builder.deconvolution(
        bottom, name, classes, 2 * stride, stride, filled("bilinear") if grouped else {},
        group=classes if grouped else 1, bias=False, fixed=True,
    )  # fmt: skip


def _fuse(
    builder: Builder, scores: Feature, pool: Feature, skip: Skip, *, at_once: bool
) -> Feature:
    """The sum of scores and of those of an earlier pooling, cut to their size."""
    name = skip.pool
    bottom = pool
    if at_once:
        # the skips learn from the start, at the size that the scores of the deepest layer have
        scaled = builder.net[f"scale_{name}"] = L.Scale(
            pool.top, filler={"type": "constant", "value": skip.scale}, param={"lr_mult": 0}
        )
        bottom = pool._replace(top=scaled)
    fine = builder.convolution(bottom, f"score_{name}", scores.channels, 1, _ZERO)
    fine = builder.crop(fine, scores, f"score_{name}c", skip.offset)
    return builder.add(f"fuse_{name}", scores, fine)


def _recipe(base_lr: float) -> TrainingRecipe:
    return TrainingRecipe(
        source="shelhamer/fcn.berkeleyvision.org, the nets' own solvers",
        batch=1, test_images=736,
        base_lr=base_lr, lr_policy="fixed", policy={},
        max_iter=100000, weight_decay=5e-4, momentum=0.99,
        test_interval=4000, test_initialization=False, average_loss=20, snapshot=4000,
        notes=("32s and 8s-atonce go on from VGG-16's caffemodel, 16s from 32s, and 8s from 16s.",),
    )  # fmt: skip


ARCHITECTURE = Architecture(
    name="fcn",
    title="FCN",
    paper=_PAPER,
    depths={"voc": Depths((16,), 16)},
    options=(
        Option("variant", "How many pixels apart the scores are; 8s-atonce trains all skips from "
               "the start.", "32s", tuple(VARIANTS)),
        Option("upsampling", "Interpolation of a group a class, which has a filler, or of the shape "
               "of the published caffemodels.", "grouped", UPSAMPLING),
        *pixel_options(21, 500, "data layers, fillers and a loss"),
    ),
    build=fcn,
    recipes={"32s": _recipe(1e-10), "16s": _recipe(1e-12), "8s": _recipe(1e-14),
             "8s-atonce": _recipe(1e-10)},
)  # fmt: skip

sys.modules[__name__].__class__ = CallableFamily
