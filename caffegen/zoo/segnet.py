"""SegNet: Badrinarayanan, Kendall, Cipolla, "SegNet: A Deep Convolutional ..." (2015).

An encoder as VGG-16's convolutions, whose poolings keep where each maximum was, and a decoder that
puts values back to those places before it convolves them: the nets that the authors published for
their Caffe (alexgkendall/SegNet-Tutorial), under their layer names, so that their caffemodels load.
`basic` is the paper's small SegNet-Basic. Upsample and a pooling's mask take that Caffe; its BN,
which normalises and learns in one layer, may be BVLC's BatchNorm and Scale instead.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from caffegen.dsl import NetSpec
from caffegen.dsl import layers as L  # noqa: N812
from caffegen.dsl.blocks import Feature, pooled_size

from .architecture import (
    Architecture,
    CallableFamily,
    Depths,
    Option,
    ZooError,
    check_blob,
    check_choice,
    whole_number,
)
from .dataset import Images, check_deployed
from .published import RATES, Builder, filled
from .recipe import TrainingRecipe
from .segmentation import add_pixel_data, pixel_options
from .vgg import TABLE_1

__all__ = ["ARCHITECTURE", "segnet"]

VARIANTS = ("full", "basic")
NORMS = ("bn", "batch_norm")
# the convolutions of a stage, 3x3; the decoder has as many
STAGES = TABLE_1[16]
WIDTHS = (64, 128, 256, 512, 512)
# section 4.1: SegNet-Basic, 7x7 windows and 64 channels throughout
BASIC_STAGES, BASIC_WIDTH, BASIC_WINDOW = 4, 64, 7
# CamVid, as the authors scaled it
HEIGHT, WIDTH = 360, 480
# the median of the classes' shares of the pixels over each class's own (section 4.1): CamVid's
CAMVID_WEIGHTS = (
    0.2595, 0.1826, 4.5640, 0.1417, 0.9051, 0.3826, 9.6446, 1.8418, 0.6823, 6.2478, 7.3614,
)  # fmt: skip

_PAPER = (
    "V. Badrinarayanan, A. Kendall, R. Cipolla: SegNet: A Deep Convolutional Encoder-Decoder "
    "Architecture for Image Segmentation. PAMI 2017, arXiv:1511.00561"
)
_IMAGES = Images(
    len(CAMVID_WEIGHTS), WIDTH, 4, 1, "examples/camvid/train_lmdb", "examples/camvid/test_lmdb", {},
    crop=False, mirror=False, train_list="examples/camvid/train.txt",
    test_list="examples/camvid/test.txt",
)  # fmt: skip
_FILLERS = filled("msra", 0)
_BN_RATES = ({"lr_mult": 1, "decay_mult": 1}, {"lr_mult": 1, "decay_mult": 0})
_BN_FILLERS = {
    "scale_filler": {"type": "constant", "value": 1},
    "shift_filler": {"type": "constant", "value": 0.001},
}


def segnet(
    variant: str = "full",
    norm: str = "bn",
    classes: int | None = None,
    input_size: int | None = None,
    batch: int | None = None,
    phase: str = "deploy",
    data: str = "lmdb",
) -> NetSpec:
    """The SegNet of a variant; 11 classes and CamVid's images of 360x480 unless given.

    An `input_size` makes images square. `train_val` has data layers, a loss that weighs CamVid's
    classes by how rare they are, and accuracies; `deploy` an Input, and ends in `prob`, the Softmax
    of every pixel.
    """
    check_choice("variant", variant, VARIANTS)
    check_choice("norm", norm, NORMS)
    full = variant == "full"
    images = _IMAGES if full else _IMAGES._replace(train_batch=4)
    builder = Builder(
        "VGG_ILSVRC_16_layer" if full else "segnet", phase, images, batch, input_size,
        rates=RATES, data=data,
    )  # fmt: skip
    number = whole_number("number of classes", classes, images.classes)
    sides = (HEIGHT, WIDTH) if input_size is None else (builder.input_size,) * 2
    net = _Net(builder, norm, basic=not full)
    bottom = _images(builder, sides)
    scores = _full(net, bottom, sides, number) if full else _basic(net, bottom, sides, number)
    if phase == "deploy":
        builder.net.prob = L.Softmax(scores.top)
    else:
        _losses(builder, scores, number)
    return builder.net


class _Net:
    """The builder with what all of SegNet's stages are made of."""

    def __init__(self, builder: Builder, norm: str, *, basic: bool) -> None:
        self.builder = builder
        self.norm = norm
        self.basic = basic
        self.masks: list[Any] = []

    def unit(
        self, bottom: Feature, name: str, num_output: int, kernel_size: int = 3, *, relu: str = ""
    ) -> Feature:
        """A convolution that keeps the size, and what normalises it in place."""
        feature = self.builder.convolution(
            bottom, name, num_output, kernel_size, _FILLERS, pad=kernel_size // 2
        )
        net, label = self.builder.net, f"{name}_bn"
        if self.norm == "batch_norm":
            return self.builder.batch_norm(feature, label, f"{name}_scale", relu=relu)
        # statistics are folded into scale and shift before a net is deployed
        mode = {"bn_mode": "INFERENCE"} if self.builder.phase == "deploy" else {}
        rates = {} if self.basic else {"param": _BN_RATES}
        top = net[label] = L.BN(
            feature.top, in_place=True, bn_param={**mode, **_BN_FILLERS}, **rates
        )
        return feature._replace(top=self.builder.relu(top, relu) if relu else top)

    def pool(self, bottom: Feature, name: str) -> Feature:
        """A pooling by 2 that keeps where each maximum was."""
        net = self.builder.net
        top, mask = L.Pooling(bottom.top, ntop=2, name=name, pool="MAX", kernel_size=2, stride=2)
        net[name], net[f"{name}_mask"] = top, mask
        self.masks.append(mask)
        return Feature(top, bottom.channels, pooled_size(bottom.size, 2, 2, 0))

    def unpool(
        self, bottom: Feature, name: str, top: str, size: int, fields: Mapping[str, Any]
    ) -> Feature:
        """The values back at the places that the pooling of their stage took them from."""
        made = self.builder.net[top] = L.Upsample(
            bottom.top, self.masks.pop(), upsample_param={"scale": 2, **fields},
            **({"name": name} if name != top else {}),
        )  # fmt: skip
        return Feature(made, bottom.channels, size)


