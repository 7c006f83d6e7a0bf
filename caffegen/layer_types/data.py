"""Where blobs come from: inputs that the caller fills, made-up values, data bases and files.

What stands in a data base or a file is not read. Where the text alone does not say the shape of a
top it is None, and whoever runs the inference may give it.
"""

from __future__ import annotations

from caffegen.text import Message, Span

from .base import Cost, Definition, Shape, count
from .blob_shape import read_shape, to_int, warn_if_empty
from .weight_blobs import check_filler

__all__ = [
    "Data",
    "DummyData",
    "HDF5Data",
    "HDF5Output",
    "ImageData",
    "Input",
    "MemoryData",
    "WindowData",
]


class _Source(Definition):
    """No bottoms, and nothing computed."""

    bottoms = count(0)
    tops = count(1, None)
    batch_size: int

    def cost(self) -> Cost:
        return Cost()

    def bind_source(self, param: Message) -> None:
        """The file or data base to read from."""
        self.source: str = param.source
        if not self.source:
            self.fault(
                "source-missing",
                f"{self.type} needs `source`, the file or data base to read",
                "source",
                help='add `source: "..."`',
            )

    def check_batch_size(self) -> None:
        """Refuse a batch of nothing, for which Caffe has no memory to fill."""
        if self.batch_size < 1:
            self.refuse(
                "batch-size-zero",
                f"`batch_size` is {self.batch_size}; it must be at least 1",
                "batch_size",
                help="add `batch_size: 64`",
            )


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
            severity = "warning" if self.refilled[index] else "error"
            name = f"the top `{self.layer.top[index]}`"
            check_filler(self, filler, top, name, severity=severity, empty="empty-top")
        return tops


_SIZES = ("num", "channels", "height", "width")


class _Transformed(_Source):
    """What the layers with a `transform_param` share (data_transformer.cpp)."""

    tops = count(2)
    # None where they stand only in the data
    channels: int | None = None

    def bind(self, param: Message) -> None:
        transform = self.layer.transform_param
        self.batch_size = to_int(param.batch_size)
        self.crop_size = to_int(transform.crop_size)
        self.mirror: bool = transform.mirror
        self.scale: float = transform.scale
        self.mean_file: str = transform.mean_file
        self.mean_values: tuple[float, ...] = tuple(transform.mean_value)
        if transform.has("mean_file") and self.mean_values:
            self.fault(
                "mean-file-and-values",
                "`mean_file` and `mean_value` are both set; Caffe takes one or the other",
                "transform.mean_file",
                help="remove one of them",
                other=("transform.mean_value", "the other is here"),
            )
        self.check_batch_size()
        # several means are one per channel
        if len(self.mean_values) > 1:
            self.channels = len(self.mean_values)

    def at(self, path: str = "", index: int | None = None) -> Span | None:
        """As ever; `transform.x` is a field of transform_param."""
        if path.startswith("transform."):
            span = self.layer.transform_param.span(path[10:], index)
            return span or self.layer.span("transform_param") or super().at()
        return super().at(path, index)

    def size(self) -> tuple[int, int] | None:
        """Height and width, where the text says them."""
        return (self.crop_size, self.crop_size) if self.crop_size else None

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        labels = (self.batch_size,)
        size = self.size()
        if size is None or self.channels is None:
            return [None, labels]
        top = (self.batch_size, self.channels, *size)
        self.check_size(top, "batch_size")
        return [top, labels]


class Data(_Transformed):
    """Images and labels from an LMDB or LevelDB data base.

    ## Shape
    Tops: (`batch_size`, channels, height, width), and if there is a second one the labels
    (`batch_size`). The data base says the sizes; `crop_size` and several `mean_value`s say them
    too.

    ## Differs from PyTorch
    A data loader; its batches are the net's inputs.
    """

    type = "Data"
    param = "data_param"
    tops = count(1, 2)

    def bind(self, param: Message) -> None:
        super().bind(param)
        self.bind_source(param)
        self.backend: str = param.backend
        transform = self.layer.transform_param
        if transform.force_color and transform.force_gray:
            self.warn(
                "force-color-and-gray",
                "`force_color` and `force_gray` are both set; Caffe refuses encoded images then",
                "transform.force_gray",
                help="remove one of them",
            )


