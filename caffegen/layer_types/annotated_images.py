"""Where pictures with more than a class number come from: data layers of the forks.

What stands in a data base or a file is not read. Where the text alone does not say the shape of a
top it is None, and whoever runs the inference may give it.
"""

from __future__ import annotations

from caffegen.text import Message

from .base import Cost, Definition, Shape, count
from .blob_shape import read_shape, to_int
from .data import _Listed, _Source, _Transformed
from .four_axes import four_axes

__all__ = [
    "BoxData",
    "CPMData",
    "DenseImageData",
    "DetectNetTransformation",
    "ImageSegData",
    "MultiLabelImageData",
    "RandVec",
    "RemoteData",
    "SegData",
    "VideoData",
]

Pair = tuple[int, int]
MAX_BOXES = 30  # box_data_layer.cpp, DataLayerSetUp
DETECTNET_PLANES = 8  # detectnet_coverage.hpp, TRANSFORMED_LABEL_SIZE


class _Segmented(_Listed):
    """What the layers share whose labels are pictures themselves."""

    crop: Pair

    def size(self) -> Pair | None:
        if self.crop_size:
            return self.crop_size, self.crop_size
        return self.crop if all(self.crop) else super().size()

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        size = self.size()
        label = None if size is None else (self.batch_size, 1, *size)
        return [super().shapes(bottoms)[0], label, (self.batch_size, 1, 1, 2)]


class DenseImageData(_Segmented):
    """Pictures and a class number for each of their pixels, from a list of pairs of image files.

    ## Shape
    Tops: (`batch_size`, 3 or 1 channels by `is_color`, height, width) and (`batch_size`, 1, height,
    width). The size is that of `crop_size`, of `crop_height` and `crop_width`, of `new_height` and
    `new_width`, or the file's.

    ## Differs from PyTorch
    A data loader; its batches are the net's inputs.

    ## Forks
    SegNet's and ENet's (dense_image_data_layer.cpp).
    """

    type = "DenseImageData"
    param = "dense_image_data_param"

    def bind(self, param: Message) -> None:
        super().bind(param)
        self.crop = self.both(param, "crop_height", "crop_width")


class ImageSegData(_Segmented):
    """Pictures and a class number for each of their pixels, from a list of pairs of image files.

    ## Shape
    Tops: (`batch_size`, 3 or 1 channels by `is_color`, height, width), (`batch_size`, 1, height,
    width), and the true sizes of the pictures (`batch_size`, 1, 1, 2). The size is that of
    `crop_size`, of `crop_height` and `crop_width`, of `new_height` and `new_width`, or the file's.

    ## Differs from PyTorch
    A data loader; its batches are the net's inputs.

    ## Forks
    DeepLab's and PSPNet's (image_seg_data_layer.cpp). It takes no `mean_file`.
    """

    type = "ImageSegData"
    param = "image_data_param"
    tops = count(3)
    auto_top = True

    def bind(self, param: Message) -> None:
        super().bind(param)
        transform = self.layer.transform_param
        self.crop = self.both(transform, "crop_height", "crop_width", "transform.")
        if transform.has("mean_file"):
            self.fault(
                "mean-file-and-values",
                "ImageSegData takes no `mean_file`",
                "transform.mean_file",
                help="write `mean_value`, once or once per channel",
            )


class MultiLabelImageData(_Listed):
    """Pictures and several numbers for each, from a list of image files.

    ## Shape
    Tops: (`batch_size`, 3 or 1 channels by `is_color`, height, width), and (`batch_size`, numbers),
    which the list says. The size is that of `crop_size`, of `new_height` and `new_width`, or the
    file's.

    ## Differs from PyTorch
    A data loader; its batches are the net's inputs.

    ## Forks
    happynear's (multi_label_image_data_layer.cpp).
    """

    type = "MultiLabelImageData"
    param = "image_data_param"

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        return [super().shapes(bottoms)[0], None]


class SegData(_Source):
    """A picture and a class number for each of its pixels, from a list of pairs of image files.

    ## Shape
    Tops: (1, 3, height, width) and (1, 1, height, width), as large as the files' pictures allow.

    ## Differs from PyTorch
    A data loader; its batches are the net's inputs.

    ## Forks
    yjxiong's (seg_data_layer.cpp).
    """

    type = "SegData"
    param = "seg_data_param"
    tops = count(2)
    batch_size = 1

    def bind(self, param: Message) -> None:
        self.bind_source(param)
        self.root_dir: str = param.root_dir

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        return [None, None]


