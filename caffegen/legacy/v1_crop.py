"""The Crop of the second generation, which found its offset itself; that of today is told it.

Given: layers { type: CROP bottom: "up" bottom: "data" top: "score" }
Result: layer { type: "Crop" ... crop_param { axis: 2 offset: 19 offset: 19 } }

The offset lays each value of the first bottom over the place of the second that it comes from, as
far as the layers between them and a blob that both come from move places (coord_map.py of pycaffe,
which computes the same for nets of today).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from caffegen.text import Message

__all__ = ["Offset", "crop_offsets"]

Offset = tuple[int, int]

# types that leave every place where it was
_IN_PLACE = frozenset({
    "ABSVAL", "BNLL", "DROPOUT", "ELTWISE", "EXP", "LRN", "MVN", "POWER", "RELU", "SIGMOID", "SPLIT",
    "TANH", "THRESHOLD",
})  # fmt: skip
_PARAMS = {
    "CONVOLUTION": "convolution_param", "DECONVOLUTION": "convolution_param",
    "IM2COL": "convolution_param", "POOLING": "pooling_param",
}  # fmt: skip
_AXES = ("h", "w")


class _Map(NamedTuple):
    """Where places of one blob are in another, along one axis: `scale` times the place, `shift` on."""

    scale: Fraction = Fraction(1)
    shift: Fraction = Fraction(0)

    def then(self, after: _Map) -> _Map:
        return _Map(self.scale * after.scale, self.scale * after.shift + self.shift)

    def inverse(self) -> _Map:
        return _Map(1 / self.scale, -self.shift / self.scale)


_Maps = tuple[_Map, _Map]
# a blob at one stage of the net: its name, and the layer that made it (-1: none of these)
_Blob = tuple[str, int]


def crop_offsets(layers: Sequence[Message]) -> dict[int, Offset]:
    """The offset of each layer of the type CROP, by its index, where the layers above give one.

    It gives none where a layer between moves places in no known way, where two maps are of
    different scales, or where the offset is no whole number or below 0.
    """
    found: dict[int, Offset] = {}
    for index, layer in enumerate(layers):
        if layer.type == "CROP" and len(layer.bottom) == 2:
            offset = _offset(layers, index, found)
            if offset is not None:
                found[index] = offset
    return found


def _offset(layers: Sequence[Message], index: int, known: dict[int, Offset]) -> Offset | None:
    first, second = (_blob(layers, name, index) for name in layers[index].bottom)
    above = dict(_walk(layers, first, known))
    for blob, maps in _walk(layers, second, known):
        if blob in above:
            pairs = zip(maps, above[blob], strict=True)
            return _whole([mine.then(other.inverse()) for mine, other in pairs])
    return None


def _whole(maps: Sequence[_Map]) -> Offset | None:
    """The offset that two maps come to; None where they scale, or not by whole steps backwards."""
    if any(m.scale != 1 or m.shift > 0 or m.shift.denominator != 1 for m in maps):
        return None
    height, width = (-m.shift.numerator for m in maps)
    return height, width


def _walk(
    layers: Sequence[Message], start: _Blob, known: dict[int, Offset]
) -> list[tuple[_Blob, _Maps]]:
    """Every blob that one comes from, nearest first, with the way its places are taken there."""
    seen: dict[_Blob, _Maps] = {start: (_Map(), _Map())}
    row = [start]
    for blob in row:
        index = blob[1]
        step = _step(layers[index], index, known) if index >= 0 else None
        if step is None:
            continue
        layer = layers[index]
        # a Crop is as its first bottom; the second only says how large
        bottoms = layer.bottom[:1] if layer.type == "CROP" else layer.bottom
        height, width = seen[blob]
        for name in bottoms:
            above = _blob(layers, name, index)
            if above not in seen:
                seen[above] = height.then(step[0]), width.then(step[1])
                row.append(above)
    return list(seen.items())


def _blob(layers: Sequence[Message], name: str, before: int) -> _Blob:
    """A blob as the layer at `before` reads it."""
    for index in range(before - 1, -1, -1):
        if name in layers[index].top:
            return name, index
    return name, -1


def _step(layer: Message, index: int, known: dict[int, Offset]) -> _Maps | None:
    """What one layer does to places, from its top to its bottoms; None where that is not known."""
    kind: str = layer.type
    if kind in _IN_PLACE:
        return _Map(), _Map()
    if kind == "CROP":
        if index not in known:
            return None
        height, width = known[index]
        return _Map(shift=Fraction(-height)), _Map(shift=Fraction(-width))
    if kind not in _PARAMS:
        return None
    param = layer.get(_PARAMS[kind])
    if kind == "POOLING" and param.global_pooling:
        return None
    height_map, width_map = (_window(param, axis, up=kind == "DECONVOLUTION") for axis in (0, 1))
    return height_map, width_map


def _window(param: Message, axis: int, *, up: bool) -> _Map:
    kernel = _size(param, "kernel_size", "kernel", axis, 1)
    stride = _size(param, "stride", "stride", axis, 1)
    pad = _size(param, "pad", "pad", axis, 0)
    middle = Fraction(kernel - 1, 2)
    if up:
        return _Map(Fraction(stride), middle - pad)
    return _Map(Fraction(1, stride), (pad - middle) / stride)


def _size(param: Message, field: str, stem: str, axis: int, default: int) -> int:
    """A size of the window along an axis: that of the axis, or the one for both."""
    if param.has(f"{stem}_{_AXES[axis]}"):
        return int(param.get(f"{stem}_{_AXES[axis]}"))
    value = param.get(field)
    if isinstance(value, int):
        return value
    return int(value[min(axis, len(value) - 1)]) if value else default