def _images(builder: Builder, sides: tuple[int, int]) -> Feature:
    """The images, and to train the label images, at sides that may differ."""
    net, images = builder.net, builder.images
    largest = max(sides)
    check_blob(builder.batch, WIDTHS[0], largest)
    if builder.phase == "deploy":
        check_deployed(builder.data_source)
        net.data = L.Input(shape={"dim": [builder.batch, images.channels, *sides]})
        return Feature(net.data, images.channels, largest)
    if builder.data_source == "input":
        for train, batch in ((True, builder.train_batch), (False, builder.test_batch)):
            shape = [{"dim": [batch, channels, *sides]} for channels in (images.channels, 1)]
            _both(builder, "Input", train=train, shape=shape)
    elif builder.data_source == "imagedata":
        for train, batch in ((True, builder.train_batch), (False, builder.test_batch)):
            fields = {"source": images.train_list if train else images.test_list,
                      "batch_size": batch, **({"shuffle": True} if train else {})}  # fmt: skip
            _both(builder, "DenseImageData", train=train, dense_image_data_param=fields)
    else:
        return add_pixel_data(builder, largest)._replace(size=largest)
    return Feature(net.data, images.channels, largest)


def _both(builder: Builder, kind: str, *, train: bool, **fields: Any) -> None:
    """A layer that gives `data` and `label` in one of the phases."""
    net, phase = builder.net, {"phase": "TRAIN" if train else "TEST"}
    make = getattr(L, kind)
    if train:
        net.data, net.label = make(ntop=2, name="data", include=phase, **fields)
    else:
        # a second layer of the same name with the same tops; nothing reads it as a Top
        net.test_data = make(
            ntop=0, name="data", top=["data", "label"], include=phase, **fields
        )  # fmt: skip


def _halved(sides: tuple[int, int]) -> tuple[int, int]:
    height, width = (pooled_size(side, 2, 2, 0) for side in sides)
    return height, width


