"""Activations that draw while training, in ONNX."""

from __future__ import annotations

from caffegen.layer_types.noisy_activation import Insanity, SeLuDropout

from .chance import kept, uniform_like
from .registry import writes
from .writer import LayerWriter


@writes("Insanity")
def insanity(w: LayerWriter, d: Insanity) -> None:
    """LeakyRelu in TEST; in TRAIN what is below 0 is divided by random numbers."""
    if d.phase == "TEST":
        w.top("LeakyRelu", w.bottoms, alpha=1 / d.mean)
        return
    drawn = uniform_like(w, d.low, d.high, w.bottoms[0], len(w.bottom_dims[0]))
    below = w.emit("Min", [w.bottoms[0], w.number(0)])
    w.top("Add", [w.emit("Relu", w.bottoms), w.emit("Div", [below, drawn])])


@writes("SeLuDropout")
def selu_dropout(w: LayerWriter, d: SeLuDropout) -> None:
    """Nothing in TEST; in TRAIN Where on a Dropout's mask, scaled back."""
    if d.phase == "TEST":
        w.top("Identity", w.bottoms)
        return
    if not 0 < d.ratio < 1:
        raise w.refusal(f"`dropout_ratio` is {d.ratio:g}; it must lie between 0 and 1")
    value = w.emit("Where", [kept(w, w.bottoms[0], d.ratio), w.bottoms[0], w.number(d.alpha)])
    w.top("Add", [w.emit("Mul", [value, w.number(d.scale)]), w.number(d.shift)])
