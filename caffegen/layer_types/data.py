"""Blobs that come from data bases and files, and the file that they go to.

What stands in a data base or a file is not read. Where the text alone does not say the shape of a
top it is None, and whoever runs the inference may give it.
"""

from __future__ import annotations

from caffegen.text import Message, Span

from .base import Cost, Definition, Shape, count
from .blob_shape import to_int

__all__ = ["AnnotatedData", "Data", "HDF5Data", "HDF5Output", "ImageData", "WindowData"]


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


class AnnotatedData(_Transformed):
    """Images with the boxes of the objects in them, from a data base, for training a detector.

    ## Shape
    Top 0 (`batch_size`, channels, height, width): the data base says the sizes; `resize_param`,
    `crop_size` and several `mean_value`s say them too. Top 1 (1, 1, boxes, 8): a row for each box of
    the batch: image, class, instance, xmin, ymin, xmax, ymax, difficult, the corners in shares of
    the image; one row of -1 where there is none. How many there are only the data say; the
    definition says 1. With `yolo_data_type: 1` (`batch_size`, 1, 300, 5): class, x, y, width and
    height. Top 2, masks: (`batch_size`, 1, height / `seg_scales`, width / `seg_scales`), or of
    `seg_resize_width` and `seg_resize_height`; a mask for each class with `single_class: false`.

    ## Differs from PyTorch
    A data loader; its batches are the net's inputs.

    ## Forks
    ssd, intel, nvidia and mobilenet-yolo, which adds crops, jitter and masks of its own, and sets
    masks of a given size up with height and width in each other's place.
    """

    type = "AnnotatedData"
    param = "data_param"
    tops = count(1, 3)

    def bind(self, param: Message) -> None:
        super().bind(param)
        self.bind_source(param)
        self.backend: str = param.backend
        self.anno_type: str = self.layer.annotated_data_param.anno_type

    def size(self) -> tuple[int, int] | None:
        transform = self.layer.transform_param
        crop = to_int(transform.crop_h), to_int(transform.crop_w)
        if self.crop_size:
            crop = self.crop_size, self.crop_size
        resized = transform.resize_param[0] if transform.resize_param else None
        if not all(crop) and resized is not None and resized.resize_mode != "FIT_SMALL_SIZE":
            crop = crop[0] or to_int(resized.height), crop[1] or to_int(resized.width)
        return crop if all(crop) else None

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        picture = super().shapes(bottoms)[0]
        param = self.layer.annotated_data_param
        boxes = (self.batch_size, 1, 300, 5) if param.yolo_data_type == 1 else (1, 1, 1, 8)
        return [picture, boxes, self.masks(picture) if param.single_class else None]

    def masks(self, picture: Shape | None) -> Shape | None:
        """The shape of one mask for each picture, where the text says it."""
        param = self.layer.annotated_data_param
        size = to_int(param.seg_resize_width), to_int(param.seg_resize_height)
        if not all(size):
            scale = to_int(param.seg_scales)
            if picture is None or scale < 1:
                return None
            size = picture[2] // scale, picture[3] // scale
        return (self.batch_size, 1, *size)


class _Listed(_Transformed):
    """What the layers share that read a list of image files, with `new_height` and `new_width`."""

    def bind(self, param: Message) -> None:
        super().bind(param)
        self.bind_source(param)
        self.channels = 3 if param.is_color else 1
        self.new_size = self.both(param, "new_height", "new_width")

    def both(self, param: Message, height: str, width: str, prefix: str = "") -> tuple[int, int]:
        """A height and a width, of which Caffe takes both or none."""
        sizes = to_int(param.get(height)), to_int(param.get(width))
        if (sizes[0] > 0) != (sizes[1] > 0):
            given, missing = (height, width) if sizes[0] else (width, height)
            self.refuse(
                "new-size-incomplete",
                f"`{given}` is set without `{missing}`; Caffe takes both or none",
                prefix + given,
                help=f"add `{missing}`",
            )
        return sizes

    def size(self) -> tuple[int, int] | None:
        return super().size() or (self.new_size if all(self.new_size) else None)


class ImageData(_Listed):
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
        self.root_folder: str = param.root_folder
        height, width = self.new_size
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