def _full(net: _Net, bottom: Feature, sides: tuple[int, int], classes: int) -> Feature:
    """VGG-16's convolutions, and their mirror image."""
    feature = bottom
    levels = []
    for stage, (count, width) in enumerate(zip(STAGES, WIDTHS, strict=True), 1):
        for index in range(1, count + 1):
            name = f"{stage}_{index}"
            feature = net.unit(feature, f"conv{name}", width, relu=f"relu{name}")
        feature = net.pool(feature, f"pool{stage}")
        levels.append(sides)
        sides = _halved(sides)
    if min(levels[-1]) < 2:
        # Upsample takes no `upsample_h` below 2 (upsample_layer.cpp of the authors' Caffe)
        size = net.builder.input_size
        raise ZooError(
            f"an input of {size}x{size} is too small: `pool{len(STAGES)}` is given a single pixel, "
            "and what it halves must have two a side"
        )
    for stage in range(len(STAGES), 0, -1):
        height, width = levels.pop()
        # twice the size is one too many where it was odd
        odd = height % 2 or width % 2
        fields = {"upsample_h": height, "upsample_w": width} if odd else {}
        size = max(height, width)
        feature = net.unpool(feature, f"upsample{stage}", f"pool{stage}_D", size, fields)
        for index in range(STAGES[stage - 1], 0, -1):
            name = f"{stage}_{index}_D"
            if index == stage == 1:
                return net.builder.convolution(feature, f"conv{name}", classes, 3, _FILLERS, pad=1)
            num_output = WIDTHS[stage - 1] if index > 1 else WIDTHS[stage - 2]
            feature = net.unit(feature, f"conv{name}", num_output, relu=f"relu{name}")
    raise AssertionError("the first stage's last layer gives the scores")


def _basic(net: _Net, bottom: Feature, sides: tuple[int, int], classes: int) -> Feature:
    """Four stages of one layer each; the decoder has no ReLU."""
    builder = net.builder
    feature = builder.normalize(bottom, "norm")
    levels = []
    for stage in range(1, BASIC_STAGES + 1):
        feature = net.unit(feature, f"conv{stage}", BASIC_WIDTH, BASIC_WINDOW, relu=f"relu{stage}")
        feature = net.pool(feature, f"pool{stage}")
        levels.append(sides)
        sides = _halved(sides)
    for stage in range(BASIC_STAGES, 0, -1):
        height, width = levels.pop()
        fields = {
            f"pad_out_{axis}": True for axis, side in (("h", height), ("w", width)) if side % 2
        }
        name = f"upsample{stage}"
        feature = net.unpool(feature, name, name, max(height, width), fields)
        feature = net.unit(feature, f"conv_decode{stage}", BASIC_WIDTH, BASIC_WINDOW)
    return builder.convolution(feature, "conv_classifier", classes, 1, _FILLERS)


def _losses(builder: Builder, scores: Feature, classes: int) -> None:
    """The loss, in which rare classes count more, and the accuracy, of each class too."""
    net = builder.net
    loss: dict[str, Any] = {"ignore_label": classes}
    if classes == len(CAMVID_WEIGHTS):
        loss |= {"weight_by_label_freqs": True, "class_weighting": list(CAMVID_WEIGHTS)}
    net.loss = L.SoftmaxWithLoss(scores.top, net.label, loss_param=loss)
    net.accuracy, net.per_class_accuracy = L.Accuracy(
        scores.top, net.label, ntop=2, name="accuracy", include={"phase": "TEST"},
        ignore_label=classes,
    )  # fmt: skip


def _recipe(base_lr: float, max_iter: int) -> TrainingRecipe:
    return TrainingRecipe(
        source="alexgkendall/SegNet-Tutorial, the nets' own solvers",
        batch=4, test_images=233,
        base_lr=base_lr, lr_policy="fixed", policy={},
        max_iter=max_iter, weight_decay=5e-4, momentum=0.9,
        test_interval=1000, test_initialization=False, display=20, snapshot=1000,
        notes=(
            ("The full net's encoder goes on from VGG-16's caffemodel; its solver's rate, 0.001, is "
             "for that."),
            ("After training, the statistics of BN are computed over the images and folded into "
             "scale and shift, as the authors' compute_bn_statistics.py does."),
        ),
    )  # fmt: skip


ARCHITECTURE = Architecture(
    name="segnet",
    title="SegNet",
    paper=_PAPER,
    depths={"camvid": Depths((26,), 26)},
    options=(
        Option("variant", "The net on VGG-16, or SegNet-Basic.", "full", VARIANTS),
        Option("norm", "The BN of the authors' Caffe, or BVLC's BatchNorm and Scale.", "bn", NORMS),
        *(
            option._replace(help={
                "input_size": "Height and width of the images (360 and 480).",
                "batch": "Images in a batch (1; in train_val 4).",
                "data": "Where train_val reads: two LMDBs, of images and of label images, a list of "
                        "pairs of image files (DenseImageData), HDF5 files, or blobs that the caller "
                        "fills.",
            }.get(option.name, option.help))
            for option in pixel_options(11, WIDTH, "data layers, fillers and a loss")
        ),
    ),
    build=segnet,
    recipes={"full": _recipe(1e-3, 40000), "basic": _recipe(0.1, 10000)},
)  # fmt: skip

sys.modules[__name__].__class__ = CallableFamily
