"""From an image file to a net's input, as Caffe's classification example does it.

The image is read in BGR with values of 0 to 255, resized to the size of the input by OpenCV's
bilinear interpolation (the whole image, its proportions not kept), the mean is subtracted, and the
result is scaled: examples/cpp_classification/classification.cpp, Preprocess, and
python/caffe/io.py, Transformer. A mean image larger than the input is cut to its centre, as the
data layers do when they crop.

Weights that come from other frameworks want RGB, and a division by the deviation of each channel;
Caffe itself has neither.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from caffegen.errors import CaffegenError, FileError
from caffegen.layer_types import FED

from .images import read_image, resize
from .mean import centre, mean_per_channel, read_array, read_mean

if TYPE_CHECKING:
    from caffegen.loader import Net
    from caffegen.net import Value

__all__ = ["Preprocessing", "image_sizes", "only_input", "read_items", "unread_inputs"]

Array = np.ndarray[Any, Any]


class Preprocessing(NamedTuple):
    """What is done to an image: (pixels - mean) * scale / std, in BGR, or with `rgb` in RGB.

    `mean` is C x H x W or C x 1 x 1, `std` C x 1 x 1, both in the order of the net's channels.
    """

    blob: str
    channels: int
    height: int
    width: int
    mean: Array | None = None
    scale: float = 1.0
    std: Array | None = None
    rgb: bool = False

    @classmethod
    def of(
        cls,
        blob: str,
        shape: Sequence[int],
        mean: str | None = None,
        scale: float = 1.0,
        *,
        std: str | None = None,
        rgb: bool = False,
    ) -> Preprocessing:
        """For an input of this shape; `mean` is `104,117,123`, one number, or a mean file.

        `std` is `58.4,57.1,57.4` or one number. Raises CaffegenError, or FileError for the mean
        file, where one of them does not fit the input.
        """
        if len(shape) != 4:
            raise CaffegenError(
                f"the input blob `{blob}` has the shape {list(shape)}; images go into one of four "
                "axes: give arrays as .npy"
            )
        _, channels, height, width = shape
        if channels not in (1, 3):
            raise CaffegenError(
                f"the input blob `{blob}` has {channels} channels; an image has 1 or 3: give "
                "arrays as .npy"
            )
        if rgb and channels == 1:
            raise CaffegenError(f"the input blob `{blob}` has one channel: there is no RGB order")
        if not math.isfinite(scale):
            raise CaffegenError(f"the scale `{scale:g}` is not a finite number")
        _need_single("scale", scale)
        whole = cls(blob, channels, height, width, scale=scale, rgb=rgb)
        if std is not None:
            whole = whole._replace(std=_deviations(std, channels))
        return whole if mean is None else whole._replace(mean=whole.mean_of(mean))

    def mean_of(self, text: str) -> Array:
        """The mean that a command line names, fit for this input."""
        try:
            values = tuple(float(value) for value in text.split(","))
        except ValueError:
            values = ()
        if values:
            if not np.isfinite(values).all():
                raise CaffegenError(f"the mean `{text}` is not made of finite numbers")
            largest = max(values, key=abs)
            if abs(largest) > 1:
                _need_single("mean", largest)
            return mean_per_channel(values, self.channels)
        if ("," in text or not text.strip()) and not os.path.exists(text):
            raise CaffegenError(
                f"the mean `{text}` is not a file, a number, or numbers with commas between them"
            )
        mean = read_mean(text)
        channels, height, width = mean.shape
        fits = channels == self.channels and (
            (height, width) == (1, 1) or (height >= self.height and width >= self.width)
        )
        if not fits:
            raise FileError(
                text,
                f"the mean is {channels} x {height} x {width}, smaller than or unlike the input "
                f"blob `{self.blob}`: {self.channels} x {self.height} x {self.width}",
            )
        return centre(mean, self.height, self.width)

    def image(self, path: str | os.PathLike[str]) -> Array:
        """An image file as C x H x W, float32."""
        pixels = read_image(path, color=self.channels == 3)
        planes = resize(pixels, self.height, self.width).transpose(2, 0, 1)
        values: Array = (planes[::-1] if self.rgb else planes).astype(np.float32)
        with np.errstate(over="ignore"):  # what is too large becomes infinite
            if self.mean is not None:
                values -= self.mean
            if self.scale != 1:
                values *= np.float32(self.scale)
            if self.std is not None:
                values /= self.std
        return values


def _need_single(what: str, value: float) -> None:
    """Refuse a number that single precision takes for 0 or has no place for."""
    with np.errstate(over="ignore"):
        single = np.float32(value)
    if not np.isfinite(single) or (value and not single):
        raise CaffegenError(
            f"the {what} `{value:g}` is too {'small' if abs(value) < 1 else 'large'} for a value of "
            "single precision"
        )


def _deviations(text: str, channels: int) -> Array:
    """The deviations that a command line names, as C x 1 x 1."""
    try:
        values = tuple(float(value) for value in text.split(","))
    except ValueError:
        raise CaffegenError(
            f"the deviation `{text}` is not a number, or numbers with commas between them"
        ) from None
    if len(values) not in (1, channels):
        raise CaffegenError(
            f"{len(values)} deviations are given for {channels} "
            f"channel{'' if channels == 1 else 's'}; give one, or one per channel"
        )
    for value in values:
        if not (value > 0 and np.isfinite(value)):
            raise CaffegenError(
                f"the deviation `{value:g}` is not above 0; values are divided by it"
            )
        _need_single("deviation", value)
    return np.broadcast_to(np.array(values, np.float32), (channels,))[:, None, None]


def read_items(path: str, blob: str, shape: Sequence[int]) -> Array:
    """The items of a .npy file for an input of this shape, as they are: with or without axis 0.

    Raises FileError where they have other axes or another number of channels; whether the net takes
    another height and width the net alone can tell.
    """
    values = read_array(path)
    if values.ndim == len(shape) - 1:
        values = values[None]
    if values.ndim != len(shape):
        raise FileError(
            path,
            f"it has {values.ndim} axes ({list(values.shape)}); the input blob `{blob}` has "
            f"{len(shape)}, of which the first, the items, may be left out",
        )
    if not len(values):
        raise FileError(path, "it holds no items")
    if values.shape[1:2] != tuple(shape[1:2]):
        raise FileError(
            path,
            f"its items have the shape {list(values.shape[1:])}; those of the input blob `{blob}` "
            f"have {list(shape[1:])}",
        )
    return values


def only_input(net: Net) -> tuple[str, tuple[int, ...]]:
    """The one blob that the net's caller gives, and its shape.

    Image sizes are not counted, nor what no layer reads, as the labels of MemoryData in a net that
    is deployed.
    """
    given = [value for node in net.graph.nodes if node.type in FED for value in node.outputs]
    given = [value for value in given if value.readers] or given
    inputs = [value for value in given if not _is_size(value)] or given
    if len(inputs) != 1:
        names = ", ".join(f"`{value.name}`" for value in inputs)
        told = f"{len(inputs)} inputs ({names})" if inputs else "no input"
        raise CaffegenError(
            f"the net has {told}; only a net with one can be run on images, such as its deploy form"
        )
    value = inputs[0]
    if value.shape is None or not value.shape:
        raise CaffegenError(
            f"the shape of the input blob `{value.name}` is not known; give it, "
            f"e.g. --input {value.name}=1,3,224,224"
        )
    return value.name, value.shape


def unread_inputs(net: Net, but: str) -> dict[str, tuple[int, ...]]:
    """The shapes, without axis 0, of the inputs that no layer reads; all `but` this one."""
    return {
        value.name: value.shape[1:]
        for node in net.graph.nodes
        for value in (node.outputs if node.type in FED else ())
        if not value.readers and value.name != but and value.shape
    }


def image_sizes(net: Net, shape: Sequence[int]) -> dict[str, Array]:
    """The inputs that detectors read the image's size from, for images of a shape (N, C, H, W).

    The scales behind height and width are 1: the image as the net is given it is the original.
    """
    sizes = {}
    for node in net.graph.nodes:
        for value in node.outputs if node.type in FED else ():
            if _is_size(value) and value.shape is not None and len(shape) == 4:
                size = np.ones(value.shape, np.float32)
                size.reshape(-1)[:2] = shape[2:]
                sizes[value.name] = size
    return sizes


def _is_size(value: Value) -> bool:
    """Whether all that reads a blob takes it for the size of the image."""
    places = [
        (getattr(reader.definition, "image_size_at", None), index)
        for reader in value.readers
        for index, bottom in enumerate(reader.inputs)
        if bottom is value
    ]
    return bool(places) and all(wanted == index for wanted, index in places)
