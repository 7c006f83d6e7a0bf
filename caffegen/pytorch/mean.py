"""Mean images and mean values, which Caffe's nets want subtracted from their inputs."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from caffegen.errors import CaffegenError, FileError
from caffegen.weights import open_binaryproto
from caffegen.weights.identify import by_magic, refusal
from caffegen.weights.mapped import map_file

__all__ = ["centre", "mean_per_channel", "read_array", "read_mean"]

Array = np.ndarray[Any, Any]


def read_mean(path: str | os.PathLike[str]) -> Array:
    """The mean image of a .binaryproto, or of a .npy as pycaffe's examples use: C x H x W.

    A .npy may also hold one value per channel, which gives C x 1 x 1.
    """
    path = os.fspath(path)
    if path.lower().endswith(".npy"):
        values = read_array(path)
        if values.ndim == 1:
            values = values[:, None, None]
    else:
        values = open_binaryproto(path).array()
    while values.ndim > 3 and values.shape[0] == 1:
        values = values[0]
    if values.ndim != 3:
        raise FileError(
            path, f"its shape is {list(values.shape)}; a mean image is channels x height x width"
        )
    with np.errstate(over="ignore"):  # what is too large becomes infinite
        return values.astype(np.float32)


def read_array(path: str) -> Array:
    """The array of a .npy file, mapped; nothing in it is ever run."""
    kind = by_magic(map_file(path).buffer)
    if kind == "a numpy archive (.npz)":
        raise FileError(path, "it is an archive of arrays; give a .npy with one")
    if kind not in ("", "a numpy array (.npy)"):
        raise FileError(path, refusal(kind, "a .npy file"))
    try:
        values: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, SyntaxError):
        raise FileError(path, "it is no .npy file of numbers") from None
    if values.dtype.kind not in "fiub":
        raise FileError(path, f"it holds values of type {values.dtype}, not real numbers")
    return values


def mean_per_channel(values: tuple[float, ...], channels: int) -> Array:
    """One value for all channels, or one per channel, as C x 1 x 1."""
    if len(values) not in (1, channels):
        raise CaffegenError(
            f"{len(values)} mean values are given for {channels} "
            f"channel{'' if channels == 1 else 's'}; give one, or one per channel"
        )
    return np.broadcast_to(np.array(values, np.float32), (channels,))[:, None, None]


def centre(mean: Array, height: int, width: int) -> Array:
    """The middle of a mean image; one value per channel stays as it is."""
    if mean.shape[1:] == (1, 1):
        return mean
    top, left = (mean.shape[1] - height) // 2, (mean.shape[2] - width) // 2
    return mean[:, top : top + height, left : left + width]
