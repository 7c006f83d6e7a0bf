"""Layers that run over time: LSTM, plain recurrence, and one step of an LSTM's gates."""

from __future__ import annotations

from math import prod
from typing import ClassVar

from caffegen.text import Message

from .base import BlobSpec, Cost, Count, Definition, Refused, Shape, count
from .blob_shape import require_values
from .in_place import warn_in_place
from .weight_blobs import check_filler

__all__ = ["LSTM", "RNN", "LSTMUnit"]


class _Recurrent(Definition):
    """What LSTM and RNN share (recurrent_layer.cpp): a net unrolled over time, for N streams."""

    param = "recurrent_param"
    # the state that is carried from step to step, in the order of its bottoms and tops
    states: ClassVar[tuple[str, ...]] = ()
    # rows of the input's weights for each output
    gates: ClassVar[int] = 1
    # the unrolled net makes blobs of its own
    reads_stored = False
    input_size = 0
    static_size = 0

    def bind(self, param: Message) -> None:
        self.num_output: int = param.num_output
        self.weight_filler: Message = param.weight_filler
        self.bias_filler: Message = param.bias_filler
        self.expose_hidden: bool = param.expose_hidden
        exposed = len(self.states) if self.expose_hidden else 0
        self.static_input = self.bottom_count > 2 + exposed
        self.check_outputs()
        self.each(
            lambda: self.check_counts("bottom", self.bottom_count, count(2 + exposed, 3 + exposed)),
            lambda: self.check_counts("top", self.top_count, count(1 + exposed)),
        )

    def check_outputs(self) -> None:
        """Report a layer without outputs."""
        if self.num_output == 0:
            self.fault(
                "num-output-zero", f"`{self.type}` needs a `num_output` of at least 1", "num_output"
            )

    def check_counts(self, word: str, number: int, takes: Count) -> None:
        """Refuse a number of bottoms or tops that `expose_hidden` rules out, not the type."""
        by_type = self.bottoms if word == "bottom" else self.tops
        if by_type.takes(number) and not takes.takes(number):
            with_or_without = "with" if self.expose_hidden else "without"
            plural = "" if str(takes) == "1" else "s"
            self.refuse(
                f"wrong-number-of-{word}s",
                f"{self.type} {with_or_without} `expose_hidden` takes {takes} {word}{plural}, "
                f"`{self.name}` has {number}",
                f"layer.{word}",
                index=number - 1,
            )

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        self.check_sequence(bottoms)
        if self.num_output == 0:
            raise Refused
        self.input_size = prod(bottoms[0][2:])
        self.static_size = prod(bottoms[2][1:]) if self.static_input else 0
        self.blobs = self.weights()
        for blob in self.blobs:
            self.check_size(blob.shape, "num_output")
            assert blob.filler is not None
            check_filler(self, blob.filler, blob.shape, f"the blob `{blob.name}`")
        state = (1, self.streams, self.num_output)
        if self.expose_hidden:
            for index, bottom in enumerate(bottoms[-len(self.states) :]):
                place = len(bottoms) - len(self.states) + index
                if bottom != state:
                    self.refuse(
                        "state-shape-differs",
                        f"bottom {place} holds the state `{self.states[index]}` and must be "
                        f"{list(state)}, not {list(bottom)}",
                        "layer.bottom",
                        index=place,
                    )
        warn_in_place(self)
        top = (self.timesteps, self.streams, self.num_output)
        self.check_size(top, "num_output")
        return [top, *[state] * len(self.states)]

    def check_sequence(self, bottoms: tuple[Shape, ...]) -> None:
        """Refuse inputs, indicators and a static input that don't fit together."""
        sequence, indicators = bottoms[:2]
        # two axes would do for setting up; the product with the weights needs the third
        if len(sequence) < 3:
            self.refuse(
                "wrong-number-of-axes",
                f"bottom 0 of {self.type} is (time, streams, values...); it has "
                f"{len(sequence)} axes",
                "layer.bottom",
                index=0,
            )
        self.timesteps, self.streams = sequence[:2]
        if indicators != sequence[:2]:
            self.refuse(
                "indicators-shape-differs",
                f"bottom 1 of {self.type} is (time, streams) = {list(sequence[:2])}, not "
                f"{list(indicators)}",
                "layer.bottom",
                index=1,
            )
        require_values(self, sequence)
        if not self.static_input:
            return
        static = bottoms[2]
        if len(static) < 2 or static[0] != self.streams:
            self.refuse(
                "static-input-shape",
                f"bottom 2 of {self.type} is (streams, values...) with {self.streams} streams, "
                f"not {list(static)}",
                "layer.bottom",
                index=2,
            )

    def weight_fillers(self) -> list[tuple[str, Message | None]]:
        return [(blob.name, blob.filler) for blob in self.weights()]

    def weights(self) -> tuple[BlobSpec, ...]:
        """The weight blobs in the order in which the unrolled net meets them."""
        raise AssertionError

    def input_weights(self, suffix: str) -> list[BlobSpec]:
        """The weights and the bias of the input, and the weights of the static input."""
        rows = self.gates * self.num_output
        to = f"x{suffix}"
        blobs = [
            BlobSpec(f"W_{to}", (rows, self.input_size), self.weight_filler),
            BlobSpec(f"b_{suffix}", (rows,), self.bias_filler),
        ]
        if self.static_input:
            blobs.append(BlobSpec(f"W_{to}_static", (rows, self.static_size), self.weight_filler))
        return blobs

    def products(self, per_step: int) -> int:
        """The multiplications of the input, the static input and what every step adds to them."""
        rows = self.gates * self.num_output
        steps = self.timesteps * self.streams
        return steps * (rows * self.input_size + per_step) + self.streams * rows * self.static_size


