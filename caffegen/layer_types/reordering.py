"""Layers that put the values of a blob in another order, or zeros around them."""

from __future__ import annotations

from caffegen.text import Message

from .base import Shape, count
from .blob_shape import to_int
from .four_axes import four_axes
from .in_place import refuse_in_place, warn_in_place
from .reshaping import _Moving

__all__ = [
    "Flip", "Gather", "Padding", "Permute", "Reorg", "Reverse", "ShuffleChannel", "Transpose",
]  # fmt: skip


class _Reordering(_Moving):
    """What Permute and Transpose share: the axes of the bottom in another order."""

    field = ""
    order: Shape

    def bind(self, param: Message) -> None:
        given: list[int] = [to_int(axis) for axis in param.get(self.field)]
        for index, axis in enumerate(given):
            if axis in given[:index]:
                self.refuse(
                    "axis-named-twice", f"`{self.field}` names axis {axis} twice", self.field,
                    index=index, help="name each axis once",
                    other=(self.field, "the axes are given here"),
                )  # fmt: skip
        self.given = tuple(given)

    def check_axes(self, rank: int) -> None:
        """Refuse axes that the bottom does not have."""
        for index, axis in enumerate(self.given):
            if not 0 <= axis < rank:
                self.refuse(
                    "axis-out-of-range",
                    f"`{self.field}` names axis {axis}, but the bottom has {rank} "
                    f"{'axis' if rank == 1 else 'axes'}",
                    self.field,
                    index=index,
                    help=f"axes go from 0 to {rank - 1}",
                )


class Permute(_Reordering):
    """Puts the axes of a blob in another order.

    ## Shape
    Top: axis i is axis `order[i]` of the bottom. Axes that `order` does not name follow in their
    own order.

    ## Differs from PyTorch
    `permute`, which needs all axes to be named.

    ## Forks
    SSD's (permute_layer.cpp), and the same in intel's, NVIDIA's, MobileNet-YOLO's and happynear's.
    """

    type = "Permute"
    param = "permute_param"
    field = "order"

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        self.check_axes(len(bottom))
        rest = (axis for axis in range(len(bottom)) if axis not in self.given)
        self.order = (*self.given, *rest)
        if self.order != tuple(range(len(bottom))):
            warn_in_place(self)
        return [tuple(bottom[axis] for axis in self.order)]


