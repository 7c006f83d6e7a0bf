"""PSPNet: Zhao, Shi, Qi, Wang, Jia, "Pyramid Scene Parsing Network" (2016).

A ResNet whose last two stages are dilated instead of halved, and over its result averages of 1, 2,
3 and 6 parts a side, each squeezed, enlarged again and laid beside it: the nets that the authors
published for their Caffe (hszhao/PSPNet), under their layer names, so that their caffemodels load.
Interp, which enlarges, takes a Caffe that has it; the BN of that Caffe may be BVLC's BatchNorm and
Scale instead.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

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
    check_depth,
    whole_number,
)
from .dataset import Images
from .published import Builder, Norms, filled
from .recipe import TrainingRecipe
from .segmentation import add_pixel_data, pixel_options

__all__ = ["ARCHITECTURE", "pspnet"]


class Scenes(NamedTuple):
    """A dataset's net: its name, its classes, the size of its images, and the usual depth."""

    title: str
    classes: int
    input_size: int
    depth: int
    max_iter: int


class Stage(NamedTuple):
    """What a stage's blocks have in common: the stride of its first, and its dilation."""

    stride: int
    dilation: int


# sections 4 and 5
DATASETS = {
    "ade20k": Scenes("ADE20K", 150, 473, 50, 150000),
    "voc2012": Scenes("VOC2012", 21, 473, 101, 30000),
    "cityscapes": Scenes("cityscapes", 19, 713, 101, 90000),
}
# the blocks of each stage, all bottlenecks
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
# the published net of 50 layers halves the size in the 1x1 convolution, that of 101 in the 3x3
_STRIDE_IN_1X1 = 50
STAGES = (Stage(1, 1), Stage(2, 1), Stage(1, 2), Stage(1, 4))
STEM = (64, 64, 128)
WIDTHS = (64, 128, 256, 512)
# section 3.2: parts a side, and the channels that each of the four is squeezed to
BINS, SQUEEZED = (1, 2, 3, 6), 512
NORMS = ("bn", "batch_norm")
# section 3.3: how much the loss at the end of the third stage counts, and its channels
AUXILIARY, AUXILIARY_WIDTH = 0.4, 256
_IGNORED = 255
_SHRUNK = 8

_PAPER = (
    "H. Zhao, J. Shi, X. Qi, X. Wang, J. Jia: Pyramid Scene Parsing Network. CVPR 2017, "
    "arXiv:1612.01105"
)
_FILLERS = filled("msra")
_RATES = ({"lr_mult": 1, "decay_mult": 1},)
# section 5.1: what is added to the ResNet learns ten times as fast
_FAST = ({"lr_mult": 10, "decay_mult": 1}, {"lr_mult": 20, "decay_mult": 1})


