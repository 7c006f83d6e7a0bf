"""What the datasets of all data layers share: the source, the order of items, randomness."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from caffegen.errors import CaffegenError, FileError, unreadable
from caffegen.layer_types.data import Data, HDF5Data, ImageData, WindowData

__all__ = ["LayerDataset", "read_lines", "to_tensors"]

Item = dict[str, Tensor]


class LayerDataset(Dataset[Item]):
    """The items of one data layer, each `{top: tensor}`; labels are float32, as Caffe's are."""

    #: how many items `order` arranges, and whether it shuffles them
    shuffle = False
    rand_skip = 0

    def __init__(
        self,
        definition: Data | HDF5Data | ImageData | WindowData,
        root: str | os.PathLike[str] = ".",
        seed: int = 0,
    ) -> None:
        if seed < 0:
            raise CaffegenError(f"the seed is {seed}; a seed is not below 0")
        self.name = definition.name
        self.tops: tuple[str, ...] = tuple(definition.layer.top)
        self.batch_size = definition.batch_size
        self.root = os.fspath(root)
        self.source = os.path.join(self.root, definition.source)
        self.seed = seed
        self.epoch = 0
        self._order: np.ndarray[Any, Any] | None = None

    def set_epoch(self, epoch: int) -> None:
        """Choose anew what is chosen at random, for another pass over the data.

        Worker processes that outlive a pass (`persistent_workers`) don't hear of it.
        """
        self.epoch = epoch
        self._order = None

    def generator(self, index: int) -> np.random.Generator:
        """The random numbers of one item in this epoch."""
        return np.random.default_rng((self.seed, self.epoch, index))

    def place(self, index: int, number: int) -> int:
        """Where in the file the item with this index stands.

        `rand_skip` moves the beginning by fewer items than it says; `shuffle` mixes them anew in
        each epoch. A negative index counts from the end.
        """
        if not -number <= index < number:
            raise IndexError(f"item {index} of {number}")
        index %= number
        if self.shuffle:
            if self._order is None:
                rng = np.random.default_rng((self.seed, self.epoch))
                self._order = rng.permutation(number)
            return int(self._order[(index + self.skipped) % number])
        return (index + self.skipped) % number

    @property
    def skipped(self) -> int:
        """How many items are left out at the beginning; they come at the end of the pass."""
        if not self.rand_skip:
            return 0
        # with a number behind the seed of its own, or it would follow the order of the first epoch
        return int(np.random.default_rng((self.seed, 0, 0, 1)).integers(self.rand_skip))

    def fault(self, sentence: str) -> CaffegenError:
        """A refusal that names the layer; the caller raises it."""
        return CaffegenError(f"layer `{self.name}`: {sentence}")


def read_lines(path: str) -> list[str]:
    """The lines of a list file, the empty ones at its end left out."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().split("\n")
    except OSError as error:
        raise unreadable(path, error) from None
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise FileError(path, "it is empty")
    return [line.rstrip("\r") for line in lines]


def to_tensors(tops: Iterable[str], values: Iterable[Any]) -> Item:
    """Blobs by name, float32; fewer tops than values leave the last ones out."""
    return {
        top: torch.from_numpy(np.array(value, np.float32))
        for top, value in zip(tops, values, strict=False)
    }
