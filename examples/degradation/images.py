"""Images to train on: scikit-learn's digits, or CIFAR-10 from a folder, as two sets of tensors."""

from __future__ import annotations

import os
import pickle
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor

__all__ = ["DataError", "Images", "load_cifar10", "load_digits"]

# the last 500 of the 1,797 digits: they were written by other hands than the first
_TEST_DIGITS = 500
_SIDE = 32
_RECORD = 3 * _SIDE * _SIDE


class DataError(Exception):
    """A folder that holds no CIFAR-10; the text says what is missing."""


class Images(NamedTuple):
    """Training and test images (N x 3 x S x S, zero mean over the training set) and their labels.

    `pad` is how far a training image is shifted at most, `mirror` whether it may be mirrored.
    """

    title: str
    classes: int
    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    pad: int
    mirror: bool

    @property
    def size(self) -> int:
        """Height and width."""
        return int(self.train.shape[-1])

    def to(self, device: torch.device) -> Images:
        """The same on another device."""
        return self._replace(
            train=self.train.to(device), train_labels=self.train_labels.to(device),
            test=self.test.to(device), test_labels=self.test_labels.to(device),
        )  # fmt: skip

    def batch(self, indices: Tensor, shifts: Tensor, mirrored: Tensor) -> tuple[Tensor, Tensor]:
        """Training images, each shifted by its (row, column) of `shifts` and mirrored or not.

        Shifting by up to `pad` is a random crop of the image padded by `pad` zeros a side
        (He et al. 2015, section 4.2).
        """
        images = self.train[indices]
        if self.mirror:
            images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        if self.pad:
            padded = torch.nn.functional.pad(images, [self.pad] * 4)
            here = torch.arange(self.size, device=images.device)
            rows = (shifts[:, 0, None] + here)[:, None, :, None]
            columns = (shifts[:, 1, None] + here)[:, None, None, :]
            items = torch.arange(len(images), device=images.device)[:, None, None, None]
            channels = torch.arange(3, device=images.device)[None, :, None, None]
            images = padded[items, channels, rows, columns]
        return images, self.train_labels[indices]


def load_digits() -> Images:
    """The 1,797 handwritten digits of 8x8 pixels that come with scikit-learn, as grey RGB images.

    They are shifted by up to a pixel and never mirrored: a mirrored digit is none.
    """
    found = datasets.load_digits()
    images = torch.from_numpy(found.images.astype(np.float32)).unsqueeze(1).expand(-1, 3, -1, -1)
    labels = torch.from_numpy(found.target.astype(np.int64))
    return _images("digits", 10, images, labels, len(labels) - _TEST_DIGITS, pad=1, mirror=False)


def load_cifar10(folder: str) -> Images:
    """CIFAR-10 from the folder that its archive unpacks to; better the binary version's.

    The Python version's files are pickles, which could hold anything; they are read by a reader
    that makes NumPy arrays and refuses all else.
    """
    parts = [[f"data_batch_{number}" for number in range(1, 6)], ["test_batch"]]
    for suffix, read in ((".bin", _read_binary), ("", _read_pickle)):
        paths = [[os.path.join(folder, name + suffix) for name in names] for names in parts]
        if all(os.path.isfile(path) for names in paths for path in names):
            sets = [[read(path) for path in names] for names in paths]
            break
    else:
        raise DataError(
            f"`{folder}` holds no CIFAR-10: neither data_batch_1.bin to data_batch_5.bin and "
            f"test_batch.bin (the binary version) nor the same without .bin (the Python version)"
        )
    pixels = np.concatenate([images for found in sets for images, _ in found])
    labels = np.concatenate([labels for found in sets for _, labels in found])
    images = torch.from_numpy(pixels.reshape(-1, 3, _SIDE, _SIDE).astype(np.float32))
    train = sum(len(labels) for _, labels in sets[0])
    return _images(
        "CIFAR-10", 10, images, torch.from_numpy(labels.astype(np.int64)), train,
        pad=4, mirror=True,
    )  # fmt: skip


def _images(
    title: str, classes: int, images: Tensor, labels: Tensor, train: int, *, pad: int, mirror: bool
) -> Images:
    """The first `train` images to train on, the others to test; the mean image is subtracted.

    All are divided by one number, the standard deviation of the training set.
    """
    images = images - images[:train].mean(0)
    images = images / images[:train].std()
    return Images(
        title, classes, images[:train].contiguous(), labels[:train],
        images[train:].contiguous(), labels[train:], pad, mirror,
    )  # fmt: skip


def _read_binary(path: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Records of a label and 3,072 pixels, a byte each."""
    values = np.fromfile(path, np.uint8)
    if len(values) % (1 + _RECORD) or not len(values):
        raise DataError(f"`{path}` has {len(values)} bytes, no multiple of {1 + _RECORD}")
    records = values.reshape(-1, 1 + _RECORD)
    return records[:, 1:], records[:, 0]


def _read_pickle(path: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    with open(path, "rb") as file:
        try:
            found = _ArraysOnly(file, encoding="bytes").load()
            return found[b"data"], np.array(found[b"labels"])
        except (pickle.UnpicklingError, KeyError, TypeError, EOFError) as error:
            raise DataError(f"`{path}` is no batch of CIFAR-10: {error}") from None


class _ArraysOnly(pickle.Unpickler):
    """Makes NumPy arrays of a pickle, and nothing else."""

    _ALLOWED = frozenset({
        ("_codecs", "encode"),  # how Python 3 pickles bytes for Python 2
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "_reconstruct"),
    })  # fmt: skip

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it holds `{module}.{name}`, and only arrays are read")
        return super().find_class(module, name)
