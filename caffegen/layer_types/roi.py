"""Pooling over regions of a picture (RoIs) that come as a blob: by maxima, averages or samples."""

from __future__ import annotations

from math import prod

from caffegen.text import Message

from .base import Cost, Definition, Shape, count
from .blob_shape import require_axes, require_positive, to_int

__all__ = ["PSROIPooling", "ROIAlign", "ROIPooling"]


class _Regions(Definition):
    """What all poolings over regions share: bottom 1 holds a row of numbers for each region."""

    bottoms = count(2)
    # image, x1, y1, x2, y2
    roi_values = 5
    pooled: Shape

    def count_rois(self, rois: Shape) -> int:
        """How many regions bottom 1 holds; refuses rows of another size."""
        if not rois or prod(rois[1:]) != self.roi_values:
            corners = "x1, y1, x2, y2" if self.roi_values == 5 else "d1, x1, y1, d2, x2, y2"
            self.refuse(
                "roi-values-count",
                f"a region is {self.roi_values} numbers (image, {corners}); bottom 1 is "
                f"{list(rois)}",
                "layer.bottom",
                index=1,
            )
        return rois[0]

    def cost(self) -> Cost:
        # each region looks at about its own area, at most the whole map
        rois, bottom = self.bottom_shapes[1][0], self.bottom_shapes[0]
        return Cost(0, rois * prod(bottom[1:]))


