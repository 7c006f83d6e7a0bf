"""Image files as OpenCV gives them to Caffe: bytes in BGR, and the same bilinear resizing."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from typing import Any

import numpy as np

from caffegen.errors import FileError, MissingExtra, unreadable
from caffegen.weights.identify import by_content, by_magic, refusal

__all__ = ["IMAGE_SUFFIXES", "Pixels", "decode_image", "read_image", "resize"]

#: height x width x channels, one byte per value; channels in the order blue, green, red
Pixels = np.ndarray[Any, np.dtype[np.uint8]]

IMAGE_SUFFIXES = (
    ".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip

# what Pillow's decoders raise for files that are damaged
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


class _OtherColoursError(Exception):
    """The colours of an image that is whole, but can't be converted."""


def read_image(path: str | os.PathLike[str], *, color: bool | None = True) -> Pixels:
    """The pixels of an image file; FileError says why there are none."""
    path = os.fspath(path)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None
    return decode_image(data, path, color=color)


def decode_image(data: bytes, path: str, *, color: bool | None = True) -> Pixels:
    """The pixels of an encoded image: three channels, or with `color` False one.

    None keeps the file's own number, and its orientation, as OpenCV's IMREAD_UNCHANGED does;
    otherwise the image is turned as its EXIF tag says, and alpha is dropped. `path` names it in a
    refusal.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ModuleNotFoundError:
        raise MissingExtra("reading images", "data") from None

    if not data:
        raise FileError(path, "it is empty")
    try:
        with warnings.catch_warnings():
            # Pillow warns of large images, and refuses those twice as large
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data))
            return _pixels(image, color)
    except UnidentifiedImageError:
        kind = by_magic(data) or by_content(data).removesuffix("text")
        why = refusal(kind, "an image") if kind else "it is no image of a format that Pillow reads"
        raise FileError(path, why) from None
    except Image.DecompressionBombError:
        raise FileError(path, "it has more pixels than Pillow reads (about 179 million)") from None
    except _OtherColoursError as error:
        raise FileError(
            path, f"its colours are {error}, which Pillow does not convert to RGB; save it as RGB"
        ) from None
    except _DAMAGED as error:
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise FileError(path, f"the image is damaged: {why}") from None


def _pixels(image: Any, color: bool | None) -> Pixels:
    from PIL import ImageOps

    if color is False and image.format == "JPEG" and image.mode in ("RGB", "YCbCr"):
        # the decoder's own luma, which OpenCV takes too; from RGB it would be off by rounding
        image.draft("L", image.size)
    if color is not None:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or image.mode == "I":
        # sixteen bits: the upper eight, as OpenCV reads them
        return _in_channels((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8), color)
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = _converted(image, "RGBA")
    if color is False:
        return _in_channels(np.asarray(_converted(image, "L")), color)
    if color is None and image.mode in ("1", "L"):
        return np.array(_converted(image, "L"))[:, :, None]
    if color is None and image.mode in ("LA", "RGBA"):
        return np.array(_converted(image, "RGBA"))[:, :, [2, 1, 0, 3]]
    return np.ascontiguousarray(np.asarray(_converted(image, "RGB"))[:, :, ::-1])


def _converted(image: Any, mode: str) -> Any:
    """The image in another mode; what is damaged has said so before."""
    image.load()
    try:
        # from LAB Pillow has no way but to RGB
        if image.mode == "LAB" and mode != "RGB":
            image = image.convert("RGB")
        return image.convert(mode)
    except (ValueError, ImportError):
        raise _OtherColoursError(image.mode) from None


def _in_channels(plane: np.ndarray[Any, Any], color: bool | None) -> Pixels:
    return np.repeat(plane[:, :, None], 3 if color else 1, axis=2)


# OpenCV's fixed-point weights have eleven bits behind the point
_ONE = 1 << 11


def resize(image: Pixels, height: int, width: int) -> Pixels:
    """The image in another size, by bilinear interpolation.

    Bit for bit what cv::resize gives by default (INTER_LINEAR): pixel centres at halves, no
    smoothing before shrinking, weights of eleven bits; half the size is the mean of four pixels.
    """
    old_height, old_width = image.shape[:2]
    if (old_height, old_width) == (height, width):
        return image
    values = image.astype(np.int32)
    if (old_height, old_width) == (2 * height, 2 * width):
        four = values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]
        return ((four + 2) >> 2).astype(np.uint8)
    place, share = _line(old_width, width)
    # past the edge the outermost column counts whole
    share[(place < 0) | (place >= old_width - 1)] = 0
    left, right = (share_of[:, None] for share_of in _weights(share))
    place = place.clip(0, old_width - 1)
    behind = (place + 1).clip(0, old_width - 1)
    place_y, share = _line(old_height, height)
    above, below = (share_of[:, None, None] for share_of in _weights(share))
    top = place_y.clip(0, old_height - 1)
    bottom = (place_y + 1).clip(0, old_height - 1)
    lines = np.zeros((old_height, width, values.shape[2]), np.int32)
    used = np.union1d(top, bottom)
    lines[used] = (values[used][:, place] * left + values[used][:, behind] * right) >> 4
    # each product is cut to its upper bits before the sum is rounded (VResizeLinearVec)
    mixed = ((above * lines[top]) >> 16) + ((below * lines[bottom]) >> 16)
    resized: Pixels = ((mixed + 2) >> 2).clip(0, 255).astype(np.uint8)
    return resized


def _line(old: int, new: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """For every new pixel the old one before it, and how far it lies towards the next."""
    at = ((np.arange(new) + 0.5) * (1 / (new / old)) - 0.5).astype(np.float32)
    before = np.floor(at)
    return before.astype(np.int64), at - before


def _weights(share: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The weights of the pixel before and of the next, in fixed point."""
    one = np.float32(1)
    return (
        np.rint((one - share) * np.float32(_ONE)).astype(np.int32),
        np.rint(share * np.float32(_ONE)).astype(np.int32),
    )
