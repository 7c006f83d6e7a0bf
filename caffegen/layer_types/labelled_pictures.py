"""Data layers of rarer forks: pictures with several labels, boxes, lanes or words about them.

What stands in a data base or a file is not read. Where the text alone does not say the shape of a
top it is None, and whoever runs the inference may give it.
"""

from __future__ import annotations

from caffegen.text import Message

from .base import Shape, count
from .blob_shape import to_int
from .data import AnnotatedData, _Listed, _Source

__all__ = ["BboxData", "DocData", "LaneData", "MultiLabelData", "SparseData"]

BOX_VALUES = 100  # bbox_data_layer.cpp, DataLayerSetUp


class MultiLabelData(_Listed):
    """Pictures and some whole numbers for each, from a list of image files.

    ## Shape
    Tops: (`batch_size`, 3 or 1 channels by `is_color`, height, width), and (`batch_size`,
    `label_num`). The size is that of `crop_size`, of `new_height` and `new_width`, or the file's.

    ## Differs from PyTorch
    A data loader; its batches are the net's inputs.

    ## Forks
    That of Deep Hashing Networks, as proposed to BVLC (multi_label_data_layer.cpp).
    """

    type = "MultiLabelData"
    param = "multi_label_data_param"
    tops = count(2)

    def bind(self, param: Message) -> None:
        super().bind(param)
        self.label_num = to_int(param.label_num)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        labels = (self.batch_size, self.label_num)
        self.check_size(labels, "label_num")
        return [super().shapes(bottoms)[0], labels]


class BboxData(_Listed):
    """Pictures and the boxes of the objects in them, from a list of pairs of files.

    ## Shape
    Tops: (`batch_size`, 3 or 1 channels by `is_color`, height, width), and (`batch_size`, 100, 1, 1),
    of which each batch makes five numbers for each box of its fullest picture: xmin, ymin, xmax, ymax
    and class, and -1 behind the last box. The size is that of `crop_size`, of `new_height` and
    `new_width`, or the file's.

    ## Differs from PyTorch
    A data loader; its batches are the net's inputs.

    ## Forks
    That of SqueezeDet for OpenCV (bbox_data_layer.cpp of kvmanohar22's).
    """

    type = "BboxData"
    param = "bbox_data_param"
    tops = count(2)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        return [super().shapes(bottoms)[0], (self.batch_size, BOX_VALUES, 1, 1)]


class LaneData(AnnotatedData):
    """Pictures of streets and the lanes on them, from a data base.

    ## Shape
    Top 0 as that of AnnotatedData. Top 1 (`batch_size`, 1, 1, 1), of which each batch makes
    (`batch_size`, 5, 64, 3): lanes, points, and x, y and number of the lane. Top 2, a mask of the
    lanes, as that of AnnotatedData.

    ## Differs from PyTorch
    A data loader; its batches are the net's inputs.

    ## Forks
    mobilenet-yolo's (lane_data_layer.cpp).
    """

    type = "LaneData"

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        picture = super().shapes(bottoms)[0]
        return [picture, (self.batch_size, 1, 1, 1), self.masks(picture)]


class DocData(_Source):
    """Scanned pages and what is known of them, from data bases.

    ## Shape
    Top 0 (`batch_size`, channels, height, width), as the data bases and `image_transform_param` say.
    Top 1, the labels: one number for each page, with `doc_data_param` as many as `label_names`.

    ## Differs from PyTorch
    A data loader; its batches are the net's inputs.

    ## Forks
    One that a pull request proposed to BVLC (doc_data_layer.cpp); in older files of it the source
    stands in `data_param`.
    """

    type = "DocData"
    param = "doc_data_param"
    tops = count(1, None)

    def bind(self, param: Message) -> None:
        self.old: bool = not self.layer.has("doc_data_param")
        source = self.layer.data_param if self.old else param
        self.batch_size = to_int(source.batch_size)
        self.check_batch_size()
        if self.old:
            self.bind_source(source)
        elif not param.sources:
            self.fault(
                "source-missing",
                "DocData needs `sources`, the data bases to read",
                "sources",
                help='add `sources: "..."`',
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        label: Shape | None = (self.batch_size,) if self.old else None
        return [None, *[label] * (self.top_count - 1)]


class SparseData(_Source):
    """Items of which most values are 0, and their class numbers.

    ## Shape
    Top 0 (`batch_size`, values of an item), which the data base says, or for a file of places
    (`batch_size`, `mat_channels`, `mat_height`, `mat_width`). Top 1, the class numbers (`batch_size`).

    ## Differs from PyTorch
    A data loader; its batches, with all zeros, are the net's inputs.

    ## Forks
    One proposed to BVLC, and yjxiong's of the branch jd, which reads `source_file` and has one top
    (sparse_data_layer.cpp of each).
    """

    type = "SparseData"
    param = "sparse_data_param"
    tops = count(1, 2)

    def bind(self, param: Message) -> None:
        self.batch_size = to_int(param.batch_size)
        self.check_batch_size()
        self.of_places: bool = param.has("source_file")
        if self.of_places:
            self.source: str = param.source_file
        else:
            self.bind_source(param)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        if not self.of_places:
            return [None, (self.batch_size,)]
        param = self.layer.get(self.param)
        top = (
            self.batch_size,
            *(to_int(param.get(f"mat_{axis}")) for axis in ("channels", "height", "width")),
        )
        self.check_size(top, "mat_height")
        return [top, (self.batch_size,)]
