"""`transform_param`: what the data layers do to an image before the net sees it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from caffegen.errors import CaffegenError
from caffegen.layer_types.data import Data, ImageData, WindowData
from caffegen.pytorch.mean import mean_per_channel, read_mean

__all__ = ["Transform"]

Array = np.ndarray[Any, Any]


class Transform:
    """Mean, crop, scale and mirror, in Caffe's order (data_transformer.cpp, Transform).

    The mean is subtracted where the pixel stands in the whole image, so that a mean image is cut as
    the image is; a crop is random in TRAIN and central in TEST; the rest is scaled, then mirrored
    left to right in every second case, in both phases.
    """

    def __init__(
        self, definition: Data | ImageData | WindowData, root: str | os.PathLike[str] = "."
    ) -> None:
        self.layer = definition.name
        self.train = definition.phase == "TRAIN"
        self.crop_size = definition.crop_size
        self.mirror = definition.mirror
        self.scale = definition.scale
        self.mean_values = definition.mean_values
        self.mean: Array | None = None
        if definition.mean_file:
            self.mean = read_mean(os.path.join(os.fspath(root), definition.mean_file))

    def __call__(self, image: Array, rng: np.random.Generator, where: str = "") -> Array:
        """C x H x W of any type to float32; `where` names the image in a refusal."""
        height, width = image.shape[1:]
        mean = self.mean_for(image, where)
        if self.crop_size:
            size = self.crop_size
            if min(height, width) < size:
                raise self.fault(
                    f"`crop_size` ({size}) is above the image of {height} x {width}", where
                )
            if self.train:
                top, left = (int(rng.integers(side - size + 1)) for side in (height, width))
            else:
                top, left = (height - size) // 2, (width - size) // 2
            window = (slice(None), slice(top, top + size), slice(left, left + size))
            image = image[window]
            if mean is not None and mean.shape[1:] != (1, 1):
                mean = mean[window]
        values: Array = image.astype(np.float32)
        if mean is not None:
            values -= mean
        values *= np.float32(self.scale)
        if self.mirror and rng.integers(2):
            values = values[:, :, ::-1]
        return values

    def mean_for(self, image: Array, where: str) -> Array | None:
        """The mean of an image of this shape: C x H x W or C x 1 x 1."""
        if self.mean is None:
            if not self.mean_values:
                return None
            return mean_per_channel(self.mean_values, image.shape[0])
        if self.mean.shape != image.shape:
            shapes = (" x ".join(map(str, shape)) for shape in (self.mean.shape, image.shape))
            raise self.fault("the mean image is {}, the image {}".format(*shapes), where)
        return self.mean

    def fault(self, sentence: str, where: str) -> CaffegenError:
        """A refusal that names the layer and the image."""
        place = f" (`{where}`)" if where else ""
        return CaffegenError(f"layer `{self.layer}`: {sentence}{place}")