class ROIPooling(_Regions):
    """Takes the maximum of every cell of a grid laid over each region of a feature map.

    Girshick, Fast R-CNN (2015). A corner times `spatial_scale` is rounded, halves away from zero;
    a region spans end - start + 1 pixels, at least 1. Cell i of P begins at floor(i * span / P),
    ends before ceil((i + 1) * span / P), and is cut off at the map; an empty cell gives 0
    (roi_pooling_layer.cpp, Forward_cpu). There is no gradient for the regions.

    ## Shape
    Bottoms (N, C, H, W) and R regions of 5 numbers: image, x1, y1, x2, y2. Top (R, C, `pooled_h`,
    `pooled_w`).

    ## Differs from PyTorch
    torchvision's `roi_pool`, for all regions that lie within -2^31 and 2^31.

    ## Forks
    fast-rcnn, yjxiong and happynear agree. intel has `pooled_size` too, once or once per axis, and
    takes maps (N, C, D, H, W) with regions of 7 numbers: image, d1, x1, y1, d2, x2, y2.
    """

    type = "ROIPooling"
    param = "roi_pooling_param"

    def bind(self, param: Message) -> None:
        self.spatial_scale: float = param.spatial_scale
        self.sizes = tuple(to_int(size) for size in param.pooled_size)
        for size in self.sizes:
            require_positive(self, "pooled_size", size)
        if not self.sizes:
            self.pooled = to_int(param.pooled_h), to_int(param.pooled_w)
            self.each(
                lambda: require_positive(self, "pooled_h", self.pooled[0]),
                lambda: require_positive(self, "pooled_w", self.pooled[1]),
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom, rois = bottoms
        require_axes(self, bottom, 4, 5)
        axes = len(bottom) - 2
        if self.sizes or axes == 3:
            if len(self.sizes) not in (1, axes):
                self.refuse(
                    "pooled-size-count",
                    f"`pooled_size` is given {len(self.sizes)} times; it is given once or, for "
                    f"{len(bottom)} axes, {axes} times",
                    "pooled_size",
                )
            self.pooled = self.sizes if len(self.sizes) == axes else self.sizes * axes
        self.roi_values = 1 + 2 * axes
        top = (self.count_rois(rois), bottom[1], *self.pooled)
        self.check_size(top)
        return [top]


class PSROIPooling(_Regions):
    """Averages, for each cell of a grid over a region, a group of channels that is the cell's own.

    Dai et al., R-FCN (2016). Corners are rounded, halves away from zero, the end goes 1 further,
    and both are taken times `spatial_scale`, spanning at least 0.1. Cell i of G reaches from
    floor(start + i * span / G) to ceil(start + (i + 1) * span / G), cut off at the map; an empty
    one gives 0. Of output d, cell (i, j) looks at channel (d * G + i) * G + j alone
    (psroi_pooling_layer.cpp, PSROIPoolingForward).

    ## Shape
    Bottoms (N, `output_dim` * G * G, H, W), with G the `group_size`, and R regions of 5 numbers:
    image, x1, y1, x2, y2. Top (R, `output_dim`, G, G).

    ## Differs from PyTorch
    torchvision's `ps_roi_pool` rounds other numbers: corners after they were scaled.

    ## Forks
    intel and happynear agree; happynear has it on GPUs alone.
    """

    type = "PSROIPooling"
    param = "psroi_pooling_param"

    def bind(self, param: Message) -> None:
        self.spatial_scale: float = param.spatial_scale
        self.output_dim: int = param.output_dim
        self.group_size: int = param.group_size
        self.each(
            lambda: require_positive(self, "output_dim", self.output_dim),
            lambda: require_positive(self, "group_size", self.group_size),
        )
        self.pooled = self.group_size, self.group_size

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom, rois = bottoms
        require_axes(self, bottom, 4, 4)
        channels = self.output_dim * self.group_size**2
        if bottom[1] != channels:
            self.refuse(
                "channels-differ-from-parameters",
                f"`output_dim` ({self.output_dim}) and `group_size` ({self.group_size}) ask for "
                f"{channels} channels; bottom 0 has {bottom[1]}",
                "layer.bottom",
                index=0,
            )
        top = (self.count_rois(rois), self.output_dim, *self.pooled)
        self.check_size(top)
        return [top]


class ROIAlign(_Regions):
    """Samples a feature map between its pixels on a grid laid over each region.

    He et al., Mask R-CNN (2017). What is sampled where is told by the layer's own parameters:

    With `roi_align_param`, a region spans its corners times `spatial_scale`, at least 1 pixel, with
    pixel centres on whole numbers; a cell is the mean of `sampling_ratio`^2 samples, by default
    ceil(span / P) of them along an axis. A sample further than 1 pixel outside is 0.

    With `roi_pooling_param`, as in cascade-rcnn (roi_align_layer.cpp, Forward_cpu), the corners
    of the cells themselves are the samples. A region grows by `pad_ratio` of its size on all sides,
    and pixel centres lie on halves; a sample outside the map, and all of an empty region, are 0.

    ## Shape
    Bottoms (N, C, H, W) and R regions of 5 numbers: image, x1, y1, x2, y2. Top (R, C, `pooled_h`,
    `pooled_w`), and with `roi_pooling_param` (R, C, `pooled_h` + 1, `pooled_w` + 1).

    ## Differs from PyTorch
    The first is torchvision's `roi_align` with `aligned=False`; the second has no counterpart.

    ## Forks
    No fork of those that caffegen tells apart has it. jasjeetIM/Mask-RCNN has another layer under
    this name and with `roi_align_param`; it never sets `sampling_ratio`, and without that a warning
    says so.
    """

    type = "ROIAlign"

    def bind(self, param: Message) -> None:
        self.corners = self.layer.has("roi_pooling_param") and not self.layer.has("roi_align_param")
        self.field = "roi_pooling_param" if self.corners else "roi_align_param"
        own = self.layer.get(self.field)
        self.spatial_scale: float = own.spatial_scale
        height, width = (
            require_positive(self, field, to_int(own.get(field)), f"layer.{self.field}")
            for field in ("pooled_h", "pooled_w")
        )
        self.pooled = height, width
        self.pad_ratio: float = own.pad_ratio if self.corners else 0.0
        self.sampling_ratio = 0 if self.corners else max(0, own.sampling_ratio)
        if self.corners:
            self.pooled = self.pooled[0] + 1, self.pooled[1] + 1
        elif not own.has("sampling_ratio"):
            self.warn(
                "roi-align-unsure",
                "without `sampling_ratio` this may be the ROIAlign of one of two kinds of Caffe; "
                "it is taken as Mask R-CNN defines it",
                f"layer.{self.field}",
                help="add `sampling_ratio: -1`, if that is meant",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom, rois = bottoms
        require_axes(self, bottom, 4, 4)
        top = (self.count_rois(rois), bottom[1], *self.pooled)
        self.check_size(top)
        return [top]
