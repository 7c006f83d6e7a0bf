"""How caffegen's own modules are written: as torch.nn's, as small classes, or as expressions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .forms import Written, literal, square, writes

__all__ = ["plain_pool"]


def _join(form: str, *facts: Any) -> Written:
    return Written(form, {str(index): fact for index, fact in enumerate(facts)}, {}, join=True)


@writes("Sum")
def sum_(module: Any, _training: bool) -> Written:
    """A sum of bottoms, each times a number."""
    return _join("sum", *(literal(value) for value in module.coeff))


@writes("Product")
def product(_module: Any, _training: bool) -> Written:
    """A product of bottoms."""
    return _join("product")


@writes("Maximum")
def maximum(_module: Any, _training: bool) -> Written:
    """The largest of bottoms."""
    return _join("maximum")


@writes("Concat")
def concat(module: Any, _training: bool) -> Written:
    """Bottoms joined along one axis."""
    return _join("concat", module.axis)


@writes("Slice")
def slice_(module: Any, _training: bool) -> Written:
    """A bottom cut along one axis."""
    return _join("split", tuple(module.points) or module.parts, module.axis)


@writes("BatchReindex")
def batch_reindex(_module: Any, _training: bool) -> Written:
    """Items of the batch by number."""
    return _join("reindex")


@writes("LinearTransposed")
def linear_transposed(module: Any, _training: bool) -> Written:
    """A Linear, with its weight as torch.nn has it."""
    tensors = {"weight": module.weight.detach().t().contiguous()}
    if module.bias is not None:
        tensors["bias"] = module.bias
    args = {
        "in_features": module.weight.shape[0],
        "out_features": module.weight.shape[1],
        "bias": module.bias is not None,
    }
    return Written("nn.Linear", args, tensors)


@writes("EmbedWithBias")
def embed(module: Any, _training: bool) -> Written:
    """Rows of a table by number."""
    rows, columns = module.weight.shape
    args = {"rows": rows, "columns": columns, "bias": module.bias is not None}
    return Written("Embedding", args, dict(module.state_dict(keep_vars=True)))


@writes("Affine")
def affine(module: Any, _training: bool) -> Written:
    """A factor and a shift."""
    return _numbers("Affine", module, "scale", "shift")


@writes("Power")
def power(module: Any, _training: bool) -> Written:
    """A power of a straight line."""
    return _numbers("Power", module, "power", "scale", "shift")


@writes("Exp")
def exp(module: Any, _training: bool) -> Written:
    """An exponential."""
    return _numbers("Exp", module, "inner", "outer")


@writes("Log")
def log(module: Any, _training: bool) -> Written:
    """A logarithm."""
    args = {
        "scale": literal(module.scale),
        "shift": literal(module.shift),
        "factor": literal(module.base_scale),
    }
    return Written("Log", args, {})


@writes("Swish")
def swish(module: Any, _training: bool) -> Written:
    """The bottom times the sigmoid of beta times the bottom."""
    return _numbers("Swish", module, "beta")


@writes("Constant")
def constant(module: Any, _training: bool) -> Written:
    """One value."""
    return _join("constant", literal(module.value))


@writes("AbsVal")
def abs_val(_module: Any, _training: bool) -> Written:
    """The absolute value."""
    return Written("Abs", {}, {})


@writes("Clip")
def clip(module: Any, _training: bool) -> Written | None:
    """A clamp; torch.nn has it where the bounds are in order."""
    if not module.low < module.high:
        return None
    args = {"min_val": literal(module.low), "max_val": literal(module.high)}
    return Written("nn.Hardtanh", args, {})


@writes("Step")
def threshold(module: Any, _training: bool) -> Written:
    """1 above a threshold."""
    return Written("Threshold", {"value": literal(module.threshold)}, {})


@writes("PoolingExact")
def exact_pool(module: Any, _training: bool) -> Written | None:
    """Pooling over Caffe's windows where torch.nn has others."""
    if module.mask or module.kernel is None:
        return None
    args = {
        "kernel_size": tuple(module.kernel),
        "stride": tuple(module.stride),
        "padding": tuple(module.pad),
        "ceil_mode": module.round_up,
    }
    return Written("AverageWindows" if module.method == "AVE" else "MaxWindows", args, {})


