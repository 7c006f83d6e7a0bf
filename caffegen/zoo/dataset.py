"""The ends of a network: layers of data and losses to train with, an input and a softmax to deploy.

A net is trained from an LMDB, from image files, from HDF5 files, or from blobs that the caller fills.
Image files and LMDBs are cropped and mirrored by Caffe, as the papers do; HDF5Data and Input
transform nothing, so what they are given must be of the net's size already.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from caffegen.dsl import NetSpec, Top
from caffegen.dsl import layers as L  # noqa: N812
from caffegen.dsl.blocks import Feature

from .architecture import Option, ZooError, check_choice, whole_number

__all__ = [
    "DATA",
    "DATASETS",
    "DATA_NOTES",
    "DATA_OPTIONS",
    "PHASES",
    "Dataset",
    "Images",
    "add_data",
    "add_data_layers",
    "add_head",
    "batch_size",
    "check_deployed",
    "data_options",
]

PHASES = ("deploy", "train_val")
DATA = ("lmdb", "imagedata", "hdf5", "input")
# what stands above a net whose data Caffe leaves as they are
DATA_NOTES = {
    "hdf5": "# HDF5Data takes no transform_param: mean, crops and mirror images are for whoever "
            "writes the files.\n",
    "input": "# The caller fills data and label; mean, crops and mirror images are for the caller.\n",
}  # fmt: skip


class Images(NamedTuple):
    """The images of a net: classes, size, batches to train and to test with, and their LMDBs.

    `transform` is what both phases do with an image, besides cutting it to its size if `crop`.
    Image files stand in `train_list` and `test_list`, which lie beside the LMDBs unless given, and
    are scaled to `resize` pixels a side before the crop; 0 leaves them as they are.
    """

    classes: int
    input_size: int
    train_batch: int
    test_batch: int
    train_source: str
    test_source: str
    transform: Mapping[str, Any]
    crop: bool = True
    mirror: bool = True
    channels: int = 3
    layer: str = "data"
    train_list: str = ""
    test_list: str = ""
    resize: int = 256


class Dataset(NamedTuple):
    """What the papers trained on: images, classes, batches, and where Caffe's own scripts put them.

    `train_batch` is the paper's mini-batch, `test_batch` divides the test images, which are
    `test_images`. `train_source` and `test_source` are the LMDBs, `mean_file` is the per-pixel mean
    that the papers subtract.
    """

    title: str
    classes: int
    input_size: int
    train_batch: int
    test_batch: int
    train_source: str
    test_source: str
    mean_file: str
    test_images: int
    train_list: str
    test_list: str
    resize: int = 0

    @property
    def images(self) -> Images:
        """The images as data layers read them."""
        return Images(
            self.classes, self.input_size, self.train_batch, self.test_batch,
            self.train_source, self.test_source, {"mean_file": self.mean_file},
            train_list=self.train_list, test_list=self.test_list, resize=self.resize,
        )  # fmt: skip


DATASETS = {
    "imagenet": Dataset(
        "ImageNet", 1000, 224, 256, 50,
        "examples/imagenet/ilsvrc12_train_lmdb", "examples/imagenet/ilsvrc12_val_lmdb",
        "data/ilsvrc12/imagenet_mean.binaryproto",
        50000, "data/ilsvrc12/train.txt", "data/ilsvrc12/val.txt", resize=256,
    ),
    # images padded by 4 pixels a side, to 40x40: a random crop of 32x32 trains, the middle one,
    # which is the image itself, tests (He et al. 2015, section 4.2)
    "cifar10": Dataset(
        "CIFAR-10", 10, 32, 128, 100,
        "examples/cifar10/cifar10_train_lmdb", "examples/cifar10/cifar10_test_lmdb",
        "examples/cifar10/mean.binaryproto",
        10000, "data/cifar10/train.txt", "data/cifar10/test.txt",
    ),
    "cifar100": Dataset(
        "CIFAR-100", 100, 32, 128, 100,
        "examples/cifar100/cifar100_train_lmdb", "examples/cifar100/cifar100_test_lmdb",
        "examples/cifar100/mean.binaryproto",
        10000, "data/cifar100/train.txt", "data/cifar100/test.txt",
    ),
}  # fmt: skip


def data_options(
    classes: object, input_size: object, train_batch: object, ends: str = "data layers and a loss"
) -> tuple[Option, ...]:
    """The options that every family has: classes, input_size, batch, phase and data.

    The arguments are the usual values as the help tells them, and what the net ends in to train.
    """
    return (
        Option("classes", f"Number of classes ({classes})."),
        Option("input_size", f"Height and width of the images ({input_size})."),
        Option("batch", f"Images in a batch (1; in train_val {train_batch})."),
        Option("phase", f"An Input and a Softmax, or {ends}.", "deploy", PHASES),
        Option("data", "Where train_val reads: an LMDB, a list of image files, HDF5 files, which "
               "Caffe neither crops nor mirrors, or blobs that the caller fills.", "lmdb", DATA),
    )  # fmt: skip


# those of the families whose nets are for one of DATASETS
DATA_OPTIONS = data_options(
    "1000, 10 or 100, as the dataset has", "224; for CIFAR 32", "256, for CIFAR 128",
    "data layers, fillers and losses",
)  # fmt: skip


def batch_size(dataset: Dataset, phase: str, batch: int | None) -> int:
    """The images of the largest batch, unless given: one in deploy, the paper's to train with."""
    return whole_number("batch", batch, 1 if phase == "deploy" else dataset.train_batch)


