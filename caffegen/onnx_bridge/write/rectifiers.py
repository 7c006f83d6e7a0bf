"""The activations of the forks, and dropout of whole channels, in ONNX."""

from __future__ import annotations

from caffegen.layer_types.rectifiers import (
    CReLU,
    HardSigmoid,
    HardSwish,
    Mish,
    ReLU6,
    SeLu,
    SpatialDropout,
    SpatialDropoutLayer,
)

from .activation import drop
from .registry import writes
from .writer import LayerWriter


@writes("ReLU6")
def relu6(w: LayerWriter, d: ReLU6) -> None:
    """Clip, or a LeakyRelu cut off at 6."""
    if d.negative_slope == 0:
        w.top("Clip", [w.bottoms[0], w.number(0), w.number(6)])
    else:
        leaky = w.emit("LeakyRelu", w.bottoms, alpha=d.negative_slope)
        w.top("Min", [leaky, w.number(6)])


@writes("Mish")
def mish(w: LayerWriter, _: Mish) -> None:
    """Softplus, Tanh and Mul; Mish itself is there from opset 18 on alone."""
    x = w.bottoms[0]
    w.top("Mul", [x, w.emit("Tanh", [w.emit("Softplus", [x])])])


@writes("HardSwish")
def hard_swish(w: LayerWriter, _: HardSwish) -> None:
    """HardSwish; before opset 14 the product that it is."""
    x = w.bottoms[0]
    if w.opset >= 14:
        w.top("HardSwish", [x])
    else:
        w.top("Mul", [x, w.emit("HardSigmoid", [x], alpha=1 / 6, beta=0.5)])


@writes("HardSigmoid")
def hard_sigmoid(w: LayerWriter, d: HardSigmoid) -> None:
    """HardSigmoid."""
    w.top("HardSigmoid", w.bottoms, alpha=d.alpha, beta=d.beta)


@writes("SeLu")
def selu(w: LayerWriter, d: SeLu) -> None:
    """Selu."""
    w.top("Selu", w.bottoms, alpha=d.alpha, gamma=d.scale)


@writes("CReLU")
def crelu(w: LayerWriter, d: CReLU) -> None:
    """Concat of x and -x, and a Relu over both."""
    x = w.bottoms[0]
    both = w.emit("Concat", [x, w.emit("Neg", [x])], axis=d.axis_index)
    if d.negative_slope == 0:
        w.top("Relu", [both])
    else:
        w.top("LeakyRelu", [both], alpha=d.negative_slope)


@writes("SpatialDropout")
def spatial_dropout(w: LayerWriter, d: SpatialDropout) -> None:
    """Nothing in TEST; in TRAIN channels are dropped."""
    if d.phase == "TEST":
        w.top("Identity", w.bottoms)
        return
    if not 0 <= d.ratio < 1:
        raise w.refusal(f"`dropout_ratio` is {d.ratio:g}; what is kept is divided by 1 less it")
    _drop_channels(w, d.ratio)


@writes("spatial_dropout.SpatialDropoutLayer")
def spatial_dropout_layer(w: LayerWriter, d: SpatialDropoutLayer) -> None:
    """A Mul in TEST; in TRAIN, as its own parameters have it, channels are dropped."""
    if d.drops:
        _drop_channels(w, d.ratio)
    else:
        w.top("Mul", [w.bottoms[0], w.number(d.scale)])


def _drop_channels(w: LayerWriter, ratio: float) -> None:
    x, rank = w.bottoms[0], len(w.bottom_dims[0])
    one_each = w.reduce("ReduceMax", x, range(2, rank)) if rank > 2 else x
    drop(w, ratio, one_each, scale=1 / (1 - ratio))
