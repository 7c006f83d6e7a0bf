"""The ends of a network: data layers and losses to train with, an input and a softmax to deploy."""

from __future__ import annotations

from typing import NamedTuple

from caffegen.dsl import NetSpec, Top
from caffegen.dsl import layers as L  # noqa: N812
from caffegen.dsl.blocks import Feature

from .architecture import whole_number

__all__ = ["DATASETS", "PHASES", "Dataset", "add_data", "add_head", "batch_size"]

PHASES = ("deploy", "train_val")


class Dataset(NamedTuple):
    """What the papers trained on: images, classes, batches, and where Caffe's own scripts put them.

    `train_batch` is the paper's mini-batch, `test_batch` divides the test images. `folder` holds
    the LMDBs, `mean` is the per-pixel mean that the papers subtract.
    """

    title: str
    classes: int
    input_size: int
    train_batch: int
    test_batch: int
    train_source: str
    test_source: str
    mean_file: str


DATASETS = {
    "imagenet": Dataset(
        "ImageNet", 1000, 224, 256, 50,
        "examples/imagenet/ilsvrc12_train_lmdb", "examples/imagenet/ilsvrc12_val_lmdb",
        "data/ilsvrc12/imagenet_mean.binaryproto",
    ),
    # LMDBs of images padded by 4 pixels a side, to 40x40: a random crop of 32x32 trains, the middle
    # one, which is the image itself, tests (He et al. 2015, section 4.2)
    "cifar10": Dataset(
        "CIFAR-10", 10, 32, 128, 100,
        "examples/cifar10/cifar10_train_lmdb", "examples/cifar10/cifar10_test_lmdb",
        "examples/cifar10/mean.binaryproto",
    ),
    "cifar100": Dataset(
        "CIFAR-100", 100, 32, 128, 100,
        "examples/cifar100/cifar100_train_lmdb", "examples/cifar100/cifar100_test_lmdb",
        "examples/cifar100/mean.binaryproto",
    ),
}  # fmt: skip


def batch_size(dataset: Dataset, phase: str, batch: int | None) -> int:
    """The images of the largest batch, unless given: one in deploy, the paper's to train with."""
    return whole_number("batch", batch, 1 if phase == "deploy" else dataset.train_batch)


def add_data(
    net: NetSpec, dataset: Dataset, phase: str, batch: int | None, input_size: int
) -> Feature:
    """Input in deploy; in train_val one Data layer a phase, which both give `data` and `label`."""
    largest = batch_size(dataset, phase, batch)
    if phase == "deploy":
        net.data = L.Input(shape={"dim": [largest, 3, input_size, input_size]})
        return Feature(net.data, 3, input_size)
    transform = {"crop_size": input_size, "mean_file": dataset.mean_file}
    net.data, net.label = L.Data(
        ntop=2,
        include={"phase": "TRAIN"},
        transform_param={"mirror": True, **transform},
        source=dataset.train_source,
        batch_size=largest,
        backend="LMDB",
    )
    # a second layer of the same name with the same tops; nothing reads it as a Top
    net.test_data = L.Data(
        ntop=0,
        name="data",
        top=["data", "label"],
        include={"phase": "TEST"},
        transform_param=transform,
        source=dataset.test_source,
        batch_size=batch or dataset.test_batch,
        backend="LMDB",
    )
    return Feature(net.data, 3, input_size)


def add_head(net: NetSpec, scores: Top, phase: str, classes: int) -> None:
    """Softmax in deploy; in train_val the loss and, in TEST, the top-1 and top-5 accuracy."""
    if phase == "deploy":
        net.prob = L.Softmax(scores)
        return
    net.loss = L.SoftmaxWithLoss(scores, net.label)
    net.accuracy_top1 = L.Accuracy(scores, net.label, include={"phase": "TEST"})
    # among five classes or fewer the top five are always right
    if classes > 5:
        net.accuracy_top5 = L.Accuracy(scores, net.label, top_k=5, include={"phase": "TEST"})
