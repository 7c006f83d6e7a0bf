"""What every layer definition is made of.

A definition is one class per layer type. An instance is one layer of a net: `bind` resolves the
parameters once into plain facts, `infer` turns the shapes of the bottoms into those of the tops and
says which weight blobs the layer has. Lowerings read these facts and never a protobuf default.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, ClassVar, NamedTuple, NoReturn

from caffegen.diagnostics import Report, Severity
from caffegen.text import Message, Span

__all__ = ["BlobSpec", "Cost", "Count", "Definition", "Refused", "Shape", "Window", "count"]

Shape = tuple[int, ...]
INT_MAX = 0x7FFFFFFF
MAX_AXES = 32  # kMaxBlobAxes in blob.hpp


class Count(NamedTuple):
    """How many bottoms or tops a layer takes; `most` None means any number."""

    least: int
    most: int | None
    even: bool = False

    def takes(self, number: int) -> bool:
        """Whether the number fits."""
        if self.even and number % 2:
            return False
        return number >= self.least and (self.most is None or number <= self.most)

    def __str__(self) -> str:
        if self.most == self.least:
            return str(self.least) if self.least else "none"
        if self.most is None:
            return f"{self.least} or more" if self.least else "any number"
        return f"{self.least} to {self.most}"


def count(least: int, most: int | None = -1) -> Count:
    """Exactly `least`, or from `least` to `most` (None: no limit)."""
    return Count(least, least if most == -1 else most)


class BlobSpec(NamedTuple):
    """A weight blob: what it is called, its shape, how it is filled, whether the solver learns it."""

    name: str
    shape: Shape
    filler: Message | None = None
    learned: bool = True


class Cost(NamedTuple):
    """Work of one forward pass: multiply-accumulates, and other arithmetic operations."""

    macs: int = 0
    ops: int = 0


class Window(NamedTuple):
    """A sliding window per spatial axis, for receptive fields."""

    kernel: Shape
    stride: Shape
    pad: Shape
    dilation: Shape


class Refused(Exception):
    """Raised inside a definition once a fault leaves nothing more to say about the layer."""


class Definition:
    """The base of all layer definitions.

    Class facts: `type` (Caffe's name), `param` (the field of LayerParameter with its parameters),
    `bottoms` and `tops` (counts), `in_place` (whether Caffe computes right when a top is its bottom),
    `auto_top` (Caffe adds missing tops), `loss` (the first top has loss weight 1 by default),
    `gradient` (whether backward exists), `train_only` and `test_only` behaviours are in docstrings.
    `forks` are the forks of Caffe that the net may be for (none: BVLC's own), `dialect` is the one
    of them or `""` while that is open; both are set before `bind`.
    `obstacle` says why nothing can compute the layer, `""` where it can be computed.
    After `infer`: `bottom_shapes`, `top_shapes` and `blobs`; `shaped` says that the shapes of all
    bottoms were known.
    """

    type: ClassVar[str] = ""
    param: ClassVar[str] = ""
    bottoms: ClassVar[Count] = count(1)
    tops: ClassVar[Count] = count(1)
    in_place: ClassVar[bool] = False
    auto_top: ClassVar[bool] = False
    loss: bool = False
    # tops must equal bottoms in number (neuron layers on many bottoms, Split and the like: no)
    equal_counts: ClassVar[bool] = False
    # numbers that a fork takes besides, and whose; a net of BVLC's may not have them
    fork_bottoms: ClassVar[tuple[Count, str] | None] = None
    fork_tops: ClassVar[tuple[Count, str] | None] = None
    # the axis of the tops whose size only the data decide, where there is one
    run_time_axis: ClassVar[int | None] = None
    # False for a type that caffegen has no definition of
    known: ClassVar[bool] = True
    # fields of fork_fields.CHANGES that the definition takes into account
    honours: ClassVar[frozenset[str]] = frozenset()
    # False where only running the layer tells which weight blobs it has
    blobs_known: bool = True
    # False for layers that pass over values in the text: their fillers run all the same
    reads_stored: ClassVar[bool] = True

    def __init__(
        self,
        layer: Message,
        phase: str = "TEST",
        report: Report | None = None,
        dialect: str | Sequence[str] = "",
    ) -> None:
        self.layer = layer
        self.phase = phase
        self.forks = ((dialect,) if dialect else ()) if isinstance(dialect, str) else tuple(dialect)
        self.dialect = self.forks[0] if len(self.forks) == 1 else ""
        self.name: str = layer.name
        self.report = report if report is not None else Report()
        self.top_count = len(layer.top)
        self.bottom_count = len(layer.bottom)
        self.bottom_shapes: tuple[Shape, ...] = ()
        self.top_shapes: tuple[Shape | None, ...] = ()
        self.blobs: tuple[BlobSpec, ...] = ()
        self.refused = False
        self.shaped = False
        self.obstacle = ""
        self._told: set[tuple[str, str, int]] = set()
        try:
            self.bind(layer.get(self.param) if self.param else layer)
        except Refused:
            self.refused = True

    # What a definition writes.

    def bind(self, param: Message) -> None:
        """Resolve the parameters into facts; what is wrong with them alone is reported here."""

    def shapes(self, bottoms: tuple[Shape, ...]) -> Sequence[Shape | None]:
        """The shapes of the tops; sets `blobs` where the layer has weights. None: known at run time."""
        return bottoms[: max(1, self.top_count)]

    def weight_fillers(self) -> Sequence[tuple[str, Message | None]]:
        """Name and filler of each weight blob in order: what is known of `blobs` without a shape.

        Called for a layer that was refused, too; a filler of None does not run.
        """
        return ()

    def check_alone(self, bottoms: Sequence[Shape | None] = ()) -> None:
        """Report faults of the parameters that need no shape, each without a look at the others.

        `bottoms` are the shapes as far as they are known. `shapes` may come upon the same faults
        again: one is told once.
        """
        if self.layer.has("blobs") and self.reads_stored:
            return
        from .weight_blobs import check_filler_alone

        for _, filler in self.weight_fillers():
            if filler is not None:
                check_filler_alone(self, filler)

    def cost(self) -> Cost:
        """The work of one forward pass; called after a successful `infer`."""
        return Cost(0, sum(prod(shape) for shape in self.top_shapes if shape is not None))

    @property
    def window(self) -> Window | None:
        """The sliding window over the input, for layers that have one."""
        return None

    # What the walk calls.

    def infer(self, bottoms: Sequence[Shape | None]) -> tuple[Shape | None, ...]:
        """The shapes of the tops, None where they can't be known; reports what does not fit."""
        number = max(self.top_count, self.tops.least if self.auto_top else 0)
        unknown: tuple[Shape | None, ...] = (None,) * number
        known = tuple(shape for shape in bottoms if shape is not None)
        if self.refused or len(known) < len(bottoms):
            self.check_alone(bottoms)
            return unknown
        self.bottom_shapes = known
        self.shaped = True
        try:
            tops = tuple(self.shapes(known))
        except Refused:
            self.refused = True
            self.check_alone(bottoms)
            return unknown
        self.top_shapes = tops[:number] if len(tops) >= number else tops + unknown[len(tops) :]
        return self.top_shapes

    # Words for reporting.

    def each(self, *checks: Callable[[], object]) -> None:
        """Make checks that do not depend on each other; refuses behind the last if one refused."""
        refused = False
        for check in checks:
            try:
                check()
            except Refused:  # noqa: PERF203 - what the others have to say is wanted, too
                refused = True
        if refused:
            raise Refused

    def tell(
        self,
        severity: Severity,
        name: str,
        message: str,
        span: Span | None,
        *,
        help: str = "",
        other: tuple[Span | None, str] | None = None,
    ) -> None:
        """Report a finding, but not a second time."""
        key = (name, message, -1 if span is None else span.start)
        if key in self._told:
            return
        self._told.add(key)
        report = self.report.error if severity == "error" else self.report.warning
        report(name, message, span, help=help, other=other, layer=self.name)

    def at(self, path: str = "", index: int | None = None) -> Span | None:
        """Where a field was written: `pad` in the layer's parameters, `layer.top` in the layer itself.

        Falls back to the parameter message, then to the layer.
        """
        layer = self.layer
        span = None
        if path.startswith("layer."):
            span = layer.span(path[6:], index)
        elif path:
            message: Message = layer.get(self.param) if self.param else layer
            *parents, last = path.split(".")
            for parent in parents:
                message = message.get(parent)
            span = message.span(last, index)
        if span is None and self.param:
            span = layer.span(self.param)
        return span or layer.span("type", value=True) or layer.span()

    def fault(
        self,
        name: str,
        message: str,
        at: str = "",
        *,
        index: int | None = None,
        help: str = "",
        other: tuple[str, str] | None = None,
    ) -> None:
        """Report what Caffe refuses, and go on."""
        second = (self.at(other[0]), other[1]) if other else None
        self.tell("error", name, message, self.at(at, index), help=help, other=second)

    def refuse(
        self,
        name: str,
        message: str,
        at: str = "",
        *,
        index: int | None = None,
        help: str = "",
        other: tuple[str, str] | None = None,
    ) -> NoReturn:
        """Report what Caffe refuses, and say no more about this layer."""
        self.fault(name, message, at, index=index, help=help, other=other)
        raise Refused

    def warn(
        self, name: str, message: str, at: str = "", *, index: int | None = None, help: str = ""
    ) -> None:
        """Report what Caffe takes and what still hurts."""
        self.tell("warning", name, message, self.at(at, index), help=help)

    def default_of(self, param: Message, field: str) -> Any:
        """The value of a field, where it is unset the default of the fork that the net is for.

        Where the forks that come into question have different ones, which is meant is asked for.
        """
        value = param.get(field)
        if not self.forks or param.has(field):
            return value
        from caffegen.schema.dialects import fork_default, listed

        owner = param.message_type.name
        meant = {fork: fork_default(owner, field, value, (fork,)) for fork in self.forks}
        values = {one for found in meant.values() for one in found}
        if len(values) > 1:
            forks = {one: [f for f, found in meant.items() if one in found] for one in values}
            said = listed(f"{one:g} in {listed(forks[one])}" for one in sorted(values))
            self.fault(
                "dialect-undecided",
                f"`{field}` is not set, and its default is {said}",
                help=f"set `{field}`, or say which Caffe the net is for with `--dialect`",
            )
            return value
        return values.pop()

    def axis(self, axis: int, rank: int, at: str = "axis", *, end: bool = False) -> int:
        """An axis counted from the front (Blob::CanonicalAxisIndex); refuses one out of range.

        With `end` the axis may also be the rank itself, one past the last.
        """
        limit = rank + 1 if end else rank
        if not -rank <= axis < limit:
            self.refuse(
                "axis-out-of-range",
                f"`{at}` is {axis}, but the bottom has {rank} {'axis' if rank == 1 else 'axes'}",
                at,
                help=f"axes go from {-rank} to {limit - 1}",
            )
        return axis + rank if axis < 0 else axis

    def check_size(self, shape: Shape, at: str = "", index: int | None = None) -> None:
        """Refuse what Blob::Reshape refuses: too many axes, a negative dimension, too many values.

        Behind a dimension of 0 Caffe does not count on.
        """
        if shape and min(shape) > 0 and prod(shape) <= INT_MAX and len(shape) <= MAX_AXES:
            return
        if len(shape) > MAX_AXES:
            self.refuse(
                "more-than-32-axes",
                f"the shape has {len(shape)} axes; a blob has {MAX_AXES} at most",
                at,
                index=index,
            )
        total = 1
        for dim in shape:
            if dim < 0:
                self.refuse(
                    "dimension-negative",
                    f"the shape {list(shape)} has a negative dimension",
                    at,
                    index=index,
                )
            total *= dim
            if total > INT_MAX:
                self.refuse(
                    "blob-too-large",
                    f"the shape {list(shape)} has more than {INT_MAX} values",
                    at,
                    index=index,
                )
