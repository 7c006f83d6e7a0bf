"""Inputs that stand for places in an image: regions, and the size of the image itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from caffegen.layer_types.proposal import Proposal, ProposalLayer
from caffegen.layer_types.roi import PSROIPooling, ROIAlign, ROIPooling
from caffegen.layer_types.yolo import RegionOutput
from caffegen.net import Value

__all__ = ["seeded_places"]

Values = np.ndarray[Any, np.dtype[np.float32]]


def seeded_places(value: Value, rng: np.random.Generator) -> Values | None:
    """An array for a blob that is read as regions or as an image's size; None for any other.

    Regions lie within the map that they are laid on, the last corner behind the first.
    """
    for reader in value.readers:
        definition, index = reader.definition, reader.inputs.index(value)
        if definition is None or not definition.bottom_shapes:
            continue
        if (
            isinstance(definition, Proposal | ProposalLayer | RegionOutput)
            and index == definition.image_size_at
        ):
            return _image_size(value, definition.bottom_shapes[0][2:], definition.feat_stride)
        if isinstance(definition, ROIPooling | PSROIPooling | ROIAlign) and index == 1:
            return _regions(value, definition, rng)
    return None


def _image_size(value: Value, cells: tuple[int, ...], stride: int) -> Values:
    """Height and width of an image that fills the map; the scales behind them are 1."""
    assert value.shape is not None
    size = np.ones(value.shape, np.float32)
    size.reshape(-1)[:2] = np.multiply(cells, stride)
    return size


def _regions(
    value: Value, definition: ROIPooling | PSROIPooling | ROIAlign, rng: np.random.Generator
) -> Values:
    """Rows of an image's number and the corners of a region in it."""
    assert value.shape is not None
    bottom = definition.bottom_shapes[0]
    axes = len(bottom) - 2
    # volumes have depth, x and y, pictures x and y
    sizes = np.array([*bottom[2:-2], bottom[-1], bottom[-2]]) / definition.spatial_scale
    corners = np.sort(rng.random((value.shape[0], 2, axes)), 1) * (sizes - 1)
    images = rng.integers(0, bottom[0], (value.shape[0], 1))
    rows = np.concatenate([images, corners.reshape(-1, 2 * axes)], 1)
    return rows.reshape(value.shape).astype(np.float32)
