"""Layers that bring pictures to another size: by interpolation, by repetition, by remembered places."""

from __future__ import annotations

from math import isfinite, prod

from caffegen.text import Message
from caffegen.text.message import round_float

from .base import INT_MAX, Cost, Definition, Shape, count
from .blob_shape import require_axes, require_positive, to_int
from .four_axes import four_axes
from .in_place import refuse_in_place

__all__ = ["Interp", "Resize", "SimpleCrop", "Upsample", "check_mask"]

Pair = tuple[int, int]
_HW = ("_h", "_w")


def check_mask(definition: Definition, bottoms: tuple[Shape, ...]) -> None:
    """Refuse a bottom 1 that has not one place for each value of bottom 0."""
    require_axes(definition, bottoms[0], 4, 4)
    if bottoms[1] != bottoms[0]:
        definition.refuse(
            "mask-shape-differs",
            f"bottom 1 holds the place of each value of bottom 0, which is {list(bottoms[0])}; it "
            f"is {list(bottoms[1])}",
            "layer.bottom",
            index=1,
            help="take the second top of the Pooling that made the picture smaller",
        )


class Interp(Definition):
    """Brings pictures to another size by bilinear interpolation from corner to corner.

    `begin` and `end` rows and columns are cut off first. `size` is the height and width where they
    are given; otherwise a size n becomes (n - 1) // `shrink` * `zoom` + 1.

    ## Shape
    Bottom (N, C, H, W). Top (N, C, `size`), or with the factors; with `use_blob_size` of the height
    and width of bottom 1.

    ## Differs from PyTorch
    `interpolate` with mode "bilinear" and align_corners; the same. With `mode: NEAREST` the nearest
    of those places, half way the later one, which no mode of `interpolate` takes.

    ## Forks
    DeepLab's, PSPNet's and yjxiong's (interp_layer.cpp): in the last two a factor overrules `height`
    and `width`, and both factors may be given, to shrink first; DeepLab's takes one of the three.
    `mode` is of a later one, `use_blob_size` of soeaver's and of converters. `pad_beg` and `pad_end`
    are 0 or less: they only cut.
    """

    type = "Interp"
    param = "interp_param"
    bottoms = count(1, 2)
    size: Pair | None = None

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        for field in ("pad_beg", "pad_end"):
            if param.get(field) > 0:
                self.refuse(
                    "padding-outward",
                    f"`{field}` is {param.get(field)}; Interp only cuts off, by a number below 0",
                    field,
                    help="put a Padding before it",
                )
        self.begin, self.end = -param.pad_beg, -param.pad_end
        self.nearest: bool = param.mode == "NEAREST"
        self.like_bottom: bool = param.use_blob_size
        if self.bottom_count != (2 if self.like_bottom else 1):
            needs = "a bottom 1 of its size" if self.like_bottom else "1 bottom"
            self.refuse(
                "wrong-number-of-bottoms",
                f"Interp takes {needs}, `{self.name}` has {self.bottom_count}",
                "use_blob_size" if self.like_bottom else "layer.bottom",
            )
        self.shrink: int = param.shrink_factor
        self.zoom: int = param.zoom_factor
        if not self.like_bottom:
            self.bind_size(param)

    def bind_size(self, param: Message) -> None:
        """The height and width, or what they are multiplied by."""
        factors = [name for name in ("shrink_factor", "zoom_factor") if param.has(name)]
        sizes = [name for name in ("height", "width") if param.has(name)]
        if len(sizes) == 2 and len(factors) != 1:
            self.size = param.height, param.width
            written, unread = sizes, factors
        else:
            written, unread = factors, sizes if factors else []
        for field in written:
            require_positive(self, field, param.get(field))
        if not factors and self.size is None:
            missing = "width" if sizes == ["height"] else "height"
            self.refuse(
                "required-field-missing",
                f"`{sizes[0]}` is set without `{missing}`" if sizes
                else "Interp needs a size: `height` and `width`, `zoom_factor` or `shrink_factor`",
                sizes[0] if sizes else "",
                help=f"add `{missing}`" if sizes else "add `zoom_factor: 8`",
            )  # fmt: skip
        if unread:
            other = factors if unread is sizes else sizes
            self.warn(
                "size-without-effect",
                f"`{unread[0]}` has no effect beside `{other[0]}`",
                unread[0],
                help=f"remove `{unread[0]}`",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        whole = four_axes(self, bottoms[0])
        if self.like_bottom:
            for bottom in bottoms:
                require_axes(self, bottom, 4, 4)
            self.size = bottoms[1][2], bottoms[1][3]
        sizes = []
        for axis, word in ((2, "height"), (3, "width")):
            left = whole[axis] - self.begin - self.end
            if left < 1:
                self.refuse(
                    "pad-exceeds-output",
                    f"`pad_beg` and `pad_end` take {self.begin + self.end} away from a {word} of "
                    f"{whole[axis]}",
                    "pad_beg" if self.begin else "pad_end",
                )
            sizes.append(left)
        scaled = ((size - 1) // self.shrink * self.zoom + 1 for size in sizes)
        top = (*whole[:2], *(self.size or scaled))
        self.check_size(top)
        return [top]

    def cost(self) -> Cost:
        # two products for each row and column of the four neighbours, and their sums
        return Cost(0, 0 if self.nearest else 7 * prod(self.top_shapes[0] or ()))


class Resize(Definition):
    """Brings pictures to another size by bilinear interpolation, from the upper left corner on.

    `size` is the height and width where they are given; otherwise a size n becomes n times its
    number in `scale`, cut to an integer.

    ## Shape
    Bottom (N, C, H, W). Top (N, C, `height`, `width`), or with `is_pyramid_test`
    (N, C, `out_height_scale` H, `out_width_scale` W).

    ## Differs from PyTorch
    No mode of `interpolate`: pixel i of the top lies at i * old size / new size in the bottom, and
    what lies behind the last row and column is 0, so that a larger picture fades at its lower and
    right edge (util_img.cpp, BiLinearResizeMat_cpu).

    ## Forks
    happynear's (resize_layer.cpp).
    """

    type = "Resize"
    param = "resize_param"
    size: Pair | None = None
    scale: tuple[float, float] = (1.0, 1.0)

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        scaled: bool = param.is_pyramid_test
        fields = ("out_height_scale", "out_width_scale") if scaled else ("height", "width")
        for field in fields:
            if not param.has(field):
                self.refuse(
                    "required-field-missing", f"Resize needs `{field}`", help=f"add `{field}`"
                )
        if scaled:
            self.scale = param.out_height_scale, param.out_width_scale
            for field, scale in zip(fields, self.scale, strict=True):
                if not isfinite(scale):
                    self.refuse(
                        "size-not-positive", f"`{field}` is {scale}; a factor is finite", field
                    )
        else:
            self.size = to_int(param.height), to_int(param.width)
        self.fields = fields

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        whole = four_axes(self, bottoms[0])
        sizes = self.size or tuple(
            int(min(max(round_float(scale * size), 0), INT_MAX + 1))
            for scale, size in zip(self.scale, whole[2:], strict=True)
        )
        for field, size in zip(self.fields, sizes, strict=True):
            if size < 1:
                self.refuse(
                    "size-not-positive",
                    f"`{field}` makes a picture of {sizes[0]} x {sizes[1]} pixels",
                    field,
                )
        top = (*whole[:2], *sizes)
        self.check_size(top)
        return [top]

    def cost(self) -> Cost:
        return Cost(0, 7 * prod(self.top_shapes[0] or ()))


class Upsample(Definition):
    """Makes pictures larger: repeats every pixel, or puts it where a max pooling had found it.

    With a second bottom, the places, `mask` is true. `growth` has a factor and a summand for height
    and width: the new size is factor * size + summand.

    ## Shape
    Bottom (N, C, H, W); bottom 1, where there is one, of that shape: the places of the values in
    their plane of the top, as the second top of a Pooling has them. Top (N, C, `scale` H, `scale` W),
    with a mask one row or column less by `pad_out_h` and `pad_out_w`, or `upsample_h`, `upsample_w`.

    ## Differs from PyTorch
    `Upsample` with mode "nearest-exact", and `max_unpool2d`. Of two values for one place the later
    counts; both get its gradient.

    ## Forks
    With the mask SegNet's and ENet's (upsample_layer.cpp), in which `scale` is 2 unless it is set;
    with one bottom MobileNet-YOLO's and those of other YOLO forks, in which it is 1.
    """

    type = "Upsample"
    param = "upsample_param"
    bottoms = count(1, 2)
    growth: tuple[Pair, Pair]

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        self.mask = self.bottom_count > 1
        self.check_bottoms(param)
        if not self.mask:
            scale: int = param.scale if param.has("scale") else 1
            self.scale = require_positive(self, "scale", scale)
            self.growth = (self.scale, 0), (self.scale, 0)
        elif param.has("upsample_h") and param.has("upsample_w"):
            self.growth = (
                (0, self.above_one(param, "upsample_h")),
                (0, self.above_one(param, "upsample_w")),
            )
        else:
            self.bind_factors(param)

    def check_bottoms(self, param: Message) -> None:
        """Refuse fields or a fork of the layer with the other number of bottoms."""
        if self.mask:
            wrong = "MobileNet-YOLO's" if self.dialect == "mobilenet-yolo" else ""
        else:
            segnet = [
                field
                for field in param.message_type.fields
                if field != "scale" and param.has(field)
            ]
            wrong = f"one with `{segnet[0]}`" if segnet else ""
            wrong = wrong or ("SegNet's" if self.dialect == "segnet" else "")
        if wrong:
            self.refuse(
                "wrong-number-of-bottoms",
                f"an Upsample has {'1 bottom' if self.mask else '2 bottoms'} if it is {wrong}; "
                f"`{self.name}` has {self.bottom_count}",
                "layer.bottom",
                index=self.bottom_count - 1,
                help="" if self.mask else "add the mask, the second top of a Pooling",
            )

    def bind_factors(self, param: Message) -> None:
        """The old fields, from which the size follows."""
        given = [field for field in ("scale_h", "scale_w") if param.has(field)]
        if given and param.has("scale"):
            self.refuse(
                "repeated-and-hw-fields",
                f"`scale` and `{given[0]}` are both set; Caffe takes one or the other",
                given[0],
                help="write `upsample_h` and `upsample_w`",
                other=("scale", "the other is here"),
            )
        if len(given) == 1:
            missing = "scale_w" if given == ["scale_h"] else "scale_h"
            self.refuse(
                "hw-field-missing",
                f"`{given[0]}` is set without `{missing}`; Upsample takes both",
                given[0],
                help=f"add `{missing}`",
            )
        for field in ("upsample_h", "upsample_w"):
            if param.has(field):
                self.warn(
                    "size-without-effect",
                    f"`{field}` alone has no effect; the size follows from the factors",
                    field,
                    help="write both `upsample_h` and `upsample_w`",
                )
        if given:
            scales = self.above_one(param, "scale_h"), self.above_one(param, "scale_w")
        else:
            scales = (self.above_one(param, "scale") if param.has("scale") else 2,) * 2
        pads = []
        for hw, scale in zip(_HW, scales, strict=True):
            pads.append(int(param.get("pad_out" + hw)))
            if pads[-1] and scale != 2:
                self.refuse(
                    "pad-out-without-scale-2",
                    f"`pad_out{hw}` takes one off twice the size, and the factor is {scale}",
                    "pad_out" + hw,
                    help="write `upsample_h` and `upsample_w`",
                )
        self.growth = (scales[0], -pads[0]), (scales[1], -pads[1])

    def above_one(self, param: Message, field: str) -> int:
        """A factor or a size of SegNet's, which must be above 1."""
        value = to_int(param.get(field))
        if value < 2:
            self.refuse(
                "upsampling-not-larger", f"`{field}` is {value}; it must be at least 2", field
            )
        return value

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        require_axes(self, bottom, 4, 4)
        if self.mask:
            check_mask(self, bottoms)
        sizes = (
            factor * size + summand
            for size, (factor, summand) in zip(bottom[2:], self.growth, strict=True)
        )
        top = (*bottom[:2], *sizes)
        self.check_size(top)
        return [top]

    def cost(self) -> Cost:
        return Cost()


class SimpleCrop(Definition):
    """Cuts rows and columns off below and on the right, to the height and width of another blob.

    ## Shape
    Bottom (N, C, H, W). Top (N, C, h, w), of the blob that `blob_name` names, which is no bottom: only
    a net that is set up knows them, so that they must be given.

    ## Differs from PyTorch
    Slicing.

    ## Forks
    BVLC's pull request 2539 (simple_crop_layer.cpp).
    """

    type = "SimpleCrop"
    param = "crop_param"
    honours = frozenset({"CropParameter.blob_name"})

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        if not param.has("blob_name"):
            self.refuse(
                "required-field-missing", "SimpleCrop needs `blob_name`",
                help="name the blob whose height and width it takes",
            )  # fmt: skip
        self.blob_name: str = param.blob_name
        self.obstacle = (
            f"its size is that of `{self.blob_name}`, which is no bottom of it; a Crop takes that blob "
            "as bottom 1"
        )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape | None]:
        four_axes(self, bottoms[0])
        return [None]

    def cost(self) -> Cost:
        return Cost()
