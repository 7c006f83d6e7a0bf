"""Blobs that no file holds: the caller gives them, or fillers make them up."""

from __future__ import annotations

from caffegen.diagnostics import Severity
from caffegen.text import Message

from .base import Shape, count
from .blob_shape import read_shape, to_int, warn_if_empty
from .data import _Source
from .weight_blobs import check_filler

__all__ = ["DummyData", "Input", "MemoryData"]


class Input(_Source):
    """The inputs of a net: blobs that the caller fills.

    ## Shape
    One `shape` for all tops, or one for each. Without any, a top has no axes and no values until
    the caller reshapes it.

    ## Differs from PyTorch
    The arguments of `forward`.
    """

    type = "Input"
    param = "input_param"

    def bind(self, param: Message) -> None:
        number = len(param.shape)
        if number not in (0, 1, self.top_count):
            self.refuse(
                "shape-count",
                f"`shape` is given {number} times for {self.top_count} tops",
                "shape",
                help="give it once, or once per top",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        given = self.layer.get(self.param).shape
        found = [read_shape(self, shape, "shape", index) for index, shape in enumerate(given)]
        if not found:
            self.warn(
                "input-without-shape",
                f"the shape of `{self.name}` is not given: it has no axes and no values",
                help="add `input_param { shape { dim: 1 dim: 3 dim: 224 dim: 224 } }`",
            )
        for shape in found:
            warn_if_empty(self, shape, "shape")
        return found * self.top_count if len(found) == 1 else found or [()] * self.top_count


class DummyData(_Source):
    """Made-up data: every top is filled with a constant, or anew with random values in each pass.

    `fillers` holds the filler of each top, `refilled` whether it is filled anew.

    ## Shape
    One `shape` for all tops, or one for each; in old files `num`, `channels`, `height` and `width`.

    ## Differs from PyTorch
    No counterpart; a constant top is a buffer.
    """

    type = "DummyData"
    param = "dummy_data_param"

    def bind(self, param: Message) -> None:
        self.each(lambda: self.bind_fillers(param), lambda: self.check_sizes(param))

    def bind_fillers(self, param: Message) -> None:
        """The filler of each top."""
        number = len(param.data_filler)
        if number not in (0, 1, self.top_count):
            self.refuse(
                "filler-count",
                f"`data_filler` is given {number} times for {self.top_count} tops",
                "data_filler",
                help="give it once, once per top, or not at all",
            )
        if number == 0:
            default = Message(param.field("data_filler").type, type="constant")
            self.fillers: tuple[Message, ...] = (default,) * self.top_count
        else:
            self.fillers = tuple(param.data_filler) * (self.top_count if number == 1 else 1)
        self.refilled = tuple(filler.type != "constant" for filler in self.fillers)

    def check_sizes(self, param: Message) -> None:
        """Refuse sizes that are not one for each top, or are given in two ways."""
        old = [size for size in _SIZES if param.has(size)]
        for field in _SIZES if old else ("shape",):
            self.check_count(param, field)
        if old and param.has("shape"):
            self.refuse(
                "shape-and-old-sizes",
                f"`shape` and `{old[0]}` are both set; Caffe takes one or the other",
                old[0],
                help="keep `shape`",
                other=("shape", "the other is here"),
            )

    def check_count(self, param: Message, field: str) -> None:
        """Refuse a size that is given neither once nor once per top."""
        number = len(param.get(field))
        if number not in (1, self.top_count):
            plural = "" if self.top_count == 1 else "s"
            self.refuse(
                "shape-count",
                f"`{field}` is given {number} times for {self.top_count} top{plural}"
                if number
                else f"DummyData needs `{field}`, once or once per top",
                field,
                help="give it once, or once per top" if number else f"add `{field}`",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        param = self.layer.get(self.param)
        found: list[Shape] = [
            read_shape(self, shape, "shape", index) for index, shape in enumerate(param.shape)
        ]
        if not found:
            columns = [
                tuple(param.get(size)) * (self.top_count if len(param.get(size)) == 1 else 1)
                for size in _SIZES
            ]
            found = [tuple(map(to_int, sizes)) for sizes in zip(*columns, strict=True)]
            for shape in found:
                self.check_size(shape, "num")
        tops = found * self.top_count if len(found) == 1 else found
        for index, (filler, top) in enumerate(zip(self.fillers, tops, strict=True)):
            # others than constants are filled in the first pass, when the net is already set up
            severity: Severity = "warning" if self.refilled[index] else "error"
            name = f"the top `{self.layer.top[index]}`"
            check_filler(self, filler, top, name, severity=severity, empty="empty-top")
        return tops


_SIZES = ("num", "channels", "height", "width")


class MemoryData(_Source):
    """Data and labels from the caller's memory, a batch at a time.

    ## Shape
    Tops: (`batch_size`, `channels`, `height`, `width`), and the labels (`batch_size`), which the
    first pass makes (`batch_size`, 1, 1, 1).

    ## Differs from PyTorch
    The arguments of `forward`.
    """

    type = "MemoryData"
    param = "memory_data_param"
    tops = count(2)

    def bind(self, param: Message) -> None:
        sizes = []
        for field in ("batch_size", *_SIZES[1:]):
            size = to_int(param.get(field))
            if size < 1:
                self.refuse(
                    "memory-data-size-missing",
                    f"`{field}` is {size}; MemoryData needs all four sizes, above 0",
                    field,
                    help=f"add `{field}`" if not param.has(field) else "",
                )
            sizes.append(size)
        self.batch_size, self.channels, self.height, self.width = sizes

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        top = (self.batch_size, self.channels, self.height, self.width)
        self.check_size(top, "batch_size")
        return [top, (self.batch_size,)]