class BoxData(_Transformed):
    """Pictures and the boxes of the objects in them, from a data base, for training YOLOv2.

    ## Shape
    Top 0 (`batch_size`, channels, height, width), as in Data. A further top (`batch_size`, 150) for
    each `side`, of which there is one unless they are given: 30 boxes of 5 numbers.

    ## Differs from PyTorch
    A data loader; its batches are the net's inputs.

    ## Forks
    intel's (box_data_layer.cpp).
    """

    type = "BoxData"
    param = "data_param"
    tops = count(1, None)

    def bind(self, param: Message) -> None:
        super().bind(param)
        self.bind_source(param)
        self.backend: str = param.backend
        sides = len(param.side) or 1
        if self.top_count not in (1, 1 + sides):
            self.refuse(
                "wrong-number-of-tops",
                f"BoxData has a top of labels for each `side`, of which there "
                f"{'is 1' if sides == 1 else f'are {sides}'}; `{self.name}` has {self.top_count} tops",
                "layer.top",
                index=1,
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        labels = (self.batch_size, MAX_BOXES * 5)
        return [super().shapes(bottoms)[0], *[labels] * (self.top_count - 1)]


class CPMData(_Transformed):
    """Pictures, and maps of where the parts of bodies are, for training pose estimation.

    ## Shape
    Tops: (`batch_size`, channels, `crop_size_y`, `crop_size_x`), of which the data base says the
    channels, and (`batch_size`, 2 (`num_parts` + 1), `crop_size_y` / `stride`, `crop_size_x` /
    `stride`): weights, then maps. In TEST the data base says the sizes.

    ## Differs from PyTorch
    A data loader; its batches are the net's inputs.

    ## Forks
    CMU's for OpenPose (cpm_data_layer.cpp of caffe_train), with its parameters in
    `cpm_transform_param`, in older files in `transform_param` and `cpmdata_param`.
    """

    type = "CPMData"
    tops = count(1, 2)

    def bind(self, param: Message) -> None:
        layer = self.layer
        source = layer.get("cpmdata_param" if layer.has("cpmdata_param") else "data_param")
        super().bind(source)
        self.bind_source(source)
        old = "" if layer.has("cpm_transform_param") else "transform_param"
        transform = layer.get(old or "cpm_transform_param")
        self.num_parts = to_int(transform.num_parts)
        # the default of its fork; another one has such a field too
        self.stride = to_int(transform.stride) if transform.has("stride") else 4
        self.crop = to_int(transform.crop_size_y), to_int(transform.crop_size_x)
        if self.stride < 1:
            self.refuse(
                "stride-zero", f"`stride` is {self.stride}; it must be at least 1", "layer.type"
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        if self.phase != "TRAIN":
            return [None, None]
        height, width = (size // self.stride for size in self.crop)
        label = (self.batch_size, 2 * (self.num_parts + 1), height, width)
        self.check_size(label)
        return [None, label]


class VideoData(_Transformed):
    """Frames of a video or of a camera, or of many clips and their classes.

    `clips` says that it is the latter.

    ## Shape
    Top 0 (`batch_size`, channels, height, width): the size is that of `crop_size` or, for one video,
    of `resize_param`; clips of `new_length` frames from `num_segments` places are stacked as
    channels, 3 for a picture (1 with `grayscale`) and 2 for a flow. Top 1: class numbers, (`batch_size`),
    for clips (`batch_size`, 1, 1, 1).

    ## Differs from PyTorch
    A data loader; its batches are the net's inputs.

    ## Forks
    With `data_param` that of ssd, intel and nvidia (video_data_layer.cpp); yjxiong's, for clips, has
    all in `video_data_param`.
    """

    type = "VideoData"
    param = "video_data_param"
    tops = count(1, 2)

    def bind(self, param: Message) -> None:
        self.clips: bool = param.has("source") or param.has("batch_size")
        if not self.clips:
            super().bind(self.layer.data_param)
            self.channels = 3
            return
        super().bind(param)
        self.bind_source(param)
        planes = 2 if param.modality == "FLOW" else 1 if param.grayscale else 3
        self.channels = planes * to_int(param.new_length) * to_int(param.num_segments)
        self.new_size = to_int(param.new_height), to_int(param.new_width)

    def size(self) -> Pair | None:
        if self.clips:
            return super().size() or (self.new_size if all(self.new_size) else None)
        transform = self.layer.transform_param
        if transform.resize_param and not self.crop_size:
            resized = transform.resize_param[0]
            if resized.resize_mode != "FIT_SMALL_SIZE":
                size = to_int(resized.height), to_int(resized.width)
                return size if all(size) else None
        return super().size()

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        labels = (self.batch_size, 1, 1, 1) if self.clips else (self.batch_size,)
        return [super().shapes(bottoms)[0], labels]


class RemoteData(_Source):
    """Blobs of any kind from another machine.

    ## Shape
    One `shape` for each top.

    ## Differs from PyTorch
    The arguments of `forward`.

    ## Forks
    One that a pull request proposed to BVLC.
    """

    type = "RemoteData"
    param = "remote_data_param"

    def bind(self, param: Message) -> None:
        number = len(param.shape)
        if number != self.top_count:
            self.refuse(
                "shape-count", f"`shape` is given {number} times for {self.top_count} tops", "shape"
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        given = self.layer.get(self.param).shape
        return [read_shape(self, shape, "shape", index) for index, shape in enumerate(given)]


class RandVec(_Source):
    """Random vectors, evenly spread from `lower` to `upper`: what a generator makes pictures of.

    ## Shape
    Top (`batch_size`, `dim`, `height`, `width`), without the last two where one of them is 0.

    ## Differs from PyTorch
    `rand`; here the caller gives the vectors, so that all runtimes see the same.

    ## Forks
    BVLC's pull request 6660 (randvec_layer.cpp), and that of a DCGAN, which reads `rand_vec_param`
    and gives the same vectors `repeat` times.
    """

    type = "RandVec"
    param = "randvec_param"
    tops = count(1)

    def bind(self, param: Message) -> None:
        if self.layer.has("rand_vec_param"):
            self.param = "rand_vec_param"  # type: ignore[misc]
            param = self.layer.rand_vec_param
        self.batch_size = to_int(param.batch_size)
        self.check_batch_size()
        self.lower: float = param.lower
        self.upper: float = param.upper

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        param = self.layer.get(self.param)
        size = to_int(param.height), to_int(param.width)
        top: Shape = (self.batch_size, to_int(param.dim), *(size if min(size) > 0 else ()))
        self.check_size(top, "dim")
        return [top]


class DetectNetTransformation(Definition):
    """Pictures changed at random, and maps of the boxes in them, for training DetectNet.

    ## Shape
    Bottoms: pictures (N, 3, H, W), and their boxes with as many items. Tops: (N, 3, `image_size_y`,
    `image_size_x`), and maps (N, 8 + classes, `image_size_y` / `stride`, `image_size_x` / `stride`),
    with as many classes as the highest `dst` of an `object_class` and one.

    ## Differs from PyTorch
    No counterpart; it belongs to the data, and its tops are the net's inputs.

    ## Forks
    nvidia's (detectnet_transform_layer.cpp).
    """

    type = "DetectNetTransformation"
    param = "detectnet_groundtruth_param"
    bottoms = count(2)
    tops = count(2)

    def bind(self, param: Message) -> None:
        self.stride = to_int(param.stride)
        self.image_size = to_int(param.image_size_y), to_int(param.image_size_x)
        self.classes = 1 + max((to_int(one.dst) for one in param.object_class), default=0)
        if self.stride < 1:
            self.refuse(
                "stride-zero", f"`stride` is {self.stride}; it must be at least 1", "stride"
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        pictures, boxes = (four_axes(self, bottom) for bottom in bottoms)
        if pictures[1] != 3:
            self.refuse(
                "wrong-number-of-axes",
                f"DetectNetTransformation takes pictures of 3 channels; bottom 0 is "
                f"{list(bottoms[0])}",
                "layer.bottom",
                index=0,
            )
        if pictures[0] != boxes[0]:
            self.refuse(
                "batch-sizes-differ",
                f"bottom 0 has {pictures[0]} items, bottom 1 has {boxes[0]}",
                "layer.bottom",
                index=1,
            )
        # as OpenCV rounds a rectangle of floats
        grid = (round(size / self.stride) for size in self.image_size)
        tops = [
            (pictures[0], 3, *self.image_size),
            (pictures[0], DETECTNET_PLANES + self.classes, *grid),
        ]
        for top in tops:
            self.check_size(top)
        return tops

    def cost(self) -> Cost:
        return Cost()