class ImageData(_Transformed):
    """Images and labels from a list of image files.

    ## Shape
    Tops: (`batch_size`, 3 or 1 channels by `is_color`, height, width), and the labels
    (`batch_size`). The size is that of `crop_size`, of `new_height` and `new_width`, or the file's.

    ## Differs from PyTorch
    A data loader; its batches are the net's inputs.
    """

    type = "ImageData"
    param = "image_data_param"

    def bind(self, param: Message) -> None:
        super().bind(param)
        self.bind_source(param)
        self.root_folder: str = param.root_folder
        self.channels = 3 if param.is_color else 1
        self.new_size = to_int(param.new_height), to_int(param.new_width)
        height, width = self.new_size
        if (height > 0) != (width > 0):
            given, missing = ("new_height", "new_width")[:: 1 if height else -1]
            self.refuse(
                "new-size-incomplete",
                f"`{given}` is set without `{missing}`; Caffe takes both or none",
                given,
                help=f"add `{missing}`",
            )
        if 0 < min(self.new_size) < self.crop_size:
            self.refuse(
                "crop-exceeds-image",
                f"`crop_size` ({self.crop_size}) is above the image of {height} x {width}",
                "transform.crop_size",
                other=(
                    "new_height" if height < self.crop_size else "new_width",
                    "the size is here",
                ),
            )
        if len(self.mean_values) not in (0, 1, self.channels):
            self.refuse(
                "mean-value-count",
                f"`mean_value` is given {len(self.mean_values)} times for {self.channels} channels",
                "transform.mean_value",
                help="give it once, or once per channel",
            )

    def size(self) -> tuple[int, int] | None:
        return super().size() or (self.new_size if all(self.new_size) else None)


class WindowData(_Transformed):
    """Windows cut out of images, and their classes, for detection by R-CNN.

    ## Shape
    Tops: (`batch_size`, channels, `crop_size`, `crop_size`), and the labels (`batch_size`). The
    window file says the channels.

    ## Differs from PyTorch
    A data loader; its batches are the net's inputs.
    """

    type = "WindowData"
    param = "window_data_param"

    def bind(self, param: Message) -> None:
        super().bind(param)
        self.bind_source(param)
        if self.crop_size < 1:
            self.refuse(
                "crop-size-missing",
                "WindowData needs `crop_size` of at least 1 in `transform_param`",
                "transform.crop_size",
                help="add `transform_param { crop_size: 227 }`",
            )


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


class HDF5Data(_Source):
    """Blobs of any kind from HDF5 files: each top is the data set of its name.

    ## Shape
    Tops: (`batch_size`, ...); the files say the rest.

    ## Differs from PyTorch
    A data loader; its batches are the net's inputs.
    """

    type = "HDF5Data"
    param = "hdf5_data_param"

    def bind(self, param: Message) -> None:
        self.batch_size = to_int(param.batch_size)
        self.bind_source(param)
        self.shuffle: bool = param.shuffle
        if self.layer.has("transform_param"):
            self.fault(
                "hdf5-data-transformed",
                "HDF5Data does not transform; Caffe refuses its `transform_param`",
                "layer.transform_param",
                help="remove it, and transform the data in the files",
            )
        if self.batch_size < 1:
            self.warn("batch-size-zero", f"`batch_size` is {self.batch_size}", "batch_size")

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        return [None] * self.top_count


class HDF5Output(Definition):
    """Writes data and labels into an HDF5 file while the net runs.

    ## Shape
    Bottoms: data and labels with as many items, of up to 4 axes. No tops.

    ## Differs from PyTorch
    No counterpart, and no effect on other layers.
    """

    type = "HDF5Output"
    param = "hdf5_output_param"
    bottoms = count(2)
    tops = count(0)

    def bind(self, param: Message) -> None:
        self.file_name: str = param.file_name
        if not self.file_name:
            self.refuse(
                "file-name-missing",
                "HDF5Output needs `file_name`",
                help='add `hdf5_output_param { file_name: "out.h5" }`',
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        items = [bottom[0] if bottom else 1 for bottom in bottoms]
        if items[0] != items[1]:
            self.warn(
                "batch-sizes-differ",
                f"bottom 0 has {items[0]} items, bottom 1 has {items[1]}: Caffe stops when it runs",
                "layer.bottom",
                index=1,
            )
        for index, bottom in enumerate(bottoms):
            if len(bottom) > 4:
                self.warn(
                    "more-than-four-axes",
                    f"Caffe sets up HDF5Output on {len(bottom)} axes, and stops when it runs",
                    "layer.bottom",
                    index=index,
                )
        return []

    def cost(self) -> Cost:
        return Cost()