def plain_pool(module: Any, size: Sequence[int]) -> Written | None:
    """torch.nn's pooling, where for this size no window lies wholly outside; else None."""
    if module.mask or module.kernel is None or any(module.pad):
        return None
    for length, kernel, stride in zip(size, module.kernel, module.stride, strict=True):
        if -(-(length - kernel) // stride) * stride >= length:
            return None
    kernel, stride = square(module.kernel), square(module.stride)
    args = {
        "kernel_size": kernel,
        "stride": None if stride == kernel else stride,
        "padding": 0,
        "ceil_mode": module.round_up,
    }
    return Written(f"nn.{'Avg' if module.method == 'AVE' else 'Max'}Pool2d", args, {})


@writes("SpatialPyramid")
def spatial_pyramid(module: Any, _training: bool) -> Written | None:
    """Poolings at several scales."""
    if module.method == "STOCHASTIC" or not module.flat:
        return None
    return Written("SpatialPyramid", {"height": module.height, "method": module.method}, {})


@writes("LRNWithinChannel")
def local_norm(module: Any, _training: bool) -> Written:
    """LRN within a channel."""
    return _numbers("LocalNorm2d", module, "size", "alpha", "beta")


@writes("MVN")
def mvn(module: Any, _training: bool) -> Written:
    """Mean 0 and deviation 1."""
    args = {"axes": module.axes, "eps": literal(module.eps), "variance": module.variance}
    return Written("MeanVarianceNorm", args, {})


@writes("Scale")
def scale(module: Any, _training: bool) -> Written | None:
    """Learned factors; those of a second bottom are an expression."""
    if module.weight is None:
        return None
    args = {
        "shape": tuple(module.weight.shape),
        "axis": module.axis,
        "bias": module.bias is not None,
    }
    return Written("Scale", args, dict(module.state_dict(keep_vars=True)))


@writes("Bias")
def bias(module: Any, _training: bool) -> Written | None:
    """Learned values to add."""
    if module.bias is None:
        return None
    args = {"shape": tuple(module.bias.shape), "axis": module.axis}
    return Written("Bias", args, {"bias": module.bias})


@writes("InsertAxis")
def insert_axis(module: Any, _training: bool) -> Written:
    """An axis of size 1."""
    return Written("InsertAxis", {"axis": module.axis}, {})


@writes("Reshape")
def reshape(module: Any, _training: bool) -> Written:
    """The same values in other axes."""
    args = {"dims": tuple(module.dims), "start": module.start, "end": module.end}
    return Written("Reshape", args, {})


@writes("Tile")
def tile(module: Any, _training: bool) -> Written:
    """A bottom again and again."""
    return Written("Tile", {"axis": module.axis, "tiles": module.tiles}, {})


@writes("Crop")
def crop(module: Any, _training: bool) -> Written:
    """A window of the size of another blob."""
    return Written("Crop", {"axis": module.axis, "offsets": tuple(module.offsets)}, {})


@writes("Reduction")
def reduction(module: Any, _training: bool) -> Written:
    """One number for many."""
    args = {
        "operation": module.operation.lower(),
        "axis": module.axis,
        "coeff": literal(module.coeff),
    }
    return Written("Reduce", args, {})


@writes("ArgMax")
def arg_max(module: Any, _training: bool) -> Written | None:
    """The place of the largest value along an axis."""
    if module.axis is None:
        return None
    args = {"axis": module.axis, "top_k": module.top_k, "values": module.values}
    return Written("ArgMax", args, {})


def _numbers(kind: str, module: Any, *names: str) -> Written:
    return Written(kind, {name: literal(getattr(module, name)) for name in names}, {})
