"""Kernel, stride, pad and dilation of convolutions and of im2col, as Caffe resolves them."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, NoReturn

from caffegen.text import Message

from .base import Definition, Refused, Shape
from .blob_shape import to_int

__all__ = [
    "Spatial", "count_windows", "hw_fields", "refuse_both", "refuse_half", "resolve_spatial",
]  # fmt: skip


class Spatial(NamedTuple):
    """One number per spatial axis, in the order of the axes (height before width)."""

    kernel: Shape
    stride: Shape
    pad: Shape
    dilation: Shape

    @property
    def extent(self) -> Shape:
        """The size of the dilated kernel on each axis."""
        pairs = zip(self.kernel, self.dilation, strict=True)
        return tuple(dilation * (kernel - 1) + 1 for kernel, dilation in pairs)


def resolve_spatial(definition: Definition, param: Message, axes: int | None) -> Spatial:
    """Resolve ConvolutionParameter's fields over a number of spatial axes.

    `x_h` and `x_w` stand against the repeated `x`; a repeated field of one value serves every axis
    (base_conv_layer.cpp, LayerSetUp; im2col_layer.cpp has the same rules). Where the number of axes
    is not known (None), what is wrong with any number is reported, and the result means nothing.
    """
    fields = (_kernel, _stride, _pad, _dilation)
    try:
        return Spatial(*[field(definition, param, axes) for field in fields])
    except Refused:
        # the others may be at fault, too
        definition.each(*(partial(field, definition, param, axes) for field in fields))
        raise


def _stride(definition: Definition, param: Message, axes: int | None) -> Shape:
    stride = _resolve(definition, param, axes, "stride", "stride_h", "stride_w", 1)
    _refuse_zero(definition, param, "stride", "stride", stride)
    return stride


def _pad(definition: Definition, param: Message, axes: int | None) -> Shape:
    return _resolve(definition, param, axes, "pad", "pad_h", "pad_w", 0)


def _dilation(definition: Definition, param: Message, axes: int | None) -> Shape:
    dilation = _resolve(definition, param, axes, "dilation", "", "", 1)
    if 0 in dilation:
        definition.warn(
            "dilation-zero",
            "`dilation` is 0: every tap of the kernel reads the same value",
            "dilation",
        )
    return dilation


def hw_fields(
    definition: Definition, param: Message, whole: str, stem: str
) -> tuple[str, str] | None:
    """Where height and width stand: in `whole` both, or in `<stem>_h` and `<stem>_w`.

    None where nothing is set. Refuses one of the pair alone, or beside `whole`.
    """
    height, width = f"{stem}_h", f"{stem}_w"
    given = [field for field in (height, width) if param.has(field)]
    if not given:
        return (whole, whole) if param.has(whole) else None
    if param.has(whole):
        refuse_both(definition, whole, given[0])
    if len(given) == 1:
        refuse_half(definition, given[0], whole)
    return height, width


def refuse_both(definition: Definition, whole: str, given: str) -> NoReturn:
    """Refuse a field beside its `_h` or `_w`."""
    definition.refuse(
        "repeated-and-hw-fields",
        f"`{whole}` and `{given}` are both set; Caffe takes one or the other",
        given,
        help=f"keep `{whole}`, or the `_h` and `_w` fields",
        other=(whole, "the other is here"),
    )


def refuse_half(definition: Definition, given: str, whole: str) -> NoReturn:
    """Refuse an `_h` without its `_w`, or the other way round."""
    missing = given[:-1] + ("w" if given.endswith("h") else "h")
    definition.refuse(
        "hw-field-missing",
        f"`{given}` is set without `{missing}`; {definition.type} takes both",
        given,
        help=f"add `{missing}`, or write `{whole}` alone",
    )


def count_windows(definition: Definition, sizes: Shape, spatial: Spatial) -> Shape:
    """How often the kernel fits on each axis; the division truncates towards zero, as C's does.

    So a kernel larger than the padded input still has one window when the stride is above what is
    missing (conv_layer.cpp, compute_output_shape; im2col_layer.cpp, Reshape).
    """
    rooms = [
        size + 2 * pad - extent
        for size, extent, pad in zip(sizes, spatial.extent, spatial.pad, strict=True)
    ]
    counts = [
        (room // stride if room >= 0 else -(-room // stride)) + 1
        for room, stride in zip(rooms, spatial.stride, strict=True)
    ]
    if min(rooms, default=0) < 0:
        worst = counts.index(min(counts)) if min(counts) < 1 else rooms.index(min(rooms))
        _report_exceeding(definition, sizes[worst], spatial, worst, refused=counts[worst] < 0)
    return tuple(counts)


def _report_exceeding(
    definition: Definition, size: int, spatial: Spatial, axis: int, *, refused: bool
) -> None:
    """Report a kernel larger than its input; Caffe takes it unless less than nothing is left."""
    report = definition.refuse if refused else definition.warn
    pair = definition.layer.convolution_param.has("kernel_h")
    report(
        "kernel-exceeds-input",
        f"the kernel spans {spatial.extent[axis]}, but the input has "
        f"{size + 2 * spatial.pad[axis]} with its padding",
        f"kernel_{'hw'[axis]}" if pair else "kernel_size",
        help="make the kernel smaller or the padding larger",
    )


def _refuse_zero(
    definition: Definition, param: Message, name: str, stem: str, values: Shape
) -> None:
    if all(value > 0 for value in values):
        return
    for given, missing in ((f"{stem}_h", f"{stem}_w"), (f"{stem}_w", f"{stem}_h")):
        if param.has(given) and not param.has(missing):
            definition.refuse(
                "hw-field-missing",
                f"`{given}` is set without `{missing}`, which then counts as 0",
                given,
                help=f"add `{missing}`, or write `{name}` alone",
            )
    # a value above 2147483647 is negative in Caffe
    written = next(
        (field for field in (name, f"{stem}_h", f"{stem}_w")
         if param.has(field) and _has_no_extent(param.get(field))), name,
    )  # fmt: skip
    value = next(value for value in values if value <= 0)
    definition.refuse(
        f"{name.replace('_', '-')}-zero", f"`{written}` is {value}; it must be at least 1", written
    )


def _has_no_extent(value: int | list[int]) -> bool:
    return any(to_int(v) <= 0 for v in ([value] if isinstance(value, int) else value))


def _kernel(definition: Definition, param: Message, axes: int | None) -> Shape:
    if param.has("kernel_h") or param.has("kernel_w"):
        kernel = _pair(definition, param, axes, "kernel_size", "kernel_h", "kernel_w")
    elif param.has("kernel_size"):
        kernel = _spread(definition, param, axes, "kernel_size")
    elif not axes:
        return ()
    else:
        definition.refuse(
            "kernel-missing", f"{definition.type} needs `kernel_size`", help="add `kernel_size: 3`"
        )
    _refuse_zero(definition, param, "kernel_size", "kernel", kernel)
    return kernel


def _resolve(
    definition: Definition,
    param: Message,
    axes: int | None,
    name: str,
    name_h: str,
    name_w: str,
    default: int,
) -> Shape:
    if name_h and (param.has(name_h) or param.has(name_w)):
        return _pair(definition, param, axes, name, name_h, name_w)
    if not param.has(name):
        return (default,) * (axes or 0)
    return _spread(definition, param, axes, name)


def _pair(
    definition: Definition, param: Message, axes: int | None, name: str, name_h: str, name_w: str
) -> Shape:
    given = name_h if param.has(name_h) else name_w
    if axes not in (2, None):
        definition.refuse(
            "hw-fields-not-2d",
            f"`{given}` is for two spatial axes; this layer has {axes}",
            given,
            help=f"use the repeated `{name}`, one value per axis",
        )
    if param.has(name):
        definition.refuse(
            "repeated-and-hw-fields",
            f"`{name}` and `{given}` are both set; Caffe takes one or the other",
            given,
            help=f"keep `{name_h}` and `{name_w}`, or `{name}`",
            other=(name, "the other is here"),
        )
    # Caffe reads the absent one of a pair as 0
    height, width = (param.get(field) if param.has(field) else 0 for field in (name_h, name_w))
    return to_int(height), to_int(width)


def _spread(definition: Definition, param: Message, axes: int | None, name: str) -> Shape:
    values = tuple(to_int(value) for value in param.get(name))
    if axes is None:
        return values
    if len(values) == 1:
        return values * axes
    if len(values) != axes:
        definition.refuse(
            "wrong-number-of-values",
            f"`{name}` has {len(values)} values for {axes} spatial axes",
            name,
            help=f"give one value, or {axes}",
        )
    return values