class Transpose(_Reordering):
    """Puts the axes of a blob in another order, which names each of them.

    ## Shape
    Top: axis i is axis `dim[i]` of the bottom.

    ## Differs from PyTorch
    `permute`; the same. It can't work in place.

    ## Forks
    By `transpose_param { dim: ... }` (transpose_layer.cpp of the forks for text recognition). Older
    layers of this name take no parameters, and each of them moves other axes: those are refused.
    """

    type = "Transpose"
    param = "transpose_param"
    field = "dim"

    def bind(self, param: Message) -> None:
        super().bind(param)
        refuse_in_place(self)
        if not self.given:
            self.refuse(
                "required-field-missing",
                "`transpose_param` has no `dim`; the layers of this name that take none differ in "
                "the axes they move",
                help="write the axes in their new order, or use Permute",
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        self.check_axes(len(bottom))
        if len(self.given) != len(bottom):
            self.refuse(
                "wrong-number-of-axes",
                f"`dim` names {len(self.given)} axes; the bottom is {list(bottom)}",
                "dim",
                help="name every axis",
            )
        self.order = self.given
        return [tuple(bottom[axis] for axis in self.order)]


class ShuffleChannel(_Moving):
    """Deals the channels out anew, so that each group of the next layer sees all groups of the last.

    ## Shape
    Bottom (N, C, H, W), C a multiple of `group`. Top: the same, with four axes also where the
    bottom has fewer. Channel i * (C / group) + j becomes channel j * group + i.

    ## Differs from PyTorch
    `ChannelShuffle`; the same.

    ## Forks
    shuffle_channel_layer.cpp of farmingyard/ShuffleNet; `group` is 1 unless it is set.
    """

    type = "ShuffleChannel"
    param = "shuffle_channel_param"

    def bind(self, param: Message) -> None:
        self.group = to_int(param.group)
        if self.group < 1:
            self.refuse("group-zero", f"`group` is {self.group}; it must be at least 1", "group")

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        top = four_axes(self, bottoms[0])
        self.channels = top[1]
        if self.channels % self.group:
            self.refuse(
                "group-does-not-divide",
                f"the bottom's {self.channels} channels are not a multiple of `group` "
                f"({self.group})",
                "group",
            )
        warn_in_place(self)
        return [top]


class _Flipping(_Moving):
    """What Flip and Reverse share: some axes are read from their end."""

    axes: Shape


class Flip(_Flipping):
    """Mirrors pictures, by default left to right.

    ## Shape
    As the bottom's, of up to 4 axes.

    ## Differs from PyTorch
    `flip` over axis 3 (`flip_width`) and axis 2 (`flip_height`), where the bottom has them.

    ## Forks
    happynear's (flip_layer.cpp). In place it reads values that it has written already.
    """

    type = "Flip"
    param = "flip_param"

    def bind(self, param: Message) -> None:
        self.flip_width: bool = param.flip_width
        self.flip_height: bool = param.flip_height

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        bottom = bottoms[0]
        four_axes(self, bottom)
        asked = {2: self.flip_height, 3: self.flip_width}
        self.axes = tuple(axis for axis, on in asked.items() if on and axis < len(bottom))
        if self.axes:
            warn_in_place(self)
        return [bottom]


class Reverse(_Flipping):
    """Turns one axis round, by default the first: time, for the second half of a BLSTM.

    ## Shape
    As the bottom's.

    ## Differs from PyTorch
    `flip` over one axis. It can't work in place.

    ## Forks
    reverse_layer.cpp of the CTC pull request to BVLC; `axis` counts from the front alone. Layers of
    this name that take a second bottom, the lengths of the sequences, are another thing.
    """

    type = "Reverse"
    param = "reverse_param"

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        self.raw_axis: int = param.axis

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        rank = len(bottoms[0])
        if not 0 <= self.raw_axis < rank:
            self.refuse(
                "axis-out-of-range",
                f"`axis` is {self.raw_axis}, but the bottom has {rank} "
                f"{'axis' if rank == 1 else 'axes'}",
                "axis",
                help=f"axes go from 0 to {rank - 1}" if rank else "",
            )
        self.axes = (self.raw_axis,)
        return [bottoms[0]]


class Gather(_Moving):
    """Collects the batches of all processes of a parallel run; one process alone has its own.

    ## Shape
    Tops: as many as bottoms, each as its bottom. (In a run on n MPI ranks the first axis is n times
    as long.)

    ## Differs from PyTorch
    The identity. `all_gather` in a distributed run.

    ## Forks
    yjxiong's (gather_layer.cpp).
    """

    type = "Gather"
    bottoms = count(1, None)
    tops = count(1, None)
    equal_counts = True
    in_place = True


class Padding(_Moving):
    """Puts a margin of zeros, or of another value, around pictures; may cut one off instead.

    `before` and `after` are the margins (above, left) and (below, right); negative ones cut.

    ## Shape
    Bottom (N, C, H, W). Top (N, C, H + before[0] + after[0], W + before[1] + after[1]).

    ## Differs from PyTorch
    `ConstantPad2d`; the same.

    ## Forks
    Which fields are set tells which layer is meant: `pad`, or `pad_h` and `pad_w` (BVLC's of 2013);
    `pad_beg` and `pad_end` for both axes, both below 0 to cut (DeepLab's padding_layer.cpp);
    `pad_t`, `pad_l`, `pad_b`, `pad_r` with `pad_value`.
    """

    type = "Padding"
    param = "padding_param"

    def bind(self, param: Message) -> None:
        self.value = 0.0
        kinds = (("pad", "pad_h", "pad_w"), ("pad_beg", "pad_end"),
                 ("pad_t", "pad_l", "pad_b", "pad_r", "pad_value"))  # fmt: skip
        given = [[field for field in fields if param.has(field)] for fields in kinds]
        found = [fields[0] for fields in given if fields]
        if len(found) > 1:
            self.refuse(
                "padding-fields-mixed",
                f"`{found[0]}` and `{found[1]}` are of two layers of this name; no Caffe has both",
                found[1],
                help=f"keep `{found[0]}` and its kin, or `{found[1]}`",
                other=(found[0], "the other is here"),
            )
        if given[1]:
            self.bind_begin_and_end(param)
        elif given[2]:
            self.value = param.pad_value
            self.before = to_int(param.pad_t), to_int(param.pad_l)
            self.after = to_int(param.pad_b), to_int(param.pad_r)
        else:
            both = to_int(param.pad)
            self.before = (both, both) if both else (to_int(param.pad_h), to_int(param.pad_w))
            self.after = self.before

    def bind_begin_and_end(self, param: Message) -> None:
        """DeepLab's fields, one for the margins above and left, one for those below and right."""
        begin, end = param.pad_beg, param.pad_end
        if min(begin, end) < 0 < max(begin, end):
            self.refuse(
                "padding-signs-differ",
                f"`pad_beg` ({begin}) and `pad_end` ({end}) have different signs; the layer pads "
                "or cuts",
                "pad_end",
                other=("pad_beg", "the other is here"),
            )
        self.before, self.after = (begin, begin), (end, end)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        whole = four_axes(self, bottoms[0])
        if any((*self.before, *self.after)):
            refuse_in_place(self)
        sizes = []
        for axis, word in ((0, "height"), (1, "width")):
            size = whole[axis + 2] + self.before[axis] + self.after[axis]
            if size < 1:
                self.refuse(
                    "pad-exceeds-output",
                    f"the padding takes {-self.before[axis] - self.after[axis]} away from a {word} "
                    f"of {whole[axis + 2]}",
                )
            sizes.append(size)
        top = (*whole[:2], *sizes)
        self.check_size(top)
        return [top]


class Reorg(_Moving):
    """Trades height and width for channels (YOLOv2's passthrough), or with `reverse` the other way.

    ## Shape
    Bottom (N, C, H, W), C a multiple of `stride` squared; top (N, C stride^2, H / stride,
    W / stride), or with `reverse` (N, C / stride^2, H stride, W stride).

    ## Differs from PyTorch
    Not `pixel_unshuffle`: the values are first read as (C / stride^2, H stride, W stride), as
    Darknet's reorg does, and unshuffled then, with the place in the square as the slower index.
    `reverse` is a depth-to-space in that order.

    ## Forks
    intel's and MobileNet-YOLO's (reorg_layer.hpp, reorg_cpu). Their backward pass reads a buffer
    that nobody fills; here the gradient is the true one.
    """

    type = "Reorg"
    param = "reorg_param"

    def bind(self, param: Message) -> None:
        refuse_in_place(self)
        if not param.has("stride"):
            self.refuse("required-field-missing", "Reorg needs a `stride`", help="add `stride: 2`")
        self.stride = to_int(param.stride)
        self.reverse: bool = param.reverse
        if self.stride < 1:
            self.refuse(
                "stride-zero", f"`stride` is {self.stride}; it must be at least 1", "stride"
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        items, channels, height, width = four_axes(self, bottoms[0])
        stride, area = self.stride, self.stride**2
        sizes = [("channels", channels, area)]
        if not self.reverse:
            sizes += [("height", height, stride), ("width", width, stride)]
        for word, size, divisor in sizes:
            if size % divisor:
                self.refuse(
                    "reorg-does-not-divide",
                    f"the bottom's {word} ({size}) is not a multiple of {divisor}; with `stride` "
                    f"{stride} Caffe reads and writes past the end",
                    "stride",
                )
        if self.reverse:
            return [(items, channels // area, height * stride, width * stride)]
        return [(items, channels * area, height // stride, width // stride)]
