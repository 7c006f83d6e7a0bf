"""What the poolings over regions share in ONNX: the regions, their images and the map's sizes."""

from __future__ import annotations

from typing import NamedTuple

from onnx import TensorProto

from .writer import LayerWriter

__all__ = ["MapSizes", "image_of", "map_sizes", "regions_of"]


class MapSizes(NamedTuple):
    """Height and width of the map, int64 of one axis."""

    height: str
    width: str


def regions_of(w: LayerWriter) -> str:
    """The regions as (R, 5)."""
    dims = w.bottom_dims[1]
    return w.bottoms[1] if len(dims) == 2 else w.reshape(w.bottoms[1], dims, [(0,), 5])


def map_sizes(w: LayerWriter) -> MapSizes:
    """The map's sizes: constants, or those that it has at run time."""
    height, width = w.bottom_dims[0][2:]
    if isinstance(height, int) and isinstance(width, int):
        return MapSizes(w.ints(height), w.ints(width))
    shape = w.emit("Shape", [w.bottoms[0]])
    return MapSizes(*(w.emit("Gather", [shape, w.ints(axis)]) for axis in (2, 3)))


def image_of(w: LayerWriter, rois: str, rank: int) -> str:
    """The image of each region, int64, over axes of size 1."""
    image = w.emit("Cast", [w.emit("Gather", [rois, w.ints(0)], axis=1)], to=TensorProto.INT64)
    return w.emit("Reshape", [image, w.ints(-1, *(1,) * (rank - 1))])
