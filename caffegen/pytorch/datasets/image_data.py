"""ImageData: a list of image files and their labels."""

from __future__ import annotations

import os
import re

from caffegen.layer_types.data import ImageData
from caffegen.pytorch.images import read_image, resize

from .base import Item, LayerDataset, read_lines, to_tensors
from .transform import Transform

__all__ = ["ImageDataSet"]

_NUMBER = re.compile(r"\s*[+-]?\d+")


class ImageDataSet(LayerDataset):
    """Images and labels by a list of `path label` lines (image_data_layer.cpp).

    `root_folder` is put before each path as text; what is then still relative begins at `root`. The
    label is what stands behind the last space, 0 where that is no number, as atoi reads it.
    """

    def __init__(
        self, definition: ImageData, root: str | os.PathLike[str] = ".", seed: int = 0
    ) -> None:
        super().__init__(definition, root, seed)
        param = definition.layer.image_data_param
        self.transform = Transform(definition, root)
        self.color: bool = param.is_color
        self.size = definition.new_size
        self.shuffle = bool(param.shuffle)
        self.rand_skip = int(param.rand_skip)
        self.items: list[tuple[str, int]] = []
        for line in read_lines(self.source):
            path, space, word = line.rpartition(" ")
            if not space:
                path = line
            number = _NUMBER.match(word)
            path = os.path.join(self.root, definition.root_folder + path)
            self.items.append((path, int(number[0]) if number else 0))
        if self.skipped >= len(self.items):
            raise self.fault(
                f"`rand_skip` leaves out {self.skipped} images; `{self.source}` has "
                f"{len(self.items)}"
            )

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Item:
        path, label = self.items[self.place(index, len(self.items))]
        pixels = read_image(path, color=self.color)
        if all(self.size):
            pixels = resize(pixels, *self.size)
        image = self.transform(pixels.transpose(2, 0, 1), self.generator(index), path)
        return to_tensors(self.tops, (image, label))
