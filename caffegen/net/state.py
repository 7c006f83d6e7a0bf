"""Which layers are there: the state of a net (phase, level, stages) and the rules of its layers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from caffegen.diagnostics import Report
from caffegen.errors import CaffegenError
from caffegen.text import Message

__all__ = ["NetState", "filter_layers", "state_of"]

_PHASES: Mapping[str | int, str] = {"TRAIN": "TRAIN", "TEST": "TEST", 0: "TRAIN", 1: "TEST"}


class NetState(NamedTuple):
    """Phase (`TRAIN` or `TEST`), level and stages, against which include and exclude rules are held."""

    phase: str = "TEST"
    level: int = 0
    stages: tuple[str, ...] = ()


def state_of(net: Message, phase: str | int, level: int, stages: Collection[str]) -> NetState:
    """The caller's phase and level with the stages of the file and the caller's (net.cpp, Net::Net).

    A phase is its word or, as in pycaffe, its number: CaffegenError for any other.
    """
    word = _PHASES.get(phase)
    if word is None:
        raise CaffegenError(f"`{phase}` is no phase; there are `TRAIN` and `TEST`")
    if isinstance(stages, str):
        stages = (stages,)
    return NetState(word, level, (*net.state.stage, *stages))


def filter_layers(net: Message, state: NetState, report: Report) -> list[Message]:
    """The layers that the state includes, in order (net.cpp, FilterNet).

    A layer with both kinds of rules is an error; it is kept then, so that it is still checked.
    """
    kept = []
    for layer in net.layer:
        values = layer._values
        if "include" not in values:
            if "exclude" in values and any(_meets(state, rule) for rule in layer.exclude):
                continue
        elif "exclude" in values:
            report.error(
                "include-and-exclude",
                f"layer `{layer.name}` has include and exclude rules; Caffe takes one kind",
                layer.span("exclude"),
                help="say the whole condition with include rules alone",
                other=(layer.span("include"), "the include rule is here"),
                layer=layer.name,
            )
        elif not any(_meets(state, rule) for rule in layer.include):
            continue
        kept.append(layer)
    return kept


def _meets(state: NetState, rule: Message) -> bool:
    """Whether phase, level, all stages and none of the not_stages agree (net.cpp, StateMeetsRule)."""
    if rule.has("phase") and rule.phase != state.phase:
        return False
    if rule.has("min_level") and state.level < rule.min_level:
        return False
    if rule.has("max_level") and state.level > rule.max_level:
        return False
    if any(stage not in state.stages for stage in rule.stage):
        return False
    return all(stage not in state.stages for stage in rule.not_stage)
