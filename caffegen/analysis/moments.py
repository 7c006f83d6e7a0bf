"""How large the values of a net with filled weights will be, by rules and without running it.

Each value is a mean and a second moment over all its elements; weights count as drawn at random,
with mean 0 unless their filler says otherwise. What comes out is good to a small factor, which is
all that batch statistics made without data need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import copysign, erfc, exp, isfinite, log, pi, prod, sqrt
from typing import Any, NamedTuple

from caffegen.layer_types import BlobSpec
from caffegen.net import Graph, Node
from caffegen.text import Message

__all__ = ["Expected", "Moments", "expect"]

# the largest mean square that is reckoned with
_MOST = 1e30
_WEIGHTED = (
    "Convolution", "ConvolutionDepthwise", "Deconvolution", "DepthwiseConvolution", "InnerProduct",
)  # fmt: skip
_NORMALISING = ("BN", "BatchNorm", "SyncBN")
# msra behind a ReLU keeps a second moment of 1, behind a value that had none it makes 2
_LARGE = 4.0


class Moments(NamedTuple):
    """Mean and mean square of the elements of a blob."""

    mean: float = 0.0
    square: float = 1.0

    @property
    def variance(self) -> float:
        """Mean square deviation; not below 0."""
        return max(0.0, self.square - self.mean**2)


class Expected(NamedTuple):
    """What to fill by, each by the node's index in the graph.

    `variances` are those to store in every BatchNorm and BN, `gains` what the weights that have no
    filler of their own are multiplied by, where that is not 1.
    """

    variances: dict[int, float]
    gains: dict[int, float]


def expect(graph: Graph) -> Expected:
    """The variances and gains by which values neither die nor blow up with depth.

    The variance of a normalisation is the second moment of the bottom, so that the top comes to 1.
    One that closes a residual branch makes less where the sum it goes to has grown: else a thousand
    of them would add up to a thousand, and the net's last layer to certainty. Where nothing
    normalises, as in nets whose BatchNorms were merged, weights without a filler do so instead,
    once values have become large. Inputs count as of mean 0, variance 1.
    """
    known: dict[int, Moments] = {}
    found = Expected({}, {})
    for node in graph.nodes:
        bottoms = [known.get(id(value), Moments()) for value in node.inputs]
        known_well = node.definition is not None and not node.definition.refused
        rule = _RULES.get(node.type) if bottoms and known_well else None
        top = None if rule is None else rule(node, node.definition, bottoms)
        if bottoms and (node.type == "BatchNorm" or _stores_variance(node)):
            top = Moments(0.0, 1 / max(1.0, _grown(node, known)) ** 2)
            found.variances[node.index] = min(max(bottoms[0].square / top.square, 1e-12), _MOST)
        elif top is not None and top.square > _LARGE and _is_free(node):
            wanted = 1 / max(1.0, _grown(node, known)) ** 2
            gain = found.gains[node.index] = sqrt(wanted / top.square)
            top = Moments(top.mean * gain, wanted)
        if node.type in ("BN", "SyncBN") and bottoms:
            top = _scaled(node.definition, top or _normalised(node.definition, bottoms[0]))
        if top is None:
            top = bottoms[0] if bottoms else Moments()
        top = _held(top)
        known.update((id(value), top) for value in node.outputs)
    return found


def _held(values: Moments) -> Moments:
    """Moments that can be reckoned with further, whatever a filler says."""
    if not isfinite(values.mean) or not isfinite(values.square):
        return Moments(0.0, _MOST)
    most = sqrt(_MOST)
    return Moments(min(max(values.mean, -most), most), min(values.square, _MOST))


def _is_free(node: Node) -> bool:
    """Whether its weights are filled as by msra for want of a filler, and nothing normalises them."""
    if node.type not in _WEIGHTED or node.definition is None or not node.definition.blobs:
        return False
    filler = node.definition.blobs[0].filler
    if node.message.blobs or (filler is not None and any(filler.set_fields())):
        return False
    readers = [reader.type for value in node.outputs for reader in value.readers]
    return not readers or any(kind not in _NORMALISING for kind in readers)


def _stores_variance(node: Node) -> bool:
    """Whether it is a BN with statistics of its own."""
    blobs = () if node.definition is None else node.definition.blobs
    return node.type in ("BN", "SyncBN") and len(blobs) == 4


def _normalised(facts: Any, bottom: Moments) -> Moments:
    """What a BN without statistics of its own makes of its bottom, before its factor."""
    return bottom if facts is None or facts.affine else Moments()


def _scaled(facts: Any, values: Moments) -> Moments:
    """Values behind a BN's factor and shift, which are 1 and 0 where no filler is declared."""
    if facts is None or len(facts.blobs) < 2:
        return values
    factor, term = (
        _square_of(spec)
        if spec.filler is not None and any(spec.filler.set_fields())
        else Moments(default, default)
        for spec, default in zip(facts.blobs, (1.0, 0.0), strict=False)
    )
    mean = values.mean * factor.mean
    square = values.square * factor.square + 2 * mean * term.mean + term.square
    return Moments(mean + term.mean, square)


