"""What a prototxt holds: a net, a solver, or something that Caffe has no message for."""

from __future__ import annotations

from typing import Literal, NamedTuple

from caffegen.plugins import discover
from caffegen.schema import message_type
from caffegen.schema.suggest import nearest
from caffegen.text import Fault, Message, Source, parse

__all__ = ["Kind", "read_kind"]


class Kind(NamedTuple):
    """A text as the message that it is meant to be."""

    word: Literal["net", "solver", "other"]
    message: Message
    faults: list[Fault]


def read_kind(source: Source) -> Kind:
    """Parse a text as a net; as a solver where it has fields of a solver and no layers.

    It is neither when its fields are unknown to both, such as the label maps that some forks keep
    in prototxt files.
    """
    net = message_type("NetParameter")
    message, faults = parse(source, net, nearest)
    if message.odd and discover():
        message, faults = parse(source, net, nearest)
    unknown = [field.name for field in message.unknown if field.name not in net.fields]
    if not unknown or any(message.has(name) for name in ("layer", "layers", "input")):
        return Kind("net", message, faults)
    solver = message_type("SolverParameter")
    if any(name in solver.fields for name in unknown):
        return Kind("solver", *parse(source, solver, nearest))
    if any(True for _ in message.set_fields()) or any(f.name != "unknown-field" for f in faults):
        return Kind("net", message, faults)
    return Kind("other", message, faults)