def add_data(
    net: NetSpec,
    dataset: Dataset,
    phase: str,
    batch: int | None,
    input_size: int,
    data: str = "lmdb",
) -> Feature:
    """Input in deploy; in train_val one data layer a phase, which both give `data` and `label`."""
    largest = batch_size(dataset, phase, batch)
    batches = largest, batch or dataset.test_batch
    return add_data_layers(net, dataset.images, phase, data, batches, input_size)


def add_data_layers(
    net: NetSpec, images: Images, phase: str, data: str, batches: tuple[int, int], input_size: int
) -> Feature:
    """The layers that `add_data` and a published net begin with; `batches` train and test."""
    check_choice("data", data, DATA)
    if phase == "deploy":
        check_deployed(data)
        shape = [batches[0], images.channels, input_size, input_size]
        net.data = L.Input(shape={"dim": shape})
        return Feature(net.data, images.channels, input_size)
    make = _LAYERS[data]
    net.data, net.label = make(
        images, input_size, batches[0], train=True,
        ntop=2, name=images.layer, include={"phase": "TRAIN"},
    )  # fmt: skip
    # a second layer of the same name with the same tops; nothing reads it as a Top
    net.test_data = make(
        images, input_size, batches[1], train=False,
        ntop=0, name=images.layer, top=["data", "label"], include={"phase": "TEST"},
    )  # fmt: skip
    return Feature(net.data, images.channels, input_size)


def check_deployed(data: str) -> None:
    """Refuse data for a net to deploy, but for the default."""
    if data != "lmdb":
        raise ZooError(
            f"a net to deploy reads an Input, no data `{data}`; that is for phase `train_val`"
        )


def _lmdb(images: Images, size: int, batch: int, *, train: bool, **layer: Any) -> Any:
    return L.Data(
        **layer,
        transform_param=_transform(images, size, train),
        source=images.train_source if train else images.test_source,
        batch_size=batch,
        backend="LMDB",
    )


def _image_files(images: Images, size: int, batch: int, *, train: bool, **layer: Any) -> Any:
    """A list of files and their labels; a data base is written in random order, a list is not.

    The list names files of the folder beside it that is called as it is.
    """
    listed = (images.train_list if train else images.test_list) or f"{_stem(images, train)}.txt"
    folder = listed.removesuffix(".txt") + "/"
    fields: dict[str, Any] = {"source": listed, "root_folder": folder, "batch_size": batch}
    if train:
        fields["shuffle"] = True
    scaled = _scaled(images, size)
    if scaled:
        fields |= {"new_height": scaled, "new_width": scaled}
    if images.channels == 1:
        fields["is_color"] = False
    return L.ImageData(**layer, transform_param=_transform(images, size, train), **fields)


def _hdf5(images: Images, size: int, batch: int, *, train: bool, **layer: Any) -> Any:  # noqa: ARG001
    """A list of HDF5 files with the data sets `data` and `label`, as they are."""
    source = _stem(images, train) + "_h5.txt"
    shuffled = {"shuffle": True} if train else {}
    return L.HDF5Data(**layer, source=source, batch_size=batch, **shuffled)


def _input(images: Images, size: int, batch: int, *, train: bool, **layer: Any) -> Any:  # noqa: ARG001
    data = {"dim": [batch, images.channels, size, size]}
    return L.Input(**layer, shape=[data, {"dim": [batch]}])


_LAYERS = {"lmdb": _lmdb, "imagedata": _image_files, "hdf5": _hdf5, "input": _input}


def _transform(images: Images, size: int, train: bool) -> dict[str, Any]:
    """What the papers do with an image; Caffe crops at random in TRAIN, the middle in TEST."""
    transform = {**images.transform, **({"crop_size": size} if images.crop else {})}
    return {**transform, **({"mirror": True} if images.mirror and train else {})}


def _scaled(images: Images, size: int) -> int:
    """The side that image files are scaled to: the papers' 256, more if the crop needs it."""
    if not images.crop:
        return size
    if not images.resize or size <= images.resize:
        return images.resize
    # as much more than the crop as 256 is more than 224
    return -(-size * 8 // 7)


def _stem(images: Images, train: bool) -> str:
    return (images.train_source if train else images.test_source).removesuffix("_lmdb")


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