def _grown(node: Node, known: Mapping[int, Moments]) -> float:
    """The second moment of what a BatchNorm, and the Scale behind it, is added to; 0 for nothing."""
    readers = node.outputs[0].readers if node.outputs else []
    value = node.outputs[0] if node.outputs else None
    if len(readers) == 1 and readers[0].type == "Scale" and len(readers[0].inputs) == 1:
        value = readers[0].outputs[0]
    if value is None or len(value.readers) != 1 or value.readers[0].type != "Eltwise":
        return 0.0
    if getattr(value.readers[0].definition, "operation", "") != "SUM":
        return 0.0
    others = [other for other in value.readers[0].inputs if other is not value]
    return max((known[id(other)].square for other in others if id(other) in known), default=0.0)


def _square_of(spec: BlobSpec, *, inputs_first: bool = False) -> Moments:
    """Mean and mean square of a blob's elements, as its filler makes them."""
    filler, shape = spec.filler, spec.shape
    if filler is None or not any(filler.set_fields()):
        if len(shape) < 2:
            return Moments(0, 0)
        fan = prod(shape) // shape[1 if inputs_first else 0]
        return Moments(0, 2 / max(1, fan))
    kind = filler.type
    if kind == "gaussian":
        share = filler.sparse / shape[0] if filler.sparse >= 0 and shape and shape[0] else 1.0
        return Moments(filler.mean * share, (filler.mean**2 + filler.std**2) * share)
    if kind == "uniform":
        low, high = filler.min, filler.max
        return Moments((low + high) / 2, (low * low + low * high + high * high) / 3)
    if kind in ("xavier", "msra"):
        return Moments(0, (1 if kind == "xavier" else 2) / max(1.0, _fan(filler, shape)))
    if kind == "positive_unitball" and shape:
        row = max(1, prod(shape) // max(1, shape[0]))
        return Moments(1 / row, 4 / (3 * row * row))
    if kind == "bilinear":
        return Moments(0.25, 1 / 9)
    return Moments(filler.value, filler.value**2)


def _fan(filler: Message, shape: tuple[int, ...]) -> float:
    fan_in = prod(shape) / max(1, shape[0] if shape else 1)
    fan_out = prod(shape) / max(1, shape[1] if len(shape) > 1 else 1)
    if filler.variance_norm == "FAN_OUT":
        return fan_out
    return fan_in if filler.variance_norm == "FAN_IN" else (fan_in + fan_out) / 2


def _weighted(bottom: Moments, node: Node, taps: float, *, inputs_first: bool = False) -> Moments:
    """A sum of so many products of independent values and weights, and a bias."""
    assert node.definition is not None
    specs = node.definition.blobs
    weight = _square_of(specs[0], inputs_first=inputs_first)
    mean = taps * bottom.mean * weight.mean
    spread = taps * (bottom.square * weight.square - (bottom.mean * weight.mean) ** 2)
    bias = _square_of(specs[1]) if len(specs) > 1 else Moments(0, 0)
    return Moments(mean + bias.mean, spread + mean**2 + 2 * mean * bias.mean + bias.square)


def _convolution(node: Node, facts: Any, bottoms: list[Moments]) -> Moments | None:
    if not facts.blobs or not facts.bottom_shapes:
        return None
    sizes = facts.bottom_shapes[0][facts.axis_index + 1 :]
    taps = facts.channels / facts.group
    for size, kernel, stride, pad, dilation in zip(
        sizes, facts.kernel, facts.stride, facts.pad, facts.dilation, strict=True
    ):
        taps *= _taps_inside(size, kernel, stride, pad, max(1, dilation))
    return _weighted(bottoms[0], node, taps)


def _taps_inside(size: int, kernel: int, stride: int, pad: int, dilation: int) -> float:
    """How many taps of a kernel lie inside one axis of the input, on average over the windows."""
    windows = max(1, (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1)
    inside = 0
    for tap in range(kernel):
        # windows whose tap is at 0 <= window * stride - pad + tap * dilation < size
        offset = pad - tap * dilation
        first = max(0, -(-offset // stride))
        last = min(windows - 1, (size - 1 + offset) // stride)
        inside += max(0, last - first + 1)
    return inside / windows


def _deconvolution(node: Node, facts: Any, bottoms: list[Moments]) -> Moments | None:
    if not facts.blobs:
        return None
    taps = facts.channels / facts.group
    for kernel, stride in zip(facts.kernel, facts.stride, strict=True):
        taps *= kernel / stride
    return _weighted(bottoms[0], node, taps, inputs_first=True)


def _inner_product(node: Node, facts: Any, bottoms: list[Moments]) -> Moments | None:
    if not facts.blobs:
        return None
    return _weighted(bottoms[0], node, facts.input_count, inputs_first=facts.transpose)


def _scale(_node: Node, facts: Any, bottoms: list[Moments]) -> Moments:
    blobs = {spec.name: _square_of(spec) for spec in facts.blobs}
    factor = bottoms[1] if len(bottoms) > 1 else blobs.get("scale", Moments(1, 1))
    bias = blobs.get("bias", Moments(0, 0))
    mean = bottoms[0].mean * factor.mean
    square = bottoms[0].square * factor.square + 2 * mean * bias.mean + bias.square
    return Moments(mean + bias.mean, square)


def _bias(_node: Node, facts: Any, bottoms: list[Moments]) -> Moments:
    blobs = [_square_of(spec) for spec in facts.blobs]  # none where the shapes are not known
    bias = (bottoms[1:] + blobs + [Moments(0, 0)])[0]
    mean = bottoms[0].mean
    return Moments(mean + bias.mean, bottoms[0].square + 2 * mean * bias.mean + bias.square)


def _eltwise(_node: Node, facts: Any, bottoms: list[Moments]) -> Moments:
    if facts.operation == "PROD":
        return Moments(prod(b.mean for b in bottoms), prod(b.square for b in bottoms))
    if facts.operation == "MAX":
        count = len(bottoms)
        return Moments(max(b.mean for b in bottoms), sum(b.square for b in bottoms) / count)
    mean = sum(c * b.mean for c, b in zip(facts.coeffs, bottoms, strict=True))
    variance = sum(c * c * b.variance for c, b in zip(facts.coeffs, bottoms, strict=True))
    return Moments(mean, mean * mean + variance)


def _axpy(_node: Node, _facts: Any, bottoms: list[Moments]) -> Moments | None:
    if len(bottoms) != 3:
        return None
    a, x, y = bottoms
    product, square = a.mean * x.mean, a.square * x.square
    return Moments(product + y.mean, square + 2 * product * y.mean + y.square)


def _normalize(_node: Node, facts: Any, bottoms: list[Moments]) -> Moments:
    """Values over the norm of so many, times a factor."""
    shape = facts.bottom_shapes[0] if facts.bottom_shapes else ()
    count = max(1, prod(shape[1:] if facts.across_spatial else shape[1:2]))
    factor = _square_of(facts.blobs[0]) if facts.blobs else Moments(1, 1)
    norm = sqrt(max(bottoms[0].square, 1e-12) * count)
    return Moments(bottoms[0].mean / norm * factor.mean, factor.square / count)


def _rectified(slope: float, bottom: Moments) -> Moments:
    """max(x, 0) + slope min(x, 0) of values that count as normally distributed."""
    mean, variance = bottom.mean, bottom.variance
    if variance <= 1e-12 * bottom.square:
        factor = 1.0 if mean > 0 else slope
        return Moments(mean * factor, bottom.square * factor**2)
    deviation = sqrt(variance)
    share = erfc(-mean / deviation / sqrt(2)) / 2
    edge = deviation * exp(-(mean**2) / (2 * variance)) / sqrt(2 * pi)
    positive = Moments(mean * share + edge, bottom.square * share + mean * edge)
    return Moments(
        positive.mean + slope * (mean - positive.mean),
        positive.square + slope**2 * (bottom.square - positive.square),
    )


def _prelu(_node: Node, facts: Any, bottoms: list[Moments]) -> Moments:
    slope = _square_of(facts.blobs[0]).mean if facts.blobs else 0.0
    return _rectified(slope, bottoms[0])


def _pooling(_node: Node, facts: Any, bottoms: list[Moments]) -> Moments:
    bottom, count = bottoms[0], prod(facts.kernel) if facts.bottom_shapes else 1
    if count <= 1:
        return bottom
    if facts.pool != "MAX":
        # neighbours are alike: a quarter of them counts as independent
        return Moments(bottom.mean, bottom.mean**2 + bottom.variance / max(1.0, count / 4))
    # the largest of n normal values; where half of them were cut off at 0 it is one of the others
    rise, spread = _largest(count)
    square = (2 if bottom.mean > 0.4 * sqrt(bottom.square) else 1) * bottom.square
    return Moments(rise * sqrt(square), (rise**2 + spread) * square)


def _largest(count: int) -> tuple[float, float]:
    """Mean and variance of the largest of so many standard normal values (Blom's approximation)."""
    from statistics import NormalDist

    count = min(count, 1 << 40)  # for more, the share of all but one rounds to 1
    rise = NormalDist().inv_cdf((count - 0.375) / (count + 0.25))
    return rise, 1 / (1 + 0.83 * log(count))


def _raised(base: float, power: float) -> float:
    """The power of a number's size, with its sign, within what can be reckoned with further."""
    size = power * log(max(abs(base), 1 / _MOST))
    most = log(_MOST)
    return copysign(exp(min(max(size, -most), most)), base)


def _lrn(_node: Node, facts: Any, bottoms: list[Moments]) -> Moments:
    divisor = _raised(facts.k + facts.alpha * bottoms[0].square, facts.beta)
    return Moments(bottoms[0].mean / divisor, bottoms[0].square / divisor**2)


def _mvn(_node: Node, facts: Any, bottoms: list[Moments]) -> Moments:
    return Moments(0.0, 1.0 if facts.normalize_variance else bottoms[0].variance)


def _power(_node: Node, facts: Any, bottoms: list[Moments]) -> Moments:
    if facts.constant is not None:
        return Moments(facts.constant, facts.constant**2)
    scale, shift, bottom = facts.scale, facts.shift, bottoms[0]
    mean = scale * bottom.mean + shift
    square = scale * scale * bottom.square + 2 * scale * shift * bottom.mean + shift * shift
    if facts.power == 1 or square <= 0:
        return Moments(mean, square)
    size = _raised(min(max(square, 1e-6), 1e6), facts.power)
    return Moments(sqrt(size), size)


def _concat(node: Node, _facts: Any, bottoms: list[Moments]) -> Moments:
    sizes = [prod(v.shape) if v is not None and v.shape is not None else 1 for v in node.inputs]
    total = max(1, sum(sizes))
    mean = sum(size * b.mean for size, b in zip(sizes, bottoms, strict=True)) / total
    return Moments(
        mean, sum(size * b.square for size, b in zip(sizes, bottoms, strict=True)) / total
    )


def _dropout(_node: Node, facts: Any, bottoms: list[Moments]) -> Moments:
    if facts.phase != "TRAIN" or not 0 < facts.ratio < 1:
        return bottoms[0]
    return Moments(bottoms[0].mean, bottoms[0].square * facts.scale)


def _softmax(_node: Node, _facts: Any, _bottoms: list[Moments]) -> Moments:
    return Moments(0.01, 0.001)


_Rule = Callable[[Node, Any, "list[Moments]"], "Moments | None"]
_RULES: dict[str, _Rule] = {
    "Axpy": _axpy,
    "Bias": _bias,
    "Concat": _concat,
    "Convolution": _convolution,
    "ConvolutionDepthwise": _convolution,
    "Deconvolution": _deconvolution,
    "DepthwiseConvolution": _convolution,
    "Dropout": _dropout,
    "ELU": lambda _node, _facts, bottoms: _rectified(0.3, bottoms[0]),
    "Eltwise": _eltwise,
    "HardSwish": lambda _node, _facts, bottoms: _rectified(0.1, bottoms[0]),
    "InnerProduct": _inner_product,
    "LRN": _lrn,
    "MVN": _mvn,
    "Mish": lambda _node, _facts, bottoms: _rectified(0.1, bottoms[0]),
    "Normalize": _normalize,
    "NormalizeBBox": _normalize,
    "PReLU": _prelu,
    "Pooling": _pooling,
    "Power": _power,
    "ReLU": lambda _node, facts, bottoms: _rectified(facts.negative_slope, bottoms[0]),
    "ReLU6": lambda _node, facts, bottoms: _rectified(facts.negative_slope, bottoms[0]),
    "Scale": _scale,
    "Sigmoid": lambda _node, _facts, _bottoms: Moments(0.5, 0.3),
    "Softmax": _softmax,
    "Swish": lambda _node, _facts, bottoms: _rectified(0.1, bottoms[0]),
    "TanH": lambda _node, _facts, bottoms: Moments(
        0.0, bottoms[0].square / (1 + bottoms[0].square)
    ),
}
