"""The states that a net is meant for, as its own rules tell.

A file may hold the net of one phase alone (`train.prototxt`), or several of one phase that a solver
tells apart by stages. Held against a state that it has no data for, every such net would be at fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from caffegen.diagnostics import Report
from caffegen.net import NetState, filter_layers, state_of
from caffegen.text import Message

from .options import Options

__all__ = ["Part", "parts", "state_label"]


class Part:
    """The layers of a net that are there in one state, and those that its rules leave out."""

    __slots__ = ("layers", "left_out", "report", "state")

    def __init__(self, net: Message, state: NetState) -> None:
        self.state = state
        self.report = Report()
        self.layers = filter_layers(net, state, self.report)
        kept = set(map(id, self.layers))
        self.left_out = [layer for layer in net.layer if id(layer) not in kept]

    def missing_sources(self) -> list[Message]:
        """Layers without bottoms that the rules leave out although a blob of theirs is read."""
        sources = [layer for layer in self.left_out if not layer.has("bottom")]
        if not sources:
            return []
        made = {top for layer in self.layers for top in layer.top}
        read = {bottom for layer in self.layers for bottom in layer.bottom} - made
        return [layer for layer in sources if not read.isdisjoint(layer.top)]

    def is_meant(self) -> bool:
        """Whether a layer is included for this phase by name."""
        return any(
            rule.has("phase") and rule.phase == self.state.phase
            for layer in self.layers
            for rule in layer.include
        )


def parts(net: Message, options: Options) -> list[Part]:
    """The net in every state to check it in.

    A phase is passed over when the data that it reads is there in another one alone and no layer is
    included for it; stages and levels that bring the data are tried. What the caller asks for by
    name is done.
    """
    asked = len(options.phases) == 1 or bool(options.stages)
    found: list[Part] = []
    plain: list[Part] = []
    for phase in options.phases:
        part = Part(net, state_of(net, phase, options.level, options.stages))
        plain.append(part)
        missing = [] if options.stages or not part.left_out else part.missing_sources()
        if not missing:
            found.append(part)
            continue
        staged = [Part(net, state) for state in dict.fromkeys(_states_of(part.state, missing))]
        found.extend(staged)
        if not staged and (asked or part.is_meant()):
            found.append(part)
    return found or plain


def _states_of(plain: NetState, sources: Sequence[Message]) -> Iterator[NetState]:
    """The states of a phase in which one of the layers is included by stage or level."""
    for layer in sources:
        for rule in layer.include:
            if rule.has("phase") and rule.phase != plain.phase:
                continue
            level = max(plain.level, rule.min_level) if rule.has("min_level") else plain.level
            stages = (*plain.stages, *(s for s in rule.stage if s not in plain.stages))
            state = NetState(plain.phase, level, stages)
            if state != plain:
                yield state


def state_label(state: NetState) -> str:
    """`TEST`, and with what else it takes: `TEST+validation`."""
    return "+".join((state.phase, *state.stages)) + (f"@{state.level}" if state.level else "")