class LSTM(_Recurrent):
    """Long short-term memory: a recurrent layer whose cell can keep a value over many steps.

    ## Shape
    Bottom 0 (T, N, values...): T steps of N streams. Bottom 1 (T, N): 0 where a sequence begins, 1
    where it goes on; a fraction carries that much of the state over. Then, if there are that many
    bottoms, a static input (N, values...) that is seen at every step; then, with `expose_hidden`,
    h_0 and c_0 (1, N, D). Top 0 (T, N, D), D = `num_output`; with `expose_hidden` also h_T and c_T
    (1, N, D).

    ## Blobs
    W_xc (4D, values), b_c (4D), W_xc_static (4D, static values) if there is a static input, W_hc
    (4D, D). The rows are the gates i, f, o, g, each of D.

    ## Differs from PyTorch
    `torch.nn.LSTM` has the order i, f, g, o, two biases, and no indicators. Without `expose_hidden`
    the state at the end of a forward pass is where the next one begins. Exposed states get no
    gradient.
    """

    type = "LSTM"
    bottoms = count(2, 5)
    tops = count(1, 3)
    states = ("h_0", "c_0")
    gates = 4

    def weights(self) -> tuple[BlobSpec, ...]:
        size = self.num_output
        recurrent = BlobSpec("W_hc", (4 * size, size), self.weight_filler)
        return (*self.input_weights("c"), recurrent)

    def cost(self) -> Cost:
        size = self.num_output
        steps = self.timesteps * self.streams
        # per gate: bias and sum; per output: cont h, five curves, f c, times cont, i g, +, o tanh
        adds = 4 * size * (3 if self.static_input else 2)
        return Cost(self.products(4 * size * size), steps * (adds + size * 11))


class RNN(_Recurrent):
    """A plain recurrent layer: its hidden state is a tanh of the input and of the state before.

    ## Shape
    Bottom 0 (T, N, values...): T steps of N streams. Bottom 1 (T, N): 0 where a sequence begins, 1
    where it goes on; a fraction carries that much of the state over. Then, if there are that many
    bottoms, a static input (N, values...) that is seen at every step; then, with `expose_hidden`,
    h_0 (1, N, D). Top 0 (T, N, D), D = `num_output`; with `expose_hidden` also h_T (1, N, D).

    ## Blobs
    W_xh (D, values), b_h (D), W_xh_static (D, static values) if there is a static input, W_hh
    (D, D), W_ho (D, D), b_o (D).

    ## Differs from PyTorch
    `torch.nn.RNN` gives out the hidden state; here the top is tanh(W_ho h + b_o). There are
    indicators, and the state is carried from one forward pass to the next. Exposed states get no
    gradient.
    """

    type = "RNN"
    bottoms = count(2, 4)
    tops = count(1, 2)
    states = ("h_0",)

    def weights(self) -> tuple[BlobSpec, ...]:
        square = (self.num_output, self.num_output)
        return (
            *self.input_weights("h"),
            BlobSpec("W_hh", square, self.weight_filler),
            BlobSpec("W_ho", square, self.weight_filler),
            BlobSpec("b_o", (self.num_output,), self.bias_filler),
        )

    def cost(self) -> Cost:
        size = self.num_output
        steps = self.timesteps * self.streams
        # per output: cont h, two biases, the sum, two curves
        adds = 7 if self.static_input else 6
        return Cost(self.products(2 * size * size), steps * size * adds)


class LSTMUnit(Definition):
    """The gates of an LSTM at one step: the new cell and hidden state from the old cell.

    ## Shape
    Bottom 0 (1, N, D): the cell before. Bottom 1 (1, N, 4D): the gates i, f, o, g before their
    curves. Bottom 2 (1, N): 0 drops the cell before. Tops (1, N, D): the new cell, the new hidden
    state.

    ## Differs from PyTorch
    `LSTMCell` has the products in it, and the order i, f, g, o.
    """

    type = "LSTMUnit"
    bottoms = count(3)
    tops = count(2)

    def shapes(self, bottoms: tuple[Shape, ...]) -> list[Shape]:
        cell, gates, indicators = bottoms
        for index, (bottom, axes) in enumerate(((cell, 3), (gates, 3), (indicators, 2))):
            if len(bottom) != axes:
                self.refuse(
                    "wrong-number-of-axes",
                    f"bottom {index} of an LSTMUnit has {axes} axes, not {len(bottom)}",
                    "layer.bottom",
                    index=index,
                )
        self.streams, self.size = cell[1:]
        expected = ((1, self.streams, self.size), (1, self.streams, 4 * self.size))
        for index, shape in enumerate((*expected, (1, self.streams))):
            if bottoms[index] != shape:
                self.refuse(
                    "lstm-unit-shapes-differ",
                    f"bottom {index} must be {list(shape)} beside a cell of {self.size} values for "
                    f"{self.streams} streams; it is {list(bottoms[index])}",
                    "layer.bottom",
                    index=index,
                )
        warn_in_place(self)
        return [cell, cell]

    def cost(self) -> Cost:
        # five curves; f c, times cont, i g, their sum, o tanh(c)
        return Cost(0, 10 * prod(self.bottom_shapes[0]))
