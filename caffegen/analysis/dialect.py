"""Which Caffe a text is for: the forks whose schema it fits, and the fields that give them away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from caffegen.diagnostics import Report
from caffegen.errors import CaffegenError
from caffegen.schema.additions import has_own_schema
from caffegen.schema.dialects import DIALECTS, LACKS, listed
from caffegen.schema.forks import TYPES
from caffegen.schema.strays import STRAYS
from caffegen.schema.suggest import nearest
from caffegen.text import Message, Span

__all__ = ["Dialect", "Trace", "check_dialect", "find_dialect", "report_dialect"]

_LACKED: dict[str, frozenset[str]] = {}
for _key in LACKS:
    _owner, _, _field = _key.partition(".")
    _LACKED[_owner] = _LACKED.get(_owner, frozenset()) | {_field}
_NETS = ("net_param", "train_net_param", "test_net_param")
# types of two forks that read different numbers of bottoms (upsample_layer.cpp)
_BY_BOTTOMS = {("Upsample", 1): ("mobilenet-yolo",), ("Upsample", 2): ("segnet",)}
# so many giveaways are named in one sentence
_NAMED = 3


class Trace(NamedTuple):
    """One thing that not every Caffe has, where it is first written, and how often.

    `what` is how a sentence names it; `forks` are those that have it, `()` where none is known to;
    `stray` is the key of a field in STRAYS.
    """

    what: str
    forks: tuple[str, ...]
    span: Span | None
    times: int
    bvlc: bool
    stray: str = ""


class Dialect(NamedTuple):
    """The Caffes that a net may be for: `forks` all of them, `name` the only one or `""`.

    `asked` is the one that the caller named. Without a trace of a fork there are none: BVLC's.
    """

    forks: tuple[str, ...] = ()
    traces: tuple[Trace, ...] = ()
    asked: str = ""

    @property
    def name(self) -> str:
        """The dialect, where it is decided."""
        return self.forks[0] if len(self.forks) == 1 else ""


def check_dialect(name: str) -> str:
    """The name itself; CaffegenError for one that is no dialect."""
    if name and name not in DIALECTS:
        near = nearest(name, DIALECTS)
        hint = f"; did you mean `{near}`?" if near else f"; there are {listed(sorted(DIALECTS))}"
        raise CaffegenError(f"no dialect is called `{name}`{hint}")
    return name


def find_dialect(message: Message, asked: str = "") -> Dialect:
    """The dialect of a net or a solver as it was written, before any upgrade."""
    check_dialect(asked)
    if not asked and message.foreign is False and not _has_foreign_type(message):
        return Dialect()
    found: dict[str, Trace] = {}
    for trace in _traces(message):
        key = trace.stray or trace.what
        earlier = found.get(key)
        found[key] = trace if earlier is None else earlier._replace(times=earlier.times + 1)
    traces = tuple(found.values())
    if asked:
        return Dialect((asked,), traces, asked)
    of_forks = [trace for trace in traces if not trace.bvlc and not trace.stray]
    if not of_forks:
        return Dialect((), traces)
    forks = [f for f in DIALECTS if all(f in t.forks for t in of_forks)]
    # an older fork is left out where the net has what came after it
    newer = [f for f in forks if all(f in t.forks for t in traces if not t.stray)]
    return Dialect(tuple(newer or forks), traces)


def _has_foreign_type(message: Message) -> bool:
    """Whether the net, or a net inside the solver, has a layer type of a fork."""
    nets = [message]
    if message.message_type.name == "SolverParameter":
        nets = [net for name in _NETS if message.has(name) for net in _as_list(message.get(name))]
    return any(layer.type in TYPES for net in nets for layer in net.layer)


def _as_list(value: Any) -> list[Message]:
    return value if isinstance(value, list) else [value]


def _traces(message: Message) -> Iterator[Trace]:
    """Everything that some Caffe lacks, in the order of the text where it is kept."""
    # a message, and the forks that have it
    stack: list[tuple[Message, tuple[str, ...] | None]] = [(message, None)]
    while stack:
        here, known_by = stack.pop()
        kind = here.message_type
        if kind.name == "LayerParameter" and here.type in TYPES:
            forks = _BY_BOTTOMS.get((here.type, len(here.bottom)), tuple(TYPES[here.type].split()))
            yield Trace(f"`{here.type}`", forks, here.span("type", value=True), 1, bvlc=False)
        for name in _LACKED.get(kind.name, frozenset()) & here._values.keys():
            lacking = LACKS[f"{kind.name}.{name}"].split()
            forks = tuple(fork for fork in DIALECTS if fork not in lacking)
            yield Trace(f"`{name}`", forks, here.span(name), 1, bvlc=True)
        below: list[tuple[Message, tuple[str, ...] | None]] = []
        for name, value in here._values.items():
            if name not in kind.telling:
                continue
            field = kind.fields[name]
            # what every fork with the message has in it tells no more than the message
            key = f"{kind.name}.{name}"
            if key in STRAYS:
                yield Trace(f"`{name}`", (), here.span(name), 1, bvlc=False, stray=key)
            elif field.forks is not None and field.forks != known_by:
                yield Trace(f"`{name}`", field.forks, here.span(name), 1, bvlc=False)
            values = value if field.repeated else (value,)
            if field.kind == "message":
                below += [(item, field.forks) for item in values]
            elif field.kind == "enum":
                for word in field.type.forks.keys() & set(values):
                    forks = field.type.forks[word]
                    yield Trace(f"`{name}: {word}`", forks, here.span(name), 1, bvlc=False)
        stack += reversed(below)


def report_dialect(dialect: Dialect, report: Report) -> None:
    """Say once of which forks a text is; or, of the dialect that was asked for, what it has not."""
    _report_strays(dialect, report)
    if dialect.asked:
        for trace in dialect.traces:
            if (
                not trace.stray
                and dialect.asked not in trace.forks
                and not (trace.bvlc and dialect.asked == "bvlc")
            ):
                times = f" ({trace.times} times)" if trace.times > 1 else ""
                had = f"; {listed(trace.forks)} have it" if len(trace.forks) > 1 else ""
                had = f"; {trace.forks[0]} has it" if len(trace.forks) == 1 else had
                report.error(
                    "not-in-dialect", f"the Caffe of `{dialect.asked}` has no {trace.what}{had}{times}",
                    trace.span,
                    help="give the dialect that the file is for" if had else "",
                )  # fmt: skip
        return
    traces = [trace for trace in dialect.traces if not trace.bvlc and not trace.stray]
    if not traces or has_own_schema():
        return
    report.warning(
        "fork-schema", _sentence(dialect, traces), traces[0].span,
        help=f"say which Caffe it is for, as in --dialect {dialect.forks[0]}" if dialect.forks else "",
        other=(traces[1].span, "this is of a fork too") if len(traces) > 1 else None,
    )  # fmt: skip


def _report_strays(dialect: Dialect, report: Report) -> None:
    for trace in dialect.traces:
        if trace.stray:
            why, instead = STRAYS[trace.stray]
            owner = trace.stray.partition(".")[0]
            times = f" ({trace.times} times)" if trace.times > 1 else ""
            report.error(
                "field-without-reader", f"no Caffe reads {trace.what} in {owner}: {why}{times}",
                trace.span, help=instead,
            )  # fmt: skip


def _sentence(dialect: Dialect, traces: list[Trace]) -> str:
    if dialect.forks:
        # the rarest give most away
        telling = sorted(traces, key=lambda trace: len(trace.forks))
        return (
            f"BVLC Caffe refuses this file: it fits the schema of {listed(dialect.forks)}, by "
            f"{_named(telling)}"
        )
    strange = [trace for trace in traces if not trace.forks]
    known = [trace for trace in traces if trace.forks]
    if not known:
        return f"BVLC Caffe refuses this file: no fork that caffegen knows has {_named(strange)}"
    if strange:
        return (
            f"BVLC Caffe refuses this file: {_named(known)} are of forks, and no fork that caffegen "
            f"knows has {_named(strange)}"
        )
    first = min(known, key=lambda trace: len(trace.forks))
    second = next((t for t in known if not set(t.forks) & set(first.forks)), known[-1])
    return (
        f"BVLC Caffe refuses this file: no fork has all of it; {first.what} is of "
        f"{listed(first.forks)}, {second.what} of {listed(second.forks)}"
    )


def _named(traces: list[Trace]) -> str:
    shown = [
        f"{trace.what} (line {trace.span.line})" if trace.span else trace.what
        for trace in traces[:_NAMED]
    ]
    more = len(traces) - len(shown)
    return listed([*shown, f"{more} more"] if more else shown)
