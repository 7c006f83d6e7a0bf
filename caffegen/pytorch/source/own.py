"""How caffegen's own modules are written: as torch.nn's, as small classes, or as expressions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .forms import Result, Shapes, Written, literal, square, writes, writes_shaped
from .standard import batch_norm

__all__: list[str] = []


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


@writes("Filter")
def filter_(_module: Any, _training: bool) -> Written:
    """Items of the batch that a selector marks."""
    return _join("filter")


@writes("Permute")
def permute(module: Any, _training: bool) -> Written:
    """Axes in another order."""
    return _join("permute", *module.order)


@writes("Flip")
def flip(module: Any, _training: bool) -> Written:
    """Axes from their end."""
    return _join("flip", *module.axes)


@writes("Axpy")
def axpy(module: Any, _training: bool) -> Written | None:
    """A factor for each channel, and a sum."""
    return _join("axpy", module.behind) if module.behind >= 0 else None


@writes("LinearTransposed")
def linear_transposed(module: Any, _training: bool) -> Written:
    """A Linear, with its weight as torch.nn has it."""
    tensors = {"weight": module.weight.detach().t()}
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
def clip(module: Any, _training: bool) -> Written:
    """A clamp, in which the lower bound wins."""
    if module.low > module.high:
        return _join("clip", literal(module.low), literal(module.high))
    return _numbers("Clip", module, "low", "high")


@writes("Step")
def threshold(module: Any, _training: bool) -> Written:
    """1 above a threshold."""
    return Written("Threshold", {"value": literal(module.threshold)}, {})


@writes_shaped("PoolingExact")
def exact_pool(module: Any, shapes: Shapes) -> Result:
    """Pooling over Caffe's windows, by torch.nn where for this size they are its own."""
    size = None if shapes[0] is None else shapes[0][2:]
    kernel = module.kernel or size
    if kernel is None:
        return "the shape of its bottom is not known"
    plain = None if size is None else _plain_pool(module, kernel, size)
    if plain is not None:
        return plain
    args = {
        "kernel_size": tuple(kernel),
        "stride": tuple(module.stride),
        "padding": tuple(module.pad),
        "ceil_mode": module.round_up,
    }
    if module.method == "AVE":
        return Written("AverageWindows", args, {})
    return Written("MaxWindows", {**args, "return_indices": module.mask}, {})


def _plain_pool(module: Any, kernel: Sequence[int], size: Sequence[int]) -> Written | None:
    """torch.nn's pooling, where for this size no window lies wholly outside; else None."""
    if module.mask or any(module.pad):
        return None
    for length, window, stride in zip(size, kernel, module.stride, strict=True):
        if -(-(length - window) // stride) * stride >= length:
            return None
    return _pool(module.method, kernel, module.stride, round_up=module.round_up)


def _pool(method: str, kernel: Sequence[int], stride: Sequence[int], *, round_up: bool) -> Written:
    window, step = square(tuple(kernel)), square(tuple(stride))
    args = {
        "kernel_size": window,
        "stride": None if step == window else step,
        "padding": 0,
        "ceil_mode": round_up,
    }
    return Written(f"nn.{'Avg' if method == 'AVE' else 'Max'}Pool2d", args, {})


@writes_shaped("StochasticPooling")
def stochastic_pool(module: Any, shapes: Shapes) -> Result:
    """Values drawn from windows."""
    kernel = module.kernel or (None if shapes[0] is None else shapes[0][2:])
    if kernel is None:
        return "the shape of its bottom is not known"
    args = {
        "kernel_size": tuple(kernel),
        "stride": tuple(module.stride),
        "ceil_mode": module.round_up,
    }
    return Written("StochasticPool", args, {})


@writes_shaped("SpatialPyramid")
def spatial_pyramid(module: Any, shapes: Shapes) -> Result:
    """Poolings at several scales; of one scale, the pooling of the whole picture."""
    stochastic = module.method == "STOCHASTIC"
    if not module.flat:
        if shapes[0] is None:
            return "the shape of its bottom is not known"
        size = tuple(shapes[0][2:])
        if stochastic:
            args = {"kernel_size": size, "stride": size, "ceil_mode": True}
            return Written("StochasticPool", args, {})
        kind = "Avg" if module.method == "AVE" else "Max"
        return Written(f"nn.Adaptive{kind}Pool2d", {"output_size": 1}, {})
    if stochastic:
        return Written("StochasticPyramid", {"height": module.height}, {})
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


@writes("Normalize")
def normalize(module: Any, training: bool) -> Result:
    """A division by a norm, with SSD's factors behind it or without."""
    if training and module.norm_top and not module.norm_gradient:
        return "in TRAIN its norms get no gradient"
    given = module.weight is not None
    args = {
        "shape": tuple(module.weight.shape) if given else None,
        "across_spatial": module.across_spatial,
        "eps": literal(module.eps),
        "power": module.power,
        "norm": module.norm_top,
    }
    return Written("Normalize", args, {"weight": module.weight} if given else {})


@writes("BN")
def bn(module: Any, training: bool) -> Result | None:
    """torch.nn's BatchNorm, where it computes the same in this phase."""
    if module.axes < 2:
        return "torch.nn has no batch normalisation of one axis"
    own = module.frozen or module.inverse or module.unbiased or module.train_eps != module.eps
    if training and own:
        return "its training is not that of torch.nn's BatchNorm"
    if module.global_stats is False:
        return "it uses the batch's statistics in both phases and keeps its own"
    if training and module.global_stats is None:
        return _moving_bn(module)
    written = batch_norm(module, training)
    kind = "nn.BatchNorm2d" if module.axes == 4 else "nn.BatchNorm1d"
    return written._replace(kind=kind) if isinstance(written, Written) else written


def _moving_bn(module: Any) -> Written:
    """A small class: torch.nn's remembers the variance times m / (m - 1)."""
    args = {
        "num_features": module.num_features,
        "eps": literal(module.eps),
        "momentum": literal(1 - module.fraction),
    }
    return Written("BN", args, dict(module.state_dict(keep_vars=True)))


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


def _numbers(kind: str, module: Any, *names: str) -> Written:
    return Written(kind, {name: literal(getattr(module, name)) for name in names}, {})