def pspnet(
    depth: int | None = None,
    dataset: str = "ade20k",
    norm: str = "bn",
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """The PSPNet of a dataset, on a ResNet of 50 or 101 layers; classes and sizes are the dataset's.

    Images are 48 n - 7 pixels a side, so that the result divides into 1, 2, 3 and 6 parts.
    `train_val` has data layers, fillers and the paper's two losses, of which one is at the end of
    the third stage; `deploy` an Input, and ends in `conv6_interp`, the scores of every pixel.
    """
    check_choice("dataset", dataset, DATASETS)
    check_choice("norm", norm, NORMS)
    facts = DATASETS[dataset]
    depth = whole_number("depth", depth, facts.depth)
    check_depth("PSPNet", depth, BLOCKS)
    size = whole_number("input size", input_size, facts.input_size)
    _check_size(size)
    images = Images(
        facts.classes, size, 16, 1, f"examples/{dataset}/train_lmdb", f"examples/{dataset}/val_lmdb",
        {"mean_value": [103.939, 116.779, 123.68]}, crop=False, mirror=False,
    )  # fmt: skip
    builder = Builder(
        f"pspnet{depth}_{facts.title}_{size}", phase, images, batch, size,
        rates=_RATES, data=data, norms=_norms(phase),
    )  # fmt: skip
    number = whole_number("number of classes", classes, facts.classes)
    net = _Net(builder, norm, stride_in_1x1=depth == _STRIDE_IN_1X1)
    feature = net.stem(add_pixel_data(builder, size))
    for index, (blocks, width, stage) in enumerate(
        zip(BLOCKS[depth], WIDTHS, STAGES, strict=True), 2
    ):
        if index == len(STAGES) + 1 and phase != "deploy":
            net.auxiliary(feature, number)
        for block in range(1, blocks + 1):
            feature = net.block(feature, f"conv{index}_{block}", width, stage, first=block == 1)
    name = f"conv{len(STAGES) + 1}"
    feature = net.pyramid(feature, f"{name}_{BLOCKS[depth][-1]}")
    net.classify(feature, f"{name}_{BLOCKS[depth][-1] + 1}", "conv6", number, SQUEEZED)
    if phase != "deploy":
        net.losses()
    return builder.net


def _check_size(size: int) -> None:
    """Refuse a size whose result can't be divided into six parts a side."""
    step = BINS[-1] * _SHRUNK
    if (size + _SHRUNK - 1) % step:
        below = max(1, (size + _SHRUNK - 1) // step)
        near = [parts * step - _SHRUNK + 1 for parts in (below, below + 1)]
        raise ZooError(
            f"{size}x{size} shrinks to a map that does not divide into 6 parts a side; the nearest "
            f"sizes are {near[0]} and {near[1]}"
        )


def _norms(phase: str) -> Norms:
    statistics: dict[str, Any] = {"param": [{"lr_mult": 0, "decay_mult": 0}] * 3}
    if phase == "deploy":
        statistics["use_global_stats"] = True
    return Norms(statistics, {"param": [{"lr_mult": 1, "decay_mult": 0}] * 2})


class _Net:
    """The builder with what PSPNet is made of."""

    def __init__(self, builder: Builder, norm: str, *, stride_in_1x1: bool) -> None:
        self.builder = builder
        self.norm = norm
        self.stride_in_1x1 = stride_in_1x1
        self.speed = 1

    def unit(
        self,
        bottom: Feature,
        name: str,
        num_output: int,
        kernel_size: int = 1,
        *,
        stride: int = 1,
        dilation: int = 1,
        relu: bool = True,
    ) -> Feature:
        """A convolution without bias, what normalises it, and perhaps a ReLU in place."""
        feature = self.builder.convolution(
            bottom, name, num_output, kernel_size, _FILLERS,
            stride=stride, pad=dilation * (kernel_size // 2), dilation=dilation, bias=False,
        )  # fmt: skip
        rectified = f"{name}/relu" if relu else ""
        if self.norm == "batch_norm":
            return self.builder.batch_norm(
                feature, f"{name}/bn", f"{name}/bn/scale", relu=rectified
            )  # fmt: skip
        learned = {"lr_mult": self.speed, "decay_mult": 0}
        fields: dict[str, Any] = {
            "slope_filler": {"type": "constant", "value": 1},
            "bias_filler": {"type": "constant", "value": 0},
            "momentum": 0.95,
        }  # fmt: skip
        if self.builder.phase == "deploy":
            fields["frozen"] = True
        top = self.builder.net[f"{name}/bn"] = L.BN(
            feature.top, in_place=True, bn_param=fields,
            param=[learned, learned, *[{"lr_mult": 0, "decay_mult": 0}] * 2],
        )  # fmt: skip
        return feature._replace(top=self.builder.relu(top, rectified) if relu else top)

    def stem(self, images: Feature) -> Feature:
        """Three 3x3 convolutions in place of ResNet's 7x7, and a pooling."""
        feature = self.unit(images, "conv1_1_3x3_s2", STEM[0], 3, stride=2)
        for index, width in enumerate(STEM[1:], 2):
            feature = self.unit(feature, f"conv1_{index}_3x3", width, 3)
        return self.builder.pool(feature, "pool1_3x3_s2", 3, 2, pad=1)

    def block(
        self, bottom: Feature, name: str, width: int, stage: Stage, *, first: bool
    ) -> Feature:
        """A bottleneck, and its shortcut, a 1x1 convolution in the first of a stage."""
        stride = stage.stride if first else 1
        strides = (stride, 1) if self.stride_in_1x1 else (1, stride)
        main = self.unit(bottom, f"{name}_1x1_reduce", width, stride=strides[0])
        main = self.unit(
            main, f"{name}_3x3", width, 3, stride=strides[1], dilation=stage.dilation
        )  # fmt: skip
        main = self.unit(main, f"{name}_1x1_increase", 4 * width, relu=False)
        shortcut = bottom
        if first:
            shortcut = self.unit(
                bottom, f"{name}_1x1_proj", 4 * width, stride=stride, relu=False
            )  # fmt: skip
        feature = self.builder.add(name, shortcut, main)
        return feature._replace(top=self.builder.relu(feature.top, f"{name}/relu"))

    def pyramid(self, bottom: Feature, name: str) -> Feature:
        """The blob beside its averages over ever smaller parts, each as large as the blob again."""
        self._hasten()
        levels = []
        for bins in BINS:
            part = bottom.size // bins
            pooled = self.builder.pool(bottom, f"{name}_pool{bins}", part, part, method="AVE")
            squeezed = self.unit(pooled, f"{name}_pool{bins}_conv", SQUEEZED)
            top = self.builder.net[f"{name}_pool{bins}_interp"] = L.Interp(
                squeezed.top, interp_param={"height": bottom.size, "width": bottom.size}
            )
            levels.append(Feature(top, SQUEEZED, bottom.size))
        return self.builder.concat(f"{name}_concat", bottom, *reversed(levels))

    def classify(
        self, bottom: Feature, name: str, scores: str, classes: int, width: int
    ) -> Feature:
        """A convolution, and the scores of every class, enlarged to the size of the image."""
        feature = self.unit(bottom, name, width, 3)
        feature = self.builder.dropout(feature, f"{name}/dropout", 0.1)
        found = self.builder.convolution(feature, scores, classes, 1, _FILLERS)
        size = _SHRUNK * (found.size - 1) + 1
        top = self.builder.net[f"{scores}_interp"] = L.Interp(
            found.top, interp_param={"zoom_factor": _SHRUNK}
        )
        return Feature(top, classes, size)

    def auxiliary(self, bottom: Feature, classes: int) -> None:
        """The scores of the third stage, which are there for their loss alone."""
        rates = self.builder.rates
        self._hasten()
        self.classify(bottom, "conv4_aux", "conv4_aux_score", classes, AUXILIARY_WIDTH)
        self.builder.rates, self.speed = rates, 1

    def losses(self) -> None:
        """Both losses, and in TEST the share of pixels whose class is right."""
        net, ignored = self.builder.net, {"ignore_label": _IGNORED}
        for name, scores, weight in (
            ("loss", "conv6_interp", {}),
            ("loss_aux", "conv4_aux_score_interp", {"loss_weight": AUXILIARY}),
        ):
            net[name] = L.SoftmaxWithLoss(net[scores], net.label, loss_param=ignored, **weight)
        net.accuracy = L.Accuracy(
            net.conv6_interp, net.label, include={"phase": "TEST"}, **ignored
        )  # fmt: skip

    def _hasten(self) -> None:
        self.builder.rates, self.speed = _FAST, 10


def _recipe(facts: Scenes) -> TrainingRecipe:
    return TrainingRecipe(
        source="Zhao et al. 2017, section 5.1",
        batch=16, test_images=2000,
        base_lr=0.01, lr_policy="poly", policy={"power": 0.9},
        max_iter=facts.max_iter, weight_decay=1e-4, momentum=0.9,
        test_interval=5000, test_initialization=False, average_loss=20, snapshot=10000,
        notes=("The ResNet goes on from a caffemodel trained on ImageNet.",),
    )  # fmt: skip


ARCHITECTURE = Architecture(
    name="pspnet",
    title="PSPNet",
    paper=_PAPER,
    depths={"ade20k": Depths((50, 101), 50), "voc2012": Depths((101,), 101),
            "cityscapes": Depths((101,), 101)},
    options=(
        Option("depth", "Layers of the ResNet: 50 for ADE20K, 101 for the others, unless given."),
        Option("dataset", "Which dataset the net is for.", "ade20k", tuple(DATASETS)),
        Option("norm", "The BN of the authors' Caffe, or BVLC's BatchNorm and Scale.", "bn", NORMS),
        *(
            option._replace(help={
                "classes": "Number of classes (150, 21 or 19, as the dataset has).",
                "input_size": "Height and width of the images, 48 n - 7 (473; for Cityscapes 713).",
                "batch": "Images in a batch (1; in train_val 16).",
            }.get(option.name, option.help))
            for option in pixel_options(150, 473, "data layers, fillers and losses")
        ),
    ),
    build=pspnet,
    recipes={name: _recipe(facts) for name, facts in DATASETS.items()},
)  # fmt: skip

sys.modules[__name__].__class__ = CallableFamily
