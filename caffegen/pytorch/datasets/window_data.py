"""WindowData: windows cut out of images, warped to one size, for training R-CNN."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from caffegen.errors import FileError
from caffegen.layer_types.data import WindowData
from caffegen.pytorch.images import Pixels, read_image, resize

from .base import Item, LayerDataset, read_lines, to_tensors
from .transform import Transform

__all__ = ["WindowDataSet"]


class Window(NamedTuple):
    """A window of an image, its corners included, and the class that it shows (0: background)."""

    path: str
    label: int
    overlap: float
    x1: int
    y1: int
    x2: int
    y2: int


class Place(NamedTuple):
    """Where a warped window lies in the output: its size, and the padding above and to the left."""

    height: int
    width: int
    above: int
    left: int


class WindowDataSet(LayerDataset):
    """Windows drawn at random from a window file (window_data_layer.cpp).

    In every `batch_size` items in a row the last `fg_fraction` shows objects, the others background,
    so the loader must neither shuffle nor change the batch size. A pass has as many items as there
    are windows, filled up to whole batches. What a window reaches beyond its image stays 0 after the
    mean. Caffe ignores `scale` of `transform_param` here; it is applied.
    """

    def __init__(
        self, definition: WindowData, root: str | os.PathLike[str] = ".", seed: int = 0
    ) -> None:
        super().__init__(definition, root, seed)
        param = definition.layer.window_data_param
        self.transform = Transform(definition, root)
        self.size = definition.crop_size
        self.context_pad = int(param.context_pad)
        self.square = param.crop_mode == "square"
        if 2 * self.context_pad >= self.size:
            raise self.fault(
                f"`context_pad` ({self.context_pad}) leaves nothing of a crop of {self.size}"
            )
        self.foreground: list[Window] = []
        self.background: list[Window] = []
        for window in _read_windows(self.source, self.root, param.root_folder):
            if window.overlap >= param.fg_threshold:
                if window.label < 1:
                    raise FileError(
                        self.source,
                        f"a window on an object has the class {window.label}, not above 0",
                    )
                self.foreground.append(window)
            elif window.overlap < param.bg_threshold:
                self.background.append(window._replace(label=0))
        for kind, found in (("object", self.foreground), ("background", self.background)):
            if not found:
                raise FileError(self.source, f"it has no {kind} windows; Caffe needs both kinds")
        # in single precision, as Caffe counts
        self.objects = int(np.float32(self.batch_size) * np.float32(param.fg_fraction))

    def __len__(self) -> int:
        windows = len(self.foreground) + len(self.background)
        return math.ceil(windows / self.batch_size) * self.batch_size

    def __getitem__(self, index: int) -> Item:
        index = self.place(index, len(self))
        is_object = index % self.batch_size >= self.batch_size - self.objects
        windows = self.foreground if is_object else self.background
        rng = self.generator(index)
        window = windows[int(rng.integers(len(windows)))]
        mirrored = bool(self.transform.mirror and rng.integers(2))
        image = self.cut(read_image(window.path), window, mirrored=mirrored)
        return to_tensors(self.tops, (image, window.label))

    def cut(self, image: Pixels, window: Window, *, mirrored: bool) -> np.ndarray[Any, Any]:
        """The window, warped into the output and less the mean: 3 x crop_size x crop_size."""
        corners = window.x1, window.y1, window.x2, window.y2
        place = Place(self.size, self.size, 0, 0)
        if self.context_pad or self.square:
            corners, place = self.expand(corners, image, mirrored=mirrored)
        x1, y1, x2, y2 = corners
        inside = 0 <= x1 <= x2 < image.shape[1] and 0 <= y1 <= y2 < image.shape[0]
        if not inside or min(place.height, place.width) < 1:
            raise FileError(
                self.source,
                f"the window {window.x1} {window.y1} {window.x2} {window.y2} lies outside its image "
                f"`{window.path}` of {image.shape[1]} x {image.shape[0]}",
            )
        pixels = resize(image[y1 : y2 + 1, x1 : x2 + 1], place.height, place.width)
        if mirrored:
            pixels = pixels[:, ::-1]
        values: np.ndarray[Any, Any] = pixels.transpose(2, 0, 1).astype(np.float32)
        mean = self.mean_at(place, window.path)
        if mean is not None:
            values -= mean
        values *= np.float32(self.transform.scale)
        top = np.zeros((3, self.size, self.size), np.float32)
        top[:, place.above : place.above + place.height, place.left : place.left + place.width] = (
            values
        )
        return top

    def expand(
        self, corners: tuple[int, int, int, int], image: Pixels, *, mirrored: bool
    ) -> tuple[tuple[int, int, int, int], Place]:
        """The window with context around it: what of it is in the image, and where that goes.

        After warping, `context_pad` pixels on each side lie outside the window itself.
        """
        size = np.float32(self.size)
        grow = size / np.float32(self.size - 2 * self.context_pad)
        x1, y1, x2, y2 = corners
        half_x, half_y = np.float32(x2 - x1 + 1) / 2, np.float32(y2 - y1 + 1) / 2
        middle_x, middle_y = np.float32(x1) + half_x, np.float32(y1) + half_y
        if self.square:
            half_x = half_y = max(half_x, half_y)
        x1, x2 = _round(middle_x - half_x * grow), _round(middle_x + half_x * grow)
        y1, y2 = _round(middle_y - half_y * grow), _round(middle_y + half_y * grow)
        scale_x, scale_y = size / np.float32(x2 - x1 + 1), size / np.float32(y2 - y1 + 1)
        left, right = max(0, -x1), max(0, x2 - image.shape[1] + 1)
        above, below = max(0, -y1), max(0, y2 - image.shape[0] + 1)
        x1, x2, y1, y2 = x1 + left, x2 - right, y1 + above, y2 - below
        width = _round(np.float32(x2 - x1 + 1) * scale_x)
        height = _round(np.float32(y2 - y1 + 1) * scale_y)
        # a mirrored window has its padding mirrored too
        pad_x = _round(np.float32(right if mirrored else left) * scale_x)
        pad_y = _round(np.float32(above) * scale_y)
        place = Place(min(height, self.size - pad_y), min(width, self.size - pad_x), pad_y, pad_x)
        return (x1, y1, x2, y2), place

    def mean_at(self, place: Place, path: str) -> np.ndarray[Any, Any] | None:
        """The mean for the warped window: of a mean image, its centre, not mirrored."""
        mean = self.transform.mean
        if mean is None:
            return self.transform.mean_for(np.empty((3, 1, 1)), path)
        if mean.shape[0] != 3 or min(mean.shape[1:]) < self.size:
            raise self.transform.fault(
                f"the mean image is {' x '.join(map(str, mean.shape))}, below 3 x {self.size} x "
                f"{self.size}",
                "",
            )
        # Caffe takes the offset of the width for the height as well
        offset = (mean.shape[2] - self.size) // 2
        above, left = offset + place.above, offset + place.left
        return mean[:, above : above + place.height, left : left + place.width]


def _round(value: np.float32) -> int:
    """To the nearest whole number, halves away from 0, as C rounds."""
    return int(math.copysign(math.floor(abs(float(value)) + 0.5), value))


def _read_windows(path: str, root: str, folder: str) -> Iterator[Window]:
    """The windows of a window file: per image `# index`, path, channels, height, width, windows."""
    words = iter(" ".join(read_lines(path)).split())
    for number, hashtag in enumerate(iter(lambda: next(words, ""), "")):
        if hashtag != "#":
            raise FileError(path, f"`{hashtag}` stands where image {number} begins with `#`")
        try:
            next(words)
            image = os.path.join(root, folder + next(words))
            _, _, _, windows = (int(next(words)) for _ in range(4))
            for _ in range(windows):
                label, overlap = int(next(words)), float(next(words))
                x1, y1, x2, y2 = (int(next(words)) for _ in range(4))
                yield Window(image, label, overlap, x1, y1, x2, y2)
        except ValueError as error:
            word = str(error).rpartition(": ")[2].strip("'")
            raise FileError(path, f"`{word}` stands where image {number} has a number") from None
        except (StopIteration, RuntimeError):
            raise FileError(path, f"it breaks off within image {number}") from None
